"""Names of file handles, and the files that are written and read through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.keeping import NO_POLICY
from sensor.proto.nfs import limits, stages
from sensor.proto.transfer import Budget, FileStages, Transfer

if TYPE_CHECKING:
    from sensor.proto.nfs.log import Log

_FILE, _NAME = 2000, 400
"""Bytes that a file under way, and a name, takes."""
_FILES = (FileStages(stages.WRITE_DATA, stages.WRITTEN), FileStages(stages.READ_DATA, stages.READ))


class Sink:
    """Where the bytes of a record go: to a file at an offset. They may come in parts."""

    __slots__ = ("_files", "_left", "_offset", "_transfer")

    def __init__(self, files: Files, transfer: Transfer, offset: int, size: int) -> None:
        self._files = files
        self._transfer = transfer
        self._offset = offset
        self._left = size

    def add(self, data: bytes) -> None:
        """Take the next bytes; what is more than announced is none of it."""
        data = data[: self._left]
        self.skip(len(data))
        if data:
            self._transfer.put(self._offset - len(data), data)
            self._files.budget.settle(self._transfer)

    def skip(self, nbytes: int) -> None:
        """Pass over bytes."""
        passed = min(nbytes, self._left)
        self._left -= passed
        self._offset += passed


class Files:
    """All of a flow: each is under way from its first read or write until a commit, a close, or the flow ends."""

    __slots__ = ("_log", "_names", "_under_way", "budget", "policy")

    def __init__(self, log: Log) -> None:
        self._log = log
        self._names: dict[bytes, bytes] = {}
        self._under_way: dict[tuple[bytes, int], Transfer] = {}
        """By handle and side; the one begun first comes first."""
        self.budget = Budget(limits.FILES_HELD)
        self.policy = NO_POLICY

    def learn(self, handle: bytes, name: bytes) -> None:
        """Note the name of a handle."""
        if not handle or not name:
            return
        self._names.pop(handle, None)
        if len(self._names) >= limits.NAMES:
            self._names.pop(next(iter(self._names)))
            self.budget.losses.handles += 1
        self._names[handle] = name

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return self.budget.total + _FILE * len(self._under_way) + _NAME * len(self._names)

    def name(self, handle: bytes) -> bytes:
        """Return the name of a handle; empty: it is not known."""
        return self._names.get(handle, b"")

    def data(self, handle: bytes, side: int, version: int, procedure: int, offset: int, size: int) -> Sink:
        """Return where bytes go that are written or read."""
        transfer = self._under_way.get((handle, side))
        if transfer is None:
            if len(self._under_way) >= limits.FILES:
                self.end(*next(iter(self._under_way)), ended=False)
                self.budget.losses.files += 1
            transfer = self._begin(handle, side, version, procedure)
        return Sink(self, transfer, offset, size)

    def end(self, handle: bytes, side: int, *, ended: bool) -> None:
        """End a file."""
        transfer = self._under_way.pop((handle, side), None)
        if transfer is not None:
            self.budget.forget(transfer)
            transfer.close(ended=ended)

    def finish(self) -> None:
        """End all files: the flow is over."""
        for handle, side in [*self._under_way]:
            self.end(handle, side, ended=False)

    def _begin(self, handle: bytes, side: int, version: int, procedure: int) -> Transfer:
        context = self._log.new(version, procedure)
        context.file_name = self.name(handle)
        context.fields |= {"procedure": "WRITE" if side == 0 else "READ", "file_tx": True}
        made = Transfer(context, side, context.file_name, self._log.reach, _FILES[side], self.policy)
        self._under_way[handle, side] = made
        self._log.reach(made, stages.REQUEST)
        return made
