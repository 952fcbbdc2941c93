"""What is wrong with rule files: collected, never raised past the file it is in."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong, and where."""

    file: str
    line: int
    """From 1; 0: the file as a whole."""
    column: int
    """From 1, in characters."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class Invalid(Exception):  # noqa: N818 - a signal inside this package, not an error for users
    """A value could not be read; the reason is already among the problems."""


class Located(Protocol):
    """Anything with a place in a file."""

    line: int
    column: int


class Problems:
    """Collects what is wrong with one file. The same problem at the same place is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[Problem, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, where: Located | None, message: str, hint: str = "") -> None:
        """Note a problem and go on."""
        line, column = (where.line, where.column) if where else (0, 0)
        self._found[Problem(self.file, line, column, message, hint)] = None

    def fail(self, where: Located | None, message: str, hint: str = "") -> NoReturn:
        """Note a problem and abandon the value. Raises Invalid."""
        self.add(where, message, hint)
        raise Invalid

    def found(self) -> tuple[Problem, ...]:
        """Return all problems in the order of the file."""
        return tuple(sorted(self._found))


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the known word nearest to `word`, or an empty string."""
    names = list(known)
    swapped = {name.replace("_", "-").lower(): name for name in names}
    near = swapped.get(word.replace("_", "-").lower())
    if near is None:
        close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
        near = close[0] if close else None
    return f"did you mean '{near}'?" if near else ""


def one_of(word: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known word, or all of them where none is near and they are few."""
    names = list(known)
    return suggest(word, names) or (f"one of: {', '.join(names)}" if len(names) <= 12 else "")
