"""Protocols whose every message is a transaction of its own: one parser for all of them.

A protocol says how its messages are cut out of a stream (`Framing`) and what one says (`Reading`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.proto.oddities import Oddities

STAGE_MESSAGE = 0
"""The one stage of such a protocol."""

MAX_BAD = 8
"""Malformed messages in a row after which a side is read no further."""


@dataclass(slots=True)
class Reading:
    """What one message says."""

    buffers: dict[str, Sequence[bytes]] = field(default_factory=dict)
    numbers: dict[str, Sequence[int]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    """The EVE object."""
    odd: tuple[AppAnomaly, ...] = ()
    of_alert: dict[str, Any] | None = None
    """The EVE object in alerts; None: the same."""


Read = Callable[[bytes, int], Reading | None]
"""(message, side) → what it says; None: it is malformed. Raises nothing."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How messages follow each other in a stream."""

    head: int
    """Bytes that tell a message's size."""
    size: Callable[[bytes], int]
    """Size of a whole message, told from its first `head` bytes; 0: no message begins so."""
    limit: int
    """Bytes of a message that is read; a longer one is passed over."""


class MessageTransaction:
    """One message."""

    __slots__ = ("id", "reading")

    def __init__(self, number: int, reading: Reading) -> None:
        self.id = number
        self.reading = reading

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer."""
        return self.reading.buffers.get(name, ())

    def numbers(self, name: str) -> Sequence[int]:
        """Return the values of a number."""
        return self.reading.numbers.get(name, ())

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return self.reading.fields

    def eve_of_alert(self) -> dict[str, Any]:
        """Return the EVE object of an alert."""
        other = self.reading.of_alert
        return self.reading.fields if other is None else other


class Cutter:
    """Cuts one side's bytes into messages. Holds at most one message."""

    __slots__ = ("_buffer", "_framing", "_left", "_skip", "bad", "dead")

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the current message still to come; 0: its size is not known yet."""
        self._skip = False
        """The current message is too long to be kept."""
        self.bad = 0
        self.dead = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Yield the messages that these bytes complete; None: one begins that is too long, or none can follow."""
        pos, end, head = 0, len(data), self._framing.head
        while pos < end and not self.dead:
            want = self._left or head - len(self._buffer)
            piece = data[pos : pos + want]
            pos += len(piece)
            if not self._skip:
                self._buffer += piece
            if self._left:
                self._left -= len(piece)
            elif len(self._buffer) == head and not self._open():
                yield None
            if not self._left and len(self._buffer) >= head:
                yield bytes(self._buffer)
                self._buffer.clear()
            self._skip = self._skip and self._left > 0

    def _open(self) -> bool:
        """Take up the message whose head is in the buffer."""
        size = self._framing.size(bytes(self._buffer))
        if size < len(self._buffer):
            self.dead = True
            self._buffer.clear()
            return False
        self._left = size - len(self._buffer)
        self._skip = size > self._framing.limit
        if self._skip:
            self._buffer.clear()
        return not self._skip

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def gap(self, length: int) -> bool:
        """Pass over lost bytes; False: they held more than the rest of the current message, and the framing is lost."""
        if not self._left or length > self._left:
            self.dead = True
            return False
        self._left -= length
        self._buffer.clear()
        self._skip = self._left > 0
        return True


class MessageParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_count", "_malformed", "_read", "_sides", "done")

    def __init__(self, read: Read, framing: Framing | None, malformed: AppAnomaly) -> None:
        """framing: of a stream; None: each call of `feed` brings one datagram."""
        super().__init__()
        self.done = False
        self._read = read
        self._sides = (Cutter(framing), Cutter(framing)) if framing else None
        self._malformed = malformed
        self._count = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side, or one datagram."""
        out: list[TxStage] = []
        if self.done:
            return out
        if self._sides is None:
            self._take(side, data, out)
            return out
        for one in self._sides[side].feed(data):
            if one is None:
                self._report(self._malformed, side)
            elif self._take(side, one, out):
                self._sides[side].bad = 0
            else:
                self._sides[side].bad += 1
                self._sides[side].dead |= self._sides[side].bad >= MAX_BAD
        self._end_if_dead()
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._sides[0].held + self._sides[1].held if self._sides is not None else 0

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Pass over lost bytes of a message; give the side up where they held more."""
        if not self.done and self._sides and not self._sides[side].dead and not self._sides[side].gap(length):
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._end_if_dead()
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: a message that is not complete is none."""
        self.done = True
        return []

    def _take(self, side: int, data: bytes, out: list[TxStage]) -> bool:
        """Read one message; False: it is malformed."""
        reading = self._read(data, side)
        if reading is None:
            self._report(self._malformed, side)
            return False
        for anomaly in reading.odd:
            self._report(anomaly, side)
        out.append(TxStage(MessageTransaction(self._count, reading), STAGE_MESSAGE, side))
        self._count += 1
        return True

    def _end_if_dead(self) -> None:
        self.done = self._sides is not None and self._sides[0].dead and self._sides[1].dead
