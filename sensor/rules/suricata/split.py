"""Text of a rule file to rules, their seven header words and their options, each with its place in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_RULE = re.compile(r"(?P<head>[^(]*)\((?P<body>.*)\)\s*", re.DOTALL)
_WORD = re.compile(r"!?\[[^()]*?\](?=\s)|\S+")
_OPTION = re.compile(r"\s*+([^;\\]*+(?:\\.[^;\\]*+)*+);", re.DOTALL)
HEADER = ("action", "protocol", "source", "source port", "direction", "destination", "destination port")
"""What a rule says in front of its options."""


class Part(NamedTuple):
    """A piece of a rule and where it stands (offset in `Statement.text`)."""

    text: str
    offset: int


class Option(NamedTuple):
    """What stands between two semicolons: `name: value`."""

    name: str
    """Lower case."""
    value: str
    """Without the blanks around it; empty where there is none."""
    offset: int


class SyntaxFault(Exception):  # noqa: N818 - caught where a problem is made of it
    """Text that is no rule, at an offset."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.hint = hint


@dataclass(slots=True)
class Place:
    """Line and column, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One rule: what stands on one line, or on several that end in a backslash."""

    text: str
    starts: tuple[tuple[int, int, int], ...]
    """(offset in `text`, line, column) of each line's first character."""

    @property
    def line(self) -> int:
        """Line of the rule's first character."""
        return self.starts[0][1]

    def place(self, offset: int) -> Place:
        """Return where a character stands in the file."""
        at, line, column = next(start for start in reversed(self.starts) if start[0] <= offset or start[0] == 0)
        return Place(line, column + offset - at)


def statements(text: str) -> Iterator[Statement]:
    """Yield what is neither blank nor a comment. A rule behind `#` is switched off, not wrong."""
    pieces: list[str] = []
    starts: list[tuple[int, int, int]] = []
    size = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not pieces and (not line or line.startswith("#")):
            continue
        starts.append((size, number, len(raw) - len(raw.lstrip()) + 1))
        more = line.endswith("\\")
        piece = line[:-1] if more else line
        pieces.append(piece)
        size += len(piece)
        if not more:
            yield Statement("".join(pieces), tuple(starts))
            pieces, starts, size = [], [], 0
    if pieces:
        yield Statement("".join(pieces), tuple(starts))


def head_and_options(statement: Statement) -> tuple[list[Part], list[Option]]:
    """Return the header's seven words and the options. Raises SyntaxFault."""
    found = _RULE.fullmatch(statement.text)
    if found is None:
        raise SyntaxFault("not a rule", 0, "action protocol source port -> destination port (options)")
    words = [Part(word.group().strip(), word.start()) for word in _WORD.finditer(found["head"])]
    if len(words) != len(HEADER):
        raise SyntaxFault(f"a rule has {len(HEADER)} words before its options, not {len(words)}", 0, " ".join(HEADER))
    return words, list(_options(found["body"], found.start("body")))


def _options(body: str, start: int) -> Iterator[Option]:
    at = 0
    for found in _OPTION.finditer(body):
        if found.start() != at:
            break
        at = found.end()
        name, _, value = found[1].partition(":")
        if name := name.strip():
            yield Option(name.lower(), value.strip(), start + found.start(1))
    if body[at:].strip():
        raise SyntaxFault("an option is not closed", start + at, "each option ends in ';', also the last one")
