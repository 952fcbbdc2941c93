"""Frames in the byte stream of one side (RFC 6455 section 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MAX_PAYLOAD = 65535
"""Bytes of a frame or of a message that are kept (Suricata's max-payload-size)."""
FIN, COMPRESSED = 0x80, 0x40


class Frame(NamedTuple):
    """One frame."""

    flags: int
    """FIN and the reserved bits, in their places in the first byte."""
    opcode: int
    mask: int | None
    payload: bytes
    """Unmasked; its beginning, where it is longer than is kept."""
    cut: bool
    """It was longer."""


class FrameReader:
    """Cuts frames out of a stream; holds the beginning of one."""

    __slots__ = ("_buffer", "_skip")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        """Bytes of a frame that are passed over."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames of which all that is kept is there."""
        passed = min(self._skip, len(data))
        self._skip -= passed
        self._buffer += data[passed:]
        pos = 0
        while True:
            found = _header(self._buffer, pos)
            if found is None:
                break
            start, size, key = found
            kept = min(size, MAX_PAYLOAD)
            if len(self._buffer) - start < kept:
                break
            first = self._buffer[pos]
            payload = _unmasked(bytes(self._buffer[start : start + kept]), key)
            mask = int.from_bytes(key, "big") if key else None
            yield Frame(first & 0xF0, first & 0x0F, mask, payload, size > kept)
            pos = start + kept
            self._skip = size - kept
            passed = min(self._skip, len(self._buffer) - pos)
            self._skip -= passed
            pos += passed
        del self._buffer[:pos]

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def gap(self, length: int) -> bool:
        """Pass over lost bytes; False: they held more than the rest of a long frame, where the next begins is lost."""
        if length > self._skip:
            return False
        self._skip -= length
        return True


def _header(buffer: bytearray, pos: int) -> tuple[int, int, bytes] | None:
    """Return (start of the payload, its size, masking key); None: the header is not complete."""
    if len(buffer) - pos < 2:
        return None
    second = buffer[pos + 1]
    size, at = second & 0x7F, pos + 2
    wide = {126: 2, 127: 8}.get(size, 0)
    end = at + wide + (4 if second & 0x80 else 0)
    if len(buffer) < end:
        return None
    if wide:
        size = int.from_bytes(buffer[at : at + wide], "big")
    return end, size, bytes(buffer[end - 4 : end]) if second & 0x80 else b""


def _unmasked(payload: bytes, key: bytes) -> bytes:
    if not key or not payload:
        return payload
    stream = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return mixed.to_bytes(len(payload), "big")
