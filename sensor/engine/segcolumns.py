"""The segments of a block in lists of plain numbers: a field of a record takes ten times as long."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sensor.engine.scenes import BlockView
from sensor.model.rows import SEG_END


class SegColumns(NamedTuple):
    """One entry for each segment."""

    kinds: list[int]
    slots: list[int]
    sides: list[int]
    args: list[int]
    rows: list[int]
    """The packet of the flow that stands behind it, -1: none of this block."""
    numbers: list[int]
    """`pcap_cnt` of that packet; 0: none."""
    times: list[int]
    """ns: of that packet, else the flow's last."""


def seg_columns(view: BlockView, segs: np.ndarray) -> SegColumns:
    """Return the columns of a block. segs: SEG[m]."""
    kinds, slots, at, packets = segs["kind"], segs["flow"], segs["row"], view.rows
    own = (at >= 0) & (kinds != SEG_END)
    where = np.where(own, at, 0)
    if packets.size:
        own &= packets["flow"][where] == slots
        numbers = np.where(own, view.numbers[packets["pkt"][where]], 0)
        times = np.where(own, packets["ts"][where], view.flows["last"][slots])
    else:
        numbers, times = np.zeros(segs.size, np.int64), view.flows["last"][slots]
    rows = np.where(own, at, -1)
    columns = (kinds, slots, segs["side"], segs["arg"], rows, numbers, times)
    return SegColumns(*(column.tolist() for column in columns))
