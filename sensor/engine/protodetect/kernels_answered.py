"""Which TCP flows of a block wait for an answer to the bytes that tell their protocol, and up to which row."""

import numba
import numpy as np
from numba import int32, int64, uint8

from sensor.model.jit import helper, kernel
from sensor.model.rows import FLOW, ROW
from sensor.proto.ids import FTP, IMAP, SMTP

_ROWS = numba.from_dtype(ROW)[::1]
_FLOWS = numba.from_dtype(FLOW)[::1]

SYN, ACK = 0x02, 0x10
NONE = -1
CLIENT_FIRST = 3
"""Of what a flow waits for: the client is to speak, then the server is to answer. So it is where a greeting has told
the protocol, but Suricata asks the client."""


@helper
def _answering(waits: int) -> int:  # pragma: no cover
    """Return the side that is to send next."""
    return 0 if waits == CLIENT_FIRST else waits - 1


@helper
def _pass_over_the_unheard(  # pragma: no cover
    rows: np.ndarray, flows: np.ndarray, slots: np.ndarray, since: np.ndarray, waits: np.ndarray, begins: np.ndarray,
    place: np.ndarray,
) -> None:  # fmt: skip
    """Do not wait where the other side was not heard before, and is not going to be (a SYN asks for an answer)."""
    if slots.size == 0:
        return
    for k in range(slots.size):
        place[slots[k]] = 0  # packets of the other side from there on
    for i in range(rows.size):
        slot = rows[i]["flow"]
        if slot >= 0 and begins[slot] != NONE and i >= begins[slot] and rows[i]["side"] == _answering(waits[slot]):
            place[slot] += 1
    for k in range(slots.size):
        slot = slots[k]
        before = flows[slot]["pkts"][_answering(waits[slot])] - place[slot]
        if before <= 0 and not rows[since[k]]["tcpflags"] & SYN:
            waits[slot] = 0
        place[slot] = NONE


@kernel(int64(_ROWS, _FLOWS, int32[::1], int32[::1], uint8[::1], int32[::1], int32[::1], int32[::1], int32[::1]))
def take(  # pragma: no cover
    rows: np.ndarray, flows: np.ndarray, slots: np.ndarray, since: np.ndarray, waits: np.ndarray, begins: np.ndarray,
    place: np.ndarray, found: np.ndarray, until: np.ndarray,
) -> int:  # fmt: skip
    """Fill `found` (slots) and `until` (rows; the number of rows: to the end of the block); return how many there are.

    slots, since: flows whose protocol was told in this block, and by which row. waits: 1 + the side that is to answer
    (or `CLIENT_FIRST`), by slot, 0: the flow does not wait; brought up to date. begins, place: int32[slots of the
    table], all NONE before and behind. found, until: int32[rows].
    """
    for k in range(slots.size):
        slot, side = slots[k], rows[since[k]]["side"]
        greeted = side == 1 and flows[slot]["app"] in (FTP, SMTP, IMAP)
        waits[slot] = CLIENT_FIRST if greeted else 2 - side
        begins[slots[k]] = since[k]
    _pass_over_the_unheard(rows, flows, slots, since, waits, begins, place)
    n = 0
    for i in range(rows.size):
        slot = rows[i]["flow"]
        if slot < 0 or waits[slot] == 0 or i < begins[slot]:
            continue
        if place[slot] == NONE:
            place[slot] = n
            found[n], until[n] = slot, rows.size
            n += 1
        if waits[slot] == CLIENT_FIRST:
            if rows[i]["side"] == 0 and rows[i]["paylen"] > 0:
                waits[slot] = 2
        elif rows[i]["side"] + 1 == waits[slot] and rows[i]["tcpflags"] & (SYN | ACK) == ACK:
            until[place[slot]] = i
            waits[slot] = 0
    for k in range(slots.size):
        begins[slots[k]] = NONE
    for k in range(n):
        place[found[k]] = NONE
    return n
