"""Compounds of NFS 4 (RFC 7530 section 14, RFC 8881 for SEQUENCE): what of them touches names and files.

Arguments and results of an operation have no length of their own: reading ends at the first that is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from sensor.proto.nfs import limits, rpc
from sensor.proto.reader import Reader, WireError

(ACCESS, CLOSE, COMMIT, CREATE) = (3, 4, 5, 6)
(GETATTR, GETFH, LOOKUP, OPEN, PUTFH, PUTROOTFH, READ, READDIR) = (9, 10, 15, 18, 22, 24, 25, 26)
(REMOVE, RENAME, RENEW, RESTOREFH, SAVEFH, WRITE, SEQUENCE) = (28, 29, 30, 31, 32, 38, 53)

_HANDLE, _NAME, _TAG, _MAX = 128, 1024, 1024, 1 << 16
_STATE = 16
_CREATE_NEW, _CLAIM_NULL = 1, 0


class Operation(msgspec.Struct, gc=False):
    """One operation, of a call or of a reply."""

    number: int
    handle: bytes = b""
    name: bytes = b""
    to_name: bytes = b""
    offset: int = 0
    size: int = 0
    data: bytes = b""
    end: bool = False
    status: int = 0


def call(reader: Reader) -> list[Operation]:
    """Return the operations of a call that could be read. Raises WireError where there is no compound."""
    rpc.opaque(reader, _TAG)
    reader.skip(4)
    return _operations(reader, _ARGUMENTS, replied=False)


def reply(reader: Reader) -> tuple[int, list[Operation]]:
    """Return the status of a reply, and the operations of it that could be read. Raises WireError."""
    status = reader.u32()
    rpc.opaque(reader, _TAG)
    return status, _operations(reader, _RESULTS, replied=True)


def _operations(reader: Reader, readers: Mapping[int, _Read], *, replied: bool) -> list[Operation]:
    found: list[Operation] = []
    count = reader.u32()
    try:
        for _ in range(min(count, limits.OPERATIONS)):
            one = Operation(reader.u32())
            if replied:
                one.status = reader.u32()
            read = readers.get(one.number)
            found.append(one)
            if read is None or one.status:
                break
            read(reader, one)
    except WireError:
        pass  # the record's beginning ends here: what stands before is kept
    return found


def _skip(nbytes: int) -> _Read:
    return lambda reader, _: reader.skip(nbytes)


def _named(reader: Reader, one: Operation) -> None:
    one.name = rpc.opaque(reader, _NAME)


def _renamed(reader: Reader, one: Operation) -> None:
    one.name, one.to_name = rpc.opaque(reader, _NAME), rpc.opaque(reader, _NAME)


def _put(reader: Reader, one: Operation) -> None:
    one.handle = rpc.opaque(reader, _HANDLE)


def _bitmap(reader: Reader) -> None:
    reader.skip(4 * min(reader.u32(), _MAX))


def _attributes(reader: Reader) -> None:
    _bitmap(reader)
    rpc.opaque(reader, _MAX)


def _read(reader: Reader, one: Operation) -> None:
    reader.skip(_STATE)
    one.offset, one.size = reader.u64(), reader.u32()


def _write(reader: Reader, one: Operation) -> None:
    reader.skip(_STATE)
    one.offset = reader.u64()
    reader.skip(4)
    _data(reader, one)


def _did_read(reader: Reader, one: Operation) -> None:
    one.end = bool(reader.u32())
    _data(reader, one)


def _data(reader: Reader, one: Operation) -> None:
    one.size = reader.u32()
    one.data = reader.take(min(one.size, reader.left()))
    reader.skip(min(-one.size % 4, reader.left()))


def _open(reader: Reader, one: Operation) -> None:
    reader.skip(12 + 8)
    rpc.opaque(reader, _NAME)
    if reader.u32() == _CREATE_NEW:
        mode = reader.u32()
        if mode >= 2:
            reader.skip(8)
        if mode != 2:
            _attributes(reader)
    if reader.u32() == _CLAIM_NULL:
        one.name = rpc.opaque(reader, _NAME)
        return
    raise WireError("a claim without a name", reader.pos)


def _opened(reader: Reader, _one: Operation) -> None:
    reader.skip(_STATE + 20 + 4)
    _bitmap(reader)
    kind = reader.u32()
    if not kind:
        return
    reader.skip(_STATE + 4)
    if kind == 2:
        reader.skip(12)  # the limit of space: its kind, and eight bytes of either
    reader.skip(12)
    rpc.opaque(reader, _NAME)


def _readdir(reader: Reader, _one: Operation) -> None:
    reader.skip(8 + 8 + 8)
    _bitmap(reader)


def _nothing(_reader: Reader, _one: Operation) -> None:
    """Read nothing: there is none."""


_Read = Callable[[Reader, Operation], None]

_ARGUMENTS: Mapping[int, _Read] = MappingProxyType(
    {
        ACCESS: _skip(4), CLOSE: _skip(4 + _STATE), COMMIT: _skip(12), GETATTR: lambda reader, _: _bitmap(reader),
        GETFH: _nothing, LOOKUP: _named, OPEN: _open, PUTFH: _put, PUTROOTFH: _nothing, READ: _read,
        READDIR: _readdir, REMOVE: _named, RENAME: _renamed, RENEW: _skip(8), RESTOREFH: _nothing, SAVEFH: _nothing,
        WRITE: _write, SEQUENCE: _skip(32),
    }
)  # fmt: skip

_RESULTS: Mapping[int, _Read] = MappingProxyType(
    {
        ACCESS: _skip(8), CLOSE: _skip(_STATE), COMMIT: _skip(8), GETATTR: lambda reader, _: _attributes(reader),
        GETFH: _put, LOOKUP: _nothing, OPEN: _opened, PUTFH: _nothing, PUTROOTFH: _nothing, READ: _did_read,
        REMOVE: _skip(20), RENAME: _skip(40), RENEW: _nothing, RESTOREFH: _nothing, SAVEFH: _nothing,
        WRITE: _skip(16), SEQUENCE: _skip(36),
    }
)  # fmt: skip
