"""Rules one of whose literals was seen while others have not come yet: remembered until they do, or the flow ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sensor.detect.scan.kernels_expand import complete
from sensor.detect.scan.literals import LiteralRules
from sensor.model.distinct import among

LIMIT = 1 << 17
"""Pairs remembered; beyond it a rule is judged without waiting for its other literals."""


class Pairs(NamedTuple):
    """Rules and where their literals were seen, one entry each."""

    rules: np.ndarray
    """int32[n]"""
    sides: np.ndarray
    """int64[n]: 2 * slot + side"""
    lits: np.ndarray
    """int32[n]: literal numbers"""
    pos: np.ndarray
    """int64[n]: stream offsets of the literals' first bytes"""


_NONE = Pairs(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))


class Late:
    """The pairs that wait."""

    def __init__(self) -> None:
        self._pairs = _NONE
        self._lefts = np.zeros(0, np.int64)

    @property
    def size(self) -> int:
        """How many pairs wait."""
        return self._lefts.size

    def add(self, pairs: Pairs, lefts: np.ndarray) -> Pairs:
        """Remember pairs with the bits of what they miss, int64[n]; return those for which there is no room."""
        room = LIMIT - self.size
        kept = Pairs(*(column[:room] for column in pairs))
        self._pairs = Pairs(*(np.concatenate(both) for both in zip(self._pairs, kept, strict=True)))
        self._lefts = np.concatenate([self._lefts, lefts[:room]])
        return Pairs(*(column[room:] for column in pairs))

    def complete(self, literals: LiteralRules, data: np.ndarray, units: np.ndarray, unit_of: np.ndarray) -> Pairs:
        """Look at the new bytes of sides; return the pairs that miss nothing any more, which are forgotten.

        unit_of: int32[2 * slots], see `kernels_expand.complete`.
        """
        if not self.size:
            return _NONE
        done = np.empty(self.size, np.bool_)
        x = literals
        if complete(
            self._pairs.rules, self._pairs.sides, self._lefts, unit_of, data, units, x.other_first, x.other_at,
            x.other_len, x.other_cased, x.pool, done,
        ):  # fmt: skip
            return self._take(done)
        return _NONE

    def forget(self, slots: np.ndarray) -> None:
        """Drop what is remembered of ended flows. slots: int32[n]."""
        if self.size and slots.size:
            ended = among(self._pairs.sides >> 1, slots)
            if ended.any():
                self._take(ended)

    def drain(self) -> Pairs:
        """Return and forget all pairs."""
        return self._take(np.ones(self.size, np.bool_))

    def _take(self, which: np.ndarray) -> Pairs:
        taken = Pairs(*(column[which] for column in self._pairs))
        self._pairs = Pairs(*(column[~which] for column in self._pairs))
        self._lefts = self._lefts[~which]
        return taken
