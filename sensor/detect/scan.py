"""The table behind the literal scan, and its use on the gathered bytes of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sensor.detect.kept import Kept
from sensor.detect.kernels_scan import FILTER_WORD, GRAM, HASH, SECOND, scan

MAX_LITERAL = 64
"""Longer literals are searched by their first 64 bytes; the evaluator judges the rest. The carried tail of a side
is one byte shorter than the longest literal."""

MIN_LITERAL = GRAM
_MIN_BITS, _MAX_BITS = 15, 21
_BITS_PER_GRAM = 64
"""Size of the filter per gram: a random position passes it once in 600 times. 2**15 bits stay in the L1 cache."""

_FOLDED = 0x20
_FOLD = np.uint8(_FOLDED)


@dataclass(frozen=True, slots=True)
class Literal:
    """A byte string to find, and where it may matter."""

    pattern: bytes
    mask: int
    """Group bits of the units in which it is searched."""
    cased: bool = False
    """True: exact case; False: ASCII case is ignored."""


def usable(pattern: bytes) -> bool:
    """Tell whether the scan can search for a pattern: four bytes, not all the same (padding would hit everywhere).

    The same as the scan folds them: to it a space and three zeros are what all padding is (2.5 million of the 50
    million positions of `bench.pcap`).
    """
    return len(pattern) >= MIN_LITERAL and len({char | _FOLDED for char in pattern}) > 1


def _commonness() -> tuple[int, ...]:
    """Return how common each byte is in traffic, roughly (0 rare … 8 everywhere)."""
    table = [1] * 256
    for chars, weight in ((b"0123456789", 4), (b"abcdefghijklmnopqrstuvwxyz", 4), (b"etaoinsr", 6), (b" \0", 8),
                          (b"\r\n/.:-=\xff\x01\x02", 4)):  # fmt: skip
        for char in chars:
            table[char] = weight
    return tuple(table)


def _rarest_runs(pool: np.ndarray, length: np.ndarray, stride: int) -> np.ndarray:
    """Return int64[n]: where in each literal its rarest run of `stride` grams begins.

    pool: uint8, the literals end to end; length: int64[n]. A run is as common as its commonest gram; a gram that
    several literals share is searched for all of them, and counts as commoner.
    """
    if not length.size:
        return np.zeros(0, np.int64)
    runs = length - GRAM + 1
    begin = np.cumsum(runs) - runs
    lit = np.repeat(np.arange(length.size), runs)
    inside = np.arange(lit.size) - begin[lit]
    at = (np.cumsum(length) - length)[lit] + inside
    folded = (pool | _FOLD).astype(np.int64)
    gram = folded[at] | folded[at + 1] << 8 | folded[at + 2] << 16 | folded[at + 3] << 24
    number = np.unique(gram, return_inverse=True)[1].astype(np.int64)
    shared = np.bincount(np.unique(number * length.size + lit) // length.size)
    weight = np.array(_commonness(), np.int64)[folded]
    cost = weight[at] + weight[at + 1] + weight[at + 2] + weight[at + 3]
    cost += 3 * np.ceil(np.log2(shared)).astype(np.int64)[number]
    reach = 1
    while reach < stride:
        cost[:-reach] = np.maximum(cost[:-reach], cost[reach:])
        reach *= 2
    cost[inside > runs[lit] - stride] = 1 << 40  # the run would leave the literal
    found: np.ndarray = inside[np.lexsort((inside, cost, lit))[begin]]
    return found


@dataclass(frozen=True, slots=True)
class Hits:
    """Where literals were found: literal number, unit number, position of its first byte in the unit data."""

    lit: np.ndarray
    unit: np.ndarray
    pos: np.ndarray


class LiteralIndex(Kept):
    """Literals compiled for `kernels_scan.scan`. Immutable but for its scratch arrays: one per worker."""

    KEPT: ClassVar = {
        "size": int, "lengths": tuple[int, ...], "longest": int, "stride": int, "hash_bits": int,
        **dict.fromkeys(
            ("_len", "_at", "_pool", "_mask", "_cased", "_ent_lit", "_ent_off", "_grams", "_keys", "_first", "_count"),
            np.ndarray,
        ),
    }  # fmt: skip

    def __init__(self, literals: Sequence[Literal]) -> None:
        self.size = len(literals)
        lengths = [min(len(x.pattern), MAX_LITERAL) for x in literals]
        self.lengths = tuple(lengths)
        self.longest = max(lengths, default=0)
        shortest = min(lengths, default=8)
        self.stride = next(s for s in (8, 4, 2, 1) if shortest >= GRAM + s - 1)
        patterns = [x.pattern[:MAX_LITERAL] if x.cased else x.pattern[:MAX_LITERAL].lower() for x in literals]
        self._len = np.array(lengths, np.int32)
        self._at = np.zeros(self.size, np.int32)
        self._at[1:] = np.cumsum(self._len)[:-1]
        self._pool = np.frombuffer(b"".join(patterns) or b"\0", np.uint8).copy()
        self._mask = np.array([x.mask for x in literals], np.uint64)
        self._cased = np.array([x.cased for x in literals], np.uint8)
        self._build()
        self.make_scratch()

    def make_scratch(self) -> None:
        """Make room for hits."""
        self._low = np.arange(256, dtype=np.uint8)
        self._low[65:91] += 32
        self._last_unit = np.full(max(self.size, 1), -1, np.int32)
        self._last_pos = np.zeros(max(self.size, 1), np.int64)
        self._grow(1 << 16)

    def _grow(self, n: int) -> None:
        self._out = (np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int64))

    def _build(self) -> None:
        """Fill filter and hash table with `stride` grams of each literal."""
        first = _rarest_runs(self._pool, self._len.astype(np.int64), self.stride)
        at = (self._at + first)[:, None] + np.arange(self.stride)
        folded = (self._pool | _FOLD).astype(np.uint32)
        grams = (folded[at] | folded[at + 1] << 8 | folded[at + 2] << 16 | folded[at + 3] << 24).ravel()
        order = np.argsort(grams, kind="stable")
        keys, starts, counts = np.unique(grams[order], return_index=True, return_counts=True)
        self._ent_lit = (order // self.stride).astype(np.int32)
        self._ent_off = (first[:, None] + np.arange(self.stride)).ravel()[order].astype(np.int32)
        self.hash_bits = max(_MIN_BITS, min(_MAX_BITS, (keys.size * _BITS_PER_GRAM).bit_length()))
        slots = 1 << max(4, (2 * keys.size).bit_length())
        product = keys.astype(np.uint64) * np.uint64(HASH) & np.uint64(0xFFFFFFFF)
        bit = product >> np.uint64(32 - self.hash_bits)
        self._grams = np.zeros((1 << self.hash_bits) // FILTER_WORD, np.uint64)
        for place in (bit, product >> np.uint64(SECOND)):
            np.bitwise_or.at(self._grams, bit // FILTER_WORD, np.uint64(1) << place % FILTER_WORD)
        table: dict[int, int] = {}
        for number, home in enumerate((product >> np.uint64(7)).tolist()):
            slot = home & (slots - 1)
            while slot in table:
                slot = (slot + 1) & (slots - 1)
            table[slot] = number
        where, what = np.array(list(table), np.int64), np.array(list(table.values()), np.int64)
        self._keys, self._first, self._count = (np.zeros(slots, t) for t in (np.uint32, np.int32, np.int32))
        self._keys[where], self._first[where], self._count[where] = keys[what], starts[what], counts[what]

    def scan(self, data: np.ndarray, units: np.ndarray, bits: np.ndarray) -> Hits:
        """Find literals in units.

        data: uint8[size]; units: UNIT[n]; bits: uint64[n], the group bits of each unit.
        A literal is reported at most once per `REPEAT` bytes of a unit, and not where it lies wholly in the tail.
        """
        empty = np.empty(0, np.int64)
        if not self.size or not units.size:
            return Hits(empty, empty, empty)
        self._last_unit.fill(-1)
        state = np.array([0, -1], np.int64)
        parts: list[tuple[np.ndarray, ...]] = []
        while state[0] < units.size:
            n = scan(
                data, units, bits, self.stride, self.hash_bits, self._grams, self._keys, self._first,
                self._count, self._ent_lit, self._ent_off, self._len, self._at, self._mask, self._cased, self._pool,
                self._low,
                self._last_unit, self._last_pos, *self._out, state,
            )  # fmt: skip
            parts.append(tuple(column[:n].copy() for column in self._out))
        if len(parts) == 1:
            return Hits(*parts[0])
        return Hits(*(np.concatenate([p[k] for p in parts]) for k in range(3)))
