"""Which flows of SMB carry contents of files, told from their messages' beginnings.

Contents are written by a request, and read by the answer to one. What is no plain message is taken for both.
"""

from __future__ import annotations

import numpy as np

from sensor.model.app import PIPED, Order
from sensor.model.growing import grown
from sensor.proto.smb.kernels_frame import LOOK, MESSAGE, READS, REFUSED, STATE, WRITES, walk
from sensor.proto.smb.kernels_trees import EVENT, TREES, follow, note

LOOK_BACK = LOOK + 4
"""Bytes of a message, and of what is in front of it."""
_BOTH = READS | WRITES
_ROOM = 1 << 14
"""Messages, and events, of a block: with more, its flows may read files."""


class ContentFinder:
    """Keeps where each side's next message begins, and shares of pipes (see `sensor.model.app.FindsContents`)."""

    def __init__(self) -> None:
        self._states = np.zeros(0, STATE)
        self._owner = np.zeros(0, np.uint64)
        self._trees = np.zeros(0, TREES)
        self._messages, self._events = np.empty(_ROOM, MESSAGE), np.empty(_ROOM, EVENT)

    def find(
        self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray, order: Order
    ) -> np.ndarray:
        """Return uint8[units]: of the picked ones, bit s where contents may go to side s.

        Where these can be nothing but what pipes carry it is bit s + `PIPED`.
        """
        if self._owner.size < flows.size:
            self._owner, self._states = grown(self._owner, flows.size), grown(self._states, 2 * flows.size)
            self._trees = grown(self._trees, flows.size)
        verdict = np.zeros(units.size, np.uint8)
        args = data, units, picked.view(np.uint8), flows, self._owner, self._states, verdict
        count = walk(*args, self._messages)
        refused = verdict & REFUSED != 0
        verdict[refused] = _BOTH
        piped = self._piped(data, units["flow"], picked, flows, order, count)
        verdict[piped & ~refused] <<= PIPED
        return verdict

    def _piped(
        self, data: np.ndarray, slots: np.ndarray, picked: np.ndarray, flows: np.ndarray, order: Order, count: int
    ) -> np.ndarray:
        """Return bool[units]: in the flows of the picked ones nothing but pipes was read or written."""
        trees = self._trees
        room = count <= self._messages.size
        last = note(data, self._messages, min(count, _ROOM), *order, flows, trees, self._events)
        mine = slots[picked]
        trees["unsound"][mine] |= (flows["gaps"][mine] != 0).any(axis=1) | (not room or last < 0)
        if last > 0:
            events = self._events[:last]
            follow(events, np.argsort(events["key"], kind="stable"), trees)
        piped = np.zeros(slots.size, np.bool_)
        piped[picked] = (trees["unsound"][mine] == 0) & (trees["owner"][mine] == flows["id"][mine] + np.uint64(1))
        return piped
