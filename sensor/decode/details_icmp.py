"""Details of ICMP errors: the IP header that they quote."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode.details_row import message, of
from sensor.model.details import Detail

if TYPE_CHECKING:
    from sensor.decode.details_row import Bytes, RowLike

_HEAD = 8
_LAST_CODE = MappingProxyType({3: 15, 4: 0, 5: 3, 11: 1, 12: 0})
_LAST_CODE6 = MappingProxyType({1: 6, 2: 0, 3: 1, 4: 2})
"""Errors (RFC 792, RFC 4443) and their highest code: of others Suricata reads no quote."""
_QUENCH = 4
"""It must quote; other errors of IPv4 may be bare."""


def quoted(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in what an ICMP or ICMPv6 error quotes."""
    raw = message(row, buf, _HEAD + 40)
    if raw is None or len(raw) < _HEAD:
        return 0
    last = (_LAST_CODE if row.ipv == 4 else _LAST_CODE6).get(raw[0], -1)
    if raw[1] > last:
        return 0
    quote = raw[_HEAD:]
    if row.ipv == 6:
        return _of_ipv6(quote)
    if not quote and raw[0] != _QUENCH:
        return 0
    if len(quote) < 20:
        return of(Detail.ICMPV4_IPV4_TRUNC_PKT)
    return of(Detail.ICMPV4_IPV4_UNKNOWN_VER) if quote[0] >> 4 != 4 else 0


def _of_ipv6(quote: bytes) -> int:
    if len(quote) < 40:
        return of(Detail.ICMPV6_IPV6_TRUNC_PKT)
    return of(Detail.ICMPV6_IPV6_UNKNOWN_VERSION) if quote[0] >> 4 != 6 else 0
