"""A file of whole lines, written for months: it rotates, and outlives a full disk and a folder gone read-only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from sensor.errors import OutputError
from sensor.outputs.backlog import Backlog, OutputCounters
from sensor.outputs.limits import SUFFIX_MAX, FileOptions

_BUFFER = 1 << 18
"""Bytes of pending lines at which a flush is not waited for."""
_LOOK_SECONDS = 1.0
"""Between looks at whether the file is still the one that its name says, and is to be rotated out."""


class LogFile:
    """Appends lines. What cannot be written waits within a bound, and is written as soon as that works.

    Nothing but the constructor and `close` raises OutputError; tell: hears when writing begins to fail, and when it
    works again. ahead: called before lines are written, for what must be on the disk before them. A line torn by a
    full disk is continued; one torn by the end of the process gets its end when the file is opened the next time, so
    that the next line is whole. clock: seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        options: FileOptions,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        ahead: Callable[[], None] | None = None,
    ) -> None:
        self.path = path
        self.name = path.name
        self.counters = OutputCounters()
        self.failing = ""
        """Why it cannot be written; empty: it can."""
        self._options = options
        self._tell = tell
        self._clock = clock
        self._ahead = ahead
        self._backlog = Backlog(options.hold, self.counters)
        self._look_at = 0.0
        self._complaint = ""
        try:
            self._fd = self._open()
        except FileExistsError as e:
            raise OutputError(f"{path.parent}: is not a folder") from e
        except OSError as e:
            raise OutputError(f"{path}: {e.strerror or e}") from e

    @property
    def waiting(self) -> int:
        """Number of lines that wait."""
        return len(self._backlog)

    def write(self, line: bytes, *, dear: bool = False) -> None:
        """Add a line (without its end). dear: an alert, which others give way to."""
        self._backlog.add(line + b"\n", dear=dear)
        if self._backlog.size >= _BUFFER and not self.failing:
            self.flush()

    def flush(self) -> None:
        """Hand pending lines to the kernel, and look after the file."""
        now = self._clock()
        if not 0 <= self._look_at - now <= _LOOK_SECONDS:  # due, or the clock was set back
            self._look_at = now + _LOOK_SECONDS
            self._look_after(now)
        self._drain()

    def reopen(self) -> None:
        """Open the file that has the name now: somebody may have moved ours away."""
        self._drain()
        self._follow(always=True)

    def close(self) -> None:
        """Flush and close. Raises OutputError where lines are left or were lost."""
        self._drain()
        os.close(self._fd)
        if self.waiting:
            raise OutputError(f"{self.path}: {self.failing}: {self.waiting} lines could not be written")

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            found = os.fstat(fd)
            self._size = found.st_size
            self._period = self._period_of(found.st_mtime if self._size else self._clock())
            self._torn = bool(self._size) and os.pread(fd, 1, self._size - 1) != b"\n"
        except OSError:
            os.close(fd)
            raise
        return fd

    def _period_of(self, now: float) -> int:
        return int(now // self._options.rotate_seconds) if self._options.rotate_seconds else 0

    def _drain(self) -> None:
        if not len(self._backlog):
            return
        if self._ahead is not None:
            self._ahead()
        error = self._end_torn_line()
        if not error:
            done = self._backlog.drain(self._fd)
            self._size += done.octets
            self.counters.written += done.lines
            error = done.error
        self._judge(error)

    def _end_torn_line(self) -> str:
        """End the line that an earlier process left, so that the next is whole; return why not, empty: it is done."""
        if self._torn:
            try:
                self._size += os.write(self._fd, b"\n")
            except OSError as e:
                return e.strerror or str(e)
            self._torn = False
        return ""

    def _judge(self, error: str) -> None:
        """Say when writing begins to fail, and when it works again."""
        if error and not self.failing:
            self.counters.errors += 1
            self._tell(f"{self.path}: {error}: events wait in memory")
        elif self.failing and not error:
            self._tell(f"{self.path}: is written again; {self.counters.lost} alerts and {self.counters.shed} other "
                       "events were lost up to now")  # fmt: skip
        self.failing = error

    def _look_after(self, now: float) -> None:
        full = 0 < self._options.rotate_size <= self._size
        if self._size and (full or self._period_of(now) != self._period) and not self._backlog.begun:
            self._rotate(now)
        self._follow()

    def _rotate(self, now: float) -> None:
        """Give the file a name with its end's time; `_follow` then opens a new one."""
        try:
            self.path.rename(rotated_name(self.path, now))
            self.counters.rotations += 1
        except FileNotFoundError:  # somebody else has moved it
            pass
        except OSError as e:
            self._complain(f"cannot be rotated: {e.strerror or e}")

    def _follow(self, *, always: bool = False) -> None:
        """Open the file of our name where that is another one by now. While it cannot be opened the old one is used."""
        if not always and self._is_ours():
            return
        try:
            fd = self._open()
        except OSError as e:
            self._complain(f"cannot be opened: {e.strerror or e}")
            return
        os.close(self._fd)
        self._fd = fd
        self._backlog.begun = 0  # a line cut in two is whole in the new file
        self._complaint = ""

    def _is_ours(self) -> bool:
        try:
            there, ours = self.path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _complain(self, text: str) -> None:
        """Say what fails, once until it changes."""
        if text != self._complaint:
            self._complaint = text
            self.counters.errors += 1
            self._tell(f"{self.path}: {text}")


def rotated_name(path: Path, now: float) -> Path:
    """Return a free name for a file that is rotated out: `eve-20261128T150300Z.json`. Raises OSError if none is."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    for n in range(SUFFIX_MAX):
        found = path.with_name(f"{path.stem}-{stamp}{f'-{n:03d}' if n else ''}{path.suffix}")
        if not found.exists():
            return found
    raise FileExistsError(17, "too many files of one second")
