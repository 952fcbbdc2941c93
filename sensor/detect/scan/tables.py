"""The tables that the literal scan looks grams up in: for each kind of traffic one of the literals that it may hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import ClassVar, Final

import numpy as np

from sensor.detect.headers.groups import Cover
from sensor.detect.kept import Kept
from sensor.detect.scan.kernels_scan import (
    AHEAD,
    BEHIND,
    ENTRY,
    FILTER_WORD,
    GRAM,
    HASH,
    SECOND,
    TABLE,
    WILD_BITS,
)
from sensor.model.distinct import among, distinct

FOLDED: Final = 0x20
_STRIDES: Final = (8, 4, 2)
"""Two is enough for every literal, others where the shortest one has grams enough."""
_MIN_BITS, _MAX_BITS = 15, 20
_BITS_PER_GRAM: Final = 24
"""Size of the filter per gram: a random place passes it once in 150 times. 2**17 bits are half of an L1 cache."""
_ANY: Final = np.unique(np.arange(256) | FOLDED).astype(np.uint64)
"""Folded bytes."""
_WILD, _PADDING = 16, 12
"""How much commoner than another a gram is with a byte that may be any, and one of four bytes that are the same."""

_ALL: Final = Cover((1 << 64) - 1, 3)


class ScanTables(Kept):
    """See `kernels_scan.TABLE`, in the order in which units choose."""

    KEPT: ClassVar = dict.fromkeys(("tables", "grams", "slots", "entries"), np.ndarray)

    def __init__(self, literals: np.ndarray, pool: np.ndarray, covers: Sequence[Cover] = ()) -> None:
        """literals: LITERAL[n]; pool: uint8, the literals end to end.

        covers: those of which a unit that fits several takes the first; one for all units stands behind them.
        """
        made = [_Table(literals, pool, cover) for cover in (*covers, _ALL)]
        self.tables = np.zeros(len(made), TABLE)
        self.grams = np.concatenate([table.filter for table in made])
        """uint64: the words of the filters."""
        self.slots = np.concatenate([table.slots for table in made])
        """uint32[k, 2]: gram and its first entry, or 0."""
        self.entries = np.concatenate([table.entries for table in made])
        """ENTRY[m]"""
        filters, slots, entries = (np.cumsum([0, *sizes]) for sizes in zip(*(t.sizes() for t in made), strict=True))
        for n, table in enumerate(made):
            held = slice(slots[n], slots[n + 1])
            self.slots[held, 1] += np.uint32(entries[n])
            self.tables[n] = (
                table.cover.mask, filters[n], filters[n + 1] - WILD_BITS // FILTER_WORD, slots[n],
                slots[n + 1] - slots[n] - 1, 33 - int(slots[n + 1] - slots[n]).bit_length(), 32 - table.bits,
                table.stride, table.wild, table.cover.sides,
            )  # fmt: skip


class _Table:
    """One of them."""

    def __init__(self, literals: np.ndarray, pool: np.ndarray, cover: Cover) -> None:
        self.cover = cover
        mine = np.flatnonzero((literals["mask"] & np.uint64(cover.mask) != 0) & (literals["sides"] & cover.sides != 0))
        sizes = literals["size"][mine].astype(np.int64)
        shortest = int(sizes.min(initial=_STRIDES[0] + GRAM))
        self.stride = next((s for s in _STRIDES if shortest >= GRAM + s - 1), _STRIDES[-1])
        lits, offs, grams = _runs(literals["at"][mine].astype(np.int64), sizes, pool, self.stride)
        order = np.lexsort((-offs, lits, grams))  # at one place the one that begins first comes first
        keys, first = np.unique(grams[order], return_index=True)
        self.entries = _entries(literals, pool, mine[lits[order]], offs[order])
        self.entries["more"][np.append(first, order.size)[1:] - 1] = 0
        wilds = keys[(keys & ~np.uint64(AHEAD) == 0) | (keys & ~np.uint64(BEHIND) == 0)]
        self.wild = bool(wilds.size)
        whole = _whole(keys)
        self.bits = min(max((whole.size * _BITS_PER_GRAM).bit_length(), _MIN_BITS), _MAX_BITS)
        self.filter = np.concatenate([_filter(whole, self.bits), _wilds(wilds)])
        self.slots = _slots(keys, first)

    def sizes(self) -> tuple[int, int, int]:
        """Return words of the filter, slots and entries."""
        return self.filter.size, len(self.slots), len(self.entries)


@cache
def _commonness() -> np.ndarray:
    """Return how common each byte is in traffic, roughly (0 rare … 8 everywhere): int64[256]."""
    table = np.ones(256, np.int64)
    for chars, weight in ((b"0123456789", 4), (b"abcdefghijklmnopqrstuvwxyz", 4), (b"etaoinsr", 6), (b" \0", 8),
                          (b"\r\n/.:-=\xff\x01\x02", 4)):  # fmt: skip
        table[list(chars)] = weight
    return table


def _runs(at: np.ndarray, size: np.ndarray, pool: np.ndarray, stride: int) -> tuple[np.ndarray, ...]:
    """Return the rarest run of `stride` neighbouring grams of each literal: number of the literal, offset, gram.

    at, size: int64[n], where it stands in the pool, and its bytes. A run is as common as its commonest gram; a gram
    that several literals share is searched for all of them, and counts as commoner. With a stride of two a run may
    begin one place before the literal, or end one behind its last whole gram; the byte beside the literal is 0.
    """
    beyond = int(stride == _STRIDES[-1])
    count = np.maximum(size - GRAM + 1 + 2 * beyond, 0)
    begin = np.cumsum(count) - count
    lit = np.repeat(np.arange(size.size), count)
    off = np.arange(lit.size) - begin[lit] - beyond
    cost, gram = np.zeros(lit.size, np.int64), np.zeros(lit.size, np.uint64)
    folded, weights = pool | np.uint8(FOLDED), _commonness()
    for k in range(GRAM):
        inside = (off + k >= 0) & (off + k < size[lit])
        octet = np.where(inside, folded[np.where(inside, at[lit] + off + k, 0)], np.uint8(0))
        gram |= octet.astype(np.uint64) << np.uint64(8 * k)
        cost += np.where(inside, weights[octet], _WILD)
    cost += _PADDING * among(gram, _padding())
    number = np.unique(gram, return_inverse=True)[1].astype(np.int64).reshape(-1)
    shared = np.bincount(distinct(number * size.size + lit) // max(size.size, 1))
    cost += 3 * np.ceil(np.log2(np.maximum(shared, 1))).astype(np.int64)[number] if lit.size else 0
    reach = 1
    while reach < stride:
        cost[:-reach] = np.maximum(cost[:-reach], cost[reach:])
        reach *= 2
    cost[off > (size - GRAM + beyond)[lit] - (stride - 1)] = 1 << 40  # the run would leave the literal
    best = np.lexsort((off, cost, lit))[begin[count > 0]]
    chosen = (best[:, None] + np.arange(stride)).ravel()
    return lit[chosen], off[chosen], gram[chosen]


@cache
def _padding() -> np.ndarray:
    """Return the grams of bytes that are all the same, one of them any or none."""
    every = [sum(_ANY << np.uint64(8 * k) for k in places) for places in (range(GRAM), range(1, GRAM), range(GRAM - 1))]
    return np.concatenate(every)


def _whole(keys: np.ndarray) -> np.ndarray:
    """Return all grams that bytes may have where a gram of the table is. keys: uint64[n]."""
    made = [keys]
    for place, others in ((GRAM - 1, AHEAD), (0, BEHIND)):
        some = keys[keys & ~np.uint64(others) == 0]
        made.append((some[:, None] | _ANY << np.uint64(8 * place)).ravel())
    return distinct(np.concatenate(made))


def _entries(literals: np.ndarray, pool: np.ndarray, lits: np.ndarray, offs: np.ndarray) -> np.ndarray:
    """Return ENTRY[n], all with one behind them. Each is checked by the gram that is farthest from its own."""
    out = np.zeros(lits.size, ENTRY)
    last = literals["size"][lits].astype(np.int64) - GRAM
    place = np.where(offs < last - offs, last, 0)
    out["lit"], out["off"], out["size"], out["place"], out["more"] = lits, offs, last + GRAM, place, 1
    at, folded = literals["at"][lits].astype(np.int64) + place, (pool | np.uint8(FOLDED)).astype(np.uint32)
    for k in range(GRAM):
        out["check"] |= folded[at + k] << np.uint32(8 * k)
    return out


def _wilds(keys: np.ndarray) -> np.ndarray:
    """Return the filter of the grams of which one byte may be any: uint64[WILD_BITS / FILTER_WORD]."""
    bit = _hashes(keys) >> np.uint64(33 - WILD_BITS.bit_length())
    out = np.zeros(WILD_BITS // FILTER_WORD, np.uint64)
    np.bitwise_or.at(out, bit // FILTER_WORD, np.uint64(1) << bit % FILTER_WORD)
    return out


def _hashes(grams: np.ndarray) -> np.ndarray:
    found: np.ndarray = grams * np.uint64(HASH) & np.uint64(0xFFFFFFFF)
    return found


def _filter(grams: np.ndarray, bits: int) -> np.ndarray:
    """Return the filter of some grams: uint64[2 ** bits / FILTER_WORD]."""
    product = _hashes(grams)
    bit = product >> np.uint64(32 - bits)
    out = np.zeros((1 << bits) // FILTER_WORD, np.uint64)
    for place in (bit, product >> np.uint64(SECOND)):
        np.bitwise_or.at(out, bit // FILTER_WORD, np.uint64(1) << place % FILTER_WORD)
    return out


def _slots(keys: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return a hash table of grams, uint32[n, 2], half of it free: each stands in the next free slot."""
    size = 1 << max(4, (2 * keys.size - 1).bit_length())
    out = np.zeros((size, 2), np.uint32)
    slot = (_hashes(keys) >> np.uint64(33 - size.bit_length())).astype(np.int64)
    left = np.arange(keys.size)
    while left.size:
        free = left[out[slot[left], 0] == 0]
        won = free[np.unique(slot[free], return_index=True)[1]]
        out[slot[won], 0], out[slot[won], 1] = keys[won], first[won]
        left = np.setdiff1d(left, won, assume_unique=True)
        slot[left] = slot[left] + 1 & (size - 1)
    return out
