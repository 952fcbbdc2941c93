"""From which packet on a TCP flow speaks its protocol as far as rules on packets go: once the other side has answered.

Suricata looks at bytes when they are acknowledged. So the packet whose bytes tell the protocol, and those of its side
right behind it, are judged as packets while nothing is known of the flow. Where the other side was never heard (half of
the traffic is missing) there is nothing to wait for.
"""

from __future__ import annotations

import numpy as np

from sensor.engine.history import AppChanges
from sensor.model.rows import APP_UNDECIDED

_SYN = 0x02


class Answers:
    """The flows that wait for an answer."""

    def __init__(self, slots: int) -> None:
        self._waits = np.zeros(slots, np.uint8)
        """1 + the side that is to answer; 0: the flow does not wait."""

    def take(self, decided: AppChanges, rows: np.ndarray, flows: np.ndarray) -> AppChanges:
        """Return up to which row of this block flows count as undecided.

        decided: the TCP flows whose bytes told their protocol in this block; rows: ROW[n]; flows: FLOW[slots], as they
        stand at its end.
        """
        if flows.size > self._waits.size:
            self._waits = np.concatenate([self._waits, np.zeros(flows.size - self._waits.size, np.uint8)])
        told = decided.rows >= 0
        slots, since = decided.slots[told], decided.rows[told]
        self._waits[slots] = 2 - rows["side"][since]
        of = rows["flow"]
        at = np.flatnonzero((of >= 0) & (self._waits[of] > 0))
        if not at.size:
            return AppChanges()
        at = at[at >= _latest(slots, since, of[at])]
        back = at[rows["side"][at] + 1 == self._waits[of[at]]]
        alone = slots[~_heard(slots, since, of[back], rows, flows)]
        self._waits[alone] = 0
        at, back = at[self._waits[of[at]] > 0], back[self._waits[of[back]] > 0]
        back = back[rows["tcpflags"][back] & _SYN == 0]
        answered, first = np.unique(of[back], return_index=True)
        self._waits[answered] = 0
        still = np.setdiff1d(of[at], answered)
        until = np.concatenate([back[first], np.full(still.size, rows.size)])
        return AppChanges(
            np.concatenate([answered, still]), until.astype(np.int32), np.full(until.size, APP_UNDECIDED, np.uint8)
        )

    def forget(self, slots: np.ndarray) -> None:
        """Clear what is kept of ended flows."""
        self._waits[slots] = 0


def _latest(slots: np.ndarray, since: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return for each flow number the row of the block that told its protocol; -1: an earlier block did."""
    if not slots.size:
        return np.full(of.size, -1)
    order = np.argsort(slots)
    place = np.minimum(np.searchsorted(slots, of, sorter=order), slots.size - 1)
    found: np.ndarray = np.where(slots[order][place] == of, since[order][place], -1)
    return found


def _heard(slots: np.ndarray, since: np.ndarray, back: np.ndarray, rows: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Tell of which flows the other side was heard before, or will be (a SYN asks for an answer).

    back: flow numbers of the packets of other sides behind `since`.
    """
    behind = np.searchsorted(np.sort(back), np.stack([slots, slots + 1]))
    all_of_it = flows["pkts"][slots, 1 - rows["side"][since].astype(np.int64)].astype(np.int64)
    heard: np.ndarray = (all_of_it > behind[1] - behind[0]) | (rows["tcpflags"][since] & _SYN != 0)
    return heard
