"""The thread that looks after the log folder: how full the disk is, what is kept, what gives way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sensor.outputs.archive import Archive
from sensor.outputs.disk import ROOMY, Disk
from sensor.outputs.limits import SWEEP_SECONDS
from sensor.outputs.pcaplog import PcapLog

_LOOK_SECONDS = 1.0
_CUTS_MAX = 100
"""Files deleted or cut down in one go."""


class Housekeeper:
    """Looks at the disk each second, and at the rotated files each few seconds.

    captures: give way before anything else. clock: seconds since the epoch.
    """

    def __init__(self, disk: Disk, archive: Archive, captures: PcapLog | None = None,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        self.disk = disk
        self.archive = archive
        self._givers = [captures.make_room] if captures is not None else []
        self._givers.append(archive.make_room)
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
        """Look at the disk; where it gets full, delete captures, then cut old files down to their alerts."""
        for _ in range(_CUTS_MAX):
            if self.disk.look() == ROOMY or not any(give() for give in self._givers):
                break

    def _run(self) -> None:
        sweep_at = 0.0
        while not self._end.wait(_LOOK_SECONDS):
            self.look()
            now = time.monotonic()
            if now >= sweep_at:
                sweep_at = now + SWEEP_SECONDS
                self.archive.sweep(self._clock())
