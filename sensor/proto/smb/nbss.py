"""The framing of messages: the session service of NetBIOS (RFC 1002 section 4.3), or direct TCP."""

from __future__ import annotations

import re

from sensor.proto.smb import limits

_MESSAGE, _SESSION_KINDS = 0x00, frozenset({0x81, 0x82, 0x83, 0x84, 0x85})
_BEGINNING, _BEGINNING_SIZE = re.compile(rb"\0[\s\S]{3}[\xfc-\xff]SMB"), 8
"""Header of a message and its mark: SMB 1 (ff), SMB 2 (fe), encrypted (fd), compressed (fc)."""


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
        found = _BEGINNING.search(buffer, pos)
        return (found.start(), True) if found else (max(pos, len(buffer) - _BEGINNING_SIZE + 1), False)
