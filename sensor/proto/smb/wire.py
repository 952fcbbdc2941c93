"""Little-endian numbers and names at fixed places of a message: what is not there raises `Cut`."""

from __future__ import annotations

from sensor.proto.smb import limits


class Cut(ValueError):  # noqa: N818 - said where it is caught
    """A field lies outside of what is there."""


def number(data: bytes, pos: int, size: int) -> int:
    """Return the number at `pos`. Raises Cut."""
    if pos < 0 or pos + size > len(data):
        raise Cut
    return int.from_bytes(data[pos : pos + size], "little")


def piece(data: bytes, pos: int, size: int) -> bytes:
    """Return bytes. Raises Cut."""
    if pos < 0 or pos + size > len(data):
        raise Cut
    return data[pos : pos + size]


def wide(raw: bytes) -> bytes:
    """Return UTF-16 as UTF-8 without what follows a zero; up to `limits.NAME` bytes are read."""
    return raw[: limits.NAME].decode("utf-16-le", "replace").partition("\0")[0].encode("utf-8", "replace")


def wide_end(data: bytes, pos: int) -> int:
    """Return where a UTF-16 text from `pos` ends (its zero, or the end of the data)."""
    at = pos
    while True:
        found = data.find(b"\0\0", at, pos + limits.NAME + 2)
        if found < 0:
            return min(len(data), pos + limits.NAME)
        if not (found - pos) % 2:
            return found
        at = found + 1


def seconds(filetime: int) -> int:
    """Return seconds since 1970 of 100-nanosecond steps since 1601 (0 and before: 0)."""
    return max(0, filetime // 10_000_000 - 11_644_473_600)
