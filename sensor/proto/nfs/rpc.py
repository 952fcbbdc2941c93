"""Calls and replies of ONC RPC (RFC 5531), and their records in a byte stream (section 11)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from sensor.proto.reader import Reader, WireError
from sensor.proto.text import text

CALL, REPLY = 0, 1
NFS = 100_003
"""Program number (RFC 1813 section 3)."""
_VERSION = 2
_MAX_AUTH = 400
"""Bytes of credentials (section 8.2)."""
_UNIX = 1
_FLAVORS: Mapping[int, str] = MappingProxyType({0: "NULL", _UNIX: "UNIX", 6: "GSS_API"})
"""Words for kinds of credentials (section 8.2, RFC 2203)."""
_LAST = 0x80000000
_BEGINNING, _BEGINNING_SIZE = re.compile(rb"\x80[\s\S]{7}\0\0\0(?:\x00\x00\x00\x00\x02|\x01\x00\x00\x00\x00)"), 16
"""Header of a fragment and what follows it: number, call, version 2; or number, reply, accepted."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """The header of a call."""

    xid: int
    program: int
    version: int
    procedure: int
    flavor: int = 0
    """Of its credentials (section 8.2)."""
    credentials: bytes = b""


def call(reader: Reader) -> Call | None:
    """Read the header of a call, the reader is at its arguments then; None: it is a reply. Raises WireError."""
    xid = reader.u32()
    if reader.u32() != CALL:
        return None
    if reader.u32() != _VERSION:
        raise WireError("another version of RPC", reader.pos)
    program, version, procedure, flavor = reader.u32(), reader.u32(), reader.u32(), reader.u32()
    credentials = opaque(reader, _MAX_AUTH)
    reader.skip(4)
    opaque(reader, _MAX_AUTH)
    return Call(xid, program, version, procedure, flavor, credentials)


def caller(found: Call) -> dict[str, Any]:
    """Return what a call says of who makes it, as EVE has it."""
    shown: dict[str, Any] = {"auth_type": _FLAVORS.get(found.flavor, f"UNKNOWN {found.flavor}")}
    if found.flavor != _UNIX:
        return shown
    try:
        reader = Reader(found.credentials)
        reader.skip(4)
        machine = opaque(reader, _MAX_AUTH)
        return shown | {"creds": {"machine_name": text(machine), "uid": reader.u32(), "gid": reader.u32()}}
    except WireError:
        return shown


def reply(reader: Reader) -> tuple[int, str, bool]:
    """Read the header of a reply: its number, the word for its status, whether results follow. Raises WireError."""
    xid = reader.u32()
    if reader.u32() != REPLY:
        raise WireError("no reply", reader.pos)
    if reader.u32():
        return xid, "DENIED", False
    reader.skip(4)
    opaque(reader, _MAX_AUTH)
    return xid, "ACCEPTED", reader.u32() == 0


def opaque(reader: Reader, most: int) -> bytes:
    """Read bytes of variable length (RFC 4506 section 4.10). Raises WireError where there are more than `most`."""
    size = reader.u32()
    if size > most:
        raise WireError(f"{size} bytes where {most} are allowed", reader.pos)
    found = reader.take(size)
    reader.skip(min(-size % 4, reader.left()))
    return found


class Records:
    """Shape of the stream (see `sensor.proto.pieces.Shape`)."""

    header = 4
    inclusive = False

    def __init__(self) -> None:
        self._goes_on = False
        """The fragment before was not the last of its record."""

    def size(self, buffer: bytearray, pos: int) -> tuple[int, bool] | None:
        """Read the header of a fragment; what continues a record is no beginning."""
        word = int.from_bytes(buffer[pos : pos + 4], "big")
        begins, self._goes_on = not self._goes_on, word < _LAST
        size = word % _LAST
        return (size, begins) if size < 1 << 25 else None

    def search(self, buffer: bytearray, pos: int) -> tuple[int, bool]:
        """Look for a call of NFS, or a reply that was accepted, behind the header of a fragment."""
        self._goes_on = False
        found = _BEGINNING.search(buffer, pos)
        return (found.start(), True) if found else (max(pos, len(buffer) - _BEGINNING_SIZE + 1), False)
