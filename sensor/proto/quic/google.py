"""QUIC as Google had it before the IETF: the CHLO of the client, in the clear up to Q046 (gQUIC crypto draft)."""

from __future__ import annotations

import struct

import msgspec

from sensor.proto.reader import Reader, WireError

CHLO = b"CHLO"
MAX_TAGS = 64
"""Tags of a CHLO; clients send some 25."""

_HASH = 12
"""Bytes of the keyed hash in front of the frames of a packet that is not encrypted."""
_STREAM = 0x80
_TAG = struct.Struct("<4sI")


class Hello(msgspec.Struct, gc=False):
    """A CHLO: tag names without their padding, in order, and values."""

    tags: list[tuple[bytes, bytes]]

    def value(self, tag: bytes) -> bytes:
        """Return the value of a tag; empty: it is absent."""
        return next((value for name, value in self.tags if name == tag), b"")


class Plain(msgspec.Struct, gc=False):
    """A packet of Q024 to Q046."""

    version: int
    hello: Hello | None


def version_number(word: bytes) -> int:
    """Return `Q043` and its like as a number; 0: it is none."""
    return int.from_bytes(word, "big") if word[:1] in (b"Q", b"T") and word[1:].isdigit() and len(word) == 4 else 0


def is_plain(version: int) -> bool:
    """Tell whether the packets of a version are not encrypted before the handshake."""
    return version >> 24 == ord("Q") and int(version.to_bytes(4, "big")[1:]) < 50


def packet(data: bytes) -> Plain | None:
    """Parse a packet that names its version; None where it does not, or is cut."""
    reader = Reader(data)
    try:
        first = reader.u8()
        found = _long(reader, first) if first & 0x80 else _short(reader, first)
        if found is None:
            return None
        reader.skip(_HASH)
        found.hello = _frames(reader)
    except WireError:
        return None
    return found


def _long(reader: Reader, first: int) -> Plain | None:
    """Q046: the header that the IETF had at that time."""
    version = version_number(reader.take(4))
    sizes = reader.u8()
    for nibble in (sizes >> 4, sizes & 15):
        reader.skip(nibble + 3 if nibble else 0)
    reader.skip((first & 3) + 1)
    return Plain(version, None) if version else None


def _short(reader: Reader, first: int) -> Plain | None:
    """Q043 and before: flags, connection id, version, packet number."""
    if not first & 0x01 or first & 0x02:
        return None
    if first & 0x08:
        reader.skip(8)
    version = version_number(reader.take(4))
    reader.skip((1, 2, 4, 6)[first >> 4 & 3])
    return Plain(version, None) if version else None


def _frames(reader: Reader) -> Hello | None:
    """Return the CHLO of the first STREAM frame; what stands in front of it is padding."""
    while reader.left():
        kind = reader.u8()
        if kind & _STREAM:
            reader.skip((kind & 3) + 1)
            offset = kind >> 2 & 7
            reader.skip(offset + 1 if offset else 0)
            size = reader.u16() if kind & 0x20 else reader.left()
            return hello(reader.take(size))
        if kind:
            return None
    return None


def hello(data: bytes) -> Hello | None:
    """Parse a CHLO; None where it is another message, or its tags lie."""
    if data[:4] != CHLO or len(data) < 8:
        return None
    count = int.from_bytes(data[4:6], "little")
    start = 8 + _TAG.size * count
    if count > MAX_TAGS or start > len(data):
        return None
    tags: list[tuple[bytes, bytes]] = []
    begin = 0
    for number in range(count):
        name, end = _TAG.unpack_from(data, 8 + _TAG.size * number)
        if end < begin or start + end > len(data):
            return None
        tags.append((name.rstrip(b"\0"), data[start + begin : start + end]))
        begin = end
    return Hello(tags)
