"""Details of IP headers: options of IPv4, extension headers of IPv6, and IP that IPv6 carries."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode.details_row import header, joined, of, whole
from sensor.decode.limits import MAX_IPV6_EXT_BYTES, MAX_IPV6_EXT_HEADERS
from sensor.model.details import Detail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.decode.details_row import Bytes, RowLike

_RECORD_ROUTE, _QUICK_START, _TIMESTAMP = 7, 25, 68
_SECURITY, _LOOSE_ROUTE, _EXTENDED_SECURITY, _CIPSO, _STREAM_ID, _STRICT_ROUTE, _ROUTER_ALERT = (
    130, 131, 133, 134, 136, 137, 148,
)  # fmt: skip
"""Types of options: RFC 791, 1108, 2113, 4782, draft-ietf-cipso-ipsecurity."""
_FIXED = MappingProxyType({_STREAM_ID: 4, _ROUTER_ALERT: 4})
_LEAST = MappingProxyType({_QUICK_START: 8, _SECURITY: 3, _EXTENDED_SECURITY: 3})
_ROUTES = frozenset({_RECORD_ROUTE, _LOOSE_ROUTE, _STRICT_ROUTE})
_KNOWN = _ROUTES | {*_FIXED, *_LEAST, _TIMESTAMP, _CIPSO}
_CIPSO_HEAD, _CIPSO_TAGS, _UNALIGNED = 6, frozenset({1, 2, 5, 6, 7}), 7


def ipv4_options(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in the options of an IPv4 header (RFC 791 section 3.1)."""
    first = header(row, buf, 1)
    size = (first[0] & 15) * 4 if first else 0
    if size <= 20 or not whole(row):
        return 0
    options = header(row, buf, size)[20:]
    padded = of(Detail.IPV4_OPT_PAD_REQUIRED) if len(options) % 8 else 0
    return padded | joined(_walk_options(options))


def _walk_options(options: bytes) -> Iterator[int]:
    """Yield what is odd, option by option; the walk ends at what has no length."""
    seen: set[int] = set()
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if at + 1 == len(options):
            yield of(Detail.IPV4_OPT_EOL_REQUIRED)
            return
        option = options[at : at + options[at + 1]]
        if not 2 <= options[at + 1] == len(option):
            yield of(Detail.IPV4_OPT_INVALID_LEN)
            return
        if option[0] not in _KNOWN:
            yield of(Detail.IPV4_OPT_INVALID)
        elif option[0] in seen:
            yield of(Detail.IPV4_OPT_DUPLICATE)
        else:
            odd = _option(option)
            if odd:
                yield odd
                return
            seen.add(option[0])
        at += len(option)


def _option(option: bytes) -> int:
    """Return what is odd in an option of a known type. option: whole, of two bytes at least."""
    kind, size = option[0], len(option)
    if kind in _FIXED:
        return 0 if size == _FIXED[kind] else of(Detail.IPV4_OPT_INVALID_LEN)
    if kind in _LEAST:
        return 0 if size >= _LEAST[kind] else of(Detail.IPV4_OPT_INVALID_LEN)
    if kind in _ROUTES:
        return _route(option)
    return _timestamp(option) if kind == _TIMESTAMP else _cipso(option)


def _route(option: bytes) -> int:
    """Routes: type, length, a pointer that counts from one in steps of four, addresses."""
    if len(option) < 3:
        return of(Detail.IPV4_OPT_INVALID_LEN)
    pointer = option[2]
    sound = pointer >= 4 and pointer % 4 == 0 and pointer <= len(option) + 1
    return 0 if sound else of(Detail.IPV4_OPT_MALFORMED)


def _timestamp(option: bytes) -> int:
    """Timestamps: type, length, pointer, overflow and flag, then records of four or (flags 1, 3) eight bytes."""
    if len(option) < 5:
        return of(Detail.IPV4_OPT_INVALID_LEN)
    pointer = option[2]
    flag = option[5] if len(option) > 5 else 0
    record = 8 if flag in (1, 3) else 4
    sound = pointer >= 5 and (pointer - 5) % record == 0 and pointer <= len(option) + 1
    return 0 if sound else of(Detail.IPV4_OPT_MALFORMED)


def _cipso(option: bytes) -> int:
    """Labels: type, length, four bytes of domain, then tags with type, length and an alignment byte."""
    if len(option) < _CIPSO_HEAD + 4:
        return of(Detail.IPV4_OPT_INVALID_LEN)
    tags = option[_CIPSO_HEAD:]
    while tags:
        if len(tags) < 2 or tags[0] not in _CIPSO_TAGS or not 4 <= tags[1] <= len(tags):
            return of(Detail.IPV4_OPT_MALFORMED)
        if tags[0] != _UNALIGNED and tags[2] != 0:
            return of(Detail.IPV4_OPT_MALFORMED)
        tags = tags[tags[1] :]
    return 0


