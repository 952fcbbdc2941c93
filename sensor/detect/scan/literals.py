"""The literals of a rule set with the rules that each stands for: arrays that the kernels read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sensor.detect.headers.groups import Groups
from sensor.detect.scan.index import EITHER_SIDE, MAX_LITERAL, Literal, LiteralIndex
from sensor.detect.scan.kernels_expand import MAX_OTHERS


@dataclass(frozen=True, slots=True)
class LiteralRules:
    """A literal index, and its literals' rules as rows of arrays."""

    index: LiteralIndex
    first: np.ndarray
    """int32[literals + 1]: where the rules of a literal begin in `rules`."""
    rules: np.ndarray
    """int32[k]: rule numbers."""
    other_first: np.ndarray
    """int32[rules + 1]: where a rule's other literals begin."""
    other_at: np.ndarray
    """int32[m]: where each begins in `pool`."""
    other_len: np.ndarray
    """int32[m]"""
    other_cased: np.ndarray
    """uint8[m]"""
    pool: np.ndarray
    """uint8: the other literals end to end."""
    escapes: tuple[tuple[int, int, int], ...]
    """(literal number, protocol, side): flows of the protocol that hold the literal are parsed; side -1: either."""

    class Builder:
        """Collects literals."""

        def __init__(self) -> None:
            self._rules: dict[bytes, list[int]] = {}
            self._masks: dict[bytes, int] = {}
            self._sides: dict[bytes, int] = {}
            self._others: dict[int, tuple[tuple[bytes, bool], ...]] = {}
            self._escapes: list[tuple[bytes, int, int]] = []

        def add(self, pattern: bytes, mask: int, rule: int, others: Iterable[tuple[bytes, bool]],
                sides: int = EITHER_SIDE) -> None:  # fmt: skip
            """Add the literal of a rule (lowercase), its group bits, and further literals that must be there.

            sides: those of whose bytes it may be, as bits.
            """
            self._rules.setdefault(pattern, []).append(rule)
            self._search(pattern, mask, sides)
            self._others[rule] = tuple(others)[:MAX_OTHERS]

        def escape(self, pattern: bytes, mask: int, app: int, side: int = -1) -> None:
            """Add a literal that makes flows of a protocol hot."""
            self._rules.setdefault(pattern, [])
            self._search(pattern, mask, EITHER_SIDE if side < 0 else 1 << side)
            self._escapes.append((pattern, app, side))

        def _search(self, pattern: bytes, mask: int, sides: int) -> None:
            self._masks[pattern] = self._masks.get(pattern, 0) | mask
            self._sides[pattern] = self._sides.get(pattern, 0) | sides

        def build(self, rules: int, groups: Groups | None = None) -> LiteralRules:
            """Return the arrays.

            rules: how many there are; groups: what their bits mean (None: units are not told apart by them).
            """
            numbers = {pattern: n for n, pattern in enumerate(self._rules)}
            pool, others = bytearray(b"\0"), [self._others.get(n, ()) for n in range(rules)]
            places: dict[bytes, int] = {}
            at, size, cased = [], [], []
            longest = max(map(len, self._rules), default=1)
            for pattern, exact in (one for members in others for one in members):
                # No longer than what is carried from block to block, or the end of a block might cut it in two.
                text = pattern[: min(MAX_LITERAL, longest)]
                if text not in places:
                    places[text] = len(pool)
                    pool += text
                at.append(places[text])
                size.append(len(text))
                cased.append(exact)
            masks = np.array(list(self._masks.values()), np.uint64)
            sides = np.array(list(self._sides.values()), np.uint8)
            return LiteralRules(
                index=LiteralIndex(
                    [Literal(pattern, mask, sides=self._sides[pattern]) for pattern, mask in self._masks.items()],
                    groups.covers(masks, sides) if groups is not None else (),
                ),
                first=_starts(map(len, self._rules.values())),
                rules=np.array([n for members in self._rules.values() for n in members], np.int32),
                other_first=_starts(map(len, others)),
                other_at=np.array(at, np.int32),
                other_len=np.array(size, np.int32),
                other_cased=np.array(cased, np.uint8),
                pool=np.frombuffer(bytes(pool), np.uint8).copy(),
                escapes=tuple((numbers[pattern], app, side) for pattern, app, side in self._escapes),
            )


def _starts(counts: Iterable[int]) -> np.ndarray:
    return np.cumsum([0, *counts]).astype(np.int32)
