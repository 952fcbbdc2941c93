"""Flows as they stood at a row of the block: the table itself stands at the block's end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sensor.engine.block.kernels_history import later, sums


def side_id(slot: int, side: int) -> int:
    """Return the number of a flow's side."""
    return slot * 2 + side


def _none() -> np.ndarray:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class AppChanges:
    """When flows of a block got their protocol, per flow in row order."""

    slots: np.ndarray = field(default_factory=_none)
    """int32[n]"""
    rows: np.ndarray = field(default_factory=_none)
    """int32[n]: the row that decided; -1: none did (the end of the input)."""
    before: np.ndarray = field(default_factory=_none)
    """uint8[n]: `FLOW.app` until then."""

    def __add__(self, other: AppChanges) -> AppChanges:
        pairs = ((self.slots, other.slots), (self.rows, other.rows), (self.before, other.before))
        return AppChanges(*(np.concatenate(pair) for pair in pairs))


_Indexed = dict[int, list[tuple[int, int]]]
"""Slot → (row, `FLOW.app` until then)."""


def _indexed(changes: AppChanges) -> _Indexed:
    found: _Indexed = {}
    for flow, when, app in zip(changes.slots.tolist(), changes.rows.tolist(), changes.before.tolist(), strict=True):
        found.setdefault(flow, []).append((when, app))
    return found


def _before(changes: _Indexed, slot: int, row: int) -> int:
    """Return what a flow was at a row; -1: it does not change behind it."""
    return next((app for when, app in changes.get(slot, ()) if when > row), -1)


class History:
    """What came behind a row of a block. Indexes are made when first asked for."""

    def __init__(self, rows: np.ndarray, changes: AppChanges, silent: AppChanges, told: AppChanges) -> None:
        """silent, told: see `BlockView`."""
        self._rows = rows
        self._changes, self._silent, self._told = changes, silent, told
        self._by_flow: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._decided: _Indexed | None = None
        self._answered: _Indexed | None = None
        self._voiced: _Indexed | None = None

    def app_before(self, slot: int, row: int) -> int:
        """Return the protocol id that a flow had at a row, if that changed later in the block; -1: it did not."""
        if self._decided is None:
            self._decided = _indexed(self._changes)
        return _before(self._decided, slot, row)

    def unanswered(self, slot: int, row: int) -> bool:
        """Tell whether nobody had answered at a row to the bytes that tell the protocol of a flow."""
        if self._answered is None:
            self._answered = _indexed(self._silent)
        return _before(self._answered, slot, row) >= 0

    def untold(self, slot: int, side: int, row: int) -> bool:
        """Tell whether a side had not told at a row what it speaks by itself, but did later in the block."""
        if self._voiced is None:
            self._voiced = _indexed(self._told)
        return _before(self._voiced, side_id(slot, side), row) >= 0

    def later(self, slot: int, row: int) -> tuple[int, int, int, int]:
        """Return (packets, packets, bytes, bytes) per side of a flow behind a row, as the flow table counts them."""
        if self._by_flow is None:
            self._by_flow = self._index()
        out = np.empty(4, np.int64)
        later(*self._by_flow, slot, row, out)
        p0, p1, b0, b1 = out.tolist()
        return p0, p1, b0, b1

    def _index(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows ordered by flow, their flows, and the sums of packets and bytes before each."""
        rows = self._rows
        order = np.argsort(rows["flow"], kind="stable")
        table = np.zeros((rows.size + 1, 4), np.int64)
        sums(rows, order, table)
        return order, rows["flow"][order], table
