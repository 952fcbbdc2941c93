"""What `pass` rules take out of inspection: a packet, or all that is still to come of a flow.

As in Suricata: a rule about a flow (its ends, its protocol, its stream, one of its transactions) passes the flow, one
about a packet that packet. What was raised before stays raised.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sensor.rules.flowwide import by_ends, of_packets, of_protocol

if TYPE_CHECKING:
    from sensor.engine.scenes import BlockView
    from sensor.rules.nodes import Rule

PACKET, SIDE, FLOW = 0, 1, 2
"""What a match on a packet passes: it alone as a packet, all that is judged at it, the flow."""


def reach(rule: Rule) -> int:
    """Return what a `pass` rule passes that matches a packet."""
    if by_ends(rule) or of_protocol(rule):
        return FLOW
    return PACKET if of_packets(rule) else SIDE


class Passed:
    """Flows by slot, and the packet at hand. Bounded by the flow table."""

    def __init__(self) -> None:
        self._flows: set[int] = set()
        self._view: BlockView | None = None
        self._row = -1
        self._whole = False

    def flow(self, slot: int) -> bool:
        """Tell whether nothing is to be judged on a flow any more."""
        return slot in self._flows

    def at(self, view: BlockView, row: int) -> bool:
        """Tell whether nothing is to be judged at a packet: streams and transactions included."""
        return self._whole and row == self._row and view is self._view

    def note(self, view: BlockView, slot: int, row: int, how: int) -> None:
        """Take a match of a `pass` rule."""
        if how == FLOW and slot >= 0:
            self._flows.add(slot)
        self._view, self._row, self._whole = view, row, how != PACKET and row >= 0

    def adopt(self, old: Passed) -> None:
        """Take over the flows at a reload: what they were passed for was seen."""
        self._flows = old._flows

    def forget(self, slots: Iterable[int]) -> None:
        """Drop ended flows."""
        if self._flows:
            self._flows.difference_update(slots)
