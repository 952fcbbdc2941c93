"""The outputs of a live run, with all that looks after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sensor.engine.live.housekeeping import Housekeeper
from sensor.engine.records.evidence import Evidence
from sensor.engine.records.sinks import Sink
from sensor.outputs.backlog import OutputCounters
from sensor.outputs.filestore import FileStore
from sensor.outputs.pcaplog import PcapLog
from sensor.outputs.spool import Spool


class Watched(Protocol):
    """What metrics tell of an output."""

    name: str
    counters: OutputCounters
    failing: str

    @property
    def waiting(self) -> int:
        """Number of lines that wait."""


class Spooled(Protocol):
    """What metrics tell of what waits on the disk."""

    name: str
    spool: Spool


class Outlets:
    """Open outputs. spooled: those with a spool.

    keeper: None where nothing is written to a disk; evidence, captures, store: None where packets, or files, are not
    kept.
    """

    def __init__(self, sinks: Sequence[Sink], watched: Sequence[Watched], spooled: Sequence[Spooled] = (),
                 keeper: Housekeeper | None = None, evidence: Evidence | None = None,
                 captures: PcapLog | None = None, store: FileStore | None = None) -> None:  # fmt: skip
        self.sinks = sinks
        self.watched = watched
        self.spooled = spooled
        self.keeper = keeper
        self.evidence = evidence
        self.captures = captures
        self.store = store

    def sheds(self, kind: str) -> bool:
        """Tell whether events of a kind are left out now, the disk being nearly full."""
        return self.keeper is not None and self.keeper.disk.sheds(kind)

    def stats(self) -> dict[str, Any]:
        """Return what an EVE `stats` event tells of them."""
        found: dict[str, Any] = {
            o.name: {**o.counters.snapshot(), "waiting": o.waiting, "failing": bool(o.failing)} for o in self.watched
        }
        if self.keeper is not None:
            disk = self.keeper.disk
            found["disk"] = {"free": disk.free, "level": disk.level, "shed": disk.shed.total()}
        if self.store is not None:
            found["file_store"] = {**self.store.counters.snapshot(), "size": self.store.size}
        return found

    def start(self) -> None:
        """Begin to look after them."""
        if self.keeper is not None:
            self.keeper.start()

    def stop(self) -> None:
        """End that."""
        if self.evidence is not None:
            self.evidence.close()
        if self.keeper is not None:
            self.keeper.stop()
