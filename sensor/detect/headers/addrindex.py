"""Which address sets an address is in: one search in a table of intervals, for all sets at once.

Sets that many rules name get a bit of a 64-bit word. Of the others (block lists that one rule each names) an interval
lists the rules that name it: traffic with an address in no such list costs nothing for any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sensor.rules.nodes import AddressSet, Rule

ANY, UNTESTED = -1, -2
"""Instead of a bit: the set holds every address; the set is not among those that have a bit."""

MAX_BITS = 64
_TOP = (1 << 128) - 1
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Sorted lower ends of intervals that cover all addresses."""

    hi: np.ndarray
    """uint64[n]"""
    lo: np.ndarray
    """uint64[n]"""


@dataclass(frozen=True, slots=True)
class BlockLists:
    """Rules by interval of an address in one of their rare sets."""

    at: Intervals
    first: np.ndarray
    """int32[n + 1]"""
    rules: np.ndarray
    """int32[k]: positions in the list of rules given."""


class AddressIndex:
    """The address sets of a rule set."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        uses = Counter(side for rule in rules for side in (rule.src, rule.dst) if not _is_any(side))
        common = [one for one, count in uses.most_common(MAX_BITS) if count > 1 or len(uses) <= MAX_BITS]
        self._bits = {one: bit for bit, one in enumerate(common)}
        self.at, self.masks = _masks([spans(one) for one in common])
        self._rare = {one for one in uses if one not in self._bits}

    def bit(self, addresses: AddressSet) -> int:
        """Return the bit of a set, ANY or UNTESTED."""
        return ANY if _is_any(addresses) else self._bits.get(addresses, UNTESTED)

    def block_lists(self, rules: Sequence[Rule]) -> BlockLists:
        """Return the rules that name a rare set at either end, by the intervals of that set."""
        named = [(n, side) for n, rule in enumerate(rules) for side in _rare_sides(rule, self._rare)]
        return _lists([(spans(one), n) for n, one in named])


def no_lists() -> BlockLists:
    """Return lists that name no rule."""
    return _lists([])


def _rare_sides(rule: Rule, rare: set[AddressSet]) -> list[AddressSet]:
    """Return the set by which a rule is found: its source if that is rare, else its destination."""
    found = [side for side in (rule.src, rule.dst) if side in rare]
    return found[:1]


def _is_any(addresses: AddressSet) -> bool:
    return not addresses.include and not addresses.exclude


def spans(addresses: AddressSet) -> list[_Span]:
    """Return a set as sorted ranges of integers that do not overlap, ends included."""
    inside = [_numbers(pair) for pair in addresses.include] or [(0, _TOP)]
    for low, high in (_numbers(pair) for pair in addresses.exclude):
        inside = [part for span in inside for part in _without(span, low, high)]
    return sorted(inside)


def _numbers(pair: tuple[bytes, bytes]) -> _Span:
    return int.from_bytes(pair[0], "big"), int.from_bytes(pair[1], "big")


def _without(span: _Span, low: int, high: int) -> Iterable[_Span]:
    if high < span[0] or low > span[1]:
        yield span
        return
    if span[0] < low:
        yield span[0], low - 1
    if span[1] > high:
        yield high + 1, span[1]


def _edges(sets: Iterable[Sequence[_Span]]) -> list[int]:
    cuts = {0}
    for ranges in sets:
        for low, high in ranges:
            cuts.add(low)
            if high < _TOP:
                cuts.add(high + 1)
    return sorted(cuts)


def _intervals(edges: Sequence[int]) -> Intervals:
    word = (1 << 64) - 1
    return Intervals(
        np.array([edge >> 64 for edge in edges], np.uint64), np.array([edge & word for edge in edges], np.uint64)
    )


def _masks(sets: Sequence[Sequence[_Span]]) -> tuple[Intervals, np.ndarray]:
    """Return intervals and, for each, the word of the sets that it lies in."""
    edges = _edges(sets)
    place = {edge: n for n, edge in enumerate(edges)}
    masks = np.zeros(len(edges), np.uint64)
    for bit, ranges in enumerate(sets):
        for low, high in ranges:
            masks[place[low] : place.get(high + 1, len(edges))] |= np.uint64(1 << bit)
    return _intervals(edges), masks


def _lists(named: Sequence[tuple[Sequence[_Span], int]]) -> BlockLists:
    edges = _edges(ranges for ranges, _ in named)
    place = {edge: n for n, edge in enumerate(edges)}
    members: list[set[int]] = [set() for _ in edges]
    for ranges, number in named:
        for low, high in ranges:
            for n in range(place[low], place.get(high + 1, len(edges))):
                members[n].add(number)
    counts = np.array([len(one) for one in members], np.int32)
    first = np.zeros(len(edges) + 1, np.int32)
    np.cumsum(counts, out=first[1:])
    return BlockLists(_intervals(edges), first, np.array([n for one in members for n in sorted(one)], np.int32))
