"""What the parsers of all flows hold together, and which of them must give way when that is too much."""

from __future__ import annotations

from typing import Final

FREE: Final = 4096
"""Bytes of a flow that are not counted: a request under way, or a line, is never why a parser ends."""


class AppMemory:
    """Bytes by flow slot, as parsers tell them (`sensor.model.app.Holds`)."""

    __slots__ = ("_beyond", "held", "limit")

    def __init__(self, limit: int) -> None:
        """limit: bytes of all flows together, beyond `FREE` of each."""
        self.limit = limit
        self.held = 0
        self._beyond: dict[int, int] = {}
        """Of flows that hold more than `FREE`; the one that was silent longest comes first."""

    def note(self, slot: int, nbytes: int) -> bool:
        """Take note of what a flow holds now that bytes of it have come; return whether it counts."""
        before = self._beyond.pop(slot, 0)
        beyond = nbytes - FREE
        if beyond > 0:
            self._beyond[slot] = beyond
            self.held += beyond - before
        else:
            self.held -= before
        return beyond > 0

    def leave(self, slot: int) -> None:
        """Note that a flow holds nothing any more."""
        self.held -= self._beyond.pop(slot, 0)

    @property
    def victim(self) -> int:
        """The flow whose parser must give way; -1: there is room."""
        return next(iter(self._beyond)) if self.held > self.limit else -1
