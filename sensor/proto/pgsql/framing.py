"""Messages in the streams of both ends: without a type before the log-on, and one byte where TLS is answered."""

from __future__ import annotations

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
PROTOCOL_3 = 3 << 16
_CODES = frozenset({SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST})

FIRST_TYPE = 48
"""No type of a message is less."""
_STARTUP, _TYPED = 8, 5
_MAX_STARTUP = 10_000
"""Bytes of a startup packet that a server takes (MAX_STARTUP_PACKET_LENGTH)."""


class Phase:
    """What the framing of both ends depends on."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = 0
        """Requests for encryption that wait for their answer of one byte."""


class Client:
    """Shape of the client's stream (see `sensor.proto.pieces.Shape`)."""

    inclusive = True

    def __init__(self, phase: Phase) -> None:
        self._phase = phase
        self.header = _STARTUP

    def size(self, buffer: bytearray, pos: int) -> tuple[int, bool] | None:
        """Read a header."""
        if buffer[pos] >= FIRST_TYPE:  # a log-on is shorter than that: it was missed, or has been read
            self.header = _TYPED
        if self.header == _TYPED:
            return _typed(buffer, pos)
        size = int.from_bytes(buffer[pos : pos + 4], "big")
        code = int.from_bytes(buffer[pos + 4 : pos + 8], "big")
        if not _STARTUP <= size <= _MAX_STARTUP or (code not in _CODES and code >> 16 != 3):
            return None
        if code in {SSL_REQUEST, GSS_REQUEST}:
            self._phase.asked += 1
        elif code != CANCEL_REQUEST:
            self.header = _TYPED
        return size, True

    def search(self, buffer: bytearray, pos: int) -> tuple[int, bool]:  # noqa: ARG002 - one signature for all
        """Give up: nothing tells a message from its contents."""
        return len(buffer), False


class Server:
    """Shape of the server's stream."""

    inclusive = True

    def __init__(self, phase: Phase) -> None:
        self._phase = phase

    @property
    def header(self) -> int:
        """Bytes of the next header."""
        return 1 if self._phase.asked else _TYPED

    def size(self, buffer: bytearray, pos: int) -> tuple[int, bool] | None:
        """Read a header."""
        if not self._phase.asked:
            return _typed(buffer, pos)
        self._phase.asked -= 1
        return (1, True) if buffer[pos] in b"SNGE" else None

    def search(self, buffer: bytearray, pos: int) -> tuple[int, bool]:  # noqa: ARG002 - one signature for all
        """Give up: nothing tells a message from its contents."""
        return len(buffer), False


def _typed(buffer: bytearray, pos: int) -> tuple[int, bool] | None:
    """Read type and length, which counts itself."""
    kind, size = buffer[pos], int.from_bytes(buffer[pos + 1 : pos + 5], "big")
    return (1 + size, True) if 4 <= size < 1 << 30 and FIRST_TYPE <= kind < 127 else None
