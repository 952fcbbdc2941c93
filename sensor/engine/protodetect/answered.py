"""From which packet on a TCP flow speaks its protocol as far as rules on packets go: once the other side has answered.

Suricata looks at bytes when they are acknowledged. So the packet whose bytes tell the protocol, and those of its side
right behind it, are judged as packets while nothing is known of the flow. Where the other side was never heard (half of
the traffic is missing) there is nothing to wait for.
"""

from __future__ import annotations

import numpy as np

from sensor.engine.block.history import AppChanges
from sensor.engine.protodetect.kernels_answered import NONE, take
from sensor.model.rows import APP_UNDECIDED


class Answers:
    """The flows that wait for an answer."""

    def __init__(self, slots: int) -> None:
        self._waits = np.zeros(slots, np.uint8)
        """1 + the side that is to answer; 0: the flow does not wait."""
        self._begins, self._place = np.full(slots, NONE, np.int32), np.full(slots, NONE, np.int32)

    def take(self, decided: AppChanges, rows: np.ndarray, flows: np.ndarray) -> AppChanges:
        """Return up to which row of this block flows count as undecided.

        decided: the TCP flows whose bytes told their protocol in this block; rows: ROW[n]; flows: FLOW[slots], as they
        stand at its end.
        """
        if flows.size > self._waits.size:
            self._grow(flows.size)
        told = decided.rows >= 0
        found, until = np.empty(rows.size, np.int32), np.empty(rows.size, np.int32)
        n = take(
            rows, flows, decided.slots[told].astype(np.int32), decided.rows[told].astype(np.int32),
            self._waits, self._begins, self._place, found, until,
        )  # fmt: skip
        return AppChanges(found[:n], until[:n], np.full(n, APP_UNDECIDED, np.uint8))

    def _grow(self, slots: int) -> None:
        """Follow the flow table's growth."""
        self._waits = np.concatenate([self._waits, np.zeros(slots - self._waits.size, np.uint8)])
        self._begins, self._place = np.full(slots, NONE, np.int32), np.full(slots, NONE, np.int32)

    def forget(self, slots: np.ndarray) -> None:
        """Clear what is kept of ended flows."""
        self._waits[slots] = 0
