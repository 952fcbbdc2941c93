"""Security associations: proposals with their transforms (RFC 2408 section 3.5, RFC 7296 section 3.3)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sensor.proto.reader import Reader, WireError

DOI_IPSEC = 1

MAX_PROPOSALS = 32
MAX_TRANSFORMS = 256
"""Of one message; real ones have up to some fifty."""

ENCRYPTION, PRF, INTEGRITY, GROUP, ESN = 1, 2, 3, 4, 5
"""Transform types of version 2 (RFC 7296 section 3.3.2)."""


class Transform(msgspec.Struct, gc=False):
    """Version 1: a set of attributes, in order. Version 2: one algorithm."""

    kind: int
    """Version 2: ENCRYPTION, …; version 1: the transform's id."""
    number: int = 0
    """Version 2: the algorithm."""
    attributes: list[tuple[int, int | bytes]] = []
    """(type, value); a value of other than two or four bytes stays as it is."""


class Proposal(msgspec.Struct, gc=False):
    """What one end offers, or has chosen."""

    protocol: int
    """1 IKE, 2 AH, 3 ESP."""
    transforms: list[Transform]


def proposals(reader: Reader, read: Callable[[Reader], Transform]) -> list[Proposal]:
    """Read the proposals of an association, with `transform1` or `transform2`: they are framed alike."""
    found: list[Proposal] = []
    room = MAX_TRANSFORMS
    while reader.left():
        if len(found) == MAX_PROPOSALS:
            raise WireError("too many proposals", reader.pos)
        body = _framed(reader)
        body.u8()
        protocol, spi_size, count = body.u8(), body.u8(), body.u8()
        body.skip(spi_size)
        room -= count
        if room < 0:
            raise WireError("too many transforms", body.pos)
        found.append(Proposal(protocol, [read(_framed(body)) for _ in range(count)]))
    return found


def _framed(reader: Reader) -> Reader:
    """Return a reader of the next proposal or transform: more, reserved, length with these four bytes."""
    reader.skip(2)
    return reader.restrict(reader.u16() - 4)


def transform1(body: Reader) -> Transform:
    """Read a transform of version 1."""
    body.u8()
    kind = body.u8()
    body.skip(2)
    return Transform(kind, attributes=_attributes(body))


def transform2(body: Reader) -> Transform:
    """Read a transform of version 2."""
    kind = body.u8()
    body.u8()
    return Transform(kind, body.u16(), _attributes(body))


def _attributes(body: Reader) -> list[tuple[int, int | bytes]]:
    """RFC 2408 section 3.3."""
    found: list[tuple[int, int | bytes]] = []
    while body.left():
        kind, value = body.u16(), body.u16()
        if kind & 0x8000:
            found.append((kind & 0x7FFF, value))
        else:
            raw = body.take(value)
            found.append((kind, int.from_bytes(raw, "big") if value == 4 else raw))
    return found
