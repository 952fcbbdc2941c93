"""Steps of the reference that close a row: ARP, IPv4, IPv6 with its extension headers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sensor.decode import bits
from sensor.decode.headers import u32
from sensor.decode.limits import MAX_IPV6_EXT_BYTES, MAX_IPV6_EXT_HEADERS
from sensor.decode.transport import Message, internet_sum, transport
from sensor.decode.walk import Step, Walk, options_valid
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL, FRAG_PART

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
MOBILITY, HIP, SHIM6, NO_NEXT_HEADER = 135, 139, 140, 59
EXTENSIONS = {HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, MOBILITY, HIP, SHIM6}
JUMBO_OPTION = 0xC2
KNOWN_OPTIONS = {1, 5, JUMBO_OPTION, 0xC9}
"""PadN, router alert (RFC 2711), jumbo payload, home address (RFC 6275)."""
JUMBO_LIMIT = 0x4000_0000
"""Offsets and lengths must stay in 32 bits."""
TRANSPORT_MINIMUM = {6: 20, 17: 8, 58: 8, 132: 12}


def arp(walk: Walk) -> Step:
    """RFC 826."""
    walk.row.l3 = walk.pos
    raw = walk.frame[walk.pos : min(walk.end, walk.pos + 28)]
    if len(raw) < 8:
        walk.flag(bits.ARP_TRUNCATED)
    elif raw[:2] not in {b"\0\1", b"\0\6"} or raw[2:6] != bytes.fromhex("08000604"):
        walk.flag(bits.ARP_UNSUPPORTED)
    elif len(raw) < 28:
        walk.flag(bits.ARP_TRUNCATED)
    else:
        head = walk.reader.arp(walk.take(28))
        walk.row.sport, walk.row.src_lo, walk.row.dst_lo = head.op, head.sender, head.target
        return walk.close_row(walk.pos, walk.pos)
    return walk.close_row(walk.pos, walk.end)


def _not_ip(walk: Walk, bit: int) -> Step:
    walk.flag(bit)
    return walk.close_row(walk.pos, walk.end)


def ipv4(walk: Walk) -> Step:
    """RFC 791."""
    row, start, left = walk.row, walk.pos, walk.left()
    row.l3 = start
    if left < 20:
        return _not_ip(walk, bits.IPV4_PKT_TOO_SMALL)
    head = walk.reader.ipv4(walk.frame[start : start + 20])
    if head.version != 4:
        return _not_ip(walk, bits.IPV4_WRONG_VERSION)
    if head.hlen < 20:
        return _not_ip(walk, bits.IPV4_HLEN_TOO_SMALL)
    row.ipv, row.src_lo, row.dst_lo = 4, head.src, head.dst
    row.tos, row.ttl, row.proto = head.tos, head.ttl, head.proto
    row.ipid, row.fragoff = head.ident, head.flags & 0x1FFF
    row.iplen = head.total or left
    message = Message(
        proto=head.proto, start=min(walk.end, start + head.hlen), end=min(walk.end, start + row.iplen)
    )
    if head.total == 0:
        walk.flag(bits.IPV4_ZERO_LENGTH)
        message.length_free = True
    elif head.total < head.hlen:
        walk.flag(bits.IPV4_IPLEN_SMALLER_THAN_HLEN)
        message.present = False
    if max(row.iplen, head.hlen) > left and message.present:
        walk.flag(bits.SNAPLEN_CUT if walk.missing else bits.IPV4_TRUNC_PKT)
    if head.hlen > left:
        message.present = False
    else:
        _ipv4_header(walk, walk.frame[start : start + head.hlen])
    if head.flags & 0x3FFF and head.total not in range(1, head.hlen):
        row.frag = FRAG_PART
        message.present = False
    message.end = max(message.start, message.end)
    return transport(walk, message)


def _ipv4_header(walk: Walk, header: bytes) -> None:
    if not options_valid(header[20:]):
        walk.flag(bits.IPV4_OPT_INVALID)
    if not walk.verify:
        return
    if internet_sum(header) == 0xFFFF:
        walk.row.l3csum = CSUM_OK
    else:
        walk.row.l3csum = CSUM_PARTIAL if header[10:12] == b"\0\0" else CSUM_BAD


def ipv6(walk: Walk) -> Step:
    """RFC 8200, jumbograms RFC 2675."""
    row, start, left = walk.row, walk.pos, walk.left()
    row.l3 = start
    if left < 40:
        return _not_ip(walk, bits.IPV6_PKT_TOO_SMALL)
    head = walk.reader.ipv6(walk.frame[start : start + 40])
    if head.version != 6:
        return _not_ip(walk, bits.IPV6_WRONG_VERSION)
    row.ipv, row.tos, row.ttl = 6, head.traffic_class, head.hop_limit
    row.src_hi, row.src_lo, row.dst_hi, row.dst_lo = head.src_hi, head.src_lo, head.dst_hi, head.dst_lo
    row.iplen = 40 + head.payload
    if head.payload == 0 and head.next_header != NO_NEXT_HEADER:
        payload = _jumbo_length(walk.frame[start + 40 : walk.end]) if head.next_header == HOP_BY_HOP else None
        if payload is None:
            walk.flag(bits.IPV6_ZERO_LENGTH)
            row.iplen = left
        else:
            row.iplen = 40 + payload
    if row.iplen > left:
        walk.flag(bits.SNAPLEN_CUT if walk.missing else bits.IPV6_TRUNC_PKT)
    message = Message(head.next_header, start + 40, min(walk.end, start + row.iplen), length_free=True)
    _walk_extensions(walk, message)
    row.proto = message.proto
    return transport(walk, message)


def _jumbo_length(header: bytes) -> int | None:
    """Return the jumbo payload option of a hop-by-hop header, None where it is not there or cannot be."""
    if len(header) < 8:
        return None
    options = header[2 : (header[1] + 1) * 8]
    pos = 0
    while pos < len(options):
        if options[pos] == 0:
            pos += 1
            continue
        if len(options) - pos < 2:
            return None
        size = options[pos + 1]
        if options[pos] == JUMBO_OPTION and size == 4 and len(options) - pos >= 6:
            value = u32(options, pos + 2)
            return value if 0xFFFF < value < JUMBO_LIMIT else None
        pos += 2 + size
    return None


def _extension_length(kind: int, raw: bytes) -> int:
    if kind == FRAGMENT:
        return 8
    return (raw[1] + 2) * 4 if kind == AUTHENTICATION else (raw[1] + 1) * 8


@dataclass(slots=True)
class _Chain:
    """How far the walk along the extension headers has come."""

    headers: int = 0
    length: int = 0
    routing: int = 0
    destination: int = 0
    other: frozenset[int] = frozenset()

    def repeats(self, kind: int) -> bool:
        """Count a header; True: too often (RFC 8200 section 4.1: destination options twice, others once)."""
        if kind == DESTINATION:
            self.destination += 1
            return self.destination > 2
        seen = kind in self.other
        self.other |= {kind}
        return seen


def _walk_extensions(walk: Walk, message: Message) -> None:
    """Move the message behind the extension headers; it is not present where no transport header follows."""
    chain = _Chain()
    while message.proto in EXTENSIONS:
        raw = walk.frame[message.start : min(message.end, message.start + 8)]
        if len(raw) < 8:
            return _broken(walk, message, bits.IPV6_TRUNC_EXTHDR)
        length = _extension_length(message.proto, raw)
        chain.headers += 1
        chain.length += length
        if chain.headers > MAX_IPV6_EXT_HEADERS or chain.length > MAX_IPV6_EXT_BYTES:
            return _broken(walk, message, bits.IPV6_EXTHDR_TOO_MANY)
        if length > message.end - message.start:
            return _broken(walk, message, bits.IPV6_TRUNC_EXTHDR)
        if chain.repeats(message.proto):
            walk.flag(bits.IPV6_EXTHDR_DUPL)
        _note_extension(walk, message, raw)
        message.proto = raw[0]
        message.start += length
        if not message.present:
            return _fragment(walk, message, more=bool(raw[3] & 1))
    if chain.headers and message.end - message.start < 2 and message.proto != NO_NEXT_HEADER:
        _broken(walk, message, bits.IPV6_TRUNC_EXTHDR)
    return None


def _broken(walk: Walk, message: Message, bit: int) -> None:
    walk.flag(bit)
    message.present = False


def _note_extension(walk: Walk, message: Message, raw: bytes) -> None:
    if message.proto == DESTINATION:
        message.unsure = True  # a home address may replace the source (RFC 6275 section 6.3)
        if not _options_known(
            walk.frame[message.start + 2 : message.start + _extension_length(DESTINATION, raw)]
        ):
            walk.flag(bits.IPV6_DSTOPTS_UNKNOWN_OPT)
    elif message.proto == ROUTING:
        if raw[2] == 0:
            walk.flag(bits.IPV6_RH_TYPE0)
        if raw[3] != 0:
            message.unsure = True  # the pseudo header has the last segment
    elif message.proto == FRAGMENT:
        flags, ident = struct.unpack("!HI", raw[2:])
        walk.row.ipid, walk.row.fragoff = ident, flags >> 3
        if flags >> 3 or flags & 1:
            walk.row.frag = FRAG_PART
            message.present = False
        else:
            walk.flag(bits.IPV6_FH_USELESS)


def _options_known(options: bytes) -> bool:
    pos = 0
    while len(options) - pos >= 2:
        if options[pos] == 0:
            pos += 1
        elif options[pos] in KNOWN_OPTIONS:
            pos += 2 + options[pos + 1]
        else:
            return False
    return True


def _fragment(walk: Walk, message: Message, *, more: bool) -> None:
    """Flag a fragment of odd size, and a first one that does not hold the whole header chain (RFC 7112)."""
    if more and (walk.row.l3 + walk.row.iplen - message.start) % 8:
        walk.flag(bits.IPV6_FRAG_INVALID_LENGTH)
    if walk.row.fragoff:
        return
    kind, pos, hops = message.proto, message.start, 0
    while kind in EXTENSIONS and hops < MAX_IPV6_EXT_HEADERS:
        raw = walk.frame[pos : min(message.end, pos + 8)]
        if len(raw) < 8:
            walk.flag(bits.IPV6_FH_NO_L4)
            return
        pos += _extension_length(kind, raw)
        kind = raw[0]
        hops += 1
    if message.end - pos < TRANSPORT_MINIMUM.get(kind, 0):
        walk.flag(bits.IPV6_FH_NO_L4)
