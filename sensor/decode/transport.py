"""The reference above IP: transport headers, their checksums, and the tunnels that IP carries directly."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType

from sensor.decode import bits
from sensor.decode.limits import TEREDO_PORT
from sensor.decode.tunnels import geneve, gre, ip_in_ip, teredo, vxlan
from sensor.decode.walk import Step, Tunnel, Walk, options_valid
from sensor.model.block import HINT_CSUM_PARTIAL, HINT_CSUM_VALID
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL, CSUM_UNVERIFIED

ICMP, IPIP, TCP, UDP, IPV6, GRE, ESP, ICMPV6, SCTP = 1, 4, 6, 17, 41, 47, 50, 58, 132
CHECKSUM_AT = {ICMP: 2, ICMPV6: 2, TCP: 16, UDP: 6}
_TIMES = (13, 14)
_LAST_CODE6 = MappingProxyType({1: 6, 2: 0, 3: 1, 4: 2, 128: 0, 129: 0})
"""Types of ICMPv6 with a word behind the checksum that is no payload to Suricata → their highest code."""


@dataclass(slots=True)
class Message:
    """What an IP header carries."""

    proto: int
    start: int
    end: int
    """End of its captured bytes."""
    present: bool = True
    """A transport header is where `start` says; otherwise (fragment, damage) `start` is only payload."""
    length_free: bool = False
    """A zero UDP length means: as IP says (jumbograms, segmentation offload)."""
    unsure: bool = False
    """The checksum may cover an address that is not in the IP header."""


def transport(walk: Walk, message: Message) -> Step:
    """Decode the transport header and close the row."""
    row = walk.row
    if not message.present:
        return walk.close_row(message.start, message.end)
    captured = message.end - message.start
    declared = row.l3 + row.iplen - message.start
    walk.pos, walk.end = message.start, message.end
    tunnel = None
    if message.proto == TCP:
        _tcp(walk, declared)
    elif message.proto == UDP:
        declared, tunnel = _udp(walk, declared, message)
    elif message.proto == (ICMP if row.ipv == 4 else ICMPV6):
        _icmp(walk)
    elif message.proto == SCTP:
        _sctp(walk)
    elif message.proto in {IPIP, IPV6}:
        tunnel = ip_in_ip(walk, message.proto)
    elif message.proto == GRE:
        tunnel = gre(walk)
    elif message.proto == ESP:
        walk.flag(bits.ESP_UNINSPECTED)
    if walk.verify and row.l4 >= 0 and message.proto in CHECKSUM_AT:
        row.l4csum = _checksum_state(walk, message, captured, declared, unused_allowed=tunnel is not None)
    return walk.close_row(walk.pos, walk.end, tunnel)


def _tcp(walk: Walk, declared: int) -> None:
    row, start = walk.row, walk.pos
    if walk.left() < 20:
        return walk.flag(bits.TCP_PKT_TOO_SMALL)
    head = walk.reader.tcp(walk.frame[start : start + 20])
    if head.hlen < 20:
        return walk.flag(bits.TCP_HLEN_TOO_SMALL)
    if head.hlen > declared:
        return walk.flag(bits.TCP_PKT_TOO_SMALL)
    row.l4 = start
    row.sport, row.dport, row.seq, row.ack = head.sport, head.dport, head.seq, head.ack
    row.tcpflags, row.win, row.urg = head.flags, head.win, head.urg
    if head.hlen <= walk.left() and not options_valid(walk.frame[start + 20 : start + head.hlen]):
        walk.flag(bits.TCP_INVALID_OPTLEN)
    if head.sport == head.dport and _to_itself(walk):
        walk.flag(bits.LAND_ATTACK)
    walk.pos = min(walk.end, start + head.hlen)
    return None


def _to_itself(walk: Walk) -> bool:
    row = walk.row
    same = (row.src_hi, row.src_lo) == (row.dst_hi, row.dst_lo)
    loopback = row.src_lo >> 24 == 127 if row.ipv == 4 else (row.src_hi, row.src_lo) == (0, 1)
    return same and not loopback


def _udp(walk: Walk, declared: int, message: Message) -> tuple[int, Tunnel | None]:
    """Return the message's length (-1: invalid) and what is inside."""
    row, start = walk.row, walk.pos
    if walk.left() < 8:
        walk.flag(bits.UDP_PKT_TOO_SMALL)
        return -1, None
    row.l4 = start
    row.sport, row.dport, length = walk.reader.udp(walk.take(8))
    if length == 0 and message.length_free:
        length = declared
    if 8 <= length <= declared:
        walk.end = min(walk.end, start + length)
    else:
        walk.flag(bits.UDP_LEN_INVALID)
        length = -1
    if row.dport in walk.options.vxlan_ports:
        return length, vxlan(walk)
    if row.dport in walk.options.geneve_ports:
        return length, geneve(walk)
    if TEREDO_PORT in (row.sport, row.dport):
        return length, teredo(walk)
    return length, None


