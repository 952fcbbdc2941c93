"""What `disable.conf`, `enable.conf`, `drop.conf` and `modify.conf` (of suricata-update) make of rule files.

In this order: rules are switched off, switched on, given the action `drop`, changed. A changed file has the same
number of lines, so that problems are told where they stand.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from sensor.rules.header import ACTIONS
from sensor.rules.nodes import Rule
from sensor.rules.problems import Problem
from sensor.rules.suricata.choice import Choice, Subject, choice, subject_of
from sensor.rules.suricata.refusal import Refused

_ACTION = "|".join(ACTIONS)
_RULE = re.compile(rf"(?P<off>#[#\s]*)?(?P<rule>(?:{_ACTION})\s.{{1,200000}}\(.{{1,200000}}\))\s*")
_SILENT = re.compile(r"(?<!\\)[;(]\s*(?:flowbits\s*:\s*)?noalert\s*;")
_ALERT = re.compile(r"alert(?=\s)")
_GROUP = re.compile(r"\$\{([0-9]{1,2})\}")
_MODIFY = 'RULES "regex" "text"'

Change = Callable[[str], str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edits:
    """All four files."""

    off: tuple[Choice, ...] = ()
    on: tuple[Choice, ...] = ()
    drop: tuple[Choice, ...] = ()
    changes: tuple[tuple[Choice, Change], ...] = ()
    texts: tuple[str, ...] = field(default=(), repr=False)
    """The files as they were read."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.off or self.on or self.drop or self.changes)

    def fingerprint(self) -> bytes:
        """Return what stands for the edits in the key of a compiled file."""
        return hashlib.sha256("\0".join(self.texts).encode()).digest() if self else b""

    def apply(self, text: str, path: str) -> str:
        """Return a `.rules` file as the edits leave it."""
        if not self:
            return text
        return "\n".join(line for piece in _pieces(text.split("\n")) for line in self._edited(piece, path))

    def chosen(self, rules: Iterable[Rule]) -> Iterator[Rule]:
        """Yield rules of YAML files as the edits leave them; text cannot be changed in those."""
        for rule in rules:
            pairs = frozenset(f"{key} {text}".lower() for key, texts in rule.metadata for text in texts)
            subject = Subject((rule.gid, rule.sid), rule.text, rule.file, rule.proto, lambda pairs=pairs: pairs)  # type: ignore[misc]
            if _any(self.off, subject) and not _any(self.on, subject):
                continue
            drops = rule.action == "alert" and not rule.noalert and _any(self.drop, subject)
            yield msgspec.structs.replace(rule, action="drop") if drops else rule

    def _edited(self, piece: Sequence[str], path: str) -> Sequence[str]:
        found = _RULE.fullmatch("".join(line.strip().removesuffix("\\") for line in piece))
        if found is None:
            return piece
        was_on, text = found["off"] is None, found["rule"]
        subject = subject_of(text, path)
        on = _any(self.on, subject) or (was_on and not _any(self.off, subject))
        if not _SILENT.search(text) and _any(self.drop, subject):
            text = _ALERT.sub("drop", text, count=1) if text.startswith("alert") else text
        for holds, change in self.changes:
            if holds(subject):
                text = change(text).replace("\n", " ")
        if on is was_on and text == found["rule"]:
            return piece
        return [text if on else f"# {text}", *[""] * (len(piece) - 1)]


NO_EDITS = Edits()


def _any(choices: Iterable[Choice], subject: Subject) -> bool:
    return any(holds(subject) for holds in choices)


def _pieces(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines of each rule: those that end in a backslash go on in the next."""
    piece: list[str] = []
    for line in lines:
        piece.append(line)
        if line.rstrip().endswith("\\") and not piece[0].lstrip().startswith("#"):
            continue
        yield piece
        piece = []
    if piece:
        yield piece


@dataclass(frozen=True, slots=True)
class File:
    """A file of entries."""

    name: str
    text: str


def read(off: File, on: File, drop: File, modify: File) -> tuple[Edits, list[Problem]]:
    """Read the four files. Entries that cannot be used are among the problems."""
    problems: list[Problem] = []
    switched_off, switched_on, dropped = (tuple(_entries(file, choice, problems)) for file in (off, on, drop))
    changes = tuple(_entries(modify, _modification, problems))
    texts = tuple(file.text for file in (off, on, drop, modify))
    return Edits(switched_off, switched_on, dropped, changes, texts), problems


def _entries(file: File, make: Callable[[str], T], problems: list[Problem]) -> Iterator[T]:
    for number, line in enumerate(file.text.splitlines(), 1):
        entry = line.split(" #", 1)[0].strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            yield make(entry)
        except Refused as why:
            problems.append(Problem(file.name, number, 1, str(why), why.hint))


def _modification(entry: str) -> tuple[Choice, Change]:
    """Read `RULES "regex" "text"`, `modifysid RULES "regex" | "text"` or `metadata-add RULES "key" "value"`."""
    try:
        words = shlex.split(entry)
    except ValueError as error:
        raise Refused(f"the quotes do not fit: {error}", _MODIFY) from None
    if words[:1] == ["modifysid"] and len(words) == 5 and words[3] == "|":
        return choice(words[1]), _replacement(words[2], words[4])
    if words[:1] == ["metadata-add"] and len(words) == 4:
        return choice(words[1]), _labelled(words[2], words[3])
    if len(words) != 3:
        raise Refused("has the form rules, regex, text", _MODIFY)
    return choice(words[0]), _replacement(words[1], words[2])


def _replacement(pattern: str, text: str) -> Change:
    try:
        found = re.compile(pattern)
        template = _GROUP.sub(r"\\g<\1>", text)
        re.sub(pattern, template, "")
    except (re.error, IndexError) as error:
        raise Refused(f"'{pattern[:40]}' is no regex, or '{text[:40]}' does not fit it: {error}") from None

    def change(rule: str) -> str:
        return found.sub(template, rule)

    return change


def _labelled(key: str, value: str) -> Change:
    if not key or not value or any(char in key + value for char in ";,"):
        raise Refused("a key and a value, without commas and semicolons", 'metadata-add 1:2019401 "key" "value"')

    def change(rule: str) -> str:
        end = rule.rindex(")")
        return f"{rule[:end].rstrip()} metadata:{key} {value};{rule[end:]}"

    return change
