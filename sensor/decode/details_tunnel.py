"""Details of GRE and ESP headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.decode.details_row import message, of
from sensor.model.details import Detail

if TYPE_CHECKING:
    from sensor.decode.details_row import Bytes, RowLike

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _STRICT, _RECURSION = 0x8000, 0x4000, 0x2000, 0x1000, 0x0800, 0x0700
_FLAGS, _FLAGS_1, _ACK, _VERSION = 0x0078, 0x0078, 0x0080, 0x0007
"""Bits of the first two bytes: RFC 1701, of version 1 RFC 2637."""
_PPP = 0x880B
_MOST_ROUTES = 2048
_ESP_HEAD = 8

_REFUSED_1 = (
    (_CHECKSUM, Detail.GRE_VERSION1_CHKSUM), (_ROUTING, Detail.GRE_VERSION1_ROUTE), (_STRICT, Detail.GRE_VERSION1_SSR),
    (_RECURSION, Detail.GRE_VERSION1_RECUR), (_FLAGS_1, Detail.GRE_VERSION1_FLAGS),
)  # fmt: skip
"""Bits that version 1 has no use for; the first that is set counts."""


def gre(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in a GRE header."""
    raw = message(row, buf, _MOST_ROUTES)
    if raw is None:
        return 0
    if len(raw) < 4:
        return of(Detail.GRE_PKT_TOO_SMALL)
    flags, protocol = raw[0] << 8 | raw[1], raw[2] << 8 | raw[3]
    if flags & _VERSION == 0:
        return _version_0(raw, flags)
    return _version_1(raw, flags, protocol) if flags & _VERSION == 1 else of(Detail.GRE_WRONG_VERSION)


def _version_0(raw: bytes, flags: int) -> int:
    if flags & _RECURSION:
        return of(Detail.GRE_VERSION0_RECUR)
    if flags & _FLAGS:
        return of(Detail.GRE_VERSION0_FLAGS)
    optional = bool(flags & (_CHECKSUM | _ROUTING)) + bool(flags & _KEY) + bool(flags & _SEQUENCE)
    size = 4 + 4 * optional
    if size > len(raw):
        return of(Detail.GRE_VERSION0_HDR_TOO_BIG)
    return of(Detail.GRE_VERSION0_MALFORMED_SRE_HDR) if flags & _ROUTING and not _routes_end(raw, size) else 0


def _routes_end(raw: bytes, at: int) -> bool:
    """Walk source routes: address family, offset, length (RFC 1701); one of zeroes ends them."""
    while at + 4 <= len(raw):
        family, size = raw[at] << 8 | raw[at + 1], raw[at + 3]
        at += 4
        if family == 0 and size == 0:
            return True
        at += size
    return len(raw) == _MOST_ROUTES


def _version_1(raw: bytes, flags: int, protocol: int) -> int:
    for mask, detail in _REFUSED_1:
        if flags & mask:
            return of(detail)
    if protocol != _PPP:
        return of(Detail.GRE_VERSION1_WRONG_PROTOCOL)
    if not flags & _KEY:
        return of(Detail.GRE_VERSION1_NO_KEY)
    size = 8 + 4 * (bool(flags & _SEQUENCE) + bool(flags & _ACK))
    return of(Detail.GRE_VERSION1_HDR_TOO_BIG) if size > len(raw) else 0


def esp(row: RowLike, buf: Bytes) -> int:
    """Return whether an ESP header (RFC 4303) is not all there."""
    raw = message(row, buf, _ESP_HEAD)
    return of(Detail.ESP_PKT_TOO_SMALL) if raw is not None and len(raw) < _ESP_HEAD else 0