def _icmp(walk: Walk) -> None:
    if walk.left() < 8:
        return walk.flag(bits.ICMPV4_PKT_TOO_SMALL if walk.row.ipv == 4 else bits.ICMPV6_PKT_TOO_SMALL)
    walk.row.l4 = walk.pos
    kind, code = walk.row.sport, walk.row.dport = walk.reader.icmp(walk.frame[walk.pos : walk.pos + 4])
    walk.pos, walk.end = icmp_payload(walk.row.ipv, kind, code, walk.pos, walk.end)
    return None


def icmp_payload(version: int, kind: int, code: int, start: int, end: int) -> tuple[int, int]:
    """Return where Suricata has the payload of a message of 8 bytes and more begin and end.

    Times (RFC 792) are header. Of most messages of ICMPv6 the payload is all behind the checksum, but as many bytes
    as a header and that word would leave: the last 8 are missing.
    """
    if version == 4:
        return start + (20 if kind in _TIMES and end - start >= 20 else 8), end
    if code <= _LAST_CODE6.get(kind, -1):
        return start + 8, end
    return start + 4, max(start + 4, end - 8)


def _sctp(walk: Walk) -> None:
    if walk.left() < 12:
        return walk.flag(bits.SCTP_PKT_TOO_SMALL)
    walk.row.l4 = walk.pos
    walk.row.sport, walk.row.dport = walk.reader.sctp(walk.take(12))
    return None


def internet_sum(raw: bytes) -> int:
    """One's complement sum of 16-bit words (RFC 1071), folded."""
    raw += b"\0" * (len(raw) % 2)
    total: int = sum(struct.unpack(f"!{len(raw) // 2}H", raw))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _checksum_state(
    walk: Walk, message: Message, captured: int, declared: int, *, unused_allowed: bool
) -> int:
    row, proto = walk.row, message.proto
    if walk.hint == HINT_CSUM_PARTIAL:
        return CSUM_PARTIAL
    if walk.hint == HINT_CSUM_VALID and row.parent < 0:
        return CSUM_OK
    if not 0 <= declared <= captured:
        return CSUM_UNVERIFIED
    raw = walk.frame[row.l4 : row.l4 + declared]
    if proto == ICMP:
        return CSUM_OK if internet_sum(raw) == 0xFFFF else CSUM_BAD
    at = CHECKSUM_AT[proto]
    found = raw[at : at + 2]
    if proto == UDP and found == b"\0\0" and (row.ipv == 4 or unused_allowed):
        return CSUM_OK  # RFC 768; over IPv6 only tunnels may (RFC 6935)
    start, size = (row.l3 + 12, 8) if row.ipv == 4 else (row.l3 + 8, 32)
    addresses = walk.frame[start : start + size]
    without_length = addresses + struct.pack("!H", proto)
    pseudo = addresses + struct.pack("!HI", proto, declared)
    if internet_sum(pseudo + raw) == 0xFFFF:
        return CSUM_OK
    if found in {struct.pack("!H", internet_sum(p)) for p in (pseudo, without_length)}:
        return CSUM_PARTIAL
    return CSUM_UNVERIFIED if message.unsure else CSUM_BAD
