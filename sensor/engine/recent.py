"""Where literals of stream rules stood: the windows that hold one, in this block and (they overlap) in the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from sensor.engine.kernels_recent import windows_of_hits
from sensor.model.distinct import among, distinct

LIMIT: Final = 1 << 16
"""Hits kept from block to block, 28 bytes each. Without a bound, each block would look at what 262,144 flows left."""


class StreamHits(NamedTuple):
    """Places of streams in which rules may hold."""

    sides: np.ndarray
    """int64[n]: 2 * slot + side"""
    rules: np.ndarray
    """int32[n]"""
    ends: np.ndarray
    """int64[n], stream offset: a window that ends before it does not hold the place."""
    begins: np.ndarray
    """int64[n], stream offset: nor does one that begins behind it."""


class _Marks(NamedTuple):
    """What is kept: hits that windows of this block held, the latest of each rule and side, in order of both."""

    sides: np.ndarray
    rules: np.ndarray
    begins: np.ndarray
    noted: np.ndarray
    """int64[n]: when each was noted, in segments since the start."""

    def only(self, which: np.ndarray) -> _Marks:
        """Return some of them. which: bool[n]."""
        return _Marks(*(column[which] for column in self))


_NONE = _Marks(*(np.zeros(0, dtype) for dtype in (np.int64, np.int32, np.int64, np.int64)))
_NO_HITS = StreamHits(*(np.zeros(0, dtype) for dtype in (np.int64, np.int32, np.int64, np.int64)))
_SEEN = -1
"""`StreamHits.ends` of what is kept: each window that comes ends behind it."""


class RecentHits:
    """Hits by side and rule.

    Beyond `limit` the sides go that were noted longest ago, all their rules at once, and are counted.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = LIMIT if limit is None else limit
        self._marks = _NONE
        self._clock = 0
        self.forgotten = 0
        """Hits that gave way to others."""

    def __len__(self) -> int:
        return self._marks.sides.size

    def windows(self, parts: list[StreamHits], sides: np.ndarray, first: np.ndarray, last: np.ndarray,
                reach: int) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return (segment number, rule), int32[n] each, of the windows that hold a hit of the rule; note the hits.

        Segments, int64[m] each, those of a side in the order of the stream: sides, first and last (behind it) offset.
        reach: bytes in front of a segment that its window has. A pair may come twice.
        """
        new = StreamHits(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else _NO_HITS
        old, others = self._split(distinct(sides))
        if not sides.size or not (new.sides.size or old.sides.size):
            return np.zeros(0, np.int32), np.zeros(0, np.int32)
        hits, noted = _in_order(old, new)
        order = np.argsort(sides, kind="stable")
        where = *hits, sides[order], first[order], last[order], reach
        kept = np.empty(noted.size, np.int64)
        nothing = np.zeros(0, np.int32)
        size = windows_of_hits(*where, nothing, nothing, kept)
        out = np.empty(size, np.int32), np.empty(size, np.int32)
        windows_of_hits(*where, *out, kept)
        self._keep(hits, np.where(noted < 0, self._clock + order[kept], noted), kept >= 0, others)
        self._clock += sides.size
        return order.astype(np.int32)[out[0]], out[1]

    def forget(self, slots: Iterable[int]) -> None:
        """Drop both sides of flows that ended."""
        if len(self):
            ended = among(self._marks.sides >> 1, np.fromiter(slots, np.int64))
            self._marks = self._marks.only(~ended)

    def adopt(self, old: RecentHits, renumbered: Mapping[int, int]) -> None:
        """Take over what was noted before a reload. renumbered: old rule number → new, of unchanged rules."""
        rules = np.array([renumbered.get(rule, -1) for rule in old._marks.rules.tolist()], np.int32)
        self._marks = old._marks._replace(rules=rules).only(rules >= 0)
        self._clock, self.forgotten = old._clock, old.forgotten

    def add(self, side: int, rule: int, begin: int) -> None:
        """Note one hit as if a window had held it just now."""
        one = _Marks(*(np.array([value], column.dtype) for value, column in zip(
            (side, rule, begin, self._clock), _NONE, strict=True)))  # fmt: skip
        self._marks = self._bounded(_joined(self._marks, one))

    def _split(self, sides: np.ndarray) -> tuple[_Marks, _Marks]:
        """Return the marks of some sides, and those of others. sides: int64[n], sorted, each once."""
        marks = self._marks
        low, high = (np.searchsorted(marks.sides, sides, end) for end in ("left", "right"))
        there = low < high
        if not there.any():  # what other flows have brought costs a block nothing
            return _NONE, marks
        edges = np.zeros(marks.sides.size + 1, np.int64)
        edges[low[there]] += 1
        edges[high[there]] -= 1
        mine = np.cumsum(edges[:-1]) > 0
        return marks.only(mine), marks.only(~mine)

    def _keep(self, hits: StreamHits, noted: np.ndarray, kept: np.ndarray, others: _Marks) -> None:
        """Keep some of the hits beside the marks of other sides. noted: int64[n], kept: bool[n]."""
        marks = _Marks(hits.sides, hits.rules, hits.begins, noted).only(kept)
        self._marks = self._bounded(_joined(others, marks))

    def _bounded(self, marks: _Marks) -> _Marks:
        """Return what is left of marks when the sides are gone for which there is no room."""
        over = marks.sides.size - self._limit
        if over <= 0:
            return marks
        sides, first, sizes = np.unique(marks.sides, return_index=True, return_counts=True)
        oldest = np.argsort(np.maximum.reduceat(marks.noted, first), kind="stable")
        enough = int(np.searchsorted(np.cumsum(sizes[oldest]), over)) + 1
        lost = among(marks.sides, sides[oldest[: min(enough, sides.size - 1)]])
        self.forgotten += int(np.count_nonzero(lost))
        return marks.only(~lost)


def _in_order(old: _Marks, new: StreamHits) -> tuple[StreamHits, np.ndarray]:
    """Return all hits by side, rule and offset, and when those that are not new were noted (-1: they are), int64[n]."""
    ends = np.full(old.sides.size, _SEEN)
    hits = StreamHits(*(np.concatenate(both) for both in zip(
        (old.sides, old.rules, ends, old.begins), new, strict=True)))  # fmt: skip
    noted = np.concatenate([old.noted, np.full(new.sides.size, -1)])
    order = np.lexsort((hits.begins, hits.rules, hits.sides))
    return StreamHits(*(column[order] for column in hits)), noted[order]


def _joined(some: _Marks, others: _Marks) -> _Marks:
    """Return the marks of different sides by side."""
    both = _Marks(*(np.concatenate(columns) for columns in zip(some, others, strict=True)))
    order = np.argsort(both.sides, kind="stable")
    return _Marks(*(column[order] for column in both))