# ---- IPv6

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _NONE, _DESTINATION = 0, 43, 44, 51, 59, 60
_SKIPPED = frozenset({135, 139, 140})
"""Mobility, HIP, Shim6."""
_ICMP, _IPV4, _TCP, _UDP, _IPV6, _GRE, _ESP, _ICMPV6, _SCTP = 1, 4, 6, 17, 41, 47, 50, 58, 132
_CARRIED = frozenset({_ICMP, _IPV4, _TCP, _UDP, _ESP, _ICMPV6, _SCTP})
_CARRIED_DIRECTLY = _CARRIED | {_IPV6, _GRE}
"""Behind extension headers Suricata knows neither IPv6 nor GRE."""
_TWICE = MappingProxyType({
    _HOP_BY_HOP: Detail.IPV6_EXTHDR_DUPL_HH, _ROUTING: Detail.IPV6_EXTHDR_DUPL_RH,
    _FRAGMENT: Detail.IPV6_EXTHDR_DUPL_FH, _AUTHENTICATION: Detail.IPV6_EXTHDR_DUPL_AH,
    _DESTINATION: Detail.IPV6_EXTHDR_DUPL_DH,
})  # fmt: skip
_HEAD = 40
_PAD1, _PADN, _ROUTER, _JUMBO, _HOME = 0, 1, 5, 0xC2, 0xC9
_OPTION_LEAST = MappingProxyType({_ROUTER: 2, _JUMBO: 4, _HOME: 16})
"""Bytes of the value of an option: RFC 2711, 2675, 6275."""


def extensions(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in the extension headers (RFC 8200 section 4) of an IPv6 packet."""
    if not whole(row):
        return 0
    raw = header(row, buf, _HEAD + MAX_IPV6_EXT_BYTES)
    if len(raw) < _HEAD:
        return 0
    return joined(_walk_headers(raw[6], raw[_HEAD:], row.iplen - _HEAD))


def _walk_headers(kind: int, raw: bytes, left: int) -> Iterator[int]:
    """Yield what is odd, header by header. raw: the headers' bytes; left: those of all that follows."""
    seen: dict[int, int] = {}
    first = True
    for _ in range(MAX_IPV6_EXT_HEADERS + 1):
        if kind == _NONE and left > 0:
            yield of(Detail.IPV6_DATA_AFTER_NONE_HEADER)
        if kind not in (*_TWICE, *_SKIPPED):
            if kind != _NONE and left >= 2 * (not first) and kind not in (_CARRIED_DIRECTLY if first else _CARRIED):
                yield of(Detail.IPV6_UNKNOWN_NEXT_HEADER)
            return
        if len(raw) < 8:
            return
        size = _length(kind, raw)
        if size > len(raw):
            return
        seen[kind] = seen.get(kind, 0) + 1
        yield _extension(kind, raw[:size], seen[kind])
        if kind == _FRAGMENT and seen[kind] == 1 and (raw[2] << 8 | raw[3]) & 0xFFF9:
            return
        kind, raw, left, first = raw[0], raw[size:], left - size, False


def _length(kind: int, raw: bytes) -> int:
    if kind == _FRAGMENT:
        return 8
    return (raw[1] + 2) * 4 if kind == _AUTHENTICATION else (raw[1] + 1) * 8


def _extension(kind: int, raw: bytes, times: int) -> int:
    """Return what is odd in one header, the `times`-th of its kind. Destination options may come twice."""
    found = 0
    if kind == _FRAGMENT and raw[1]:
        found |= of(Detail.IPV6_FH_NON_ZERO_RESERVED_FIELD)
    if kind == _AUTHENTICATION and raw[2:4] != b"\0\0":
        found |= of(Detail.IPV6_EXTHDR_AH_RES_NOT_NULL)
    if kind in _TWICE and times > 1 + (kind == _DESTINATION):
        return found | of(_TWICE[kind])
    if kind in (_HOP_BY_HOP, _DESTINATION):
        return _options(raw[2:], hops=kind == _HOP_BY_HOP)
    return found


def _options(raw: bytes, *, hops: bool) -> int:
    """Return what is odd in the options of a header (RFC 8200 section 4.2). hops: it is the hop-by-hop header."""
    found = at = padding = others = 0
    while at < len(raw):
        kind = raw[at]
        if kind == _PAD1:
            padding += 1
            at += 1
            continue
        size = raw[at + 1] if at + 1 < len(raw) else 256
        if at + 1 + size > len(raw) or size < _OPTION_LEAST.get(kind, 0):
            found |= of(Detail.IPV6_EXTHDR_INVALID_OPTLEN)
            break
        if kind == _PADN:
            padding += 1
            found |= 0 if size else of(Detail.IPV6_ZERO_LEN_PADN)
        elif kind != _JUMBO:
            others += 1
            if kind not in _OPTION_LEAST:
                found |= of(Detail.IPV6_HOPOPTS_UNKNOWN_OPT if hops else Detail.IPV6_DSTOPTS_UNKNOWN_OPT)
        at += 2 + size
    if padding and not others:
        found |= of(Detail.IPV6_HOPOPTS_ONLY_PADDING if hops else Detail.IPV6_DSTOPTS_ONLY_PADDING)
    return found


_INNER = MappingProxyType({
    _IPV4: (20, Detail.IPV6_IPV4_IN_IPV6_TOO_SMALL, Detail.IPV6_IPV4_IN_IPV6_WRONG_VERSION),
    _IPV6: (40, Detail.IPV6_IPV6_IN_IPV6_TOO_SMALL, Detail.IPV6_IPV6_IN_IPV6_WRONG_VERSION),
})


def inner_of_ipv6(row: RowLike, buf: Bytes) -> int:
    """Return what is odd at the start of an IP packet that IPv6 carries."""
    if row.proto not in _INNER or not whole(row) or row.frag == 1:
        return 0
    least, small, wrong = _INNER[row.proto]
    if row.paylen < least:
        return of(small)
    version = int(buf[row.pay]) >> 4
    return 0 if version == (4 if row.proto == _IPV4 else 6) else of(wrong)
