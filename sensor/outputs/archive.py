"""Files that were rotated out: cut down to their alerts when they are old or many, and deleted in the end."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sensor.model.counters import Counters
from sensor.outputs.limits import KeepOptions

_ALERT = b'"event_type":"alert"'
"""Stands in no other line: inside a JSON text a quotation mark is escaped, and no object below has such a key."""
_DAY = 86_400.0


class ArchiveCounters(Counters):
    """What became of rotated files."""

    __slots__ = ("cut", "deleted", "errors")

    cut: int
    """Files cut down to their alerts."""
    deleted: int
    """Files of alerts deleted."""
    errors: int
    """Files that could not be cut down or deleted."""


@dataclass(frozen=True, slots=True)
class _Old:
    """A rotated file."""

    path: Path
    size: int
    when: float
    """Last write, seconds since the epoch."""


class Archive:
    """What was rotated out of some files (`DIR/eve.json`); all lines of files other than `.json` are alerts.

    A file whose name ends in `.alerts` before its suffix holds nothing but alerts. Used by one thread at a time.
    """

    def __init__(self, files: Iterable[Path], options: KeepOptions, tell: Callable[[str], None]) -> None:
        paths = list(files)
        self._folders = sorted({path.parent for path in paths})
        self._options = options
        self._tell = tell
        self.counters = ArchiveCounters()
        self.octets = {"all": 0, "alerts": 0}
        """Bytes of rotated files, as the last sweep left them."""
        stems = "|".join(f"{re.escape(p.stem)}-STAMP(?:\\.alerts)?{re.escape(p.suffix)}" for p in paths)
        stamp = r"[0-9]{8}T[0-9]{6}Z(?:-[0-9]{3})?"
        self._pattern = re.compile(stems.replace("STAMP", stamp))

    def sweep(self, now: float) -> None:
        """Keep what is to be kept at a time (seconds since the epoch)."""
        keep = self._options
        everything, alerts = self._found()
        for old in self._beyond(everything, keep.max_bytes, keep.max_days, now):
            cut = self._cut(old)
            if cut is not None:
                alerts.append(cut)
        for old in self._beyond(sorted(alerts, key=_age), keep.alert_bytes, keep.alert_days, now):
            self._delete(old)
        everything, alerts = self._found()
        self.octets = {"all": sum(f.size for f in everything), "alerts": sum(f.size for f in alerts)}

    def make_room(self) -> bool:
        """Cut down the oldest file that holds more than alerts; tell whether there was one."""
        everything, _ = self._found()
        if not everything:
            return False
        errors = self.counters.errors
        self._cut(everything[0])
        return self.counters.errors == errors

    def _found(self) -> tuple[list[_Old], list[_Old]]:
        """Return rotated files that hold all kinds of events, and those that hold alerts; oldest first."""
        everything: list[_Old] = []
        alerts: list[_Old] = []
        for path in self._paths():
            try:
                stat = path.stat()
            except OSError:  # somebody else deleted it
                continue
            into = alerts if path.stem.endswith(".alerts") else everything
            into.append(_Old(path, stat.st_size, stat.st_mtime))
        return sorted(everything, key=_age), sorted(alerts, key=_age)

    def _paths(self) -> list[Path]:
        found: list[Path] = []
        for folder in self._folders:
            with suppress(OSError):  # it may be gone for a while
                found += (path for path in folder.iterdir() if self._pattern.fullmatch(path.name))
        return found

    @staticmethod
    def _beyond(files: list[_Old], octets: int, days: int, now: float) -> list[_Old]:
        """Return the oldest files that stand beyond a bound of bytes or of days."""
        total = sum(f.size for f in files)
        found = []
        for old in files:
            too_many = octets and total > octets
            too_old = days and old.when < now - days * _DAY
            if not too_many and not too_old:
                break
            total -= old.size
            found.append(old)
        return found

    def _cut(self, old: _Old) -> _Old | None:
        """Replace a file by its alerts; return that, None where it had none. An error leaves it as it is."""
        path = old.path.with_name(f"{old.path.stem}.alerts{old.path.suffix}")
        unfinished = path.with_name(f".{path.name}.tmp")
        try:
            size = old.size if old.path.suffix != ".json" else _copy_alerts(old.path, unfinished)
            if size == old.size:
                old.path.rename(path)
                unfinished.unlink(missing_ok=True)
            else:
                if size:
                    os.utime(unfinished, (old.when, old.when))  # its age is that of its events
                    unfinished.rename(path)
                else:
                    unfinished.unlink()
                old.path.unlink()
        except OSError as e:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            self._failed(old, e)
            return None
        self.counters.cut += 1
        return _Old(path, size, old.when) if size else None

    def _delete(self, old: _Old) -> None:
        try:
            old.path.unlink(missing_ok=True)
        except OSError as e:
            self._failed(old, e)
        else:
            self.counters.deleted += 1

    def _failed(self, old: _Old, error: OSError) -> None:
        if not self.counters.errors:
            self._tell(f"{old.path}: {error.strerror}: old events cannot be cleared away")
        self.counters.errors += 1


def _age(old: _Old) -> tuple[float, str]:
    return old.when, old.path.name


def _copy_alerts(source: Path, dest: Path) -> int:
    """Copy the lines that are alerts; return their bytes."""
    size = 0
    with source.open("rb") as lines, dest.open("wb") as out:
        for line in lines:
            if _ALERT in line:
                size += out.write(line)
    return size
