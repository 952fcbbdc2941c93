"""Lines of text protocols: cut at line feeds, of bounded length."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A line without its end."""

    text: bytes
    """At most as many bytes as its reader keeps."""
    cut: bool
    """It had more."""


class LineReader:
    """Cuts one side's bytes into lines (CR LF, or LF alone). Holds at most one line of `limit` bytes."""

    __slots__ = ("_cut", "_kept", "_limit", "_pos", "_source")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._cut = False
        self._source = b""
        self._pos = 0

    def give(self, data: bytes) -> None:
        """Take the next bytes; ask `next` until it has no more."""
        self._source = self._source[self._pos :] + data if self._pos < len(self._source) else data
        self._pos = 0

    def next(self) -> Line | None:
        """Return the next whole line; None: it has not ended yet."""
        stop = self._source.find(b"\n", self._pos)
        end = len(self._source) if stop < 0 else stop
        room = self._limit - len(self._kept)
        self._kept += self._source[self._pos : min(end, self._pos + room)]
        self._cut |= end - self._pos > room
        self._pos = end if stop < 0 else stop + 1
        if stop < 0:
            self._source, self._pos = b"", 0
            return None
        line = Line(bytes(self._kept.removesuffix(b"\r")), self._cut)
        self.forget()
        return line

    @property
    def empty(self) -> bool:
        """Whether nothing is kept of a line that has begun, and all that was given has been read."""
        return not self._kept and not self._cut and self._pos >= len(self._source)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._kept) + len(self._source)

    def rest(self) -> bytes:
        """Take what was given and not read as lines: the protocol goes on as something else."""
        rest = bytes(self._kept) + self._source[self._pos :]
        self._source, self._pos = b"", 0
        self.forget()
        return rest

    def forget(self) -> None:
        """Drop the line that has begun."""
        self._kept.clear()
        self._cut = False
