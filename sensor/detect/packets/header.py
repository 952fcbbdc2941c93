"""Numbers and raw headers of a decoded packet, for `HeaderTest` and the `*.hdr` buffers.

Most come from the packet's row; what the columns do not hold is read from the header bytes, within bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import msgspec

from sensor.decode.details import details, reached
from sensor.detect.packets.checksums import ipv4_state, transport_state
from sensor.detect.packets.packetrow import Buffer, PacketRow
from sensor.model.rows import FRAG_NONE, FRAG_PART, FRAG_REASSEMBLED

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
ETHERTYPE_ARP = 0x0806
SYN = 2
TOO_BIG = 2
"""ICMPv6 type (RFC 4443 section 3.2)."""
_WORD = 1 << 32
_FRAGMENT_HEADER = 44
_SECOND = 10**9
_ECHO = MappingProxyType({ICMP: frozenset({0, 8, 13, 14, 15, 16, 17, 18}), ICMPV6: frozenset({128, 129})})
"""Types whose header has identifier and sequence number (RFC 792, RFC 950, RFC 4443)."""


class FlowView(msgspec.Struct, frozen=True, gc=False):
    """What rules may ask of a flow: `FLOW` as it stands at the packet, each pair (to_server, to_client)."""

    first: int
    """ns"""
    pkts: tuple[int, int]
    bytes: tuple[int, int]
    isn: tuple[int, int]
    """Sequence number of stream offset 0."""
    synced: tuple[int, int]


Get = Callable[[PacketRow, Buffer, "FlowView | None"], "int | None"]


def _read(buf: Buffer, start: int, size: int) -> bytes | None:
    """Return `size` bytes at `start`; None where they are not all there."""
    if start < 0 or start + size > len(buf):
        return None
    return bytes(buf[start : start + size])


def _word(buf: Buffer, start: int) -> int | None:
    raw = _read(buf, start, 2)
    return None if raw is None else raw[0] << 8 | raw[1]


def _ip(name: str) -> Get:
    return lambda row, _buf, _flow: getattr(row, name) if row.ipv else None


def _protocol(row: PacketRow, _buf: Buffer, _flow: FlowView | None) -> int | None:
    """Return the protocol; that of a fragment of IPv6 is the fragment header (44), as in Suricata."""
    if row.ipv == 6 and row.frag == FRAG_PART:
        return _FRAGMENT_HEADER
    return row.proto if row.ipv else None


def _transport(proto: int, name: str) -> Get:
    return lambda row, _buf, _flow: getattr(row, name) if row.proto == proto and row.l4 >= 0 else None


def _icmp(name: str) -> Get:
    return lambda row, _buf, _flow: getattr(row, name) if row.proto in _ECHO and row.l4 >= 0 else None


def _echo(offset: int) -> Get:
    def get(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
        if row.l4 < 0 or row.sport not in _ECHO.get(row.proto, ()):
            return None
        if row.proto == ICMPV6 and row.dport != 0:
            return 0  # Suricata reads neither where the code is wrong
        return _word(buf, row.l4 + offset)

    return get


def _mtu(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
    """Return the MTU of a Packet Too Big (RFC 4443 section 3.2)."""
    raw = _read(buf, row.l4 + 4, 4) if row.proto == ICMPV6 and row.l4 >= 0 and row.sport == TOO_BIG else None
    return None if raw is None else int.from_bytes(raw, "big")


def _ip_id(row: PacketRow, _buf: Buffer, _flow: FlowView | None) -> int | None:
    return row.ipid if row.ipv == 4 or (row.ipv == 6 and row.frag != FRAG_NONE) else None


def _fragoffset(row: PacketRow, _buf: Buffer, _flow: FlowView | None) -> int | None:
    return row.fragoff if row.ipv == 4 or (row.ipv == 6 and row.frag != FRAG_NONE) else None


def _age(row: PacketRow, _buf: Buffer, flow: FlowView | None) -> int | None:
    """Return the seconds that the clock has gone on, as Suricata counts them: 0.9 to 2.0 is two."""
    return None if flow is None else max(row.ts // _SECOND - flow.first // _SECOND, 0)


def _fragbits(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
    """Return more-fragments 1, don't-fragment 2, reserved 4 (RFC 791 section 3.1, read from the left)."""
    raw = _read(buf, row.l3 + 6, 1) if row.ipv == 4 and row.l3 >= 0 else None
    return None if raw is None else raw[0] >> 5


