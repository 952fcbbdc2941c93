"""What came behind a row of a block, by flow."""

import numba
import numpy as np
from numba import void
from numba.types import int64

from sensor.model.app import TO_CLIENT
from sensor.model.jit import helper, kernel
from sensor.model.rows import FRAG_REASSEMBLED, ROW

_ROWS, _I4, _I8, _I8_2 = numba.from_dtype(ROW)[::1], numba.int32[::1], int64[::1], numba.int64[:, ::1]


@kernel(void(_ROWS, _I8, _I8_2))
def sums(rows, order, out):  # pragma: no cover
    """Add up packets and bytes of both sides, row by row in an order.

    out: int64[rows + 1, 4], the sums before each row (packets to server, to client, bytes to server, to client).
    """
    for n in range(order.size):
        r = rows[order[n]]
        inner = r["parent"] >= 0 or r["frag"] == FRAG_REASSEMBLED
        size = np.int64(r["iplen"] if inner else r["wirelen"])
        back = 1 if r["side"] == TO_CLIENT else 0
        for k in range(4):
            out[n + 1, k] = out[n, k]
        out[n + 1, back] += 1
        out[n + 1, 2 + back] += max(size, np.int64(0))


@helper
def _reach(order, flows, slot, row):  # pragma: no cover
    """Return how many rows come before those of a flow that stand behind a row, in the order of flows and rows."""
    a, b = np.int64(0), np.int64(order.size)
    while a < b:
        mid = (a + b) >> 1
        if flows[mid] < slot or (flows[mid] == slot and order[mid] <= row):
            a = mid + 1
        else:
            b = mid
    return a


@kernel(void(_I8, _I4, _I8_2, int64, int64, _I8))
def later(order, flows, table, slot, row, out):  # pragma: no cover
    """Write the sums of a flow's rows behind a row to out: int64[4]. flows: int32[rows], in the order."""
    first = _reach(order, flows, slot, row)
    last = _reach(order, flows, slot, np.int64(1) << 40)
    for k in range(4):
        out[k] = table[last, k] - table[first, k]
