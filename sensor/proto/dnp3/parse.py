"""Application fragments of DNP3 (IEEE 1815 section 4.2) and the headers of their objects (section 4.2.2.7)."""

from __future__ import annotations

from types import MappingProxyType

import msgspec

from sensor.proto.dnp3.sizes import sizes
from sensor.proto.reader import Reader, WireError

RESPONSE = 129
"""Function codes from here on are those of responses, which carry indications."""

FIR, FIN, CON, UNS = 0x80, 0x40, 0x20, 0x10
"""Bits of the application control byte; the others are a sequence number."""

MAX_OBJECTS, MAX_POINTS = 2048, 16384
"""Object headers read of a fragment, and points that these name: as many as Suricata reads."""

CONFIRM = 0
_WITHOUT_DATA = frozenset({0, 1, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24})
"""Functions whose requests name objects without carrying any."""
_INDEX = (0, 1, 2, 4, 1, 2, 4, 0)
"""Bytes in front of each object, by prefix code; codes from 4 on give its size (table 4-4)."""
_RANGES = MappingProxyType(
    {0: (1, True), 1: (2, True), 2: (4, True), 7: (1, False), 8: (2, False), 9: (4, False), 11: (1, False)}
)
_ALL = 6
_MOST = 0xFFFFFFFF


class Objects(msgspec.Struct, gc=False):
    """An object header."""

    group: int
    variation: int
    qualifier: int
    start: int = 0
    stop: int = 0
    count: int = 0


class Fragment(msgspec.Struct, gc=False):
    """A request or a response."""

    control: int
    function: int
    indications: int = 0
    """First byte high."""
    objects: list[Objects] = []
    malformed: bool = False
    """An object leaves the fragment; those before it are here."""
    unknown: bool = False
    """The size of an object is not known: those behind it are not read."""
    crowded: bool = False
    """It has more object headers than are read."""
    overfull: bool = False
    """They name more points than are read: the header that does so is the last one here."""

    @property
    def is_response(self) -> bool:
        """Whether the outstation sent it."""
        return self.function >= RESPONSE


def fragment(data: bytes) -> Fragment | None:
    """Parse a fragment; None where its header is cut."""
    reader = Reader(data)
    try:
        found = Fragment(reader.u8(), reader.u8())
        if found.is_response:
            found.indications = reader.u16()
    except WireError:
        return None
    try:
        _objects(reader, found)
    except WireError:
        found.malformed = True
    return found


def _objects(reader: Reader, found: Fragment) -> None:
    bare, points = found.function in _WITHOUT_DATA, 0
    objects = found.objects = []
    while reader.left():
        if len(objects) == MAX_OBJECTS:
            found.crowded = True
            return
        header = Objects(reader.u8(), reader.u8(), reader.u8())
        _range(reader, header)
        objects.append(header)
        points += header.count
        if points > MAX_POINTS:
            found.overfull = True
            return
        if not _skip(reader, header, bare=bare):
            found.unknown = True
            return


def _range(reader: Reader, header: Objects) -> None:
    """Read the range field (table 4-5)."""
    code = header.qualifier & 0x0F
    if code == _ALL:
        return
    if code not in _RANGES:
        raise WireError("range specifier is reserved", reader.pos)
    width, pair = _RANGES[code]
    first = int.from_bytes(reader.take(width), "little")
    if not pair:
        header.count = first
        return
    header.start, header.stop = first, int.from_bytes(reader.take(width), "little")
    if header.stop < header.start:
        raise WireError("range ends before it starts", reader.pos)
    header.count = header.stop - header.start + 1
    if header.count > _MOST:
        raise WireError("range has more objects than a count may say", reader.pos)


def _skip(reader: Reader, header: Objects, *, bare: bool) -> bool:
    """Pass over the objects; False where their size is not known."""
    prefix = header.qualifier >> 4 & 7
    width = _INDEX[prefix]
    if prefix >= 4:
        for _ in range(min(header.count, reader.left())):
            reader.skip(int.from_bytes(reader.take(width), "little"))
        return True
    if bare or header.qualifier & 0x0F == _ALL:
        reader.skip(width * header.count)
        return True
    bits = sizes(header.group, header.variation)
    if bits < 0:
        return header.count == 0
    reader.skip(width * header.count + -(-bits * header.count // 8))
    return True
