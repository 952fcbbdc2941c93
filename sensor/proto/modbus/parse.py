"""Modbus messages: bytes to a record (Modbus application protocol V1.1b3, messaging on TCP/IP V1.0b)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

HEADER = struct.Struct("!HHHBB")
"""Transaction, protocol (0), bytes that follow, unit, function."""

READ_COILS, READ_DISCRETES, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_REGISTER = range(1, 7)
DIAGNOSTICS, WRITE_COILS, WRITE_REGISTERS, MASK_WRITE, READ_WRITE, INTERFACE = 8, 15, 16, 22, 23, 43
EXCEPTION = 0x80
"""Set in the function of a response that reports an error."""

READ, WRITE, DISCRETES, COILS, INPUT, HOLDING = 1, 2, 4, 8, 16, 32
"""Bits of a kind of access."""

ACCESS: Mapping[int, int] = MappingProxyType(
    {
        READ_COILS: READ | COILS, READ_DISCRETES: READ | DISCRETES, READ_HOLDING: READ | HOLDING,
        READ_INPUT: READ | INPUT, WRITE_COIL: WRITE | COILS, WRITE_REGISTER: WRITE | HOLDING,
        WRITE_COILS: WRITE | COILS, WRITE_REGISTERS: WRITE | HOLDING, MASK_WRITE: WRITE | HOLDING,
        READ_WRITE: READ | WRITE | HOLDING,
    }
)  # fmt: skip

ASSIGNED, UNASSIGNED, USER, RESERVED = 1, 2, 4, 8
"""Bits of a category of functions (section 5)."""
_RESERVED = frozenset({9, 10, 13, 14, 41, 42, 90, 91, 125, 126, 127})
_ASSIGNED = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43})
_DIAGNOSES = frozenset({0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20})
_INTERFACES = frozenset({13, 14})
_EMPTY = frozenset({7, 11, 12, 17})
"""Functions whose requests have no data."""

_MOST: Mapping[int, int] = MappingProxyType(
    {READ_COILS: 2000, READ_DISCRETES: 2000, READ_HOLDING: 125, READ_INPUT: 125, WRITE_COILS: 1968,
     WRITE_REGISTERS: 123}
)  # fmt: skip
"""Largest quantity by function (section 6)."""


class Request(msgspec.Struct, gc=False):
    """A request."""

    transaction: int
    protocol: int
    unit: int
    function: int
    subfunction: int | None = None
    address: int | None = None
    """First address, from 0."""
    quantity: int = 1
    written: list[int] = []
    """Values for the addresses from `address` on: 16 bits, or 0 and 1 of several coils."""
    bad_length: bool = False
    bad_value: bool = False


def request(data: bytes) -> Request:
    """Parse a whole message of at least eight bytes."""
    transaction, protocol, _, unit, function = HEADER.unpack_from(data)
    found = Request(transaction, protocol, unit, function)
    body = data[HEADER.size :]
    read = _READERS.get(function)
    if (read is not None and len(body) < 4) or (function == DIAGNOSTICS and len(body) < 2):
        found.bad_length = True
    elif read is not None:
        read(body, found)
    elif function == DIAGNOSTICS:
        found.subfunction = int.from_bytes(body[:2], "big")
        found.bad_value = _is_odd_diagnosis(found.subfunction, body[2:])
    elif function in _EMPTY:
        found.bad_length = bool(body)
    elif function == INTERFACE and body:
        found.subfunction = body[0]
    return found


def _is_odd_diagnosis(subfunction: int, data: bytes) -> bool:
    """Tell whether a diagnosis has other data than its subfunction asks for (section 6.8)."""
    if subfunction == 0:  # returned as sent
        return False
    if subfunction == 1:
        return data not in (b"\0\0", b"\xff\0")
    return data[1:] != b"\0" if subfunction == 3 else data != b"\0\0"


def _range(body: bytes, found: Request) -> None:
    found.address, found.quantity = struct.unpack_from("!HH", body)
    found.bad_length = len(body) != 4
    found.bad_value = not 1 <= found.quantity <= _MOST[found.function]


def _single(body: bytes, found: Request) -> None:
    found.address, value = struct.unpack_from("!HH", body)
    found.written = [value]
    found.bad_length = len(body) != 4
    found.bad_value = found.function == WRITE_COIL and value not in (0, 0xFF00)


def _mask(body: bytes, found: Request) -> None:
    found.address = int.from_bytes(body[:2], "big")
    found.bad_length = len(body) != 6


def _several(body: bytes, found: Request) -> None:
    _range(body[:4], found)
    bits = found.function == WRITE_COILS
    _values(body[4:], found, bits=bits)


def _both(body: bytes, found: Request) -> None:
    """Read and write: the addresses that are written count."""
    if len(body) < 9:
        found.bad_length = True
        return
    found.address, found.quantity = struct.unpack_from("!HH", body, 4)
    found.bad_value = not 1 <= found.quantity <= 121
    _values(body[8:], found, bits=False)


def _values(body: bytes, found: Request, *, bits: bool) -> None:
    """Read a count of bytes and so many bytes."""
    raw = body[1:]
    needed = -(-found.quantity // 8) if bits else 2 * found.quantity
    if not body or body[0] != len(raw) or len(raw) != needed:
        found.bad_length = True
    elif bits:
        found.written = [raw[n >> 3] >> (n & 7) & 1 for n in range(found.quantity)]
    else:
        found.written = list(struct.unpack(f"!{found.quantity}H", raw))


_READERS = MappingProxyType(
    {
        **dict.fromkeys((READ_COILS, READ_DISCRETES, READ_HOLDING, READ_INPUT), _range),
        **dict.fromkeys((WRITE_COIL, WRITE_REGISTER), _single),
        **dict.fromkeys((WRITE_COILS, WRITE_REGISTERS), _several),
        MASK_WRITE: _mask,
        READ_WRITE: _both,
    }
)


def category(found: Request) -> int:
    """Return the category of a request's function; 0: there is no function 0."""
    function, sub = found.function, found.subfunction
    if function in _RESERVED:
        return RESERVED
    if function in (DIAGNOSTICS, INTERFACE) and sub is not None:
        return ASSIGNED if sub in (_DIAGNOSES if function == DIAGNOSTICS else _INTERFACES) else RESERVED
    if function in _ASSIGNED:
        return ASSIGNED
    if 65 <= function <= 72 or 100 <= function <= 110:
        return USER
    return UNASSIGNED if 0 < function < EXCEPTION else 0
