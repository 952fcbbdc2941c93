"""Messages of HTTP, DNS over TCP and DCE/RPC: Suricata inspects the stream of such a protocol one message at a time.

What rules look for in the stream counts from the beginning of its message, and lies within it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sensor.engine.block.history import AppChanges
from sensor.engine.block.kernels_turns import turns
from sensor.model.growing import grown
from sensor.model.rows import SEG_DATA

_SIDE = 1 << 44
"""Bytes that a stream may have."""


def _none() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Messages:
    """Where the messages of a block begin."""

    origins: np.ndarray
    """int64[segments]: where in its stream the message of each DATA segment begins; 0: the first, or not told."""
    stretches: np.ndarray
    """int64[segments]: where the stretch that each is of begins; Suricata inspects streams a stretch at a time."""
    keys: np.ndarray
    """int64[k], in order: side and offset of each message that begins in this block, and of the ones before these."""
    latest: np.ndarray
    """int64[sides]: where the latest message of each side begins."""

    @property
    def several(self) -> bool:
        """Whether a segment is of another message than the first of its side."""
        return bool(self.origins.any())

    def reached(self, sides: np.ndarray, pos: np.ndarray, last: np.ndarray, repeat: int) -> np.ndarray:
        """Return bool[n]: whether what stands at an offset of a stream begins no later than `last` in its message.

        It may stand again up to `repeat` bytes behind, where nobody has looked. A negative `last` is no limit.
        """
        origin, places = self.latest[sides], sides * _SIDE + pos
        if not self.keys.size:
            return np.asarray((last < 0) | (pos - origin <= last))
        at = np.searchsorted(self.keys, places, "right")
        key = self.keys[np.maximum(at - 1, 0)]
        mine = (at > 0) & (key // _SIDE == sides)
        following = self.keys[np.minimum(at, self.keys.size - 1)]
        again = (at < self.keys.size) & (following <= places + repeat)
        return np.asarray((last < 0) | (pos - np.where(mine, key % _SIDE, origin) <= last) | again)


class Turns:
    """Which side of each flow spoke last, and where the latest message of each side begins."""

    def __init__(self) -> None:
        self._spoke = np.zeros(0, np.uint8)
        self._latest, self._fresh = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def take(self, segs: np.ndarray, seg_at: np.ndarray, data: np.ndarray, flows: np.ndarray,
             changes: AppChanges) -> Messages:  # fmt: skip
        """Return where messages begin. changes: the flows whose protocol was told in this block."""
        if flows.size > self._spoke.size:
            self._spoke, self._latest = grown(self._spoke, flows.size), grown(self._latest, 2 * flows.size)
            self._fresh = grown(self._fresh, 2 * flows.size)
        origins, stretches = np.empty(segs.size, np.int64), np.empty(segs.size, np.int64)
        new, keys = np.empty(segs.size, np.bool_), _none()
        apps = _spoken(segs, flows, changes)
        if turns(segs, seg_at, data, apps, self._spoke, self._latest, self._fresh, origins, stretches, new):
            keys = self._keys(segs, origins, new)
        return Messages(origins, stretches, keys, self._latest)

    def _keys(self, segs: np.ndarray, origins: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Return the keys of the messages of sides of which one begins here."""
        sides = 2 * segs["flow"].astype(np.int64) + segs["side"]
        mine = (segs["kind"] == SEG_DATA) & np.isin(sides, sides[new])
        found: np.ndarray = np.unique(sides[mine] * _SIDE + origins[mine])
        return found

    def forget(self, slots: np.ndarray) -> None:
        """Clear what is kept of ended flows."""
        self._spoke[slots] = 0
        for kept in (self._latest, self._fresh):
            kept[2 * slots] = kept[2 * slots + 1] = 0


def _spoken(segs: np.ndarray, flows: np.ndarray, changes: AppChanges) -> np.ndarray:
    """Return uint8[n]: of each segment, the protocol of its flow as it was known when it came."""
    apps = flows["app"][segs["flow"]]
    if changes.slots.size and segs.size:
        order = np.argsort(changes.slots, kind="stable")
        slots = changes.slots[order]
        at = np.minimum(np.searchsorted(slots, segs["flow"]), slots.size - 1)
        when = changes.rows[order][at]
        earlier = (slots[at] == segs["flow"]) & (when >= 0) & (segs["row"] < when)
        apps = np.where(earlier, changes.before[order][at], apps)
    return np.ascontiguousarray(apps)
