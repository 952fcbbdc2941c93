"""Messages of SMB 1: bytes to records (MS-CIFS section 2.2, MS-SMB section 2.2)."""

from __future__ import annotations

import struct

import msgspec

from sensor.proto.smb import limits
from sensor.proto.smb.records import Create, Data, Opened
from sensor.proto.smb.wire import Cut, number, piece, seconds, wide, wide_end

HEADER = 32
MARK = b"\xffSMB"

CLOSE, TRANS, ECHO, OPEN_ANDX, READ_ANDX, WRITE_ANDX, TRANS2 = 0x04, 0x25, 0x2B, 0x2D, 0x2E, 0x2F, 0x32
TREE_DISCONNECT, NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT = 0x71, 0x72, 0x73, 0x74, 0x75
NT_TRANS, NT_CREATE = 0xA0, 0xA2
ANDX = frozenset({OPEN_ANDX, READ_ANDX, WRITE_ANDX, SESSION_SETUP, LOGOFF, TREE_CONNECT, NT_CREATE})
"""Commands that may carry another one behind them."""
NO_ANDX = 0xFF

_HEADER = struct.Struct("<4xBIBHH10xHHHH").unpack_from
_REPLY, _UNICODE, _NT_STATUS = 0x80, 0x8000, 0x4000
_TRANSACT_PIPE = 0x26
_DIRECTORY, _DELETE_ON_CLOSE = 0x1, 0x1000


class Header(msgspec.Struct, frozen=True, gc=False):
    """The header that all commands of a chain share."""

    command: int
    status: int
    flags: int
    flags2: int
    tree: int
    process: int
    user: int
    multiplex: int

    @property
    def response(self) -> bool:
        """Sent by the server."""
        return bool(self.flags & _REPLY)

    @property
    def wide(self) -> bool:
        """Its texts are UTF-16."""
        return bool(self.flags2 & _UNICODE)

    @property
    def nt_status(self) -> bool:
        """Its status is one of NT, not of DOS."""
        return bool(self.flags2 & _NT_STATUS)


class Block(msgspec.Struct, frozen=True, gc=False):
    """One command of a chain: where in the message its words and bytes stand."""

    command: int
    words: int
    """Where they begin."""
    word_count: int
    data: int
    """Where its bytes begin."""
    data_end: int


class LogOn(msgspec.Struct, frozen=True, gc=False):
    """A session set-up: a security blob, or user and domain in clear."""

    blob: bytes
    user: bytes
    domain: bytes
    native_os: bytes
    native_lm: bytes


def header(data: bytes) -> Header:
    """Read the header. Raises Cut."""
    if len(data) < HEADER or data[:4] != MARK:
        raise Cut
    command, status, flags, flags2, process_high, tree, process, user, multiplex = _HEADER(data)
    return Header(command, status, flags, flags2, tree, process | process_high << 16, user, multiplex)


def chain(data: bytes, first: int, whole: int) -> list[Block]:
    """Return the commands of a message of `whole` bytes, as far as they are sound. Raises Cut if none is."""
    blocks: list[Block] = []
    command, pos = first, HEADER
    while len(blocks) < limits.CHAIN:
        if pos >= len(data):
            raise Cut
        count = data[pos]
        after = pos + 1 + 2 * count
        if after + 2 > len(data):
            if blocks:
                break
            raise Cut
        size = data[after] | data[after + 1] << 8
        blocks.append(Block(command, pos + 1, count, after + 2, min(after + 2 + size, whole)))
        if command not in ANDX or count < 2:
            break
        command, following = data[pos + 1], number(data, pos + 3, 2)
        if command == NO_ANDX or not pos < following < len(data):
            break
        pos = following
    return blocks


def dialects(data: bytes, block: Block) -> tuple[list[bytes], bool]:
    """Return the dialects that a client offers, and whether all of them are sound."""
    found: list[bytes] = []
    raw = data[block.data : block.data_end]
    for text in raw.split(b"\0")[:-1][: limits.DIALECTS]:
        if text[:1] != b"\2":
            return found, False
        found.append(text[1:])
    return found, raw.endswith(b"\0")


def dialect_index(data: bytes, block: Block) -> int:
    """Return which of the offered dialects the server chose."""
    return _word(data, block, 0)


def log_on(data: bytes, block: Block, *, unicode: bool) -> LogOn:
    """Read a session set-up."""
    if block.word_count == 12:
        size = _word(data, block, 7)
        blob, at = piece(data, block.data, size), block.data + size
        os, lm = _texts(data, block, at, 2, unicode=unicode)
        return LogOn(blob, b"", b"", os, lm)
    if block.word_count != 13:
        raise Cut
    at = block.data + _word(data, block, 7) + _word(data, block, 8)
    user, domain, os, lm = _texts(data, block, at, 4, unicode=unicode)
    return LogOn(b"", user, domain, os, lm)


