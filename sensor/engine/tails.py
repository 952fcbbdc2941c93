"""The last bytes of sides that are parsed: for rules on transactions that name the stream as well.

What such a rule looks for in the stream may have come in an earlier segment than the one that completes the
transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


class Tails:
    """Bytes by side. Kept of protocols with such rules only; at most `size` of a side, two sides a parser."""

    def __init__(self, apps: Collection[int], size: int) -> None:
        self.apps = frozenset(apps)
        """Of which protocols they are kept."""
        self._size = max(size, 1)
        self._kept: dict[int, bytes] = {}

    def add(self, app: int, slot: int, side: int, data: bytes) -> None:
        """Take what a parser got; nothing: there is a gap."""
        if app in self.apps:
            key = 2 * slot + side
            self._kept[key] = (self._kept.get(key, b"") + data)[-(self._size + len(data)) :] if data else b""

    def of(self, app: int, slot: int, side: int, data: bytes) -> bytes:
        """Return the last bytes of a side up to those that a parser got last. data: where none are kept."""
        return self._kept.get(2 * slot + side, b"") if app in self.apps else data

    def adopt(self, old: Tails) -> None:
        """Take over at a reload what is still of use."""
        self._kept = old._kept if self.apps else {}

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        if self._kept:
            for slot in slots:
                self._kept.pop(2 * slot, None)
                self._kept.pop(2 * slot + 1, None)
