"""Messages with a length in front, cut out of the byte stream of one side: first their beginning, then the rest."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Piece(NamedTuple):
    """Part of a message."""

    data: bytes
    first: bool
    """The message's beginning, of which up to the limit comes at once; less, if lost bytes cut it short."""
    size: int = 0
    """Of the whole message, if this is its beginning."""
    lost: int = 0
    """Bytes that are missing (`data` is empty then)."""


class Shape(Protocol):
    """How messages of a protocol are framed."""

    @property
    def header(self) -> int:
        """Bytes of what stands in front of the next message."""

    @property
    def inclusive(self) -> bool:
        """Whether it is part of the message."""

    def size(self, buffer: bytearray, pos: int) -> tuple[int, bool] | None:
        """Read the header at `pos`: bytes of the message, and whether it is one of interest; None: it is no header.

        Of a message that holds its header: at least as many as that.
        """

    def search(self, buffer: bytearray, pos: int) -> tuple[int, bool]:
        """Look for a header from `pos` on: where it is and True, or how far nothing is and False."""


class Pieces:
    """Cuts messages out of a stream; holds at most the beginning of one."""

    __slots__ = ("_buffer", "_left", "_limit", "_shape", "_stumps", "_wanted", "lost", "sound")

    def __init__(self, shape: Shape, limit: int, *, stumps: bool = False) -> None:
        self._shape = shape
        self._limit = limit
        self._stumps = stumps
        """Beginnings that lost bytes cut short are of use, too."""
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the current message that are still to come, behind its beginning."""
        self._wanted = 0
        """Bytes of the beginning that are collected; 0: between messages."""
        self.lost = False
        """Where the next message begins is not known."""
        self.sound = True
        """False: something that is no message stands where one should."""

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def rest(self) -> bytes:
        """Return the bytes that are in no message yet."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Piece]:
        """Return what the next bytes complete."""
        out: list[Piece] = []
        if not self._buffer and self._left and not self._wanted:
            data = self._rest(data, out)
        if data:
            self._buffer += data
            pos = self._cut(out)
            del self._buffer[:pos]
        return out

    def gap(self, length: int) -> list[Piece]:
        """Take note of lost bytes."""
        out: list[Piece] = []
        if self._wanted:
            if self._stumps and self._buffer:
                out.append(Piece(bytes(self._buffer), first=True, size=self._wanted + self._left))
            self._left += self._wanted - len(self._buffer)
            self._wanted = 0
            self._buffer.clear()
        elif self._buffer:
            self._buffer.clear()
            self._left = 0
        passed = min(self._left, length)
        self._left -= passed
        if passed:
            out.append(Piece(b"", first=False, lost=passed))
        self.lost = self.lost or passed < length
        return out

    def _rest(self, data: bytes, out: list[Piece]) -> bytes:
        taken = data[: self._left]
        self._left -= len(taken)
        out.append(Piece(taken, first=False))
        return data[len(taken) :]

    def _cut(self, out: list[Piece]) -> int:
        """Return how many bytes of the buffer are used up."""
        buffer, pos = self._buffer, 0
        while self.sound:
            if self._wanted:
                if len(buffer) - pos < self._wanted:
                    break
                out.append(Piece(bytes(buffer[pos : pos + self._wanted]), first=True, size=self._wanted + self._left))
                pos += self._wanted
                self._wanted = 0
            if self._left:
                part = bytes(buffer[pos : pos + self._left])
                if part:
                    self._rest(part, out)
                    pos += len(part)
                if self._left:
                    break
            if self.lost:
                pos, found = self._shape.search(buffer, pos)
                self.lost = not found
            if self.lost or len(buffer) - pos < self._shape.header:
                break
            pos = self._begin(pos)
        return pos

    def _begin(self, pos: int) -> int:
        """Read the header of the next message."""
        header = 0 if self._shape.inclusive else self._shape.header
        found = self._shape.size(self._buffer, pos)
        if found is None:
            self.sound = False
            return pos
        size, wanted = found
        self._wanted = min(size, self._limit) if wanted else 0
        self._left = size - self._wanted
        return pos + header
