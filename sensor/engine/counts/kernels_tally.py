"""Totals of a block, in one pass over its rows."""

import numba
import numpy as np
from numba import void

from sensor.model.jit import kernel
from sensor.model.rows import FRAG_PART, ROW, STREAM_IGNORED

_ROW = numba.from_dtype(ROW)[::1]
_i8 = numba.int64[::1]

VERSIONS, ARP, VLAN, FRAGMENTS, DUPLICATES, IGNORED, INVALID = 0, 8, 9, 10, 11, 12, 13
"""Places in `sums` (IP versions take eight)."""
SUMS = 16


@kernel(void(_ROW, _i8, _i8, _i8, _i8, _i8))
def count(rows, sums, protos, tunnels, checksums, anomalies):  # pragma: no cover
    """Add a block: sums int64[SUMS], protos int64[256], tunnels and checksums int64[8], anomalies int64[64]."""
    for i in range(rows.size):
        r = rows[i]
        sums[VERSIONS + (r["ipv"] & 7)] += 1
        protos[r["proto"]] += 1
        tunnels[r["tunnel"] & 7] += 1
        checksums[r["l4csum"] & 7] += 1
        if r["ipv"] == 0 and r["ethertype"] == 0x0806:
            sums[ARP] += 1
        if r["nvlan"] > 0:
            sums[VLAN] += 1
        if r["frag"] == FRAG_PART:
            sums[FRAGMENTS] += 1
        if r["dup"] != 0:
            sums[DUPLICATES] += 1
        if r["stream"] == STREAM_IGNORED:
            sums[IGNORED] += 1
        odd = r["anomaly"]
        if odd != 0:
            sums[INVALID] += 1
            for bit in range(64):
                if odd >> np.uint64(bit) & np.uint64(1):
                    anomalies[bit] += 1
