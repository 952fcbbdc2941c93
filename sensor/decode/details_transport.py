"""Details of TCP and UDP headers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode.details_row import joined, message, of
from sensor.model.details import Detail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.decode.details_row import Bytes, RowLike

_MOST = 60
_MSS, _SCALE, _SACK_ALLOWED, _SACK, _TIMESTAMP, _MD5, _AUTHENTICATION, _FAST_OPEN = 2, 3, 4, 5, 8, 19, 29, 34
_FIXED = MappingProxyType({_MSS: 4, _SCALE: 3, _SACK_ALLOWED: 2, _TIMESTAMP: 10, _MD5: 18})
"""Options of one length: RFC 9293, 7323, 2018, 2385."""
_ONCE = frozenset({_MSS, _SCALE, _SACK_ALLOWED, _SACK, _TIMESTAMP, _FAST_OPEN})
_EXPERIMENTS, _EXPERIMENTAL_FAST_OPEN = frozenset({253, 254}), b"\xf9\x89"
"""RFC 6994: the bytes name the experiment, here the one of RFC 7413 before it had a number."""
_UDP_HEAD = 8


def tcp(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in a TCP header (RFC 9293 section 3.1)."""
    raw = message(row, buf, _MOST)
    if raw is None:
        return 0
    if len(raw) < 20:
        return of(Detail.TCP_PKT_TOO_SMALL)
    size = (raw[12] >> 4) * 4
    if size > len(raw):
        return of(Detail.TCP_HLEN_TOO_SMALL)
    if size < 20:
        return of(Detail.TCP_INVALID_OPTLEN)
    return joined(_options(raw[20:size]))


def _options(raw: bytes) -> Iterator[int]:
    seen: set[int] = set()
    at = 0
    while at + 1 < len(raw) and raw[at] != 0:
        kind = raw[at]
        if kind == 1:
            at += 1
            continue
        size = raw[at + 1]
        if not 2 <= size <= len(raw) - at:
            yield of(Detail.TCP_OPT_INVALID_LEN)
            return
        meant = _FAST_OPEN if kind in _EXPERIMENTS and raw[at + 2 : at + 4] == _EXPERIMENTAL_FAST_OPEN else kind
        if not _fits(kind, size):
            yield of(Detail.TCP_OPT_INVALID_LEN)
        elif meant in seen:
            yield of(Detail.TCP_OPT_DUPLICATE)
        elif meant in _ONCE:
            seen.add(meant)
        at += size


def _fits(kind: int, size: int) -> bool:
    """Tell whether an option may be that long (kind and length included)."""
    if kind == _SACK:
        return 10 <= size <= 34 and (size - 2) % 8 == 0
    if kind == _FAST_OPEN:
        return size <= 18 and size % 2 == 0
    if kind == _AUTHENTICATION:
        return size >= 4
    if kind in _EXPERIMENTS:
        return size in (4, 12)
    return size == _FIXED.get(kind, size)


def udp(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in a UDP header (RFC 768)."""
    raw = message(row, buf, _UDP_HEAD)
    if raw is None:
        return 0
    if len(raw) < _UDP_HEAD:
        return of(Detail.UDP_HLEN_TOO_SMALL)
    room = row.l3 + row.iplen - row.l4
    size = raw[4] << 8 | raw[5]
    if size > room:
        return of(Detail.UDP_PKT_TOO_SMALL)
    return 0 if size >= _UDP_HEAD else of(Detail.UDP_LEN_INVALID)
