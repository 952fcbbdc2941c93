r"""Regular expressions as trees of byte sets, for automata that tell where one cannot match.

A tree means what its pattern means or more: assertions and word boundaries are passed over, a back reference stands for
anything, and what sets options (`(?i)`) does so to the end of the pattern. Which bytes an atom or class stands for is
asked of PCRE2 itself. Patterns that are not understood (verbs, conditions, recursion, `x`) have no tree.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from sensor.detect.regex.pcre import Regex
from sensor.detect.regex.regexliterals import TIMES, class_end, group_end

_LONGEST: Final = 4096
"""Bytes of a pattern that is read."""
_DEEPEST: Final = 32
"""Groups within groups."""
_ATOM: Final = re.compile(
    rb"\\x[0-9A-Fa-f]{2}|\\0[0-7]{0,2}|\\[^0-9A-Za-z]|\\[tnrfaedDsSwWhHvVN]|[^\\\[(){|?*+^$]", re.DOTALL
)
_NOWHERE: Final = re.compile(rb"\\[bBGK]")
"""Escapes that ask for no byte."""
_EARLIER: Final = re.compile(rb"\\(?:[1-9][0-9]{0,2}|k(?:<\w+>|\{\w+\}|'\w+')|g(?:\{-?\w+\}|-?[0-9]+))|\(\?P=\w+\)")
"""References to groups, or octal codes."""
_ASSERTION: Final = re.compile(rb"\(\?<?[=!]")
_GROUP: Final = re.compile(rb"\((?:\?(?:[:>|]|P?<\w+>|'\w+'|[ims]+:)|(?![?*]))")
_OPTIONS: Final = re.compile(rb"\(\?[ims]+\)")


@dataclass(frozen=True, slots=True)
class Octets:
    """One of several bytes."""

    bits: int
    """Bit n: byte n is one of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same, several times."""

    part: Node
    low: int
    high: int
    """-1: without a limit."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The begin of the subject, or of a line of it."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the subject, or a last line feed before it."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever stands there, to the end."""


Node = Octets | Row | Choice | Repeat | Begin | End | Anything
NOTHING: Final = Row(())


class _NotUnderstoodError(Exception):
    """A pattern that has no tree."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A pattern as it was understood."""

    node: Node
    lines: bool
    """Lines begin and end in the midst of the subject (`m`)."""


def tree(pattern: bytes, flags: str) -> Tree | None:
    """Return the tree of a pattern; None: it has none. flags: letters of `imsAEGU`."""
    if len(pattern) > _LONGEST or "x" in flags:
        return None
    reader = _Reader(pattern, frozenset(flags) & {"i", "m", "s"})
    try:
        return Tree(reader.whole(), reader.lines)
    except _NotUnderstoodError:
        return None


def octets(literal: bytes, *, nocase: bool) -> Row:
    """Return the tree of a literal. nocase: of its letters in either case."""
    sides = (literal.lower(), literal.upper()) if nocase else (literal, literal)
    return Row(tuple(Octets(1 << a | 1 << b) for a, b in zip(*sides, strict=True)))


def begins(node: Node) -> bool:
    """Tell whether every match starts with `Begin`."""
    match node:
        case Begin():
            return True
        case Row(parts):
            return next((begins(part) for part in parts if part != NOTHING), False)
        case Choice(parts):
            return all(begins(part) for part in parts)
        case _:
            return False


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: bytes, flags: frozenset[str]) -> None:
        self._text = pattern
        self._flags, self.lines = flags - {"m"}, "m" in flags
        self._set: frozenset[str] = self._flags
        """Options with those that the pattern itself has set so far: a group may be over, and nobody looks."""
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        made = self._choice()
        if self._at < len(self._text):
            raise _NotUnderstoodError
        return made

    def _choice(self) -> Node:
        """Read up to the end of the group."""
        parts = [self._row()]
        while self._peek() == b"|":
            self._at += 1
            parts.append(self._row())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _row(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in (b"", b"|", b")"):
            parts.append(self._times(self._one()))
        return Row(tuple(parts))

    def _peek(self) -> bytes:
        return self._text[self._at : self._at + 1]

    def _take(self, what: re.Pattern[bytes]) -> bytes | None:
        found = what.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _times(self, part: Node) -> Node:
        """Read how often what was read may stand there."""
        found = TIMES.match(self._text, self._at)
        if found is None:
            if self._text[self._at : self._at + 2] == b"{,":
                raise _NotUnderstoodError
            return part
        self._at = found.end()
        if found[1]:
            return Repeat(part, int(found[1] == b"+"), 1 if found[1] == b"?" else -1)
        low = int(found[2])
        return Repeat(part, low, low if found[3] is None else int(found[4] or -1))

    def _one(self) -> Node:
        if self._peek() == b"(":
            return self._parenthesis()
        if self._peek() == b"[":
            return self._class()
        if self._take(_NOWHERE):
            return NOTHING
        if self._take(_EARLIER):
            return Anything()
        atom = self._take(_ATOM)
        if atom is not None:
            return self._octets(atom)
        return self._place()

    def _octets(self, atom: bytes) -> Octets:
        """Return what an atom stands for, with the pattern's own options or without."""
        bits = _bits(atom, self._flags)
        return Octets(bits if self._set == self._flags else bits | _bits(atom, self._set))

    def _place(self) -> Node:
        """Read what stands for a place."""
        two = self._text[self._at : self._at + 2]
        if two[:1] in (b"^", b"$"):
            self._at += 1
            if two[:1] == b"^":
                return Begin()
            return NOTHING if self.lines else End()
        if two in (b"\\A", b"\\z", b"\\Z"):
            self._at += 2
            return Begin() if two == b"\\A" else End()
        if two[:1] == b"{":
            self._at += 1
            return Octets(1 << ord("{"))
        raise _NotUnderstoodError

    def _class(self) -> Node:
        start, self._at = self._at, class_end(self._text, self._at)
        if self._at < 0:
            raise _NotUnderstoodError
        return self._octets(self._text[start : self._at])

    def _parenthesis(self) -> Node:
        if _ASSERTION.match(self._text, self._at):
            self._at = group_end(self._text, self._at)
            if self._at < 0:
                raise _NotUnderstoodError
            return NOTHING
        options = self._take(_OPTIONS)
        if options is not None:
            self._note(options)
            return NOTHING
        if self._take(_EARLIER):
            return Anything()
        opened = self._take(_GROUP)
        self._depth += 1
        if opened is None or self._depth > _DEEPEST:
            raise _NotUnderstoodError
        if opened.endswith(b":"):
            self._note(opened)
        made = self._choice()
        if self._peek() != b")":
            raise _NotUnderstoodError
        self._at += 1
        self._depth -= 1
        return made

    def _note(self, options: bytes) -> None:
        """Note options that a pattern sets."""
        found = set(options.decode())
        self._set |= found & {"i", "s"}
        self.lines |= "m" in found


@functools.lru_cache(maxsize=4096)
def _bits(atom: bytes, flags: frozenset[str]) -> int:
    """Return the bytes that an atom stands for, as bits."""
    runs = Regex(b"(?:" + atom + b")+", "".join(sorted(flags)))
    every, at, bits = bytes(range(256)), 0, 0
    while (found := runs.search(every, at)) is not None:
        start, at = found
        bits |= (1 << at) - (1 << start)
    return bits
