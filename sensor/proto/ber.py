"""A bounds-checked cursor over BER and DER (X.690): definite lengths, tag numbers below 31.

Kerberos, SNMP and LDAP use no more. Nothing recurses: a caller enters as many levels as it names.
"""

from __future__ import annotations

from typing import NamedTuple

from sensor.proto.reader import Reader, WireError

BOOLEAN, INTEGER, OCTETS, NULL, OID, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x05, 0x06, 0x0A, 0x30, 0x31
"""Identifier octets of universal types (X.690 section 8.1.2); the last two are constructed."""

MAX_INTEGER = 16
"""Bytes of an INTEGER that is read as a number; longer ones are malformed."""

MAX_OID = 128
"""Bytes of an object identifier that are shown."""


class Element(NamedTuple):
    """One element: `data[start:end]` is its content."""

    tag: int
    """The identifier octet: class, constructed bit, number."""
    start: int
    end: int


def context(number: int) -> int:
    """Return the identifier octet of a constructed context-specific tag."""
    return 0xA0 | number


class Ber:
    """Cursor over the elements in `data[pos:end]`; whatever does not fit raises `WireError`."""

    __slots__ = ("_reader",)

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        self._reader = Reader(data, pos, end)

    @property
    def pos(self) -> int:
        """Offset of the next element."""
        return self._reader.pos

    def more(self) -> bool:
        """Tell whether another element follows."""
        return self._reader.left() > 0

    def peek(self) -> int:
        """Return the identifier octet of the next element; -1: there is none."""
        reader = self._reader
        return reader.data[reader.pos] if reader.left() else -1

    def next(self) -> Element:
        """Pass over the next element and return it."""
        reader = self._reader
        start = reader.pos
        tag = reader.u8()
        if tag & 0x1F == 0x1F:
            raise WireError("tag number above 30", start)
        size = reader.u8()
        if size >= 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 4:
                raise WireError("length is indefinite or too long", start)
            size = reader.uint(octets)
        begin = reader.pos
        reader.skip(size)
        return Element(tag, begin, reader.pos)

    def expect(self, tag: int) -> Element:
        """Pass over the next element, which must have this identifier octet."""
        start = self.pos
        found = self.next()
        if found.tag != tag:
            raise WireError(f"tag {tag:#x} wanted, {found.tag:#x} found", start)
        return found

    def enter(self, tag: int) -> Ber:
        """Pass over the next element, which must have this tag, and return a cursor over its content."""
        return self.inside(self.expect(tag))

    def inside(self, element: Element) -> Ber:
        """Return a cursor over an element's content."""
        return Ber(self._reader.data, element.start, element.end)

    def find(self, tag: int) -> Ber | None:
        """Pass over elements up to the one with this tag and return a cursor over its content; None: end of elements.

        For fields in ascending order of their tags: those with a lower one are passed over, a higher one is kept.
        """
        while (found := self.peek()) >= 0:
            if found == tag:
                return self.enter(tag)
            if found > tag:
                return None
            self.next()
        return None

    def content(self, element: Element) -> bytes:
        """Return an element's content."""
        return self._reader.data[element.start : element.end]

    def integer(self, tag: int = INTEGER) -> int:
        """Read a signed INTEGER (or what is encoded like one)."""
        start = self.pos
        raw = self.content(self.expect(tag))
        if not 1 <= len(raw) <= MAX_INTEGER:
            raise WireError("integer of no bytes or too many", start)
        return int.from_bytes(raw, "big", signed=True)

    def octets(self, tag: int = OCTETS) -> bytes:
        """Read an OCTET STRING (or what is encoded like one)."""
        return self.content(self.expect(tag))


HEAD = 6
"""Bytes that tell the size of an element: its identifier octet, and a length of up to five."""


def size(head: bytes) -> int:
    """Return the size of a whole element, told from its first `HEAD` bytes; 0: its length is not definite."""
    first = head[1]
    if first < 0x80:
        return 2 + first
    octets = first & 0x7F
    return 2 + octets + int.from_bytes(head[2 : 2 + octets], "big") if 1 <= octets <= 4 else 0


def oid(raw: bytes) -> str:
    """Return an OBJECT IDENTIFIER in dotted form (X.690 section 8.19). Raises WireError where it is cut."""
    if not raw or raw[-1] & 0x80:
        raise WireError("object identifier is cut", 0)
    arcs: list[int] = []
    value = 0
    for byte in raw[:MAX_OID]:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(value)
            value = 0
        elif value >> 64:
            raise WireError("arc of an object identifier is too large", 0)
    top = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:]) if arcs else ()))
