"""QUIC packets: long headers and the frames of Initial packets (RFC 9000 sections 17.2 and 19)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from sensor.proto.quic.keys import SECOND
from sensor.proto.reader import Reader, WireError

INITIAL, ZERO_RTT, HANDSHAKE, RETRY, NEGOTIATION = range(5)

MAX_ID = 20
"""Bytes of a connection id (RFC 9000 section 17.2)."""
MAX_FRAMES = 512
"""Frames read of a packet; a client that scrambles its hello sends some tens."""

_PADDING = re.compile(b"\\0*")
_PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE = 0x01, 0x02, 0x03, 0x06, 0x1C


class Packet(msgspec.Struct, gc=False):
    """A packet with a long header."""

    kind: int
    version: int
    dcid: bytes
    scid: bytes
    number_at: int = 0
    """Offset of the packet number in `raw`."""
    raw: bytes = b""
    """Header and payload."""


def packet(data: bytes, pos: int) -> tuple[Packet, int] | None:
    """Parse the packet that begins at pos; returns it and the offset behind it. None: no whole long header there."""
    reader = Reader(data, pos)
    try:
        first = reader.u8()
        if not first & 0x80:
            return None
        version = reader.u32()
        dcid = _connection_id(reader)
        scid = _connection_id(reader)
        kind = _kind(first, version)
        found = Packet(kind, version, dcid, scid)
        if kind in (RETRY, NEGOTIATION):
            return found, len(data)
        if kind == INITIAL:
            reader.skip(varint(reader))
        size = varint(reader)
        found.number_at = reader.pos - pos
        reader.skip(size)
    except WireError:
        return None
    found.raw = data[pos : reader.pos]
    return found, reader.pos


def _connection_id(reader: Reader) -> bytes:
    size = reader.u8()
    if size > MAX_ID:
        raise WireError("connection id is too long", reader.pos - 1)
    return reader.take(size)


def _kind(first: int, version: int) -> int:
    if version == 0:
        return NEGOTIATION
    kind = first >> 4 & 3
    return (kind - 1) % 4 if version in SECOND else kind


def varint(reader: Reader) -> int:
    """Read an integer of variable length (RFC 9000 section 16)."""
    first = reader.u8()
    value = first & 0x3F
    more = (1 << (first >> 6)) - 1
    return value << 8 * more | reader.uint(more)


def crypto(frames: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, bytes) of the CRYPTO frames; ends at the first frame that an Initial packet must not have.

    Raises WireError where a frame leaves the packet.
    """
    reader = Reader(frames)
    for _ in range(MAX_FRAMES):
        run = _PADDING.match(frames, reader.pos)
        reader.skip(run.end() - run.start() if run else 0)
        if not reader.left():
            return
        kind = reader.u8()
        if kind == _CRYPTO:
            offset = varint(reader)
            yield offset, reader.take(varint(reader))
        elif kind in (_ACK, _ACK_ECN):
            _skip_ack(reader, kind)
        elif kind == _CLOSE:
            varint(reader)
            varint(reader)
            reader.skip(varint(reader))
        elif kind != _PING:
            return


def _skip_ack(reader: Reader, kind: int) -> None:
    """RFC 9000 section 19.3. Each range has two bytes at least, so a lie about their number ends with the packet."""
    varint(reader)
    varint(reader)
    ranges = varint(reader)
    varint(reader)
    for _ in range(2 * min(ranges, reader.left()) + (3 if kind == _ACK_ECN else 0)):
        varint(reader)
