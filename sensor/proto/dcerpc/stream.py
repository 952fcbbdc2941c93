"""The PDUs in the byte stream of one side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.proto.dcerpc import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.proto.dcerpc.parse import Pdu

_START = re.compile(rb"\x05[\0\x01][\0\x02\x03\x0b-\x14][\s\S][\0\x01\x10\x11][\0-\x03]")
"""Version, type, flags and data representation: how a PDU begins."""


class PduStream:
    """Cuts PDUs out of a stream; holds at most one (65,535 bytes). Behind lost bytes it looks for the next one."""

    __slots__ = ("_buffer", "_skip", "lost", "sound")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        """Bytes of a PDU that is passed over, because part of it is lost."""
        self.lost = False
        """Where the next PDU begins is not known."""
        self.sound = True
        """False: something that is no PDU stands where one should."""

    def feed(self, data: bytes) -> Iterator[tuple[Pdu, bytes]]:
        """Yield each PDU that is complete: header, and what follows it."""
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        self._buffer += data
        pos = self._find(0)
        while self.sound and pos + parse.HEADER <= len(self._buffer):
            head = parse.pdu(self._buffer, pos)
            if head is None:
                self.sound = False
                break
            if pos + head.size > len(self._buffer):
                break
            yield head, bytes(self._buffer[pos + parse.HEADER : pos + head.size])
            pos += head.size
        del self._buffer[:pos]

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def gap(self, length: int) -> None:
        """Take note of lost bytes."""
        if self._skip >= length:
            self._skip -= length
            return
        head = parse.pdu(self._buffer) if len(self._buffer) >= parse.HEADER else None
        left = head.size - len(self._buffer) if head is not None and not self.lost else 0
        self._buffer.clear()
        self._skip = max(0, left - length)
        self.lost = left < length

    def _find(self, pos: int) -> int:
        """Return where the next PDU begins: here, or behind lost bytes wherever one looks like it."""
        while self.lost:
            found = _START.search(self._buffer, pos)
            pos = found.start() if found else max(pos, len(self._buffer) - parse.HEADER + 1)
            if pos + parse.HEADER > len(self._buffer):
                break
            self.lost = parse.pdu(self._buffer, pos) is None
            pos += self.lost
        return pos
