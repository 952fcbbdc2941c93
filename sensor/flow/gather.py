"""Gathering: the new payload of a block, contiguous per stream side, ready for one pass of the literal scan.

A unit of a stream begins with the last bytes of earlier blocks, so that a pattern split over segments or
blocks stays whole. A gap, or the end of the flow, cuts: no pattern is found across bytes that were never
seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensor.flow import kernels_gather as kernels
from sensor.model.rows import SEG_DATA
from sensor.model.units import UNIT

_ALL = np.zeros(0, np.bool_)


@dataclass(frozen=True, slots=True)
class Units:
    """What a block has to scan. Borrowed: valid until the next call of `gather`."""

    data: np.ndarray
    """uint8: the bytes of all units."""
    units: np.ndarray
    """UNIT[n]: those of streams first, in the order of their first segment, then those of packets in row
    order."""
    seg_at: np.ndarray
    """int64[segs]: where the bytes of a SEG_DATA begin in `data`, -1 for other kinds."""


class Gatherer:
    """Tails of the sides, between blocks: 2 * slots * tail bytes, taken as sides are seen."""

    def __init__(self, max_flows_slots: int, tail: int) -> None:
        """`tail`: bytes carried per side, at least one less than the longest literal."""
        self._tails = np.empty((2 * max_flows_slots, tail), np.uint8)
        self._tail_len = np.zeros(2 * max_flows_slots, np.int32)
        self._owner = np.zeros(max_flows_slots, np.uint64)
        self._current = np.full(2 * max_flows_slots, -1, np.int32)
        self._data = np.empty(0, np.uint8)
        self._units = np.empty(0, UNIT)
        self._seg_at = np.empty(0, np.int64)

    def gather(
        self,
        rows: np.ndarray,
        buf: np.ndarray,
        segs: np.ndarray,
        queue_buf: np.ndarray,
        flows: np.ndarray,
        wanted: np.ndarray | None = None,
    ) -> Units:
        """Copy the block's payload.

        rows: ROW[n], buf: uint8; segs: SEG[m] in packet order, queue_buf: uint8, the bytes of segments with
        src 1; flows: FLOW[slots]; wanted: bool[n], the rows whose payload may become a packet unit (None:
        all). Left out: duplicates, fragments, and packets that only carry a tunnelled one.
        """
        if flows.size > self._owner.size:
            self._grow(flows.size)
        stream = segs["kind"] == SEG_DATA
        count = int(np.count_nonzero(stream))
        tail = self._tails.shape[1]
        size = int(rows["paylen"].clip(0).sum() + segs["len"][stream].sum()) + count * tail
        self._data = _at_least(self._data, size)
        self._units = _at_least(self._units, count + rows.size)
        self._seg_at = _at_least(self._seg_at, segs.size)
        n = kernels.gather(
            rows, buf, segs, queue_buf, flows, _ALL if wanted is None else wanted,
            self._tails, self._tail_len, self._owner, self._current, self._units, self._seg_at, self._data,
        )  # fmt: skip
        units = self._units[:n]
        return Units(self._data[: int(units["end"][-1]) if n else 0], units, self._seg_at[: segs.size])

    def _grow(self, slots: int) -> None:
        """Follow a flow table that has grown."""
        old = self._owner.size
        tails = np.empty((2 * slots, self._tails.shape[1]), np.uint8)
        tails[: 2 * old] = self._tails
        self._tails = tails
        self._tail_len = np.concatenate([self._tail_len, np.zeros(2 * (slots - old), np.int32)])
        self._owner = np.concatenate([self._owner, np.zeros(slots - old, np.uint64)])
        self._current = np.full(2 * slots, -1, np.int32)


def _at_least(array: np.ndarray, size: int) -> np.ndarray:
    """Return the array, or a new one that is large enough (by half again, so that growing is rare)."""
    return array if array.size >= size else np.empty(size + size // 2, array.dtype)
