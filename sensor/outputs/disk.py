"""How full the disk of the log folder is, and what is left out for it: flow records first, alerts never."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sensor.outputs.limits import DiskOptions

ROOMY, TIGHT, SCARCE, FULL = 0, 1, 2, 3
"""Levels; each leaves out what the one before it does, and more."""

_WORDS: Final = (
    "there is room again: every event is written",
    "flow records and evidence captures are left out",
    "records other than alerts and statistics are left out",
    "everything but alerts is left out",
)
_HYSTERESIS: Final = 8
"""A level is left once an eighth more than its bound is free."""


class Disk:
    """Watches the file system of a folder. tell: hears when the level changes."""

    def __init__(self, folder: Path, options: DiskOptions, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._options = options
        self._tell = tell
        self.level = ROOMY
        self.free = 0
        """Bytes, as last seen."""
        self._complaint = ""
        self.shed: Counter[str] = Counter()
        """Event type → events left out."""

    def look(self) -> int:
        """Look at the disk; return the level."""
        try:
            found = os.statvfs(self._folder)
        except OSError as e:
            self._complain(f"{self._folder}: {e.strerror}")
            return self.level
        self._complaint = ""
        self.free = found.f_bavail * found.f_frsize
        level = self._level_of(self.free)
        if level < self.level:
            level = min(self.level, self._level_of(self.free - self.free // (_HYSTERESIS + 1)))
        if level != self.level:
            self._tell(f"{self._folder}: {self.free >> 10} KiB are free: {_WORDS[level]}")
            self.level = level
        return level

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            self._tell(text)

    def _level_of(self, free: int) -> int:
        bound = self._options.min_free
        return ROOMY if free >= bound else TIGHT if free >= bound // 2 else SCARCE if free >= bound // 4 else FULL

    def sheds(self, kind: str) -> bool:
        """Tell whether events of a kind are left out now, and count such an event."""
        if self.level == ROOMY or kind == "alert":
            return False
        if self.level == FULL or kind == "flow" or (self.level == SCARCE and kind != "stats"):
            self.shed[kind] += 1
            return True
        return False
