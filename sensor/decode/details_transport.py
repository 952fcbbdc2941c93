"""Details of TCP and UDP headers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode.details_row import joined, message, of
from sensor.model import tcpoptions as option
from sensor.model.details import Detail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.decode.details_row import Bytes, RowLike

_MOST = 60
_FIXED = MappingProxyType({
    option.MSS: 4, option.WINDOW_SCALE: 3, option.SACK_PERMITTED: 2, option.TIMESTAMP: 10, option.MD5: 18,
})  # fmt: skip
"""Options of one length: RFC 9293, 7323, 2018, 2385."""
_ONCE = frozenset({
    option.MSS, option.WINDOW_SCALE, option.SACK_PERMITTED, option.SACK, option.TIMESTAMP, option.FAST_OPEN,
})  # fmt: skip
_FAST_OPEN_EXPERIMENT = option.FAST_OPEN_EXPERIMENT.to_bytes(2, "big")
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
        experiment = kind in option.EXPERIMENTS and raw[at + 2 : at + 4] == _FAST_OPEN_EXPERIMENT
        meant = option.FAST_OPEN if experiment else kind
        if not _fits(kind, size):
            yield of(Detail.TCP_OPT_INVALID_LEN)
        elif meant in seen:
            yield of(Detail.TCP_OPT_DUPLICATE)
        elif meant in _ONCE:
            seen.add(meant)
        at += size


def _fits(kind: int, size: int) -> bool:
    """Tell whether an option may be that long (kind and length included)."""
    if kind == option.SACK:
        return 10 <= size <= 34 and (size - 2) % 8 == 0
    if kind == option.FAST_OPEN:
        return size <= 18 and size % 2 == 0
    if kind == option.AUTHENTICATION:
        return size >= 4
    if kind in option.EXPERIMENTS:
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
