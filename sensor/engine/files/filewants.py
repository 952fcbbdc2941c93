"""Which files rules want stored."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

MAX_KEYS = 256
"""Transactions of a flow whose files are wanted; later ones of it count as the whole flow."""
MAX_WANTED = 1 << 16
"""Transactions of all flows; beyond it the flow about which a rule said so first is forgotten."""
MAX_SIDS = 16
"""Rules that are named for one file."""
_ANY = -1
"""Every transaction of a flow."""
_SIDES = MappingProxyType({"to_server": (0,), "to_client": (1,), "both": (0, 1)})


class FileWants:
    """Flow slot → (transaction, side) → ids of the rules."""

    def __init__(self) -> None:
        self._wanted: dict[int, dict[tuple[int, int], list[int]]] = {}
        self._size = 0
        """Transactions in it."""
        self.forgotten = 0
        """Flows that gave way."""

    def note(self, slot: int, tx: int | None, side: int, sid: int, how: str) -> None:
        """Take note of a match. tx: number of its transaction, None: it is about none; how: see `Rule.store`."""
        named, _, scope = how.rpartition(" ")
        whole = tx is None or tx < 0 or scope == "flow"
        default = (0, 1) if scope == "flow" or tx is None else (side,)
        for one in _SIDES.get(named, default):
            self._add(slot, (_ANY if whole or tx is None else tx, one), sid)

    def _add(self, slot: int, key: tuple[int, int], sid: int) -> None:
        wanted = self._wanted.setdefault(slot, {})
        if key not in wanted and len(wanted) >= MAX_KEYS:
            key = (_ANY, key[1])
        self._size += key not in wanted
        sids = wanted.setdefault(key, [])
        if sid not in sids and len(sids) < MAX_SIDS:
            sids.append(sid)
        while self._size > MAX_WANTED and len(self._wanted) > 1:
            self.forget([next(iter(self._wanted))])
            self.forgotten += 1

    def of(self, slot: int, tx: int, side: int) -> tuple[int, ...]:
        """Return the rules that want a file; empty: none does."""
        wanted = self._wanted.get(slot)
        if wanted is None:
            return ()
        return tuple(dict.fromkeys([*wanted.get((tx, side), ()), *wanted.get((_ANY, side), ())]))

    def forget(self, slots: Iterable[int]) -> None:
        """Forget flows that are over."""
        if self._wanted:
            for slot in slots:
                self._size -= len(self._wanted.pop(slot, ()))
