"""The data link layer of DNP3: frames with their checksums (IEEE 1815 section 9)."""

from __future__ import annotations

from typing import NamedTuple

HEADER = 10
"""Start, length, control, destination, source, checksum."""
_BLOCK = 16
_POLYNOMIAL = 0xA6BC
"""x^16 + x^13 + x^12 + x^11 + x^10 + x^8 + x^6 + x^5 + x^2 + 1, lowest bit first."""
_FIXED = 5
"""Bytes that the length counts besides user data."""


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_crc_of, range(256)))


class Frame(NamedTuple):
    """A frame."""

    control: int
    destination: int
    source: int
    data: bytes
    """User data, checksums removed."""
    header_ok: bool
    data_ok: bool


def crc(data: bytes) -> int:
    """Return the checksum of a block."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFF


def size(head: bytes) -> int:
    """Return the size of a frame, told from its header; 0: none begins so."""
    if head[:2] != b"\x05\x64" or head[2] < _FIXED:
        return 0
    user = head[2] - _FIXED
    return HEADER + user + 2 * -(-user // _BLOCK)


def frame(raw: bytes) -> Frame:
    """Parse a whole frame."""
    data_ok, parts = True, []
    for at in range(HEADER, len(raw), _BLOCK + 2):
        block = raw[at : at + _BLOCK + 2]
        data_ok &= _is_whole(block)
        parts.append(block[:-2])
    destination, source = (int.from_bytes(raw[at : at + 2], "little") for at in (4, 6))
    return Frame(raw[3], destination, source, b"".join(parts), _is_whole(raw[:HEADER]), data_ok)


def _is_whole(block: bytes) -> bool:
    return crc(block[:-2]) == int.from_bytes(block[-2:], "little")
