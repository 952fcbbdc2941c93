"""Frames of whole conversations, byte by byte as a test wants them: segments cut, reordered, fragmented, wrapped."""

import gzip
import struct
from dataclasses import dataclass, field
from itertools import pairwise

from sensor.engine.offline.forge import checksum

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
START = 1_700_000_000 * 10**9
MS = 10**6
TCP, UDP, ICMP = 6, 17, 1
MACS = (bytes.fromhex("00163e000001"), bytes.fromhex("00163e000002"))


def ether(body, ethertype=0x0800, vlan=None, back=False):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    here, there = MACS if back else MACS[::-1]
    return here + there + tag + struct.pack("!H", ethertype) + body


def ipv4(src, dst, proto, body, *, ident=1, flags=0, offset=0, ttl=64, tos=0):
    word = flags << 13 | offset // 8
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), ident & 0xFFFF, word, ttl, proto, 0) + src + dst
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def with_ttl(packet, ttl):
    header = packet[:8] + bytes([ttl]) + packet[9:10] + b"\0\0" + packet[12:20]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + packet[20:]


def fragments(packet, cuts):
    """Cut an IPv4 packet behind these multiples of 8 payload bytes."""
    src, dst, proto, body = packet[12:16], packet[16:20], packet[9], packet[20:]
    ident = int.from_bytes(packet[4:6], "big")
    ends = sorted({0, len(body), *(cut // 8 * 8 for cut in cuts if 0 < cut // 8 * 8 < len(body))})
    return [
        ipv4(src, dst, proto, body[a:b], ident=ident, flags=int(b < len(body)), offset=a) for a, b in pairwise(ends)
    ]


def tcp(ends, seq, ack, flags, data=b"", *, win=65535, options=b""):
    (src, sport), (dst, dport) = ends
    offset = (20 + len(options)) // 4 << 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, win, 0, 0)
    return _summed(src, dst, TCP, segment + options + data, 16)


def udp(ends, data):
    (src, sport), (dst, dport) = ends
    return _summed(src, dst, UDP, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data, 6)


def icmp(kind, code, data=b"", ident=1, seq=1):
    packet = struct.pack("!BBHHH", kind, code, 0, ident, seq) + data
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


def _summed(src, dst, proto, body, at):
    total = checksum(src + dst + struct.pack("!II", len(body), proto) + body)
    return body[:at] + struct.pack("!H", total or 0xFFFF) + body[at + 2 :]


def vxlan(frame, vni=7, outer=(b"\xac\x10\0\1", b"\xac\x10\0\2")):
    body = struct.pack("!BBHI", 8, 0, 0, vni << 8) + frame
    return ether(ipv4(outer[0], outer[1], UDP, udp(((outer[0], 40000), (outer[1], 4789)), body)))


@dataclass
class Flow:
    """IPv4 packets (not frames) of one conversation, in order; `at` is their place in time, in ms."""

    client: bytes = b"\x0a\0\0\1"
    server: bytes = b"\x0a\0\0\2"
    sport: int = 40000
    dport: int = 80
    seqs: list = field(default_factory=lambda: [1000, 5000])
    packets: list = field(default_factory=list)
    """(side, IPv4 packet)"""
    ident: int = 1

    def ends(self, side):
        pair = ((self.client, self.sport), (self.server, self.dport))
        return pair if side == 0 else pair[::-1]

    def _put(self, side, proto, body):
        (src, _), (dst, _) = self.ends(side)
        self.packets.append((side, ipv4(src, dst, proto, body, ident=self.ident)))
        self.ident += 1

    def segment(self, side, flags=ACK, data=b"", *, seq=None):
        """Send a segment. seq: offset from what is next to be sent (which then stays as it is)."""
        here, there = self.seqs[side], self.seqs[1 - side]
        at = here if seq is None else here + seq
        self._put(side, TCP, tcp(self.ends(side), at, there if flags & ACK else 0, flags, data))
        if seq is None:
            self.seqs[side] = (here + len(data) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        return self

    def open(self):
        return self.segment(0, SYN).segment(1, SYN | ACK).segment(0)

    def send(self, side, data, cuts=(), mss=1400):
        """Send bytes, segments ending at `cuts` and every mss bytes; the other side acknowledges at the end."""
        ends = sorted({0, len(data), *range(0, len(data), mss), *(c for c in cuts if 0 < c < len(data))})
        for a, b in pairwise(ends):
            self.segment(side, PSH | ACK, data[a:b])
        return self.segment(1 - side)

    def lose(self, side, size):
        """Bytes that the capture missed, acknowledged by their receiver."""
        self.seqs[side] = (self.seqs[side] + size) & 0xFFFFFFFF
        return self

    def close(self):
        return self.segment(0, FIN | ACK).segment(1, FIN | ACK).segment(0)

    def datagram(self, side, data):
        self._put(side, UDP, udp(self.ends(side), data))
        return self

    def ping(self, side, kind=8, data=b"abcdefgh", code=0):
        self._put(side, ICMP, icmp(kind, code, data))
        return self

    def frames(self, start=START, step=MS):
        """Return the frames [(ns, bytes)], one a ms."""
        return stamp([ether(packet, back=side == 1) for side, packet in self.packets], start, step)


def stamp(frames, start=START, step=MS):
    return [(start + k * step, frame) for k, frame in enumerate(frames)]


def interleave(*flows):
    """Mix packets of flows round robin: [(flow number, side, packet)]."""
    out = []
    for k in range(max((len(flow.packets) for flow in flows), default=0)):
        out += [(n, *flow.packets[k]) for n, flow in enumerate(flows) if k < len(flow.packets)]
    return out


# ---- application messages


def request(uri="/", *, method="GET", host="www.example.com", headers=(), body=b""):
    lines = [f"{method} {uri} HTTP/1.1", f"Host: {host}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def response(body=b"hello", *, status="200 OK", headers=(), coding="", chunks=()):
    """coding: gzip; chunks: where a chunked body is cut (empty: Content-Length)."""
    lines = [f"HTTP/1.1 {status}", "Server: test", *headers]
    if coding:
        body = gzip.compress(body, mtime=0)
        lines.append(f"Content-Encoding: {coding}")
    if chunks:
        lines.append("Transfer-Encoding: chunked")
        ends = sorted({0, len(body), *(c for c in chunks if 0 < c < len(body))})
        body = b"".join(b"%x\r\n%s\r\n" % (b - a, body[a:b]) for a, b in pairwise(ends)) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def name(text):
    return b"".join(bytes([len(part)]) + part for part in text.encode().split(b".") if part) + b"\0"


def dns(query="www.example.com", *, ident=7, answers=(), rrtype=1, response=False):
    flags = 0x8180 if response else 0x0100
    out = struct.pack("!HHHHHH", ident, flags, 1, len(answers), 0, 0) + name(query) + struct.pack("!HH", rrtype, 1)
    for answer in answers:
        out += name(answer) + struct.pack("!HHIH", 1, 1, 60, 4) + b"\x01\x02\x03\x04"
    return out


def records(message, cuts=(), kind=22):
    """Cut a handshake message into TLS records."""
    ends = sorted({0, len(message), *(c for c in cuts if 0 < c < len(message))})
    return b"".join(struct.pack("!BHH", kind, 0x0301, b - a) + message[a:b] for a, b in pairwise(ends))


def client_hello(sni="www.example.com", alpn=("h2",), pad=0):
    host = sni.encode()
    extension = struct.pack("!HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    names = b"".join(bytes([len(a)]) + a.encode() for a in alpn)
    extension += struct.pack("!HHH", 16, len(names) + 2, len(names)) + names
    if pad:
        extension += struct.pack("!HH", 21, pad) + bytes(pad)
    body = struct.pack("!H", 0x0303) + bytes(range(32)) + b"\0" + struct.pack("!HHHBB", 4, 0x1301, 0xC02F, 1, 0)
    body += struct.pack("!H", len(extension)) + extension
    return b"\1" + len(body).to_bytes(3, "big") + body


def server_hello(alpn="h2"):
    chosen = bytes([len(alpn)]) + alpn.encode()
    extension = struct.pack("!HHH", 16, len(chosen) + 2, len(chosen)) + chosen
    body = struct.pack("!H", 0x0303) + bytes(range(32, 64)) + b"\0" + struct.pack("!HB", 0xC02F, 0)
    body += struct.pack("!H", len(extension)) + extension
    return b"\2" + len(body).to_bytes(3, "big") + body


def certificates(*certs):
    chain = b"".join(len(c).to_bytes(3, "big") + c for c in certs)
    body = len(chain).to_bytes(3, "big") + chain
    return b"\x0b" + len(body).to_bytes(3, "big") + body


def dhcp(kind=1, hostname="guest-1", mac=MACS[0]):
    options = b"\x35\x01" + bytes([kind]) + b"\x0c" + bytes([len(hostname)]) + hostname.encode() + b"\xff"
    head = struct.pack("!BBBBIHH", 1 if kind in (1, 3) else 2, 1, 6, 0, 0x1234, 0, 0) + bytes(16) + mac + bytes(10)
    return head + bytes(192) + b"\x63\x82\x53\x63" + options


def arp(opcode, mac, src, dst):
    return ether(struct.pack("!HHBBH", 1, 0x0800, 6, 4, opcode) + mac + src + bytes(6) + dst + bytes(18), 0x0806)
