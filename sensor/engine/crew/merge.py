"""Records of all workers in one order: that of their keys, as one worker would have raised them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from sensor.model.scene import Record

END: Final = 1 << 63
"""A key behind all others."""


class Merge:
    """Holds a record back until no worker can have an earlier one. Equal keys: the worker with the lower number first.

    Waits for each worker, for ever; `excuse` is for those that do not answer.
    """

    def __init__(self, workers: int) -> None:
        self._waiting: list[deque[tuple[int, Record]]] = [deque() for _ in range(workers)]
        self._upto = [0] * workers
        self._excused = [False] * workers
        self._heads: list[tuple[int, int]] = []
        """Heap of (key, worker): the first record of each worker that has any."""
        self._passed = (0, 0)
        self.late = 0
        """Records that came when later ones had been let through: their worker had been excused."""

    def add(self, worker: int, keys: Sequence[int], records: Sequence[Record], upto: int) -> None:
        """Take a lot."""
        queue = self._waiting[worker]
        if records and not queue:
            heapq.heappush(self._heads, (keys[0], worker))
        queue.extend(zip(keys, records, strict=True))
        if upto > self._upto[worker]:
            self._upto[worker] = upto
            self._excused[worker] = False

    def close(self, worker: int) -> None:
        """Expect no more of a worker."""
        self._upto[worker] = END

    def reopen(self, worker: int) -> None:
        """Expect more of it again: another has taken its place, which begins now."""
        self._upto[worker] = self._passed[0]

    def excuse(self, worker: int) -> None:
        """Wait for a worker no longer, until it says something."""
        self._excused[worker] = True

    def upto(self, worker: int) -> int:
        """Return the key up to which a worker has come."""
        return self._upto[worker]

    def waiting(self, worker: int) -> int:
        """Return how many records of a worker wait for others."""
        return len(self._waiting[worker])

    def take(self) -> Iterator[tuple[int, Record]]:
        """Yield (worker, record) of those whose turn it is."""
        floor = min((self._floor(i) for i, queue in enumerate(self._waiting) if not queue), default=(END, 0))
        while self._heads and self._heads[0] < floor:
            key, worker = heapq.heappop(self._heads)
            queue = self._waiting[worker]
            _, record = queue.popleft()
            if queue:
                heapq.heappush(self._heads, (queue[0][0], worker))
            else:
                floor = min(floor, self._floor(worker))
            self.late += (key, worker) < self._passed
            self._passed = max(self._passed, (key, worker))
            yield worker, record

    def _floor(self, worker: int) -> tuple[int, int]:
        """Return what a worker's next record cannot be before."""
        return (END if self._excused[worker] else self._upto[worker]), worker
