"""Regular expressions as automata that tell quickly where they cannot match (`kernels_automata`)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

import numpy as np

from sensor.detect.kept import Kept
from sensor.detect.regex.kernels_automata import ACCEPT, AUTOMATON, BEGINS, ENDS, LED, LINES, PLACES
from sensor.detect.regex.regextree import Anything, Begin, Choice, End, Node, Octets, Repeat, Row, begins, octets, tree
from sensor.rules.nodes import Regex

_ACCEPT, _ENDS = int(ACCEPT), int(ENDS)
_ALL: Final = (1 << 256) - 1
_WORD: Final = (1 << 64) - 1
_CASE: Final = 32


class _Part(NamedTuple):
    """A part of a tree as the automaton sees it. first, last: bits of places."""

    empty: bool
    """It may match no bytes at all."""
    first: int
    last: int


_EMPTY: Final = _Part(empty=True, first=0, last=0)


class Made(NamedTuple):
    """One automaton."""

    start: int
    follow: tuple[int, ...]
    octets: tuple[int, ...]
    """Sets of bytes, as bits."""
    flags: int


class _Maker:
    """Numbers the places of a tree."""

    def __init__(self) -> None:
        self.follow: list[int] = []
        self.octets: list[int] = []

    @property
    def full(self) -> bool:
        return len(self.octets) >= PLACES

    def part(self, node: Node) -> _Part:
        match node:
            case Octets(bits):
                return self._place(bits)
            case Row(parts):
                return functools.reduce(self._joined, map(self.part, parts), _EMPTY)
            case Choice(parts):
                return functools.reduce(_either, map(self.part, parts))
            case Repeat():
                return self._repeated(node)
            case End():
                return _Part(empty=False, first=_ENDS, last=0)
            case Begin():
                return _EMPTY
            case Anything():
                return _Part(empty=False, first=_ACCEPT, last=0)

    def _place(self, bits: int) -> _Part:
        if self.full:
            return _Part(empty=False, first=_ACCEPT, last=0)
        self.follow.append(0)
        self.octets.append(bits)
        mine = 1 << len(self.octets) - 1
        return _Part(empty=False, first=mine, last=mine)

    def _joined(self, a: _Part, b: _Part) -> _Part:
        self._lead(a.last, b.first)
        first, last = a.first | (b.first if a.empty else 0), b.last | (a.last if b.empty else 0)
        return _Part(a.empty and b.empty, first, last)

    def _lead(self, last: int, first: int) -> None:
        while last:
            self.follow[last.bit_length() - 1] |= first
            last &= ~(1 << last.bit_length() - 1)

    def _repeated(self, node: Repeat) -> _Part:
        made = _EMPTY
        for n in range(max(node.high, node.low, 1)):
            one = self.part(node.part)
            if node.high < 0 and n == max(node.low - 1, 0):
                self._lead(one.last, one.first)
            made = self._joined(made, one if n < node.low else one._replace(empty=True))
            if not one.first and not one.last:
                break
            if self.full:
                return self._joined(made, self.part(Anything()))
        return made


def _either(a: _Part, b: _Part) -> _Part:
    return _Part(a.empty or b.empty, a.first | b.first, a.last | b.last)


def _made(node: Node, flags: int) -> Made | None:
    """Return the automaton of a tree; None: it would accept everything."""
    maker = _Maker()
    whole = maker.part(Row((node, Anything())))
    if whole.first & _ACCEPT or not whole.first:
        return None
    return Made(whole.first, tuple(maker.follow), tuple(maker.octets), flags)


def automaton(test: Regex, *, folded: bool = False, behind: bytes | None = None, nocase: bool = False) -> Made | None:
    """Return the automaton of a regular expression; None: there is none that would tell anything.

    folded: it sees lower case, the automaton what that was made from; behind: it starts where this literal ends
    (nocase: in whatever case), which the automaton begins with.
    """
    found = tree(test.pattern.encode("utf-8", "surrogateescape"), test.flags + "i" if folded else test.flags)
    if found is None:
        return None
    fixed = "A" in test.flags or (begins(found.node) and not found.lines)
    if behind is not None:
        return _made(Row((octets(behind, nocase=nocase), found.node)), 0) if fixed else None
    return _made(found.node, BEGINS if fixed else LINES if begins(found.node) else 0)


class Automata(Kept):
    """A pool of automata."""

    KEPT: ClassVar = dict.fromkeys(("table", "follow", "octets", "sets"), np.ndarray)

    def __init__(self, made: Sequence[Made]) -> None:
        sets: dict[int, int] = {}
        self.table = np.zeros(len(made), AUTOMATON)
        """AUTOMATON[n]"""
        places = 0
        for n, one in enumerate(made):
            opening, pair = _opening(one), _first_pair(one)
            self.table[n] = (
                one.start, places, sets.setdefault(opening, len(sets)), one.flags | (LED if any(pair) else 0), *pair,
            )  # fmt: skip
            places += len(one.octets)
        self.follow = np.array([mask for one in made for mask in one.follow], np.uint64)
        """uint64[places]: the places that may come behind each."""
        numbers = [sets.setdefault(bits, len(sets)) for one in made for bits in one.octets]
        self.octets = np.array(numbers, np.int32)
        """int32[places]: the set of bytes of each."""
        self.sets = np.array([[bits >> 64 * n & _WORD for n in range(4)] for bits in sets], np.uint64).reshape(-1, 4)
        """uint64[sets, 4]: bit n, byte n is in the set."""

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What kernels take."""
        return self.table, self.follow, self.octets, self.sets


def _opening(made: Made) -> int:
    """Return the bytes with which a match may begin."""
    bits = 0
    for place, mine in enumerate(made.octets):
        if made.start >> place & 1:
            bits |= mine
    return bits if not made.start & (_ENDS | _ACCEPT) else _ALL


def _first_pair(made: Made) -> tuple[int, int, int]:
    """Return the two bytes with which each match begins, and a bit that is set before they are compared.

    Zeros: there are no such two. The bit is that of case, where one of them is a letter in either case.
    """
    ahead, found = made.start, list[tuple[int, int]]()
    for _ in range(2):
        if ahead & (_ENDS | _ACCEPT) or ahead.bit_count() != 1:
            return 0, 0, 0
        place = ahead.bit_length() - 1
        octets = made.octets[place]
        low, high = (octets & -octets).bit_length() - 1, octets.bit_length() - 1
        if octets.bit_count() not in (1, 2) or low ^ high not in (0, _CASE):
            return 0, 0, 0
        found.append((low, low ^ high))
        ahead = made.follow[place]
    blur = found[0][1] | found[1][1]
    return found[0][0] | blur, found[1][0] | blur, blur
