"""The Ethernet header that a row came in, and what the first frame of each flow says of its stations."""

import numba
from numba import void
from numba.types import int64

from sensor.model.block import LINKTYPE_ETHERNET
from sensor.model.jit import kernel
from sensor.model.rows import FRAG_REASSEMBLED, FS_NEW, ROW

_ROWS = numba.from_dtype(ROW)[::1]
_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
_LINKS = numba.types.Array(numba.uint16, 1, "C", readonly=True)

MACS = 12
"""Bytes: destination and source stand at the beginning of a frame."""
HEADER = 14


@kernel(int64(_ROWS, _LINKS, int64))
def ethernet_of(rows, linktypes, row):  # pragma: no cover
    """Return the offset of the Ethernet header that a row came in, -1: it came in none. linktypes: of the packets.

    What was put together from fragments came in the frame of the last one, whose row is the one before. Inside of a
    tunnel without Ethernet of its own the frame belongs to the tunnel's ends, and to none here.
    """
    r = rows[row - 1 if rows[row]["frag"] == FRAG_REASSEMBLED else row]
    if r["caplen"] < MACS:
        return -1
    if r["tunnel"] != 0 and r["parent"] >= 0:
        return r["l2"] if r["l3"] - r["l2"] >= HEADER else -1
    return r["l2"] if linktypes[r["pkt"]] == LINKTYPE_ETHERNET else -1


@kernel(void(_ROWS, _LINKS, _BYTES, numba.uint8[:, ::1]))
def learn(rows, linktypes, buf, macs):  # pragma: no cover
    """Keep the MAC addresses of the flows that begin in a block. macs: uint8[slots, MACS], 0: not known."""
    for i in range(rows.size):
        if not rows[i]["fstate"] & FS_NEW:
            continue
        slot = rows[i]["flow"]
        at = ethernet_of(rows, linktypes, i)
        for k in range(MACS):
            macs[slot, k] = buf[at + k] if at >= 0 else 0
