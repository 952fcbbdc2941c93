"""Reputation of addresses: categories and scores that lie in files, as Suricata has them (`iprep`).

A categories file has lines `number,name,description`; a file of scores lines `address or network,number,score`. An
address that is listed by itself has the score 0 in each category for which it is not; any other has, category by
category, that of the smallest network around it, or none.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sensor.rules.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_CATEGORIES = 60
MAX_SCORE = 127
MAX_ENTRIES = 1_000_000
"""Lines of all files: about 60 bytes of memory each."""
NO_SCORE = -1
_PROBLEMS = 20
"""Bad lines told of each file."""
_MAPPED = 0xFFFF << 32
_TOP = (1 << 128) - 1
_SIZE = 16


@dataclass(frozen=True, slots=True)
class Spans:
    """A number from each of these addresses on, up to the next."""

    starts: bytes = b""
    """16 bytes of each first address, in order."""
    numbers: array[int] = field(default_factory=lambda: array("l"))
    """-1: none."""

    def at(self, address: bytes) -> int:
        """Return the number at 16 address bytes."""
        at = bisect_right(range(len(self.numbers)), address, key=self._start) - 1
        return self.numbers[at] if at >= 0 else -1

    def _start(self, number: int) -> bytes:
        return self.starts[number * _SIZE : (number + 1) * _SIZE]


@dataclass(frozen=True, slots=True)
class Scores:
    """All files."""

    hosts: Spans = field(default_factory=Spans)
    """Addresses listed by themselves: number of their row in the table."""
    table: tuple[Mapping[int, int], ...] = ()
    """Category → score."""
    networks: Mapping[int, Spans] = field(default_factory=lambda: MappingProxyType({}))
    """Category → scores."""

    def score(self, address: bytes, category: int) -> int:
        """Return the score of 16 address bytes; NO_SCORE: there is none."""
        row = self.hosts.at(address)
        if row >= 0:
            return self.table[row].get(category, 0)
        networks = self.networks.get(category)
        return NO_SCORE if networks is None else networks.at(address)


class Line(NamedTuple):
    """A network and its score."""

    low: int
    high: int
    category: int
    score: int
    host: bool
    """It is written as an address, not as a network."""


def categories(text: str, file: str) -> tuple[dict[str, int], list[Problem]]:
    """Read a categories file: name → number."""
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for number, line in _lines(text):
        words = [word.strip() for word in line.split(",", 2)]
        if len(words) < 2 or not words[1] or not _number(words[0], 1, MAX_CATEGORIES - 1):
            problems.append(Problem(file, number, 1, "not a category", "1,BadHosts,Known bad hosts"))
        else:
            found[words[1]] = int(words[0])
    return found, problems


def scores(files: Iterable[tuple[str, str]], known: Mapping[str, int]) -> tuple[Scores, list[Problem]]:
    """Read files of scores. files: (text, name). known: categories."""
    lines: list[Line] = []
    problems: list[Problem] = []
    for text, file in files:
        bad = 0
        for number, line in _lines(text):
            if len(lines) >= MAX_ENTRIES:
                problems.append(Problem(file, number, 1, f"more than {MAX_ENTRIES} scores: the rest is left out"))
                break
            entry = _line(line, known)
            if entry is not None:
                lines.append(entry)
            elif (bad := bad + 1) <= _PROBLEMS:
                problems.append(Problem(file, number, 1, "not a score of a known category", "192.0.2.1,1,100"))
    return flatten(lines), problems


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if line:
            yield number, line


def _number(text: str, low: int, high: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and low <= int(text) <= high


def _line(text: str, known: Mapping[str, int]) -> Line | None:
    words = [word.strip() for word in text.split(",")]
    if len(words) != 3 or not _number(words[2], 0, MAX_SCORE) or not _number(words[1], 1, MAX_CATEGORIES - 1):
        return None
    if int(words[1]) not in known.values():
        return None
    try:
        network = ip_network(words[0], strict=False)
    except ValueError:
        return None
    base = _MAPPED if isinstance(network, IPv4Network) else 0
    low = base + int(network.network_address)
    return Line(low, low + network.num_addresses - 1, int(words[1]), int(words[2]), "/" not in words[0])


def flatten(lines: Iterable[Line]) -> Scores:
    """Return the scores of lines; of lines that say the same twice the last holds."""
    hosts: dict[tuple[int, int], dict[int, int]] = {}
    networks: dict[int, dict[tuple[int, int], int]] = {}
    for line in lines:
        if line.host:
            hosts.setdefault((line.low, line.high), {})[line.category] = line.score
        else:
            networks.setdefault(line.category, {})[line.low, line.high] = line.score
    rows: dict[tuple[tuple[int, int], ...], int] = {}
    numbers = {ends: rows.setdefault(tuple(sorted(row.items())), len(rows)) for ends, row in hosts.items()}
    by_category = {category: _spans(found) for category, found in networks.items()}
    return Scores(_spans(numbers), tuple(map(dict, rows)), MappingProxyType(by_category))


def _spans(found: Mapping[tuple[int, int], int]) -> Spans:
    """Return numbers of networks as spans: of those within each other the smallest holds."""
    cuts: list[tuple[int, int]] = []
    around: list[tuple[int, int]] = []
    for low, high in sorted(found, key=lambda ends: (ends[0], -ends[1])):
        _leave(around, low, cuts)
        cuts.append((low, found[low, high]))
        around.append((high, found[low, high]))
    _leave(around, _TOP + 1, cuts)
    last = dict(cuts)
    return Spans(b"".join(low.to_bytes(_SIZE, "big") for low in last), array("l", last.values()))


def _leave(around: list[tuple[int, int]], low: int, cuts: list[tuple[int, int]]) -> None:
    """Close the networks that end in front of an address."""
    while around and around[-1][0] < low:
        end, _ = around.pop()
        if end < _TOP:
            cuts.append((end + 1, around[-1][1] if around else -1))
