"""The thread that looks after the log folder: how full the disk is, what is kept, what gives way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sensor.outputs.archive import Archive
from sensor.outputs.disk import ROOMY, Disk
from sensor.outputs.limits import SWEEP_SECONDS

_LOOK_SECONDS = 1.0
_CUTS_MAX = 100
"""Files cut down in one go."""


class Housekeeper:
    """Looks at the disk each second, and at the rotated files each few seconds. clock: seconds since the epoch."""

    def __init__(self, disk: Disk, archive: Archive, clock: Callable[[], float] = time.time) -> None:
        self.disk = disk
        self.archive = archive
        self._clock = clock
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.disk.look()
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is finished."""
        self._end.set()
        self._thread.join()

    def look(self) -> None:
        """Look at the disk; where it gets full, cut down old files to their alerts."""
        if self.disk.look() == ROOMY:
            return
        for _ in range(_CUTS_MAX):
            if not self.archive.make_room() or self.disk.look() == ROOMY:
                break

    def _run(self) -> None:
        sweep_at = 0.0
        while not self._end.wait(_LOOK_SECONDS):
            self.look()
            now = time.monotonic()
            if now >= sweep_at:
                sweep_at = now + SWEEP_SECONDS
                self.archive.sweep(self._clock())
