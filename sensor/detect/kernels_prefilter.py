"""Rules that no literal can select, chosen by header predicates in columns."""

import numba
import numpy as np
from numba import njit
from numba.types import int64

from sensor.model.rows import ROW

_ROW = numba.from_dtype(ROW)[::1]

PREDICATE = np.dtype(
    [
        ("rule", "<i4"),
        ("protos", "<u4"),  # bit 0: neither of the others; 1: TCP, 2: UDP, 3: ICMP, 4: ICMPv6, 5: not IP, 6: fragments
        ("sport_low", "<u2"),
        ("sport_high", "<u2"),
        ("dport_low", "<u2"),
        ("dport_high", "<u2"),
        ("pay_low", "<i4"),  # payload bytes, both ends included
        ("pay_high", "<i4"),
        ("flags_mask", "u1"),  # TCP flags & mask must equal value
        ("flags_value", "u1"),
        ("side", "u1"),  # 0, 1; 2: either
        ("swap", "u1"),  # 1: ports may stand the other way round
    ],
    align=True,
)
"""Bounds that every packet matching a rule satisfies (a hull: it may let through more)."""

_PRED = numba.from_dtype(PREDICATE)[::1]
_i4 = numba.int32[::1]


@njit(int64(_ROW, _PRED, _i4, _i4, _i4), cache=True)
def select_rows(rows, preds, out_row, out_rule, state):  # pragma: no cover
    """Write (row, rule) pairs that satisfy a predicate, in row order; return their number.

    state: int32[1], the row to go on from; rows.size when done. Stops early when the output has no room for a row.
    """
    proto, ipv, dup, frag = rows["proto"], rows["ipv"], rows["dup"], rows["frag"]
    sports, dports, paylens, flags, sides = rows["sport"], rows["dport"], rows["paylen"], rows["tcpflags"], rows["side"]
    n = np.int64(0)
    i = np.int64(state[0])
    while i < rows.size:
        if n + preds.size > out_row.size:
            break
        if dup[i] == 0:
            p = proto[i]
            bit = 1
            # Of a fragment only its IP header is known.
            part = frag[i] == 1
            if ipv[i] == 0:
                bit = 32
            elif p == 6:
                bit = 2
            elif p == 17:
                bit = 4
            elif p == 1:
                bit = 8
            elif p == 58:
                bit = 16
            s, d, size = sports[i], dports[i], paylens[i]
            for k in range(preds.size):
                q = preds[k]
                if q["protos"] & bit == 0 or size < q["pay_low"] or size > q["pay_high"]:
                    continue
                if part and q["protos"] & 64 == 0:
                    continue
                if q["side"] != 2 and q["side"] != sides[i]:
                    continue
                if flags[i] & q["flags_mask"] != q["flags_value"]:
                    continue
                ok = q["sport_low"] <= s <= q["sport_high"] and q["dport_low"] <= d <= q["dport_high"]
                if not ok and q["swap"] == 1:
                    ok = q["sport_low"] <= d <= q["sport_high"] and q["dport_low"] <= s <= q["dport_high"]
                if ok:
                    out_row[n] = i
                    out_rule[n] = q["rule"]
                    n += 1
        i += 1
    state[0] = i
    return n
