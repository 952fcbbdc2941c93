"""Bencoded values (BEP 3), bounded in depth and number."""

from __future__ import annotations

MAX_DEPTH = 6
MAX_VALUES = 512
"""Values of one message."""
_LONGEST_NUMBER = 18
"""Digits of an integer or of a length: JSON has 64 bits for it."""

Value = int | bytes | list["Value"] | dict[bytes, "Value"]


class BencodeError(ValueError):
    """The bytes are no value, or too much of one."""


class Decoder:
    """Reads one message."""

    __slots__ = ("_data", "_left", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._left = MAX_VALUES

    def message(self) -> dict[bytes, Value]:
        """Return the dictionary that a message is; what follows it is ignored. Raises BencodeError."""
        found = self._value(0)
        if not isinstance(found, dict):
            raise BencodeError("no dictionary")
        return found

    def _value(self, depth: int) -> Value:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise BencodeError("too much")
        kind = self._data[self._pos : self._pos + 1]
        if kind == b"i":
            self._pos += 1
            return self._number(b"e")
        if kind.isdigit():
            return self._bytes()
        if kind == b"l":
            self._pos += 1
            return self._list(depth)
        if kind == b"d":
            self._pos += 1
            return self._dictionary(depth)
        raise BencodeError("no value")

    def _number(self, end: bytes) -> int:
        stop = self._data.find(end, self._pos, self._pos + _LONGEST_NUMBER + 1)
        digits = self._data[self._pos : stop] if stop > 0 else b""
        if not digits.removeprefix(b"-").isdigit():
            raise BencodeError("no number")
        self._pos = stop + 1
        return int(digits)

    def _bytes(self) -> bytes:
        size = self._number(b":")
        start = self._pos
        self._pos = start + size
        if self._pos > len(self._data):
            raise BencodeError("cut")
        return self._data[start : self._pos]

    def _ends(self) -> bool:
        if self._data[self._pos : self._pos + 1] != b"e":
            return False
        self._pos += 1
        return True

    def _list(self, depth: int) -> list[Value]:
        found: list[Value] = []
        while not self._ends():
            found.append(self._value(depth + 1))
        return found

    def _dictionary(self, depth: int) -> dict[bytes, Value]:
        found: dict[bytes, Value] = {}
        while not self._ends():
            if not self._data[self._pos : self._pos + 1].isdigit():
                raise BencodeError("a key is no string")
            key = self._bytes()
            found[key] = self._value(depth + 1)
        return found
