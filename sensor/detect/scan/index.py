"""The literals behind the scan, and its use on the gathered bytes of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensor.detect.headers.groups import Cover
from sensor.detect.kept import Kept
from sensor.detect.scan.kernels_scan import GRAM, LITERAL, choose, scan
from sensor.detect.scan.tables import FOLDED, ScanTables

MAX_LITERAL = 64
"""Longer literals are searched by their first 64 bytes; the evaluator judges the rest. The carried tail of a side
is one byte shorter than the longest literal."""

MIN_LITERAL = GRAM
EITHER_SIDE = 3


@dataclass(frozen=True, slots=True)
class Literal:
    """A byte string to find, and where it may matter."""

    pattern: bytes
    mask: int
    """Group bits of the units in which it is searched."""
    cased: bool = False
    """True: exact case; False: ASCII case is ignored."""
    sides: int = EITHER_SIDE
    """Sides in whose bytes it is searched, as bits."""


def usable(pattern: bytes) -> bool:
    """Tell whether the scan can search for a pattern: four bytes, not all the same (padding would hit everywhere).

    The same as the scan folds them: to it a space and three zeros are what all padding is (2.5 million of the 50
    million positions of `bench.pcap`).
    """
    return len(pattern) >= MIN_LITERAL and len({char | FOLDED for char in pattern}) > 1


@dataclass(frozen=True, slots=True)
class Hits:
    """Where literals were found: literal number, unit number, position of its first byte in the unit data."""

    lit: np.ndarray
    unit: np.ndarray
    pos: np.ndarray


class LiteralIndex(Kept):
    """Literals compiled for `kernels_scan.scan`. Immutable but for its scratch arrays: one per worker."""

    KEPT: ClassVar = {
        "size": int, "lengths": tuple[int, ...], "longest": int, "literals": np.ndarray, "_pool": np.ndarray,
        "_tables": ScanTables,
    }  # fmt: skip

    def __init__(self, literals: Sequence[Literal], covers: Sequence[Cover] = ()) -> None:
        """covers: units that have tables of their own, with no other literals than theirs."""
        self.size = len(literals)
        lengths = [min(len(x.pattern), MAX_LITERAL) for x in literals]
        self.lengths = tuple(lengths)
        self.longest = max(lengths, default=0)
        patterns = [x.pattern[:MAX_LITERAL] if x.cased else x.pattern[:MAX_LITERAL].lower() for x in literals]
        self.literals = np.zeros(self.size, LITERAL)
        self.literals["size"] = lengths
        self.literals["at"][1:] = np.cumsum(lengths)[:-1]
        self.literals["mask"] = np.array([x.mask for x in literals], np.uint64)
        self.literals["nocase"] = [not x.cased for x in literals]
        self.literals["sides"] = [x.sides for x in literals]
        self._pool = np.frombuffer(b"".join(patterns) or b"\0", np.uint8).copy()
        self._tables = ScanTables(self.literals, self._pool, covers)
        self.make_scratch()

    def make_scratch(self) -> None:
        """Make room for hits."""
        self._last_unit = np.full(max(self.size, 1), -1, np.int32)
        self._last_pos = np.zeros(max(self.size, 1), np.int64)
        self._grow(1 << 16)

    def _grow(self, n: int) -> None:
        self._out = (np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int64))

    def scan(self, data: np.ndarray, units: np.ndarray, bits: np.ndarray) -> Hits:
        """Find literals in units.

        data: uint8[size]; units: UNIT[n]; bits: uint64[n], the group bits of each unit.
        A literal is reported at most once per `REPEAT` bytes of a unit, and not where it lies wholly in the tail.
        """
        empty = np.empty(0, np.int64)
        if not self.size or not units.size:
            return Hits(empty, empty, empty)
        self._last_unit.fill(-1)
        state, t = np.array([0, -1], np.int64), self._tables
        table_of = np.empty(units.size, np.int32)
        choose(units, bits, t.tables, table_of)
        parts: list[tuple[np.ndarray, ...]] = []
        while state[0] < units.size:
            n = scan(
                data, units, bits, table_of, t.tables, t.grams, t.slots, t.entries, self.literals, self._pool,
                self._last_unit, self._last_pos, *self._out, state,
            )  # fmt: skip
            parts.append(tuple(column[:n].copy() for column in self._out))
        if len(parts) == 1:
            return Hits(*parts[0])
        return Hits(*(np.concatenate([p[k] for p in parts]) for k in range(3)))
