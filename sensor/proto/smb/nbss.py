"""Messages in the byte stream of one side: the session service of NetBIOS (RFC 1002 section 4.3), or direct TCP."""

from __future__ import annotations

from typing import NamedTuple

from sensor.proto.smb import limits

_HEADER = 4
_MESSAGE, _SESSION_KINDS = 0x00, frozenset({0x81, 0x82, 0x83, 0x84, 0x85})
_MARK = b"SMB"
_FIRST = frozenset({0xFF, 0xFE, 0xFD, 0xFC})
"""Bytes before the mark: SMB 1, SMB 2, encrypted, compressed."""


class Piece(NamedTuple):
    """Part of a message."""

    data: bytes
    first: bool
    """The message's beginning, of which up to `limits.MESSAGE` bytes come at once."""
    size: int = 0
    """Of the whole message, if this is its beginning."""
    lost: int = 0
    """Bytes that are missing (`data` is empty then)."""


class Framer:
    """Cuts messages out of a stream: first their beginning, then the rest as it comes."""

    __slots__ = ("_buffer", "_left", "_wanted", "lost", "sound")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the current message that are still to come, behind its beginning."""
        self._wanted = 0
        """Bytes of the beginning that are collected; 0: between messages."""
        self.lost = False
        """Where the next message begins is not known."""
        self.sound = True
        """False: something that is no message stands where one should."""

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
            self._left += self._wanted - len(self._buffer)
            self._wanted = 0
            self._buffer.clear()
        elif self._buffer:
            self._buffer.clear()
            self._left = 0
        passed = min(self._left, length)
        self._left -= passed
        if passed:
            out.append(Piece(b"", False, lost=passed))
        self.lost = self.lost or passed < length
        return out

    def _rest(self, data: bytes, out: list[Piece]) -> bytes:
        taken = data[: self._left]
        self._left -= len(taken)
        out.append(Piece(taken, False))
        return data[len(taken) :]

    def _cut(self, out: list[Piece]) -> int:
        """Return how many bytes of the buffer are used up."""
        buffer, pos = self._buffer, 0
        while self.sound:
            if self._wanted:
                if len(buffer) - pos < self._wanted:
                    break
                out.append(Piece(bytes(buffer[pos : pos + self._wanted]), True, self._wanted + self._left))
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
                pos = self._search(pos)
            if self.lost or len(buffer) - pos < _HEADER:
                break
            pos = self._begin(pos)
        return pos

    def _begin(self, pos: int) -> int:
        """Read the header of the next message."""
        kind = self._buffer[pos]
        size = int.from_bytes(self._buffer[pos + 1 : pos + 4], "big")
        if kind == _MESSAGE:
            self._wanted = min(size, limits.MESSAGE)
            self._left = size - self._wanted
        elif kind in _SESSION_KINDS and size <= limits.NAME:
            self._left = size
        else:
            self.sound = False
        return pos + _HEADER

    def _search(self, pos: int) -> int:
        """Return where a message begins behind lost bytes: at the first mark that stands where a header has it."""
        buffer = self._buffer
        while True:
            mark = buffer.find(_MARK, pos)
            if mark < 0:
                return max(pos, len(buffer) - _HEADER - len(_MARK))
            start = mark - 1 - _HEADER
            if start >= pos and buffer[start] == _MESSAGE and buffer[mark - 1] in _FIRST:
                self.lost = False
                return start
            pos = mark + 1
