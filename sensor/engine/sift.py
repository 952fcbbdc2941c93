"""The last sieve before the judge: (row, rule) and (window, rule) pairs of a block, less those that cannot match."""

from __future__ import annotations

import numpy as np

from sensor.detect.headers.heads import Heads
from sensor.detect.planning.plan import Plan
from sensor.detect.prefilter.kernels_looks import look_rows, look_windows
from sensor.engine.block.gathered import Gathered
from sensor.engine.block.history import AppChanges
from sensor.model.distinct import distinct
from sensor.model.rows import APP_UNDECIDED

_Pairs = tuple[np.ndarray, np.ndarray]
_NONE = np.zeros(0, np.int32)


class Sift:
    """Collects the pairs of one block."""

    def __init__(self, plan: Plan, flows: np.ndarray, changes: AppChanges, heads: Heads) -> None:
        """flows: FLOW[slots]; changes: protocols that flows got in this block; heads: of these flows."""
        self._heads = heads
        self._plan = plan
        self._flows = flows
        self._turned = np.sort(changes.slots[changes.before != APP_UNDECIDED])
        self._rows: list[_Pairs] = []
        self._windows: list[_Pairs] = []

    def add_rows(self, at: np.ndarray, rules: np.ndarray) -> None:
        """Add packet rules for rows; a pair may come twice. int32[n] each."""
        self._rows.append((at, rules))

    def add_windows(self, segs: np.ndarray, rules: np.ndarray) -> None:
        """Add stream rules for windows, by SEG number."""
        self._windows.append((segs, rules))

    def packets(self, rows: np.ndarray, buf: np.ndarray) -> dict[int, set[int]]:
        """Return row → packet rules. rows: ROW[n], buf: uint8."""
        at, rules = _distinct(self._rows)
        holds = np.empty(at.size, np.bool_)
        plan, looks = self._plan, self._plan.looks
        if not at.size or not look_rows(
            at, rules, rows, self._flows, self._turned, buf, plan.headers.table, looks.first, looks.table,
            looks.pool, *looks.automata.arrays, holds,
        ):  # fmt: skip
            return {}
        return _grouped(at[holds], rules[holds])

    def windows(self, gathered: Gathered, window: int) -> dict[int, set[int]]:
        """Return SEG number → stream rules. window: bytes before a segment that a rule sees."""
        if not any(numbers.size for numbers, _ in self._windows):
            return {}
        # By side, then in the order of the stream: what is looked up of a side is asked again by its next window.
        segs = gathered.segs
        sides = (2 * segs["flow"] + segs["side"]).astype(np.int32)
        order = np.argsort(sides, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        rules, places = _distinct([(rules, place[numbers]) for numbers, rules in self._windows])
        numbers = order[places]
        sides, pos, origins = sides[numbers], segs["pos"][numbers], gathered.messages.origins[numbers]
        base = np.maximum(pos - window, origins)
        at = gathered.seg_at[numbers] - (pos - base)
        size = np.where(gathered.first_of(numbers) <= base, pos - base + segs["len"][numbers], -1).astype(np.int32)
        holds = np.empty(rules.size, np.bool_)
        plan, looks = self._plan, self._plan.looks
        look_windows(
            sides, rules, base - origins, origins, at, size, self._flows, self._turned, gathered.data,
            plan.headers.table, looks.first, looks.table, looks.pool, *looks.automata.arrays, holds, *self._heads,
        )  # fmt: skip
        return _grouped(numbers[holds], rules[holds])


def _distinct(parts: list[_Pairs]) -> _Pairs:
    """Return pairs in order, each once."""
    if not any(first.size for first, _ in parts):
        return _NONE, _NONE
    first, second = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    both = distinct(first << 32 | second)
    return (both >> 32).astype(np.int32), (both & 0xFFFFFFFF).astype(np.int32)


def _grouped(keys: np.ndarray, rules: np.ndarray) -> dict[int, set[int]]:
    out: dict[int, set[int]] = {}
    for key, rule in zip(keys.tolist(), rules.tolist(), strict=True):
        out.setdefault(key, set()).add(rule)
    return out
