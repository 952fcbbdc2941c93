"""Migration stream of one flow: its headers, up to where the guest's memory begins. The memory itself is not read."""

from __future__ import annotations

import copy
from collections.abc import Generator

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.proto.oddities import Oddities
from sensor.proto.xenmigration import parse
from sensor.proto.xenmigration.transaction import MigrationTransaction

STAGE_CONFIG, STAGE_MEMORY = range(2)

MAX_CONFIG = 256 * 1024
"""Bytes of a guest's configuration; real ones have some thousands."""

Script = Generator[int, bytes, bool]
"""Yields bytes wanted and is sent them; returns whether they make sense."""


class Side:
    """What one side sends: a stream, or a few lines of text in answer."""

    __slots__ = ("_buffer", "_reached", "_script", "_want", "over", "sound", "tx")

    def __init__(self, number: int) -> None:
        self.tx = MigrationTransaction(number)
        self.over = False
        """Nothing more is read of this side."""
        self.sound = True
        """False: what it sent is no stream any more."""
        self._reached: list[tuple[int, MigrationTransaction]] = []
        """Stages, each with what was known then, wherever the bytes are cut."""
        self._buffer = bytearray()
        self._script = self._stream()
        self._want = next(self._script)

    def feed(self, data: bytes) -> list[tuple[int, MigrationTransaction]]:
        """Take the next bytes; return the stages that they complete. Holds at most a configuration."""
        self._buffer += data
        while not self.over and len(self._buffer) >= self._want:
            piece = bytes(self._buffer[: self._want])
            del self._buffer[: self._want]
            try:
                self._want = self._script.send(piece)
            except StopIteration as end:
                self.sound = bool(end.value)
                self.end()
        reached, self._reached = self._reached, []
        return reached

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def end(self) -> None:
        """Read no further."""
        self.over = True
        self._buffer.clear()

    def _reach(self, stage: int) -> None:
        self._reached.append((stage, copy.copy(self.tx)))

    def _stream(self) -> Script:
        head = yield len(parse.LIBXL)
        if head == parse.SAVED[: len(head)]:
            return (yield from self._saved())
        if head == parse.LIBXL:
            return (yield from self._libxl())
        if head == parse.LIBXC:
            return (yield from self._libxc())
        return True

    def _saved(self) -> Script:
        magic = yield len(parse.SAVED) - len(parse.LIBXL)
        header = parse.saved_header((yield parse.SAVED_REST))
        if header is None or header.config > MAX_CONFIG or not parse.SAVED.endswith(magic):
            return False
        self.tx.saved = True
        if header.config:
            self.tx.take((yield header.config))
        self._reach(STAGE_CONFIG)
        if not header.streamed:
            return True
        return (yield len(parse.LIBXL)) == parse.LIBXL and (yield from self._libxl())

    def _libxl(self) -> Script:
        header = parse.libxl_header((yield parse.LIBXL_REST))
        if header is None:
            return False
        self.tx.libxl, order = header
        kind, _ = parse.record((yield parse.LIBXL_RECORD), order)
        if kind != parse.LIBXC_CONTEXT:
            return False
        return (yield len(parse.LIBXC)) == parse.LIBXC and (yield from self._libxc())

    def _libxc(self) -> Script:
        header = parse.libxc_header((yield parse.LIBXC_REST))
        if header is None:
            return False
        self.tx.libxc, order = header
        self.tx.domain = parse.domain((yield parse.DOMAIN), order)
        if self.tx.domain is None:
            return False
        self._reach(STAGE_MEMORY)
        return True


class MigrationParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`). Either side may be the one that sends the guest."""

    __slots__ = ("_sides", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._sides = (Side(0), Side(1))

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        one = self._sides[side]
        if one.over:
            return []
        reached = one.feed(data)
        if any(stage == STAGE_MEMORY for stage, _ in reached):
            self._report(AppAnomaly.XEN_MIGRATION_MEMORY_IN_CLEAR, side)
            self.done = True
        if not one.sound:
            self._report(AppAnomaly.XEN_MIGRATION_MALFORMED_DATA, side)
        self.done |= self._sides[0].over and self._sides[1].over
        return [TxStage(tx, stage, side) for stage, tx in reached]

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._sides)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Give the side up."""
        if not self._sides[side].over:
            self._sides[side].end()
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self.done |= self._sides[0].over and self._sides[1].over
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: no stage is pending."""
        self.done = True
        return []
