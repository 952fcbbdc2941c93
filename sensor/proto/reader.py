"""The only bounds-checked cursor over bytes from the wire. Used inside `sensor.proto` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensor.errors import SensorError

if TYPE_CHECKING:
    import struct


class WireError(SensorError):
    """The bytes end before the field does, or a field says what it cannot say."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at offset {offset}")
        self.reason = reason
        self.offset = offset
        """Where in the message the faulty field starts."""


class Reader:
    """Big-endian cursor over `data[pos:end]`; every read that would pass `end` raises `WireError`.

    Offsets are those of `data`, also in a restricted reader, so that compression pointers and error messages
    mean the same everywhere.
    """

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        size = len(data)
        self.data = data
        self.end = size if end is None else min(max(end, 0), size)
        self.pos = min(max(pos, 0), self.end)

    def left(self) -> int:
        """Bytes not read yet."""
        return self.end - self.pos

    def uint(self, nbytes: int) -> int:
        """Read an unsigned integer of this many bytes."""
        pos = self.pos
        stop = pos + nbytes
        if stop > self.end or nbytes < 0:
            raise WireError(f"{nbytes} bytes wanted, {self.end - pos} left", pos)
        self.pos = stop
        return int.from_bytes(self.data[pos:stop], "big")

    def u8(self) -> int:
        """Read one byte."""
        pos = self.pos
        if pos >= self.end:
            raise WireError("1 byte wanted, 0 left", pos)
        self.pos = pos + 1
        return self.data[pos]

    def u16(self) -> int:
        """Read 16 bits."""
        return self.uint(2)

    def u24(self) -> int:
        """Read 24 bits (lengths of TLS handshakes)."""
        return self.uint(3)

    def u32(self) -> int:
        """Read 32 bits."""
        return self.uint(4)

    def u64(self) -> int:
        """Read 64 bits."""
        return self.uint(8)

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        """Read several fields at once."""
        pos = self.pos
        stop = pos + form.size
        if stop > self.end:
            raise WireError(f"{form.size} bytes wanted, {self.end - pos} left", pos)
        self.pos = stop
        return form.unpack_from(self.data, pos)

    def take(self, nbytes: int) -> bytes:
        """Read bytes."""
        pos = self.pos
        stop = pos + nbytes
        if stop > self.end or nbytes < 0:
            raise WireError(f"{nbytes} bytes wanted, {self.end - pos} left", pos)
        self.pos = stop
        return self.data[pos:stop]

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(self.end - self.pos)

    def skip(self, nbytes: int) -> None:
        """Pass over bytes without copying them."""
        stop = self.pos + nbytes
        if stop > self.end or nbytes < 0:
            raise WireError(f"{nbytes} bytes to skip, {self.end - self.pos} left", self.pos)
        self.pos = stop

    def restrict(self, nbytes: int) -> Reader:
        """Pass over the next bytes and return a reader of just these."""
        start = self.pos
        self.skip(nbytes)
        return Reader(self.data, start, self.pos)
