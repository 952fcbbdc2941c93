"""Sets of integers as sorted, separate (low, high) ranges, ends included."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the ranges sorted, with overlapping and adjoining ones merged."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def complement(ranges: Ranges, top: int) -> Ranges:
    """Return what of 0..top is not in the (merged) ranges."""
    out: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            out.append((start, low - 1))
        start = high + 1
    if start <= top:
        out.append((start, top))
    return tuple(out)


def minus(ranges: Ranges, other: Ranges, top: int) -> Ranges:
    """Return what is in `ranges` and not in `other` (both merged)."""
    keep = complement(other, top)
    out: list[tuple[int, int]] = []
    i = j = 0
    while i < len(ranges) and j < len(keep):
        low, high = max(ranges[i][0], keep[j][0]), min(ranges[i][1], keep[j][1])
        if low <= high:
            out.append((low, high))
        if ranges[i][1] < keep[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)