def logged_on(data: bytes, block: Block, *, unicode: bool) -> tuple[bytes, bytes]:
    """Return native system and LAN manager of the server."""
    at = block.data + (_word(data, block, 3) if block.word_count == 4 else 0)
    os, lm = _texts(data, block, at, 2, unicode=unicode)
    return os, lm


def share(data: bytes, block: Block, *, unicode: bool) -> tuple[bytes, bytes]:
    """Return path and service of a tree connect."""
    at = block.data + _word(data, block, 3)
    (path,) = _texts(data, block, at, 1, unicode=unicode)
    end = (wide_end(data, at + at % 2) + 2) if unicode else data.find(b"\0", at) + 1
    return path, data[end : block.data_end].partition(b"\0")[0][:32]


def service(data: bytes, block: Block) -> bytes:
    """Return the service of a connected tree."""
    return data[block.data : block.data_end].partition(b"\0")[0][:32]


def create(data: bytes, block: Block, *, unicode: bool) -> Create:
    """Read a request to open."""
    if block.word_count < 24:
        raise Cut
    at, size = block.data, number(data, block.words + 5, 2)
    at += at % 2 if unicode else 0
    raw = data[at : min(at + size, block.data_end)]
    options = number(data, block.words + 39, 4)
    name = wide(raw) if unicode else raw.partition(b"\0")[0][: limits.NAME]
    disposition = number(data, block.words + 35, 4)
    return Create(name, disposition, bool(options & _DIRECTORY), bool(options & _DELETE_ON_CLOSE))


def opened(data: bytes, block: Block) -> Opened:
    """Read the answer to a request to open."""
    if block.word_count < 34:
        raise Cut
    times = tuple(seconds(number(data, block.words + at, 8)) for at in (11, 19, 27, 35))
    size = number(data, block.words + 55, 8)
    return Opened(piece(data, block.words + 5, 2), size, times)


def closed(data: bytes, block: Block) -> bytes:
    """Return the handle that is closed."""
    return _handle(data, block, 0)


def read_request(data: bytes, block: Block) -> Data:
    """Read what is asked for."""
    offset = number(data, block.words + 6, 4)
    if block.word_count >= 12:
        offset |= number(data, block.words + 20, 4) << 32
    return Data(_handle(data, block, 2), offset, number(data, block.words + 10, 2), b"")


def read_response(data: bytes, block: Block) -> tuple[int, bytes]:
    """Return how many bytes were read, and those in the message's beginning."""
    if block.word_count < 12:
        raise Cut
    size = _word(data, block, 5) | _word(data, block, 7) << 16
    return _held(data, _word(data, block, 6), size)


def write_request(data: bytes, block: Block) -> Data:
    """Read what is written."""
    if block.word_count < 12:
        raise Cut
    size = _word(data, block, 10) | _word(data, block, 9) << 16
    offset = number(data, block.words + 6, 4)
    if block.word_count >= 14:
        offset |= number(data, block.words + 24, 4) << 32
    size, held = _held(data, _word(data, block, 11), size)
    return Data(_handle(data, block, 2), offset, size, held)


def pipe_request(data: bytes, block: Block) -> Data | None:
    """Read what a transaction writes to a pipe; None: it does something else."""
    if block.word_count < 16 or _word(data, block, 14) != _TRANSACT_PIPE:
        return None
    size, held = _held(data, _word(data, block, 12), _word(data, block, 11))
    return Data(_handle(data, block, 15), 0, size, held)


def pipe_response(data: bytes, block: Block) -> tuple[int, bytes]:
    """Return what a transaction read from a pipe."""
    if block.word_count < 10:
        return 0, b""
    return _held(data, _word(data, block, 7), _word(data, block, 6))


def _handle(data: bytes, block: Block, index: int) -> bytes:
    return _word(data, block, index).to_bytes(2, "little")


def _word(data: bytes, block: Block, index: int) -> int:
    if index >= block.word_count:
        raise Cut
    return number(data, block.words + 2 * index, 2)


def _texts(data: bytes, block: Block, at: int, count: int, *, unicode: bool) -> list[bytes]:
    """Return texts that follow each other; those that are missing are empty."""
    found: list[bytes] = []
    if unicode:
        at += at % 2
    for _ in range(count):
        if at >= block.data_end:
            found.append(b"")
        elif unicode:
            end = wide_end(data, at)
            found.append(wide(data[at:end]))
            at = end + 2
        else:
            text = data[at : block.data_end].partition(b"\0")[0]
            found.append(text[: limits.NAME])
            at += len(text) + 1
    return found


def _held(data: bytes, at: int, size: int) -> tuple[int, bytes]:
    """Return the size of a part, and as much of it as is there."""
    if size and at < HEADER:
        raise Cut
    return size, data[at : at + size]
