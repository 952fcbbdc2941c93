"""Literals too short to search for everywhere, looked for where a rule's header matches, at the place it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from sensor.detect.headers.kernels_headers import SHORT
from sensor.detect.kept import Kept
from sensor.rules.compile import positive_literals
from sensor.rules.nodes import Content, Rule

MOST = 4
"""Literals of a rule that are looked for, those at one place first."""


ALL, ANCHORED, ONE = range(3)
"""Which literals of a rule are looked for: all, those at a place, or the longest of those that may be anywhere."""


def floats(rule: Rule) -> bool:
    """Tell whether a rule has literals, and all of them may stand anywhere."""
    found = [high for *_, high in _literals(rule)]
    return bool(found) and max(found) < 0


class Shorts(Kept):
    """SHORT records of rules, in their order."""

    KEPT: ClassVar = dict.fromkeys(("first", "pairs", "pool", "table"), np.ndarray)

    def __init__(self, rules: Sequence[Rule], which: int = ALL) -> None:
        members = [_chosen(rule, which) for rule in rules]
        pool = b"".join(pattern for one in members for pattern, *_ in one)
        self.first = np.cumsum([0, *map(len, members)]).astype(np.int32)
        """int32[rules + 1]"""
        self.pool = np.frombuffer(pool or b"\0", np.uint8).copy()
        self.table = np.zeros(int(self.first[-1]), SHORT)
        """SHORT[k]"""
        at = 0
        for n, (pattern, nocase, low, high) in enumerate(one for member in members for one in member):
            self.table[n] = at, low, high, len(pattern), nocase
            at += len(pattern)
        self.pairs = np.array([_pair(one) for one in members], np.int32)
        """int32[rules]: a pair of bytes that stands somewhere, the first one the low byte; -1: none is known."""


def first_pair(rule: Rule, which: int) -> int:
    """Return the pair of a rule by `Shorts.pairs`."""
    return _pair(_chosen(rule, which))


def _pair(literals: Sequence[tuple[bytes, bool, int, int]]) -> int:
    """Return the first two bytes of a literal that may stand anywhere, and has no letter there that has two cases."""
    for pattern, nocase, _, high in literals:
        start = pattern[:2]
        if high < 0 and len(start) == 2 and not (nocase and start.lower() != start.upper()):
            return start[0] | start[1] << 8
    return -1


def _chosen(rule: Rule, which: int) -> list[tuple[bytes, bool, int, int]]:
    found = sorted(_literals(rule), key=_reach)
    if which == ANCHORED:
        found = [one for one in found if one[3] >= 0]
    return found[: 1 if which == ONE else MOST]


def _literals(rule: Rule) -> Iterator[tuple[bytes, bool, int, int]]:
    """Yield (bytes, nocase, lowest offset, highest end or -1) of what each match holds. Not cased: in lower case."""
    for _, content in positive_literals(rule):
        low, high = place(content)
        low = max(0, low - 1)  # `dotprefix` shifts by one
        yield (content.pattern.lower() if content.nocase else content.pattern)[:255], content.nocase, low, high


def last_start(content: Content) -> int:
    """Return the highest offset at which a literal may begin; -1: any."""
    _, high = place(content)
    return high - len(content.pattern) if high >= 0 else -1


def place(content: Content) -> tuple[int, int]:
    """Return (lowest offset at which a literal may begin, highest behind which it may not end or -1)."""
    relative = content.distance is not None or content.within is not None
    low = content.offset if isinstance(content.offset, int) and not relative and content.offset > 0 else 0
    if relative or isinstance(content.offset, str):
        return low, -1
    if content.startswith:
        return 0, len(content.pattern)
    return low, low + content.depth if isinstance(content.depth, int) else -1


def _reach(one: tuple[bytes, bool, int, int]) -> tuple[int, int]:
    """Return how many places a literal may stand at, then how short it is."""
    pattern, _, low, high = one
    return (1 << 30 if high < 0 else high - low - len(pattern)), -len(pattern)
