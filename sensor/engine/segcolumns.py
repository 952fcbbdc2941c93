"""The segments of a block that are events, in lists of plain numbers: a field of a record takes ten times as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensor.engine.place import Place
from sensor.model.rows import SEG_END

if TYPE_CHECKING:
    from sensor.engine.block.gathered import Gathered
    from sensor.engine.scenes import BlockView


class SegColumns(NamedTuple):
    """One entry for each segment that is an event."""

    indexes: list[int]
    """SEG number."""
    kinds: list[int]
    slots: list[int]
    sides: list[int]
    args: list[int]
    begins: list[int]
    """Where the bytes of a DATA segment begin in the gathered ones."""
    sizes: list[int]
    """How many bytes came, or are missing."""
    rows: list[int]
    """The packet of the flow that stands behind it, -1: none of this block."""
    numbers: list[int]
    """`pcap_cnt` of that packet; 0: none."""
    times: list[int]
    """ns: of that packet, else the flow's last."""


NO_SEGMENTS = SegColumns([], [], [], [], [], [], [], [], [], [])


def seg_columns(view: BlockView, gathered: Gathered, at: np.ndarray) -> SegColumns:
    """Return the columns of some segments of a block. at: int64[n], their numbers."""
    segs, packets = gathered.segs[at], view.rows
    kinds, slots, rows = segs["kind"], segs["flow"], segs["row"]
    own = (rows >= 0) & (kinds != SEG_END)
    where = np.where(own, rows, 0)
    if packets.size:
        own &= packets["flow"][where] == slots
        numbers = np.where(own, view.numbers[packets["pkt"][where]], 0)
        times = np.where(own, packets["ts"][where], view.flows["last"][slots])
    else:
        numbers, times = np.zeros(at.size, np.int64), view.flows["last"][slots]
    rows = np.where(own, rows, -1)
    columns = (
        at, kinds, slots, segs["side"], segs["arg"], gathered.seg_at[at], segs["len"], rows, numbers, times,
    )  # fmt: skip
    return SegColumns(*(column.tolist() for column in columns))


def place_of_segment(view: BlockView, c: SegColumns, n: int) -> Place:
    """Return where a segment is."""
    return Place(view, c.slots[n], c.sides[n], c.rows[n], c.numbers[n], c.times[n])
