"""Lines that wait on the disk for a receiver: written at once, read in order, kept until they are known to be there.

    FOLDER/00000007.spool   lines; a new file is begun at each start and at each MiB
    FOLDER/position         number of a file and offset in it: what stands before is delivered

A line is in the file before anybody tries to deliver it, so the end of the process loses none; what was delivered
shortly before that is delivered again.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sensor.errors import OutputError
from sensor.outputs.backlog import Backlog, OutputCounters
from sensor.outputs.limits_remote import SEGMENT

_HOLD = 4 << 20
"""Bytes of lines that wait in memory while the disk takes none."""
_NAME = re.compile(r"[0-9]{8}\.spool")


@dataclass(frozen=True, order=True, slots=True)
class Mark:
    """A place in the spool."""

    segment: int
    offset: int
    lines: int
    """Lines before it, since the start."""


class Spool:
    """One thread appends, another reads. limit: bytes on the disk; lines that are no alerts take at most half of it.

    Raises OutputError where the folder cannot be used at the start; later a disk that takes nothing is told and waited
    for.
    """

    def __init__(self, folder: Path, limit: int, counters: OutputCounters, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.limit = limit
        self._counters = counters
        self._tell = tell
        self._backlog = Backlog(_HOLD, counters)
        self._failing = ""
        self._lock = threading.Lock()
        self._fd = -1
        self._lines = 0
        try:
            self._recover()
        except OSError as e:
            raise OutputError(f"{folder}: {e.strerror or e}") from e

    def _recover(self) -> None:
        """Find what an earlier process left, and begin a file of our own behind it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = sorted(int(p.stem) for p in self.folder.iterdir() if _NAME.fullmatch(p.name))
        at, offset = self._read_position()
        for number in [n for n in numbers if n < at]:
            self._path(number).unlink()
        numbers = [n for n in numbers if n >= at]
        first = numbers[0] if numbers else at + 1
        self._done = self._cursor = Mark(first, offset if first == at else 0, 0)
        self.size = 0
        """Bytes on the disk that are not delivered."""
        for number in numbers:
            data = self._path(number).read_bytes()[self._done.offset if number == first else 0 :]
            self._lines += data.count(b"\n")
            self.size += len(data)
        self._begin(numbers[-1] + 1 if numbers else first)

    def _begin(self, number: int) -> None:
        """Begin a new file. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path(number), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        with self._lock:
            self._fd, self._current, self._written = fd, number, 0
            self._backlog.begun = 0  # a line cut in two is whole in the new file

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.spool"

    @property
    def waiting(self) -> int:
        """Number of lines that are not delivered."""
        return self._lines - self._done.lines + len(self._backlog)

    # ---- the writing thread

    def append(self, line: bytes, *, dear: bool) -> None:
        """Add a line (without its end), or count it where the bound is reached. dear: an alert."""
        room = (self.limit if dear else self.limit // 2) - self.size - self._backlog.size
        if room > len(line):
            self._backlog.add(line + b"\n", dear=dear)
        elif dear:
            self._counters.lost += 1
        else:
            self._counters.shed += 1

    def flush(self) -> bool:
        """Write what was added; tell whether there was anything."""
        if not len(self._backlog):
            return False
        if (self._written >= SEGMENT and not self._backlog.begun) or not self._path(self._current).exists():
            with suppress(OSError):  # the file at hand serves as well
                self._begin(self._current + 1)
        done = self._backlog.drain(self._fd)
        with self._lock:
            self._written += done.octets
            self._lines += done.lines
            self.size += done.octets
        if done.error and not self._failing:
            self._counters.errors += 1
            self._tell(f"{self.folder}: {done.error}: events wait in memory")
        self._failing = done.error
        return True

    def close(self) -> None:
        """Write what was added, and end. Raises OutputError where that does not work."""
        self.flush()
        os.close(self._fd)
        if self._failing:
            raise OutputError(f"{self.folder}: {self._failing}: {len(self._backlog)} events could not be written")

    # ---- the reading thread

    def read(self, octets: int) -> list[bytes]:
        """Return the next lines (without their ends), at most `octets` bytes of them but one at least; empty: none."""
        while True:
            with self._lock:
                current, written = self._current, self._written
            at = self._cursor
            room = written - at.offset if at.segment == current else 1 << 62
            data = self._pread(at, min(octets, room))
            whole = data[: data.rfind(b"\n") + 1]
            if whole:
                lines = whole[:-1].split(b"\n")
                self._cursor = Mark(at.segment, at.offset + len(whole), at.lines + len(lines))
                return lines
            if len(data) == octets:  # a longer line
                octets *= 2
            elif at.segment >= current:
                return []
            else:  # the file is at its end; a line that was cut off there is nothing to be had of
                self._cursor = Mark(at.segment + 1, 0, at.lines)

    def _pread(self, at: Mark, octets: int) -> bytes:
        try:
            with self._path(at.segment).open("rb") as file:
                file.seek(at.offset)
                return file.read(octets)
        except FileNotFoundError:  # somebody has deleted it
            return b""

    def mark(self) -> Mark:
        """Return where reading goes on."""
        return self._cursor

    @property
    def committed(self) -> Mark:
        """Where delivered lines end."""
        return self._done

    def rewind(self) -> None:
        """Read again what is not known to be delivered."""
        self._cursor = self._done

    def commit(self, mark: Mark) -> None:
        """Forget what stands before a mark: it is delivered."""
        if mark <= self._done:
            return
        with suppress(OSError):  # a disk that is full: delivered once more after a restart
            unfinished = self.folder / ".position"
            unfinished.write_text(f"{mark.segment} {mark.offset}\n")
            unfinished.rename(self.folder / "position")
        gone = 0
        for number in range(self._done.segment, mark.segment):
            gone += self._drop(number)
        before = self._done.offset
        self._done = mark
        with self._lock:
            self.size -= gone + mark.offset - before
            if (mark.segment, mark.offset) == (self._current, self._written):
                self.size = 0  # whatever became of files that others deleted

    def _drop(self, number: int) -> int:
        """Delete a file; return its bytes."""
        path = self._path(number)
        size = 0
        with suppress(OSError):
            size = path.stat().st_size
            path.unlink()
        return size

    def _read_position(self) -> tuple[int, int]:
        try:
            number, offset = (self.folder / "position").read_text().split()
            return int(number), int(offset)
        except (OSError, ValueError):  # none yet, or a crash of the machine: from the start
            return 0, 0
