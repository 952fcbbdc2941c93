"""One side of an SSH connection: lines, then binary packets (RFC 4253 sections 4.2 and 6)."""

from collections.abc import Iterator
from enum import IntEnum

import msgspec

from sensor.proto.ssh.limits import MAX_LINE, MAX_PACKET, MAX_PACKETS, MAX_PRELUDE, MAX_PRELUDE_LINES
from sensor.proto.ssh.parse import MSG_KEXINIT, MSG_NEWKEYS


class EventKind(IntEnum):
    """What a side's bytes turned out to be."""

    LINE = 0
    """A line, without its end."""
    LINE_TOO_LONG = 1
    """The line at hand has more than 255 bytes; body: the first four."""
    KEXINIT = 2
    NEW_KEYS = 3
    TOO_SHORT = 5
    """A packet is shorter than the header in it; INVALID follows."""
    INVALID = 4
    """Nothing sensible can follow."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event; body: the line, or the KEXINIT payload."""

    kind: EventKind
    body: bytes = b""


class SshSide:
    """Cuts one side's bytes into events.

    The owner sets `binary` when a line was the banner. After INVALID the side must not be fed again.
    """

    __slots__ = ("_budget", "_buffer", "_keep", "_left", "_lines", "_packets", "binary")

    def __init__(self) -> None:
        self.binary = False
        self._buffer = bytearray()
        self._budget = MAX_PRELUDE
        self._lines = 0
        self._packets = 0
        self._left = 0
        """Bytes of the current packet still to come, its first six aside."""
        self._keep = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that these bytes complete."""
        pos, end = 0, len(data)
        while pos < end:
            if not self.binary:
                stop = data.find(b"\n", pos)
                yield from self._line(data, pos, end if stop < 0 else stop, stop >= 0)
                pos = end if stop < 0 else stop + 1
            elif self._left:
                take = min(self._left, end - pos)
                if self._keep:
                    self._buffer += data[pos : pos + take]
                self._left -= take
                pos += take
                if not self._left:
                    yield from self._close()
            else:
                take = min(6 - len(self._buffer), end - pos)
                self._buffer += data[pos : pos + take]
                pos += take
                if len(self._buffer) == 6:
                    yield from self._open()

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def _line(self, data: bytes, pos: int, stop: int, complete: bool) -> Iterator[Event]:
        """Take a piece of a line. A line is handed on when it ends."""
        over = stop - pos > self._budget
        if not over:
            self._budget -= stop - pos
            self._buffer += data[pos:stop]
        if complete and not over:
            self._lines += 1
            line = bytes(self._buffer).removesuffix(b"\r")
            self._buffer.clear()
            if len(line) > MAX_LINE:
                yield Event(EventKind.LINE_TOO_LONG, line[:4])
            yield Event(EventKind.LINE, line)
        elif len(self._buffer) > MAX_LINE + 1:
            yield Event(EventKind.LINE_TOO_LONG, bytes(self._buffer[:4]))
        if over or self._lines > MAX_PRELUDE_LINES:
            self._buffer.clear()
            yield Event(EventKind.INVALID)

    def _open(self) -> Iterator[Event]:
        """Take up the packet whose length, padding length and message number are in `_buffer`."""
        head = self._buffer
        size, padding, kind = int.from_bytes(head[:4], "big"), head[4], head[5]
        self._packets += 1
        if size < 2:
            yield Event(EventKind.TOO_SHORT)
        if not padding + 2 <= size <= MAX_PACKET or self._packets > MAX_PACKETS:
            yield Event(EventKind.INVALID)
            return
        self._left = size - 2
        self._keep = kind == MSG_KEXINIT
        if kind == MSG_NEWKEYS:
            yield Event(EventKind.NEW_KEYS)
        elif not self._left:
            yield from self._close()
        elif not self._keep:
            self._buffer.clear()

    def _close(self) -> Iterator[Event]:
        packet = bytes(self._buffer)
        self._buffer.clear()
        if self._keep:
            yield Event(EventKind.KEXINIT, packet[5 : len(packet) - packet[4]])