def _options(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
    """Return the set of option types, bit N for type N (RFC 791 section 3.1); at most 40 bytes are walked."""
    header = _ipv4(row, buf)
    if header is None:
        return None
    found, at = 0, 20
    while at < len(header):
        kind = header[at]
        found |= 1 << kind
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        size = header[at + 1] if at + 1 < len(header) else 0
        if size < 2:
            break
        at += size
    return found


def _udp_len(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
    return _word(buf, row.l4 + 4) if row.proto == UDP and row.l4 >= 0 else None


def _arp_opcode(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
    return _word(buf, row.l3 + 6) if row.ethertype == ETHERTYPE_ARP and row.l3 >= 0 else None


def _mss(row: PacketRow, buf: Buffer, _flow: FlowView | None) -> int | None:
    """Return the maximum segment size option (RFC 9293 section 3.2); at most 40 option bytes are walked."""
    header = raw_header("tcp.hdr", row, buf)
    if header is None:
        return None
    at = 20
    while at < len(header) and header[at] != 0:
        if header[at] == 1:
            at += 1
            continue
        if at + 1 >= len(header) or header[at + 1] < 2:
            return None
        if header[at] == 2:
            return header[at + 2] << 8 | header[at + 3] if header[at + 1] == 4 <= len(header) - at else None
        at += header[at + 1]
    return None


def _stream_size(side: int) -> Get:
    """Return the size of a side's stream as Suricata's stream_size counts it: its SYN is one byte.

    So is its FIN, but only once the other side has acknowledged it.
    The sender's own is where this segment ends, the other side's what it acknowledges: both are in the
    packet, so the answer does not depend on what the flow table learnt later. Where neither side has a stream (a scan,
    a flow without its start) there is nothing to count.
    """

    def get(row: PacketRow, _buf: Buffer, flow: FlowView | None) -> int | None:
        if flow is None or row.proto != TCP or row.l4 < 0 or not any(flow.synced):
            return None
        if not flow.synced[side]:
            return 0
        end = row.seq + row.paylen + bool(row.tcpflags & SYN) if row.side == side else row.ack
        size = (end - flow.isn[side] + 1) % _WORD
        return size if size < _WORD // 2 else 0

    return get


def _flow_pair(name: str, side: int) -> Get:
    return lambda _row, _buf, flow: None if flow is None else getattr(flow, name)[side]


FIELDS: MappingProxyType[str, Get] = MappingProxyType(
    {
        "ip.ttl": _ip("ttl"),
        "ip.tos": _ip("tos"),
        "ip.id": _ip_id,
        "ip.proto": _protocol,
        "ip.version": _ip("ipv"),
        "ip.len": _ip("iplen"),
        "ip.fragbits": _fragbits,
        "ip.fragoffset": _fragoffset,
        "ip.options": _options,
        "ip.checksum": lambda row, buf, _flow: ipv4_state(row, _ipv4(row, buf)),
        "l4.checksum": lambda row, buf, _flow: transport_state(row, buf),
        "ip.reassembled": lambda row, _buf, _flow: int(row.frag == FRAG_REASSEMBLED) if row.ipv else None,
        "same_ip": lambda row, _buf, _flow: (
            int(row.src_lo == row.dst_lo and row.src_hi == row.dst_hi) if row.ipv else None
        ),
        "tcp.flags": _transport(TCP, "tcpflags"),
        "tcp.seq": _transport(TCP, "seq"),
        "tcp.ack": _transport(TCP, "ack"),
        "tcp.window": _transport(TCP, "win"),
        "tcp.mss": _mss,
        "tcp.segment": lambda row, _buf, _flow: row.stream,
        "udp.len": _udp_len,
        "icmp.type": _icmp("sport"),
        "icmp.code": _icmp("dport"),
        "icmp.id": _echo(4),
        "icmp.seq": _echo(6),
        "icmp.mtu": _mtu,
        "payload.size": lambda row, _buf, _flow: 0 if row.frag == FRAG_PART else row.paylen,
        "vlan.id": lambda row, _buf, _flow: row.vlan0 if row.nvlan else None,
        "vlan.layers": lambda row, _buf, _flow: row.nvlan,
        "arp.opcode": _arp_opcode,
        "stream.size.to_server": _stream_size(0),
        "stream.size.to_client": _stream_size(1),
        "flow.age": _age,
        "flow.pkts.to_server": _flow_pair("pkts", 0),
        "flow.pkts.to_client": _flow_pair("pkts", 1),
        "flow.bytes.to_server": _flow_pair("bytes", 0),
        "flow.bytes.to_client": _flow_pair("bytes", 1),
        "decode.event": lambda row, buf, _flow: reached(row.anomaly) | details(row, buf),
        "tunnel.kind": lambda row, _buf, _flow: row.tunnel,
    }
)
"""Field of `HeaderTest` → how to read it. Those of `SEVERAL` give a set of bits."""


def header_value(field: str, row: PacketRow, buf: Buffer, flow: FlowView | None = None) -> int | None:
    """Return a number of the packet or its flow; None: it has no such field. Raises KeyError."""
    return FIELDS[field](row, buf, flow)


def _ether(row: PacketRow, buf: Buffer) -> bytes | None:
    return _read(buf, row.l2, 14) if row.l2 >= 0 else None


def _ipv4(row: PacketRow, buf: Buffer) -> bytes | None:
    first = _read(buf, row.l3, 1) if row.ipv == 4 else None
    return None if first is None or first[0] & 15 < 5 else _read(buf, row.l3, (first[0] & 15) * 4)


def _ipv6(row: PacketRow, buf: Buffer) -> bytes | None:
    """Return the fixed header with the extension headers in front of the transport header, or of a fragment header."""
    if row.ipv != 6 or row.l3 < 0:
        return None
    if row.frag == FRAG_PART:  # `pay` is behind the fragment header
        return _read(buf, row.l3, max(row.pay - 8 - row.l3, 40))
    return _read(buf, row.l3, max(row.l4 - row.l3, 40) if row.l4 >= 0 else 40)


def _tcp(row: PacketRow, buf: Buffer) -> bytes | None:
    offset = _read(buf, row.l4 + 12, 1) if row.proto == TCP and row.l4 >= 0 else None
    return None if offset is None or offset[0] >> 4 < 5 else _read(buf, row.l4, (offset[0] >> 4) * 4)


def _fixed(proto: int, size: int) -> Callable[[PacketRow, Buffer], bytes | None]:
    return lambda row, buf: _read(buf, row.l4, size) if row.proto == proto and row.l4 >= 0 else None


def _icmp_header(row: PacketRow, buf: Buffer) -> bytes | None:
    """Return all in front of the payload: the times of a timestamp, too."""
    return _read(buf, row.l4, row.pay - row.l4) if row.proto == ICMP and row.l4 >= 0 else None


RAW: MappingProxyType[str, Callable[[PacketRow, Buffer], bytes | None]] = MappingProxyType(
    {
        "ether.hdr": _ether,
        "ipv4.hdr": _ipv4,
        "ipv6.hdr": _ipv6,
        "tcp.hdr": _tcp,
        "udp.hdr": _fixed(UDP, 8),
        "icmp.hdr": _icmp_header,
        "icmpv4.hdr": _icmp_header,
        "icmpv6.hdr": _fixed(ICMPV6, 8),
    }
)
"""Buffer of raw header bytes → how to cut it out."""


def raw_header(name: str, row: PacketRow, buf: Buffer) -> bytes | None:
    """Return the bytes of a header; None: the packet has none. Raises KeyError on unknown names."""
    return RAW[name](row, buf)
