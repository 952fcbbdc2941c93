"""Lines that wait to be written, within a bound: alerts are kept longest."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass

from sensor.model.counters import Counters

_PIECE = 1 << 18
"""Bytes that are handed to the kernel at once."""


class OutputCounters(Counters):
    """One output."""

    __slots__ = ("errors", "lost", "rotations", "shed", "written")

    written: int
    """Lines handed on."""
    lost: int
    """Alerts that found no room while the output could not be written."""
    shed: int
    """Other lines that gave way."""
    errors: int
    """Times it began to fail."""
    rotations: int
    """Files rotated out."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of an attempt to write."""

    octets: int
    lines: int
    error: str
    """Empty: all that was pending is written."""


class Backlog:
    """Pending lines. hold: bytes; lines that are no alerts take at most half of it, and give way to alerts."""

    def __init__(self, hold: int, counters: OutputCounters) -> None:
        self._hold = hold
        self._counters = counters
        self._lines: deque[tuple[bytes, bool]] = deque()
        self.size = 0
        """Bytes, line ends included."""
        self.begun = 0
        """Bytes of the first line that are written already."""

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: bytes, *, dear: bool) -> None:
        """Add a line (with its end), or count it where there is no room. dear: an alert."""
        if self.size + len(line) > (self._hold if dear else self._hold // 2):
            if not dear:
                self._counters.shed += 1
                return
            self._give_way()
            if self.size + len(line) > self._hold:
                self._counters.lost += 1
                return
        self._lines.append((line, dear))
        self.size += len(line)

    def _give_way(self) -> None:
        """Drop all that is no alert, but for a line that is written in part."""
        first = self._lines[0] if self.begun else None
        kept = deque(item for item in self._lines if item[1] or item is first)
        self._counters.shed += len(self._lines) - len(kept)
        self._lines = kept
        self.size = sum(len(line) for line, _ in kept)

    def drain(self, fd: int) -> Drained:
        """Write what is pending to a file. What cannot be written stays; a line cut in two is continued next time."""
        octets = lines = 0
        try:
            while self._lines:
                done = os.write(fd, self._head()[self.begun :])
                octets += done
                lines += self._taken(self.begun + done)
        except OSError as e:
            return Drained(octets, lines, e.strerror or str(e))
        return Drained(octets, lines, "")

    def _head(self) -> bytes:
        """Return the oldest lines in one piece."""
        found: list[bytes] = []
        room = _PIECE
        for line, _ in self._lines:
            room -= len(line)
            if found and room < 0:
                break
            found.append(line)
        return b"".join(found)

    def _taken(self, octets: int) -> int:
        """Drop the lines that the first `octets` bytes hold; return how many that were."""
        lines = 0
        while self._lines and len(self._lines[0][0]) <= octets:
            line, _ = self._lines.popleft()
            self.size -= len(line)
            octets -= len(line)
            lines += 1
        self.begun = octets
        return lines
