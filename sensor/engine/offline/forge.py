"""Plain frames for rule examples: one TCP conversation or UDP datagram that carries a payload.

Small and exact, so that rules can be tested without scapy; captures are forged with scapy, in `pcaps/`.
"""

from __future__ import annotations

import struct

_MSS = 1400
_STEP = 1_000_000
_SYN, _ACK, _PSH, _FIN = 0x02, 0x10, 0x08, 0x01
_TCP, _UDP = 6, 17
_MACS = (bytes.fromhex("00163e000001"), bytes.fromhex("00163e000002"))
"""Of Xen's range, 00:16:3e."""


class Conversation:
    """Frames of one client and one server, 1 ms apart."""

    def __init__(self, client: bytes, server: bytes, client_port: int, server_port: int, start_ns: int) -> None:
        self._ends = ((client, client_port), (server, server_port))
        self._now = start_ns
        self._seq = [1000, 2000]
        self._ident = 1
        self.frames: list[tuple[int, bytes]] = []
        """(ns, Ethernet frame)"""

    def udp(self, side: int, payload: bytes) -> None:
        """Send a datagram. side: 0 client, 1 server."""
        sport, dport = self._ends[side][1], self._ends[1 - side][1]
        self._send(side, _UDP, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)

    def tcp(self, side: int, payload: bytes, answer: bytes = b"") -> None:
        """Open a connection, send a payload from a side, an answer from the other, close."""
        self._segment(0, _SYN)
        self._segment(1, _SYN | _ACK)
        self._segment(0, _ACK)
        for sender, data in ((side, payload), (1 - side, answer)):
            for at in range(0, len(data), _MSS):
                self._segment(sender, _PSH | _ACK, data[at : at + _MSS])
                self._segment(1 - sender, _ACK)
        self._segment(0, _FIN | _ACK)
        self._segment(1, _FIN | _ACK)
        self._segment(0, _ACK)

    def _segment(self, side: int, flags: int, payload: bytes = b"") -> None:
        sport, dport = self._ends[side][1], self._ends[1 - side][1]
        ack = self._seq[1 - side] if flags & _ACK else 0
        header = struct.pack("!HHIIBBHHH", sport, dport, self._seq[side], ack, 5 << 4, flags, 65535, 0, 0)
        self._send(side, _TCP, header + payload)
        self._seq[side] += len(payload) + (1 if flags & (_SYN | _FIN) else 0)

    def _send(self, side: int, proto: int, body: bytes) -> None:
        src, dst = self._ends[side][0], self._ends[1 - side][0]
        pseudo = src + dst + struct.pack("!II", len(body), proto)
        at = 16 if proto == _TCP else 6
        total = checksum(pseudo + body)
        if proto == _UDP and not total:
            total = 0xFFFF
        body = body[:at] + struct.pack("!H", total) + body[at + 2 :]
        if len(src) == 4:
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), self._ident, 0, 64, proto, 0) + src + dst
            header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
            ethertype = 0x0800
        else:
            header = struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + src + dst
            ethertype = 0x86DD
        self._ident += 1
        frame = _MACS[1 - side] + _MACS[side] + struct.pack("!H", ethertype) + header + body
        self.frames.append((self._now, frame))
        self._now += _STEP


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of bytes whose checksum field is 0."""
    data += b"\0" * (len(data) & 1)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
