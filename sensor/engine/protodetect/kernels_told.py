"""Which packets are the first of their side after its bytes have told the protocol of the flow."""

import numba
import numpy as np
from numba import int32, int64, uint8

from sensor.model.jit import allocating_kernel
from sensor.model.rows import APP_UNDECIDED, FLOW, ROW

_ROWS = numba.from_dtype(ROW)[::1]
_FLOWS = numba.from_dtype(FLOW)[::1]

SYN, ACK = 0x02, 0x10
TCP, UDP = 6, 17
SILENT, SPOKE, HEARD, OVER = 0, 1, 2, 3
"""States of a side: no byte of it was seen; one was; the other side has answered since; its packet has been found."""


@allocating_kernel(int64(_ROWS, _FLOWS, int32[::1], int32[::1], int32[::1], uint8[:, ::1], uint8[::1]))
def told(  # pragma: no cover
    rows: np.ndarray, flows: np.ndarray, slots: np.ndarray, since: np.ndarray, begins: np.ndarray, states: np.ndarray,
    out: np.ndarray,
) -> int:  # fmt: skip
    """Set out[i], uint8[rows], for each such packet; return how many there are.

    slots, since: flows whose protocol was told in this block, and by which row. begins: int32[slots of the table], all
    0 before and behind. states: uint8[slots of the table, 2], brought up to date. Of datagrams the first two of a side
    count, and the next one behind the first of the other side, as in Suricata; of a connection the packet behind the
    answer to the bytes: then they are looked at.
    """
    for k in range(slots.size):
        begins[slots[k]] = since[k]
    found = 0
    for i in range(rows.size):
        slot, side, proto = rows[i]["flow"], rows[i]["side"], rows[i]["proto"]
        if slot < 0 or proto not in {TCP, UDP}:
            continue
        state, other = states[slot, side], states[slot, 1 - side]
        if state == OVER and other == OVER:
            continue
        known = flows[slot]["app"] != APP_UNDECIDED and i >= begins[slot]
        speaks = rows[i]["paylen"] > 0
        if proto == UDP:
            if not known or state == OVER:
                continue
            out[i], states[slot, side] = 1, SPOKE if state == SILENT else OVER
            if state == SILENT and other == OVER:
                states[slot, 1 - side] = SPOKE
            found += 1
            continue
        if state == HEARD:
            out[i], state = 1, OVER
            found += 1
        elif state == SILENT and speaks:
            state = SPOKE
        if other == SPOKE and known and rows[i]["tcpflags"] & (SYN | ACK) == ACK:
            states[slot, 1 - side] = HEARD
        states[slot, side] = state
    for k in range(slots.size):
        begins[slots[k]] = 0
    return found
