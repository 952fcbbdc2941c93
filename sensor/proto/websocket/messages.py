"""Messages of one side: fragments put together, compression undone (RFC 6455 section 5.4, RFC 7692 section 7.2)."""

from __future__ import annotations

import zlib

from sensor.proto.websocket.frames import COMPRESSED, FIN, MAX_PAYLOAD, Frame

_TAIL = b"\0\0\xff\xff"
"""Ends of compressed messages that are not sent (RFC 7692 section 7.2.2)."""
MAX_INFLATED = 1 << 20
"""Bytes that one message may grow to. The next one may refer to them, so they are made even if they are not kept."""
_WINDOW = 48 << 10
_CONTROL = 8
"""Opcodes from here on are control frames, which may stand between fragments."""


class Messages:
    """What the payload of a frame says, as rules see it."""

    __slots__ = ("_compressed", "_inflate", "_parts", "_under_way", "cut")

    def __init__(self) -> None:
        self._parts = bytearray()
        self._under_way = False
        self._compressed = False
        self._inflate: zlib._Decompress | None = None
        """Its window lasts from message to message; None: none has come."""
        self.cut = False
        """The message at hand is longer than is kept."""

    def payload(self, frame: Frame) -> bytes:
        """Return a frame's payload; of the last frame of a message the whole message."""
        self.cut = False
        if frame.opcode >= _CONTROL:
            return frame.payload
        if not self._under_way:
            self._compressed = bool(frame.flags & COMPRESSED)
            self._parts.clear()
        room = MAX_PAYLOAD - len(self._parts)
        self.cut = len(frame.payload) > room
        self._parts += frame.payload[:room]
        self._under_way = not frame.flags & FIN
        if self._under_way:
            return frame.payload
        whole = bytes(self._parts)
        self._parts.clear()
        return self._inflated(whole) if self._compressed else whole

    @property
    def held(self) -> int:
        """Bytes in memory, the window of the compression included."""
        return len(self._parts) + (_WINDOW if self._inflate is not None else 0)

    def _inflated(self, data: bytes) -> bytes:
        """Undo the compression; what cannot be undone stays as it is."""
        engine = self._inflate = self._inflate or zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            out = engine.decompress(data + _TAIL, MAX_INFLATED)
        except zlib.error:
            self._inflate = None
            return data
        if engine.unconsumed_tail or engine.eof:
            self.cut |= bool(engine.unconsumed_tail)
            self._inflate = None
        self.cut |= len(out) > MAX_PAYLOAD
        return out[:MAX_PAYLOAD] or data
