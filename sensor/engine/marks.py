"""Where rules stood in the streams: stream offsets by side and rule, within a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

LIMIT: Final = 1 << 16
"""Entries kept, about 0.35 KiB each where every side has one. Without a bound, a literal in each of 262,144 flows took
184 MB."""
_NONE: Final[Mapping[int, int]] = MappingProxyType({})


class SideMarks:
    """Stream offsets by (side, rule); a side is `2 * slot + side`.

    Beyond `limit` the sides go that were noted longest ago, all their rules at once, and are counted.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._of: OrderedDict[int, dict[int, int]] = OrderedDict()
        self._size = 0
        self.forgotten = 0
        """Entries that gave way to others."""

    def __len__(self) -> int:
        return self._size

    def of(self, side: int) -> Mapping[int, int]:
        """Return rule → offset of a side."""
        return self._of.get(side, _NONE)

    def note(self, side: int, rule: int, offset: int) -> None:
        """Set the offset of a rule; the side is the latest now."""
        rules = self._of.get(side)
        if rules is None:
            rules = self._of[side] = {}
        else:
            self._of.move_to_end(side)
        self._size += rule not in rules
        rules[rule] = offset
        while self._size > self._limit and len(self._of) > 1:
            lost = len(self._of.popitem(last=False)[1])
            self._size -= lost
            self.forgotten += lost

    def restart(self, side: int, rule: int, offset: int) -> None:
        """Drop what is known of a side, but for one offset."""
        self._size -= len(self._of.pop(side, ()))
        self.note(side, rule, offset)

    def forget(self, slots: Iterable[int]) -> None:
        """Drop both sides of flows that ended."""
        if self._of:
            for slot in slots:
                self._size -= len(self._of.pop(2 * slot, ())) + len(self._of.pop(2 * slot + 1, ()))

    def adopt(self, old: SideMarks, renumbered: Mapping[int, int]) -> None:
        """Take over what was noted before a reload. renumbered: old rule number → new, of unchanged rules."""
        self.forgotten = old.forgotten
        for side, rules in old._of.items():
            for rule, offset in rules.items():
                if rule in renumbered or rule < 0:
                    self.note(side, renumbered.get(rule, rule), offset)
