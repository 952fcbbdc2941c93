"""When each worker last went round its packet loop: memory that all processes of a run share."""

from __future__ import annotations

import mmap
import time

import numpy as np


class Pulse:
    """To be made before the workers are forked."""

    def __init__(self, workers: int) -> None:
        self._at = np.frombuffer(mmap.mmap(-1, 8 * workers), np.int64)
        for worker in range(workers):
            self.beat(worker)

    def beat(self, worker: int) -> None:
        """Note that a worker is alive."""
        self._at[worker] = time.monotonic_ns()

    def age(self, worker: int) -> float:
        """Return the seconds since a worker's last beat."""
        return (time.monotonic_ns() - int(self._at[worker])) / 1e9
