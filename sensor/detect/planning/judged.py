"""The rules to judge, by number: as made, or read one by one from where they were written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, overload

import msgspec
import numpy as np

from sensor.detect.kept import Kept
from sensor.rules.nodes import AnyNode, Rule
from sensor.rules.share import Sets, share


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """How a judged rule differs from the rule that it is judged for (`sensor.rules.sides`)."""

    proto: str
    direction: str
    body: AnyNode


class JudgedRules(Kept, Sequence[Rule]):
    """Rules by number. Written down, 52,000 of them take no memory until traffic reaches them."""

    KEPT: ClassVar = {}
    """They are written apart from the plan (`write`)."""

    def __init__(self, rules: Sequence[Rule] = (), store: Written | None = None) -> None:
        """store: where the rules are read when they are asked for."""
        self._made: list[Rule | None] = list(rules) if store is None else [None] * store.size
        self._store = store

    def make_scratch(self) -> None:
        """Begin with none."""
        self._made, self._store = [], None

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> list[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | list[Rule]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        found = self._made[index]
        if found is None:
            if self._store is None:
                raise IndexError(index)
            found = self._made[index] = self._store.read(index)
        return found

    def __iter__(self) -> Iterator[Rule]:
        return (self[n] for n in range(len(self)))


class Places(msgspec.Struct, frozen=True):
    """Where written rules stand: each rule as loaded, and what is different in each that is judged for it."""

    owner: np.ndarray
    """int32[n]: number of the rule as loaded."""
    bases: np.ndarray
    """int64[loaded + 1]: where each begins."""
    parts: np.ndarray
    """int64[n + 1]: where each difference begins; nothing between two: there is none."""


class Written:
    """Rules as bytes."""

    def __init__(self, octets: Callable[[int, int], bytes], places: Places) -> None:
        """octets: returns the bytes from one place to another."""
        self._octets = octets
        self._at = places
        self._rules, self._parts = msgspec.msgpack.Decoder(Rule), msgspec.msgpack.Decoder(_Part)
        self._sets: Sets = {}

    @property
    def size(self) -> int:
        """How many rules there are."""
        return self._at.owner.size

    def read(self, number: int) -> Rule:
        """Return a rule."""
        base = int(self._at.owner[number])
        begin, end = int(self._at.parts[number]), int(self._at.parts[number + 1])
        rule = self._rules.decode(self._octets(int(self._at.bases[base]), int(self._at.bases[base + 1])))
        share((rule,), self._sets)
        if begin == end:
            return rule
        part = self._parts.decode(self._octets(begin, end))
        return msgspec.structs.replace(rule, proto=part.proto, direction=part.direction, body=part.body)


def write(loaded: Sequence[Rule], judged: Sequence[tuple[int, Rule]], out: Callable[[bytes], object]) -> Places:
    """Hand over rules as bytes, one after the other. judged: (number of the rule as loaded, rule to judge)."""
    encode = msgspec.msgpack.Encoder().encode
    bases, parts, size = [0], [0], 0
    for rule in loaded:
        octets = encode(rule)
        out(octets)
        size += len(octets)
        bases.append(size)
    for owner, rule in judged:
        octets = encode(_Part(rule.proto, rule.direction, rule.body)) if rule is not loaded[owner] else b""
        out(octets)
        parts.append(len(octets))
    owners = np.array([owner for owner, _ in judged], np.int32)
    return Places(owners, np.array(bases, np.int64), size + np.cumsum(parts).astype(np.int64))
