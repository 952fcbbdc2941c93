"""Messages of SMB 2 and 3: bytes to records (MS-SMB2 section 2.2)."""

from __future__ import annotations

import struct

import msgspec

from sensor.proto.smb import limits
from sensor.proto.smb.records import Create, Data, Opened
from sensor.proto.smb.wire import Cut, number, piece, seconds, wide

HEADER = 64
MARK = b"\xfeSMB"

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE, FLUSH, READ, WRITE = range(10)
LOCK, IOCTL, CANCEL, ECHO, QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO, SET_INFO, OPLOCK_BREAK = range(10, 19)

PENDING = 0x103
"""STATUS_PENDING: the response proper is still to come."""
PIPE_TRANSCEIVE = 0x0011C017
LAST_HANDLE = b"\xff" * 16
"""In a compound: the file of the request before."""

_HEADER = struct.Struct("<4xH2xIH2xIIQ4xIQ").unpack_from
_RESPONSE, _ASYNC = 1, 2
_RENAME = 10
_DIRECTORY, _DELETE_ON_CLOSE = 0x1, 0x1000
"""Bits of the create options."""


class Header(msgspec.Struct, frozen=True, gc=False):
    """The header of one message of a compound."""

    command: int
    status: int
    flags: int
    next: int
    """Bytes to the next message of the compound; 0: this is the last."""
    message: int
    tree: int
    session: int

    @property
    def response(self) -> bool:
        """Sent by the server."""
        return bool(self.flags & _RESPONSE)


class Negotiated(msgspec.Struct, frozen=True, gc=False):
    """Answer to a negotiation."""

    dialect: int
    server: bytes
    max_read: int
    max_write: int


def header(data: bytes) -> Header:
    """Read the header. Raises Cut."""
    if len(data) < HEADER or data[:4] != MARK:
        raise Cut
    size, status, command, flags, following, message, tree, session = _HEADER(data)
    if size != HEADER:
        raise Cut
    return Header(command, status, flags, following, message, 0 if flags & _ASYNC else tree, session)


def dialects(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """Return the dialects that a client offers, and its GUID."""
    count = min(number(data, HEADER + 2, 2), limits.DIALECTS)
    return tuple(number(data, HEADER + 36 + 2 * i, 2) for i in range(count)), piece(data, HEADER + 12, 16)


def negotiated(data: bytes) -> Negotiated:
    """Read the answer to a negotiation."""
    guid = piece(data, HEADER + 8, 16)
    return Negotiated(number(data, HEADER + 4, 2), guid, number(data, HEADER + 32, 4), number(data, HEADER + 36, 4))


def security_request(data: bytes) -> bytes:
    """Return the blob of a session set-up, as much of it as is there."""
    at = number(data, HEADER + 12, 2)
    return data[at : at + number(data, HEADER + 14, 2)]


def share(data: bytes) -> bytes:
    """Return the path of a tree connect."""
    return wide(piece(data, number(data, HEADER + 4, 2), number(data, HEADER + 6, 2)))


def share_type(data: bytes) -> int:
    """Return the kind of share: 1 disk, 2 pipe, 3 printer."""
    return number(data, HEADER + 2, 1)


def create(data: bytes) -> Create:
    """Read a request to open."""
    options = number(data, HEADER + 40, 4)
    name = wide(piece(data, number(data, HEADER + 44, 2), number(data, HEADER + 46, 2)))
    return Create(name, number(data, HEADER + 36, 4), bool(options & _DIRECTORY), bool(options & _DELETE_ON_CLOSE))


def opened(data: bytes) -> Opened:
    """Read the answer to a request to open."""
    times = tuple(seconds(number(data, HEADER + at, 8)) for at in (8, 16, 24, 32))
    return Opened(piece(data, HEADER + 64, 16), number(data, HEADER + 48, 8), times)


def closed(data: bytes) -> bytes:
    """Return the handle that is closed."""
    return piece(data, HEADER + 8, 16)


def read_request(data: bytes) -> Data:
    """Read what is asked for."""
    return Data(piece(data, HEADER + 16, 16), number(data, HEADER + 8, 8), number(data, HEADER + 4, 4), b"")


def read_response(data: bytes, end: int) -> tuple[int, bytes]:
    """Return how many bytes were read, and those before `end`."""
    return _held(data, number(data, HEADER + 2, 1), number(data, HEADER + 4, 4), end)


def write_request(data: bytes, end: int) -> Data:
    """Read what is written, before `end`."""
    size, held = _held(data, number(data, HEADER + 2, 2), number(data, HEADER + 4, 4), end)
    return Data(piece(data, HEADER + 16, 16), number(data, HEADER + 8, 8), size, held)


def ioctl_request(data: bytes, end: int) -> tuple[int, Data]:
    """Return the control code and what goes in."""
    size, held = _held(data, number(data, HEADER + 24, 4), number(data, HEADER + 28, 4), end)
    return number(data, HEADER + 4, 4), Data(piece(data, HEADER + 8, 16), 0, size, held)


def ioctl_response(data: bytes, end: int) -> tuple[int, Data]:
    """Return the control code and what comes out."""
    size, held = _held(data, number(data, HEADER + 32, 4), number(data, HEADER + 36, 4), end)
    return number(data, HEADER + 4, 4), Data(piece(data, HEADER + 8, 16), 0, size, held)


def renamed(data: bytes) -> tuple[bytes, bytes] | None:
    """Return (handle, new name) of a request that renames; None: it sets something else."""
    if number(data, HEADER + 2, 1) != 1 or number(data, HEADER + 3, 1) != _RENAME:
        return None
    at = number(data, HEADER + 8, 2)
    name = wide(piece(data, at + 20, number(data, at + 16, 4)))
    return piece(data, HEADER + 16, 16), name


def _held(data: bytes, at: int, size: int, end: int) -> tuple[int, bytes]:
    """Return the size of a part, and as much of it as is there before `end`."""
    if size and at < HEADER:
        raise Cut
    return size, data[at : min(at + size, end)]
