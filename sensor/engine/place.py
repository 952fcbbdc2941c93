"""Where in a block something happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensor.engine.scenes import BlockView, Ends
    from sensor.model.scene import Scene


@dataclass(slots=True)
class Place:
    """Where in the block something happens."""

    view: BlockView
    slot: int
    side: int
    """Whose bytes it is about."""
    row: int
    """-1: no packet of the flow in this block stands behind it."""
    number: int
    ts: int

    @property
    def flow_id(self) -> int:
        """Number of the flow; 0: there is none."""
        found: int = self.view.flow["id"][self.slot] if self.slot >= 0 else 0
        return found

    def ends(self) -> Ends:
        """Return the ends, whose bytes it is about first."""
        ends = self.view.ends(self.slot) if self.slot >= 0 else self.view.ends_of_row(self.row)
        return ends.turned() if self.slot >= 0 and self.side == 1 else ends

    def scene(self, side: int = -1) -> Scene:
        """Return the scene, seen from a side (default: the sender of the bytes)."""
        side = self.side if side < 0 else side
        if self.row >= 0:
            return self.view.scene(self.row, side=side if self.slot >= 0 else -1)
        return self.view.flow_scene(self.slot, ts=self.ts, side=side, number=self.number)


def place_of_row(view: BlockView, row: int) -> Place:
    """Return where a row is."""
    r = view.row
    return Place(view, r["flow"][row], r["side"][row], row, view.number(row), r["ts"][row])
