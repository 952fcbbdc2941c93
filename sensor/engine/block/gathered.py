"""The gathered bytes of a block, asked by SEG number."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sensor.engine.block.turns import Messages
from sensor.model.columns import Columns
from sensor.model.rows import SEG_DATA
from sensor.model.units import UNIT_STREAM


@dataclass(slots=True)
class Gathered:
    """Bytes of each side, and where each DATA segment's begin."""

    data: np.ndarray
    """uint8[k]"""
    units: np.ndarray
    """UNIT[n]"""
    seg_at: np.ndarray
    """int64[m]: offset in `data` of each DATA segment, -1 for other events."""
    segs: np.ndarray
    """SEG[m]"""
    messages: Messages
    _memory: memoryview = field(init=False)
    _seg_at: memoryview = field(init=False)
    _seg: Columns = field(init=False)
    _unit: Columns = field(init=False)
    _order: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        self._memory, self._seg_at = self.data.data, self.seg_at.data
        self._seg, self._unit = Columns(self.segs), Columns(self.units)

    def piece(self, begin: int, size: int) -> bytes:
        """Return some of the bytes."""
        return self._memory[begin : begin + size].tobytes()

    def data_of(self, index: int) -> bytes:
        """Return the bytes of a DATA segment."""
        return self.piece(self._seg_at[index], self._seg["len"][index])

    def by_place(self) -> np.ndarray:
        """Return int64[n]: the DATA segments in the order of their bytes."""
        found = np.flatnonzero(self.segs["kind"] == SEG_DATA)
        ordered: np.ndarray = found[np.argsort(self.seg_at[found], kind="stable")]
        return ordered

    def begins(self) -> np.ndarray:
        """Return int32[m]: where in `data` the stream, or the message, of each DATA segment begins; -1: not here."""
        numbers, starts = self._streams()
        out = np.full(self.segs.size, -1, np.int32)
        at = np.flatnonzero(self.seg_at >= 0)
        if numbers.size and at.size:
            places = self.seg_at[at]
            unit = np.searchsorted(starts, places, "right") - 1
            origin = self.messages.origins[at]
            begin = places - (self.segs["pos"][at] - origin)
            here = np.where(origin > 0, begin >= starts[unit], (begin == starts[unit]) & (self._firsts()[unit] == 0))
            out[at[here]] = begin[here]
        return out

    def _streams(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the stream units, in the order of their bytes, and where those begin."""
        if self._order is None:
            numbers = np.flatnonzero(self.units["kind"] == UNIT_STREAM)
            numbers = numbers[np.argsort(self.units["start"][numbers], kind="stable")]
            self._order = numbers, self.units["start"][numbers]
        return self._order

    def _firsts(self) -> np.ndarray:
        """Return int64[k]: where in its stream each of these units begins, the tail carried along included."""
        numbers, starts = self._streams()
        first: np.ndarray = self.units["pos"][numbers] - (self.units["fresh"][numbers] - starts)
        return first

    def first_of(self, indexes: np.ndarray) -> np.ndarray:
        """Return int64[n]: where in its stream each DATA segment's unit begins, the tail carried along included."""
        _, starts = self._streams()
        found: np.ndarray = self._firsts()[np.searchsorted(starts, self.seg_at[indexes], "right") - 1]
        return found

    def before(self, index: int, wanted: int) -> tuple[int, bytes]:
        """Return (stream offset, bytes) that end with a segment and begin at `wanted`, or later if less is here."""
        numbers, starts = self._streams()
        at, pos, unit = self._seg_at[index], self._seg["pos"][index], self._unit
        number = int(numbers[int(starts.searchsorted(at, "right")) - 1])
        first = unit["pos"][number] - (unit["fresh"][number] - unit["start"][number])
        start = max(wanted, first)
        skipped = pos - start
        return start, self.piece(at - skipped, skipped + self._seg["len"][index])
