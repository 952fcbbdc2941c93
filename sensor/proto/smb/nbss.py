"""The framing of messages: the session service of NetBIOS (RFC 1002 section 4.3), or direct TCP."""

from __future__ import annotations

from sensor.proto.smb import limits

_MESSAGE, _SESSION_KINDS = 0x00, frozenset({0x81, 0x82, 0x83, 0x84, 0x85})
_MARK = b"SMB"
_FIRST = frozenset({0xFF, 0xFE, 0xFD, 0xFC})
"""Bytes before the mark: SMB 1, SMB 2, encrypted, compressed."""


class Nbss:
    """Shape of the stream (see `sensor.proto.pieces.Shape`)."""

    header = 4
    inclusive = False

    def size(self, buffer: bytearray, pos: int) -> tuple[int, bool] | None:
        """Read a header: its type, and 24 bits of length."""
        kind = buffer[pos]
        size = int.from_bytes(buffer[pos + 1 : pos + 4], "big")
        if kind == _MESSAGE:
            return size, True
        return (size, False) if kind in _SESSION_KINDS and size <= limits.NAME else None

    def search(self, buffer: bytearray, pos: int) -> tuple[int, bool]:
        """Look for the mark of a message where its header has it."""
        while True:
            mark = buffer.find(_MARK, pos)
            if mark < 0:
                return max(pos, len(buffer) - self.header - len(_MARK)), False
            start = mark - 1 - self.header
            if start >= pos and buffer[start] == _MESSAGE and buffer[mark - 1] in _FIRST:
                return start, True
            pos = mark + 1
