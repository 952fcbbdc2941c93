"""Frames of HTTP/2 (RFC 9113 section 4): one side's bytes cut; DATA in pieces as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import msgspec

from sensor.proto.http2 import limits
from sensor.proto.reader import Reader

(
    DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION,
) = range(10)  # fmt: skip
KINDS = MappingProxyType(
    {
        "data": DATA, "headers": HEADERS, "priority": PRIORITY, "rst_stream": RST_STREAM, "settings": SETTINGS,
        "push_promise": PUSH_PROMISE, "ping": PING, "goaway": GOAWAY, "window_update": WINDOW_UPDATE,
        "continuation": CONTINUATION,
    }
)  # fmt: skip
"""Section 6, as rules and EVE write them."""
ERRORS = MappingProxyType(
    {
        name: code
        for code, name in enumerate(
            (
                "no_error", "protocol_error", "internal_error", "flow_control_error", "settings_timeout",
                "stream_closed", "frame_size_error", "refused_stream", "cancel", "compression_error",
                "connect_error", "enhance_your_calm", "inadequate_security", "http_1_1_required",
            )
        )
    }
)  # fmt: skip
"""Section 7."""
SETTINGS_NAMES = (
    "header_table_size", "enable_push", "max_concurrent_streams", "initial_window_size", "max_frame_size",
    "max_header_list_size",
)  # fmt: skip
"""Section 6.5.2, from 1."""

END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
HEAD = 9
"""Bytes of a frame's header (section 4.1)."""


class Frame(msgspec.Struct, gc=False):
    """One frame, or a piece of DATA."""

    kind: int
    flags: int
    stream: int
    length: int
    """Of its payload."""
    payload: bytes = b""
    """Of DATA: this piece, without padding."""
    last: bool = True
    """It is complete with this."""
    raw: bytes = b""
    """Header and payload as sent, cut to what is kept; of DATA with its last piece."""


class FrameReader:
    """Cuts one side's bytes into frames. Holds one frame."""

    __slots__ = ("_buffer", "_frame", "_left", "_padding")

    def __init__(self) -> None:
        self._buffer = bytearray()
        """Header, then what is kept of the payload."""
        self._frame: Frame | None = None
        self._left = 0
        """Bytes of the frame still to come."""
        self._padding = -1
        """Bytes at the end of a DATA frame that are none of its data; -1: not known yet."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames, and pieces of DATA, that these bytes complete."""
        pos = 0
        while pos < len(data) or (self._frame is not None and not self._left):
            if self._frame is None:
                piece = data[pos : pos + HEAD - len(self._buffer)]
                pos += len(piece)
                self._buffer += piece
                if len(self._buffer) == HEAD:
                    self._open()
                continue
            piece = data[pos : pos + self._left]
            pos += len(piece)
            yield from self._take(self._frame, piece)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def skip(self, length: int) -> Frame | None:
        """Pass over lost bytes; return the DATA frame in which they all are; None: the framing is lost."""
        frame = self._frame
        if frame is None or frame.kind != DATA or length >= self._left:
            return None
        self._left -= length
        return frame

    def _open(self) -> None:
        head = Reader(bytes(self._buffer))
        length, kind, flags = head.u24(), head.u8(), head.u8()
        self._frame = Frame(kind, flags, head.u32() & 0x7FFFFFFF, length)
        self._left = length
        self._padding = -1 if kind == DATA and flags & PADDED else 0

    def _take(self, frame: Frame, piece: bytes) -> Iterator[Frame]:
        room = HEAD + (limits.FRAME_KEPT if frame.kind == DATA else limits.FRAME) - len(self._buffer)
        self._buffer += piece[: max(0, room)]
        self._left -= len(piece)
        payload = self._unpadded(frame, piece) if frame.kind == DATA else b""
        if not self._left:
            raw = bytes(self._buffer)
            self._buffer.clear()
            self._frame = None
            whole = raw[HEAD:] if frame.kind != DATA else payload
            yield Frame(frame.kind, frame.flags, frame.stream, frame.length, whole, True, raw)
        elif payload:
            yield Frame(frame.kind, frame.flags, frame.stream, frame.length, payload, False)

    def _unpadded(self, frame: Frame, piece: bytes) -> bytes:
        """Return the data of a piece (section 6.1)."""
        if self._padding < 0 and piece:
            self._padding = min(piece[0], frame.length - 1)
            piece = piece[1:]
        if not self._padding:
            return piece
        return piece[: max(0, len(piece) - max(0, self._padding - self._left))]
