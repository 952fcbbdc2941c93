"""Which flows of SMB carry contents of files, told from their messages' beginnings.

Contents are written by a request, and read by the answer to one. What is no plain message is taken for both.
"""

from __future__ import annotations

import numpy as np

from sensor.model.growing import grown
from sensor.proto.smb.kernels_frame import LOOK, REFUSED, STATE, walk

LOOK_BACK = LOOK + 4
"""Bytes of a message, and of what is in front of it."""


class ContentFinder:
    """Keeps where each side's next message begins (see `sensor.model.app.FindsContents`)."""

    def __init__(self) -> None:
        self._states = np.zeros(0, STATE)
        self._owner = np.zeros(0, np.uint64)

    def find(self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray) -> np.ndarray:
        """Return uint8[units]: of the picked ones, bit s where contents may go to side s."""
        if self._owner.size < flows.size:
            self._owner, self._states = grown(self._owner, flows.size), grown(self._states, 2 * flows.size)
        verdict = np.zeros(units.size, np.uint8)
        walk(data, units, picked.view(np.uint8), flows, self._owner, self._states, verdict)
        verdict[verdict & REFUSED != 0] = 3
        return verdict
