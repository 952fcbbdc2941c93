"""The packets on which a flow's protocol has just been told: one of each side, for rules that ask for nothing else.

Suricata judges a rule with `app-layer-protocol` and no other condition there, and nowhere else.
"""

from __future__ import annotations

import numpy as np

from sensor.engine.block.history import AppChanges
from sensor.engine.protodetect.kernels_told import told


class Told:
    """How far the sides of each flow have come. It grows with the flow table, and not before it is asked."""

    def __init__(self) -> None:
        self._states = np.zeros((0, 2), np.uint8)
        self._begins = np.zeros(0, np.int32)

    def look(self, changes: AppChanges, rows: np.ndarray, flows: np.ndarray) -> np.ndarray:
        """Return bool[n]: of each row, whether it is such a packet.

        changes: the flows whose protocol was told in this block; rows: ROW[n]; flows: FLOW[slots], as they stand at
        its end.
        """
        if flows.size > len(self._states):
            grown = np.zeros((flows.size, 2), np.uint8)
            grown[: len(self._states)] = self._states
            self._states, self._begins = grown, np.zeros(flows.size, np.int32)
        here = changes.rows >= 0
        out = np.zeros(rows.size, np.uint8)
        told(
            rows, flows, changes.slots[here].astype(np.int32), changes.rows[here].astype(np.int32), self._begins,
            self._states, out,
        )  # fmt: skip
        return out.astype(np.bool_)

    def forget(self, slots: np.ndarray) -> None:
        """Clear what is kept of ended flows."""
        known = slots[slots < len(self._states)]
        self._states[known] = 0
