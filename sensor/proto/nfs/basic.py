"""Arguments and results of the procedures of NFS 2 (RFC 1094) and 3 (RFC 1813)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sensor.proto.nfs import rpc
from sensor.proto.reader import Reader, WireError

_HANDLE, _NAME, _DATA = 64, 1024, 1 << 25
_HANDLE2 = 32
"""Bytes of a handle of version 2."""
_ATTRIBUTES, _ATTRIBUTES2 = 84, 68

NAMES2 = (
    "NULL", "GETATTR", "SETATTR", "ROOT", "LOOKUP", "READLINK", "READ", "WRITECACHE", "WRITE", "CREATE", "REMOVE",
    "RENAME", "LINK", "SYMLINK", "MKDIR", "RMDIR", "READDIR", "STATFS",
)  # fmt: skip
NAMES3 = (
    "NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK",
    "MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
)  # fmt: skip

STATUSES: Mapping[int, str] = MappingProxyType(
    {
        0: "OK", 1: "ERR_PERM", 2: "ERR_NOENT", 5: "ERR_IO", 6: "ERR_NXIO", 13: "ERR_ACCESS", 17: "ERR_EXIST",
        18: "ERR_XDEV", 19: "ERR_NODEV", 20: "ERR_NOTDIR", 21: "ERR_ISDIR", 22: "ERR_INVAL", 27: "ERR_FBIG",
        28: "ERR_NOSPC", 30: "ERR_ROFS", 31: "ERR_MLINK", 63: "ERR_NAMETOOLONG", 66: "ERR_NOTEMPTY", 69: "ERR_DQUOT",
        70: "ERR_STALE", 71: "ERR_REMOTE", 10001: "ERR_BADHANDLE", 10002: "ERR_NOT_SYNC", 10003: "ERR_BAD_COOKIE",
        10004: "ERR_NOTSUPP", 10005: "ERR_TOOSMALL", 10006: "ERR_SERVERFAULT", 10007: "ERR_BADTYPE",
        10008: "ERR_JUKEBOX",
    }
)  # fmt: skip

_NAMED = frozenset({"LOOKUP", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "REMOVE", "RMDIR", "RENAME"})
_MAKES = frozenset({"LOOKUP", "CREATE", "MKDIR", "SYMLINK", "MKNOD"})
"""Procedures whose result is a handle of what they name."""
_HANDLED = frozenset(
    {"GETATTR", "SETATTR", "ACCESS", "READLINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
     "STATFS"}
)  # fmt: skip


class Arguments(msgspec.Struct, gc=False):
    """What a call says."""

    procedure: str
    handle: bytes = b""
    name: bytes = b""
    to_name: bytes = b""
    """New name of a rename."""
    offset: int = 0
    size: int = 0
    """Bytes wanted, or written."""
    data: bytes = b""
    """Bytes written, as far as they are there."""


class Results(msgspec.Struct, gc=False):
    """What a reply says."""

    status: int
    handle: bytes = b""
    size: int = 0
    """Bytes read."""
    data: bytes = b""
    """As far as they are there."""
    end: bool = False
    """The file ends behind them."""


def procedure(version: int, number: int) -> str:
    """Return the name of a procedure."""
    names = NAMES2 if version == 2 else NAMES3
    return names[number] if number < len(names) else f"{number}"


def status(value: int) -> str:
    """Return the name of a status."""
    return STATUSES.get(value, f"{value}")


def arguments(reader: Reader, version: int, name: str) -> Arguments:
    """Read what a call says. Raises WireError."""
    found = Arguments(name)
    if name in _NAMED:
        found.handle, found.name = _handle(reader, version), rpc.opaque(reader, _NAME)
        if name == "RENAME":
            _handle(reader, version)
            found.to_name = rpc.opaque(reader, _NAME)
    elif name == "READ":
        found.handle, found.offset = _handle(reader, version), reader.u32() if version == 2 else reader.u64()
        found.size = reader.u32()
    elif name == "WRITE":
        _write(reader, version, found)
    elif name in _HANDLED:
        found.handle = _handle(reader, version)
    return found


def _write(reader: Reader, version: int, found: Arguments) -> None:
    found.handle = _handle(reader, version)
    if version == 2:
        reader.skip(4)
        found.offset = reader.u32()
        reader.skip(4)
    else:
        found.offset = reader.u64()
        reader.skip(8)
    found.size, found.data = _data(reader)


def results(reader: Reader, version: int, name: str) -> Results:
    """Read what a reply says. Raises WireError."""
    found = Results(reader.u32())
    if found.status:
        return found
    if name in _MAKES:
        found.handle = _made(reader, version, name)
    elif name == "READ":
        if version == 2:
            reader.skip(_ATTRIBUTES2)
        else:
            _attributes(reader)
            reader.skip(4)
            found.end = bool(reader.u32())
        found.size, found.data = _data(reader)
    return found


def _made(reader: Reader, version: int, name: str) -> bytes:
    if version == 2:
        return reader.take(_HANDLE2) if name in {"LOOKUP", "CREATE", "MKDIR"} else b""
    if name != "LOOKUP" and not reader.u32():
        return b""
    return rpc.opaque(reader, _HANDLE)


def _attributes(reader: Reader) -> None:
    if reader.u32():
        reader.skip(_ATTRIBUTES)


def _handle(reader: Reader, version: int) -> bytes:
    return reader.take(_HANDLE2) if version == 2 else rpc.opaque(reader, _HANDLE)


def _data(reader: Reader) -> tuple[int, bytes]:
    """Return the size of a file's bytes, and those that are there."""
    size = reader.u32()
    if size > _DATA:
        raise WireError("more bytes than a record has", reader.pos)
    return size, reader.take(min(size, reader.left()))
