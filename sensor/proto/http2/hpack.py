"""HPACK: header blocks to fields (RFC 7541). The dynamic table and what a block may grow to are bounded."""

from __future__ import annotations

from collections import deque

from sensor.proto.http2 import huffman, limits
from sensor.proto.reader import Reader, WireError

Field = tuple[bytes, bytes]

_STATIC: tuple[Field, ...] = tuple(
    (name, value)
    for name, _, value in (
        line.partition(b"=")
        for line in (
            b":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|"
            b":status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|"
            b"accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|"
            b"allow|authorization|cache-control|content-disposition|content-encoding|content-language|"
            b"content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|"
            b"if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|"
            b"max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|"
            b"set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
        ).split(b"|")
    )
)
"""Appendix A."""
_DEFAULT_TABLE = 4096
_OVERHEAD = 32
"""Bytes that an entry counts beside its text (section 4.1)."""

_OBJECTS = 120
"""Bytes of memory that it takes besides these."""


class IntegerError(WireError):
    """An integer does not fit (section 5.1)."""


class Decoder:
    """One direction's decoder."""

    __slots__ = ("_limit", "_size", "_table", "updates")

    def __init__(self) -> None:
        self._table: deque[Field] = deque()
        """The newest entry first."""
        self._size = 0
        self._limit = _DEFAULT_TABLE
        self.updates: list[int] = []
        """Table sizes that the last block announced."""

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return self._size + _OBJECTS * len(self._table)

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields of a block, as many as may be kept. Raises WireError."""
        reader, size = Reader(block), 0
        out: list[Field] = []
        self.updates = []
        while reader.left():
            found = self._one(reader)
            if found is None:
                continue
            size += len(found[0]) + len(found[1])
            if len(out) < limits.HEADERS and size <= limits.HEADER_LIST:
                out.append(found)
        return out

    def _one(self, reader: Reader) -> Field | None:
        """Read one representation (section 6)."""
        first = reader.u8()
        if first & 0x80:
            return self._entry(_integer(reader, first, 7), reader)
        if first & 0xE0 == 0x20:
            self._resize(_integer(reader, first, 5))
            return None
        indexed = bool(first & 0x40)
        index = _integer(reader, first, 6 if indexed else 4)
        name = self._entry(index, reader)[0] if index else _string(reader)
        found = name, _string(reader)
        if indexed:
            self._add(found)
        return found

    def _entry(self, index: int, reader: Reader) -> Field:
        if 1 <= index <= len(_STATIC):
            return _STATIC[index - 1]
        at = index - len(_STATIC) - 1
        if not 0 <= at < len(self._table):
            raise WireError("index outside the tables", reader.pos)
        return self._table[at]

    def _resize(self, size: int) -> None:
        if len(self.updates) < limits.VALUES:
            self.updates.append(size)
        self._limit = min(size, limits.TABLE)
        self._evict(0)

    def _add(self, field: Field) -> None:
        size = len(field[0]) + len(field[1]) + _OVERHEAD
        self._evict(size)
        if size <= self._limit:
            self._table.appendleft(field)
            self._size += size

    def _evict(self, room: int) -> None:
        while self._table and self._size + room > self._limit:
            name, value = self._table.pop()
            self._size -= len(name) + len(value) + _OVERHEAD


def _integer(reader: Reader, first: int, bits: int) -> int:
    """Read an integer whose first bits are at hand (section 5.1)."""
    top = (1 << bits) - 1
    value = first & top
    if value < top:
        return value
    for shift in (0, 7, 14, 21, 28):
        byte = reader.u8()
        value += (byte & 127) << shift
        if byte < 128:
            return value
    raise IntegerError("integer too long", reader.pos)


def _string(reader: Reader) -> bytes:
    """Read a string literal (section 5.2)."""
    first = reader.u8()
    start = reader.pos
    raw = reader.take(_integer(reader, first, 7))
    if not first & 0x80:
        return raw
    text = huffman.decode(raw)
    if text is None:
        raise WireError("Huffman code broken", start)
    return text
