"""PDUs of connection-oriented DCE/RPC: bytes to records (C706 chapter 12.6, MS-RPCE section 2.2.2)."""

from __future__ import annotations

import uuid

import msgspec

HEADER = 16
"""Bytes of the common header."""

REQUEST, RESPONSE, FAULT = 0, 2, 3
BIND, BIND_ACK, BIND_NAK, ALTER, ALTER_ACK, AUTH3 = 11, 12, 13, 14, 15, 16
SHUTDOWN, CANCEL, ORPHANED, RTS = 17, 18, 19, 20
TYPES = frozenset({REQUEST, RESPONSE, FAULT, *range(BIND, RTS + 1)})
"""PDU types of the connection-oriented protocol."""

FIRST, LAST = 1, 2
"""Bits of `flags`."""

MAX_CONTEXTS = 64
"""Presentation contexts read of one bind; Windows offers 1 to 3."""

_VERSION, _LITTLE = 5, 0x10
_SYNTAX = 20
"""Bytes of a syntax id: UUID, version."""


class Pdu(msgspec.Struct, frozen=True, gc=False):
    """The common header."""

    kind: int
    flags: int
    little: bool
    size: int
    """Bytes of the whole PDU."""
    auth_size: int
    call: int

    @property
    def order(self) -> str:
        """The byte order of its numbers."""
        return "little" if self.little else "big"


class Context(msgspec.Struct, frozen=True, gc=False):
    """A presentation context that a bind offers."""

    number: int
    interface: str
    """UUID in text, lowercase."""
    version: int
    minor: int

    @property
    def text(self) -> bytes:
        """UUID and major version as rules see them."""
        return f"{self.interface} {self.version}".encode()


def pdu(data: bytes | bytearray, pos: int = 0) -> Pdu | None:
    """Read the header at `pos`, of which all bytes are there; None: it is none."""
    if data[pos] != _VERSION or data[pos + 1] > 1 or data[pos + 2] not in TYPES:
        return None
    drep = data[pos + 4]
    if drep & 0xEE or data[pos + 5] > 3:
        return None
    order = "little" if drep & _LITTLE else "big"
    size = _number(data, pos + 8, 2, order)
    if size < HEADER:
        return None
    auth, call = _number(data, pos + 10, 2, order), _number(data, pos + 12, 4, order)
    return Pdu(data[pos + 2], data[pos + 3], bool(drep & _LITTLE), size, auth, call)


def contexts(body: bytes, order: str) -> tuple[tuple[Context, ...], bool]:
    """Read what BIND or ALTER CONTEXT offers from what follows the header, and whether all of it is sound."""
    if len(body) < 12:
        return (), False
    found: list[Context] = []
    pos = 12
    for _ in range(body[8]):
        if pos + 24 > len(body) or len(found) == MAX_CONTEXTS:
            return tuple(found), False
        interface = _uuid(body[pos + 4 : pos + 20], order)
        number, version, minor = (_number(body, pos + at, 2, order) for at in (0, 20, 22))
        found.append(Context(number, interface, version, minor))
        pos += 24 + _SYNTAX * body[pos + 2]
    return tuple(found), pos <= len(body)


def results(body: bytes, order: str) -> tuple[tuple[int, int], ...] | None:
    """Read the answer to each context from what follows the header: 0 accepted, and why not; None: malformed."""
    if len(body) < 10:
        return None
    pos = 10 + _number(body, 8, 2, order)
    pos += -(HEADER + pos) % 4
    if pos + 4 > len(body):
        return None
    count = body[pos]
    pos += 4
    if count > MAX_CONTEXTS or pos + (4 + _SYNTAX) * count > len(body):
        return None
    places = (pos + (4 + _SYNTAX) * i for i in range(count))
    return tuple((_number(body, at, 2, order), _number(body, at + 2, 2, order)) for at in places)


def request(body: bytes, order: str) -> tuple[int, int] | None:
    """Read (context, operation) of a request from what follows the header; None: it is cut."""
    return (_number(body, 4, 2, order), _number(body, 6, 2, order)) if len(body) >= 8 else None


def _number(data: bytes | bytearray, pos: int, size: int, order: str) -> int:
    return int.from_bytes(data[pos : pos + size], "little" if order == "little" else "big")


def _uuid(raw: bytes, order: str) -> str:
    return str(uuid.UUID(bytes_le=raw) if order == "little" else uuid.UUID(bytes=raw))
