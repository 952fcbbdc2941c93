"""A file on its way in one direction, as a transaction: what rules on files see of protocols with reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sensor.model.app import Transaction
from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.model.losses import Losses
from sensor.proto.files import LONG_HEAD, FileBuilder

Reach = Callable[[Transaction, int, "FileInfo | None"], None]
"""Notes that a transaction has reached a stage."""


class FileStages(NamedTuple):
    """Stages of one direction."""

    data: int
    """As much of the file as rules may see is there."""
    whole: int
    """No more of it will come."""


class Transfer:
    """A file that is written (side 0) or read (1)."""

    __slots__ = ("_context", "_reach", "_seen", "_stages", "builder", "id", "side")

    def __init__(
        self, context: Transaction, side: int, name: bytes, reach: Reach, stages: FileStages, policy: FilePolicy
    ) -> None:
        """context: what its record says besides; its number is the file's, too."""
        self._context = context
        self._reach = reach
        self._stages = stages
        self._seen = False
        """Rules have seen its first bytes."""
        self.id = context.id
        self.side = side
        self.builder = FileBuilder(name, LONG_HEAD, policy)

    def put(self, offset: int, data: bytes) -> None:
        """Take bytes; show rules the file's beginning as soon as no more of it will be kept."""
        self.builder.put(offset, data)
        if self.builder.full:
            self._show()

    def give_up(self) -> None:
        """Show rules what there is, and keep nothing more."""
        self._show()
        self.builder.drop()

    def close(self, *, ended: bool) -> None:
        """End the file. ended: nothing behind what was seen is missing."""
        self._show()
        self._reach(self, self._stages.whole, self.builder.close(ended=ended))

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        base, _, side = name.partition("@")
        if not base.startswith("file."):
            return self._context.buffer(name)
        return self.builder.so_far().buffer(base) if bool(side) == bool(self.side) else ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return the values of a number."""
        return self._context.numbers(name)

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return self._context.eve()

    def _show(self) -> None:
        if not self._seen:
            self._seen = True
            self._reach(self, self._stages.data, None)


class Budget:
    """Bytes of files that one flow holds in memory: over the limit the oldest file is given up."""

    __slots__ = ("_held", "_limit", "losses", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[Transfer, int] = {}
        """Bytes of each file under way; the one begun first comes first."""
        self.total = 0
        self.losses = Losses()

    def settle(self, transfer: Transfer) -> bool:
        """Count what a file holds now; return whether others (or it itself) had to be given up."""
        held = transfer.builder.held
        self.total += held - self._held.get(transfer, 0)
        self._held[transfer] = held
        over = self.total > self._limit
        while self.total > self._limit:
            oldest = next(iter(self._held))
            self.forget(oldest)
            oldest.give_up()
            self.losses.files += 1
        return over

    def forget(self, transfer: Transfer) -> None:
        """Count a file no longer."""
        self.total -= self._held.pop(transfer, 0)
