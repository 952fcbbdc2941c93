"""What the readers of details need of a row, and how they read its bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sensor.decode import bits
from sensor.model.details import Detail
from sensor.model.rows import FRAG_PART

Bytes = bytes | memoryview | npt.NDArray[np.uint8]

_NOT_WHOLE = bits.IPV4_TRUNC_PKT | bits.IPV6_TRUNC_PKT | bits.SNAPLEN_CUT | bits.IPV4_IPLEN_SMALLER_THAN_HLEN


class RowLike(Protocol):
    """A row as plain numbers: the columns of `ROW` that readers look at."""

    @property
    def anomaly(self) -> int: ...  # noqa: D102 - columns of ROW
    @property
    def l2(self) -> int: ...  # noqa: D102
    @property
    def l3(self) -> int: ...  # noqa: D102
    @property
    def pay(self) -> int: ...  # noqa: D102
    @property
    def paylen(self) -> int: ...  # noqa: D102
    @property
    def caplen(self) -> int: ...  # noqa: D102
    @property
    def iplen(self) -> int: ...  # noqa: D102
    @property
    def l4(self) -> int: ...  # noqa: D102
    @property
    def ipv(self) -> int: ...  # noqa: D102
    @property
    def proto(self) -> int: ...  # noqa: D102
    @property
    def frag(self) -> int: ...  # noqa: D102
    @property
    def nvlan(self) -> int: ...  # noqa: D102
    @property
    def tunnel(self) -> int: ...  # noqa: D102
    @property
    def ethertype(self) -> int: ...  # noqa: D102


def of(*found: Detail) -> int:
    """Return the set of some details."""
    return sum(1 << one for one in frozenset(found))


def joined(sets: Iterable[int]) -> int:
    """Return the union of sets of details."""
    out = 0
    for one in sets:
        out |= one
    return out


def whole(row: RowLike) -> bool:
    """Tell whether the IP header is sound and all of its packet is there."""
    return row.l3 >= 0 and not row.anomaly & _NOT_WHOLE


def header(row: RowLike, buf: Bytes, size: int) -> bytes:
    """Return up to `size` bytes of the IP packet."""
    end = min(row.l3 + min(size, row.iplen), row.l2 + row.caplen, len(buf))
    return bytes(buf[row.l3 : max(end, row.l3)])


def message(row: RowLike, buf: Bytes, at_most: int) -> bytes | None:
    """Return the first bytes of what an IP header without extension headers carries; None: it is no whole message."""
    if not whole(row) or row.frag == FRAG_PART:
        return None
    start = row.l4 if row.l4 >= 0 else row.pay
    end = min(row.l3 + row.iplen, row.l2 + row.caplen, len(buf))
    return bytes(buf[start : max(min(end, start + at_most), start)])
