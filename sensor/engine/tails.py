"""The bytes of sides that are parsed: for rules on transactions that name the stream as well.

What such a rule looks for in the stream may have come in an earlier segment than the one that completes the
transaction. Of a long message its beginning and its end are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

MOST: Final = 16 << 20
"""Bytes of all sides; beyond it those that were silent longest keep `size` of theirs. A segment may have 64 KiB, and
16,384 flows may be parsed at a time."""


class _Tail:
    """The bytes of a side since a message began. Holds `size` of the first, and of the last a segment and `size`."""

    __slots__ = ("first", "last")

    def __init__(self) -> None:
        self.first = self.last = b""

    def __len__(self) -> int:
        return len(self.first) + len(self.last)

    def add(self, data: bytes, size: int) -> None:
        """Take a segment."""
        before = self.last
        if len(before) > size:
            before = self.last[-size:]
            if len(self.first) < size:
                self.first = (self.first + self.last[:-size])[:size]
        self.last = before + data

    def shorten(self, size: int) -> None:
        """Keep the last bytes alone."""
        self.first, self.last = b"", self.last[-size:]

    @property
    def bytes(self) -> bytes:
        """What is kept, the last bytes behind the first."""
        return self.first + self.last


class Tails:
    """Bytes by side, of protocols with such rules only."""

    def __init__(self, apps: Collection[int], size: int, most: int = MOST) -> None:
        self.apps = frozenset(apps)
        """Of which protocols they are kept."""
        self._size = max(size, 1)
        self._most = most
        self._kept: dict[int, _Tail] = {}
        """2 * slot + side → bytes, of the sides that spoke last."""
        self._short: dict[int, _Tail] = {}
        """The same of the others."""
        self._octets = 0
        """Of `_kept`."""

    def add(self, app: int, slot: int, side: int, data: bytes) -> None:
        """Take what a parser got; nothing: there is a gap."""
        if app not in self.apps:
            return
        key = 2 * slot + side
        tail = self._take(key) or _Tail()
        if not data:
            return
        tail.add(data, self._size)
        self._kept[key] = tail
        self._octets += len(tail)
        while self._octets > self._most and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._short[oldest] = short = self._take(oldest) or _Tail()
            short.shorten(self._size)

    def _take(self, key: int) -> _Tail | None:
        found = self._kept.pop(key, None)
        if found is None:
            return self._short.pop(key, None)
        self._octets -= len(found)
        return found

    def of(self, app: int, slot: int, side: int, data: bytes) -> bytes:
        """Return the bytes of a side up to those that a parser got last. data: where none are kept."""
        if app not in self.apps:
            return data
        key = 2 * slot + side
        found = self._kept.get(key) or self._short.get(key)
        return found.bytes if found is not None else b""

    def end(self, slot: int, side: int) -> None:
        """Note that a message is over: rules on the next one do not see its bytes."""
        self._take(2 * slot + side)

    def adopt(self, old: Tails) -> None:
        """Take over at a reload what is still of use."""
        if self.apps:
            self._kept, self._short, self._octets = old._kept, old._short, old._octets

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        if self._kept or self._short:
            for slot in slots:
                self._take(2 * slot)
                self._take(2 * slot + 1)
