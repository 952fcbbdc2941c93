"""The gathered bytes of a block, asked by SEG number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    _order: tuple[np.ndarray, np.ndarray] | None = None
    _places: tuple[list[int], list[int]] | None = None
    """Of each segment: `seg_at`, and where it ends."""

    def data_of(self, index: int) -> bytes:
        """Return the bytes of a DATA segment."""
        if self._places is None:
            self._places = self.seg_at.tolist(), (self.seg_at + self.segs["len"]).tolist()
        begins, ends = self._places
        return self.data[begins[index] : ends[index]].tobytes()

    def begins(self) -> np.ndarray:
        """Return int32[m]: where in `data` the stream of each DATA segment begins; -1: that is not here."""
        streams = self.units[self.units["kind"] == UNIT_STREAM]
        heads = streams[streams["pos"] == streams["fresh"] - streams["start"]]
        heads = heads[np.argsort(heads["start"], kind="stable")]
        out = np.full(self.segs.size, -1, np.int32)
        at = np.flatnonzero(self.seg_at >= 0)
        if heads.size and at.size:
            begin = self.seg_at[at] - self.segs["pos"][at]
            head = heads[np.minimum(np.searchsorted(heads["start"], begin), heads.size - 1)]
            here = (head["start"] == begin) & (head["flow"] == self.segs["flow"][at])
            here &= head["side"] == self.segs["side"][at]
            out[at[here]] = begin[here]
        return out

    def _streams(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the stream units, in the order of their bytes, and where those begin."""
        if self._order is None:
            numbers = np.flatnonzero(self.units["kind"] == UNIT_STREAM)
            numbers = numbers[np.argsort(self.units["start"][numbers], kind="stable")]
            self._order = numbers, self.units["start"][numbers]
        return self._order

    def first_of(self, indexes: np.ndarray) -> np.ndarray:
        """Return int64[n]: `first_pos` of each DATA segment of those given."""
        numbers, starts = self._streams()
        units = self.units[numbers[np.searchsorted(starts, self.seg_at[indexes], "right") - 1]]
        first: np.ndarray = units["pos"] - (units["fresh"] - units["start"])
        return first

    def _unit(self, index: int) -> np.void:
        """Return the stream unit that holds a segment."""
        numbers, starts = self._streams()
        unit: np.void = self.units[numbers[int(np.searchsorted(starts, self.seg_at[index], "right")) - 1]]
        return unit

    def before(self, index: int, wanted: int, length: int) -> tuple[int, bytes]:
        """Return (stream offset, bytes) that end with a segment and begin at `wanted`, or later if less is here."""
        unit = self._unit(index)
        at, pos = int(self.seg_at[index]), int(self.segs["pos"][index])
        first = int(unit["pos"]) - (int(unit["fresh"]) - int(unit["start"]))
        start = max(wanted, first)
        return start, self.data[at - (pos - start) : at + length].tobytes()

    def first_pos(self, index: int) -> int:
        """Return the stream offset of the first byte of the segment's unit, carried tail included."""
        unit = self._unit(index)
        return int(unit["pos"]) - (int(unit["fresh"]) - int(unit["start"]))
