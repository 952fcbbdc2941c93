"""The last bytes of sides that are parsed: for rules on transactions that name the stream as well.

What such a rule looks for in the stream may have come in an earlier segment than the one that completes the
transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

MOST: Final = 16 << 20
"""Bytes of all sides; beyond it those that were silent longest keep `size` of theirs. A segment may have 64 KiB, and
16,384 flows may be parsed at a time."""


class Tails:
    """Bytes by side, of protocols with such rules only: the last segment and `size` bytes in front of it."""

    def __init__(self, apps: Collection[int], size: int, most: int = MOST) -> None:
        self.apps = frozenset(apps)
        """Of which protocols they are kept."""
        self._size = max(size, 1)
        self._most = most
        self._kept: dict[int, bytes] = {}
        """2 * slot + side → bytes, of the sides that spoke last."""
        self._short: dict[int, bytes] = {}
        """The same of the others."""
        self._octets = 0
        """Of `_kept`."""

    def add(self, app: int, slot: int, side: int, data: bytes) -> None:
        """Take what a parser got; nothing: there is a gap."""
        if app not in self.apps:
            return
        key = 2 * slot + side
        before = self._take(key)
        if data:
            self._kept[key] = tail = (before + data)[-(self._size + len(data)) :]
            self._octets += len(tail)
            while self._octets > self._most and len(self._kept) > 1:
                oldest = next(iter(self._kept))
                self._short[oldest] = self._take(oldest)[-self._size :]

    def _take(self, key: int) -> bytes:
        found = self._kept.pop(key, None)
        if found is None:
            return self._short.pop(key, b"")
        self._octets -= len(found)
        return found

    def of(self, app: int, slot: int, side: int, data: bytes) -> bytes:
        """Return the last bytes of a side up to those that a parser got last. data: where none are kept."""
        if app not in self.apps:
            return data
        key = 2 * slot + side
        return self._kept.get(key) or self._short.get(key, b"")

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
