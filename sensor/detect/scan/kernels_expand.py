"""From literal hits to (rule, hit) pairs: headers are tested, then a rule's other literals, before Python sees one."""

import numpy as np
from numba.types import boolean, int64

from sensor.detect.headers.kernels_headers import (
    FLOWS_T,
    HEADERS_T,
    I4,
    ROWS_T,
    U1,
    U1_2,
    U8,
    header_matches,
    proto_bit,
)
from sensor.detect.scan.kernels_scan import UNITS_T
from sensor.model.jit import helper, kernel
from sensor.model.kernels_search import search
from sensor.model.rows import APP_UNDECIDED
from sensor.model.units import UNIT_STREAM

I8 = int64[::1]
WHOLE = 1 << 16
"""Units longer than this are not searched for a rule's other literals: they count as found."""
MAX_OTHERS = 8
"""Further literals of a rule that are looked for."""
_TX = 4


@helper
def missing(data, start, end, rule, wanted, other_first, other_at, other_len, other_cased, pool):  # pragma: no cover
    """Return which of a rule's wanted other literals are not in data[start:end], as bits.

    Where case is ignored, `pool` has them in lower case.
    """
    left = np.int64(0)
    begin = other_first[rule]
    for k in range(begin, other_first[rule + 1]):
        bit, size = np.int64(1) << (k - begin), other_len[k]
        if wanted & bit and search(data, start, end - size, pool, other_at[k], size, not other_cased[k]) < 0:
            left |= bit
    return left


@kernel(
    int64(I4, I4, U1, UNITS_T, U1, ROWS_T, FLOWS_T, HEADERS_T, U1_2, U8, I4, I4, I4, I4, I4, U1, U1, I4, I4, I4, I4,
          I4, I4, I8, I8)
)  # fmt: skip
def expand(lits, hit_units, data, units, framed, rows, flows, headers, ports, flow_masks, lit_first, lit_rules,
           other_first, other_at, other_len, other_cased, pool, unit_of, last_unit, last_left, out_rule,
           out_hit, late_rule, late_hit, state):  # pragma: no cover  # fmt: skip
    """Write (rule, number of the hit) pairs that may match; return how many.

    framed: uint8[units], 1: transaction rules are looked at elsewhere (`kernels_frametests`).
    unit_of: int32[2 * slots], the one stream unit of the block that a side has, else negative. last_unit, last_left:
    int32[rules] of scratch: the unit in which a rule was looked at last (-1 at the start), and what was missing in it.
    A transaction rule is a reason to parse a stream or message as its protocol; one reason is enough.
    state: int64[4]: hit to go on from, rules of its literal done; (out) late pairs written; protocols as which the unit
    at hand is to be parsed. A late pair is one of which some other literal has not come yet: `late_rule`, and
    `late_hit` with the bits of what is missing above bit 32. Stops early when an output is full.
    """
    kinds, slots, sides, numbers = units["kind"], units["flow"], units["side"], units["row"]
    starts, ends, poss = units["start"], units["end"], units["pos"]
    n = np.int64(0)
    late = np.int64(0)
    current = -1
    bit, side, app = 0, np.int64(0), np.int64(0)
    sport, dport = np.int64(0), np.int64(0)
    sender, receiver = np.uint64(0), np.uint64(0)
    carried, due = np.uint64(state[3]), np.uint64(0)
    hot = stream = False
    h = state[0]
    while h < lits.size:
        u = hit_units[h]
        if u != current:
            current = u
            slot, side = slots[u], np.int64(sides[u])
            stream = kinds[u] == UNIT_STREAM
            app = np.int64(APP_UNDECIDED)
            hot = False
            due, carried = carried, np.uint64(0)
            if slot >= 0:
                f = flows[slot]
                bit = proto_bit(f["ipv"], f["proto"])
                sport, dport = np.int64(f["sport"]), np.int64(f["dport"])
                if side == 1:
                    sport, dport = dport, sport
                sender, receiver = flow_masks[2 * slot + side], flow_masks[2 * slot + 1 - side]
                if stream:
                    app = np.int64(f["app"])
                    hot = f["hot"] != 0
            else:
                r = rows[numbers[u]]
                bit = proto_bit(r["ipv"], r["proto"])
                sport, dport = np.int64(r["sport"]), np.int64(r["dport"])
                sender = receiver = ~np.uint64(0)
                side = np.int64(2)
        lit = lits[h]
        k = max(np.int64(lit_first[lit]), state[1])
        state[1] = 0
        while k < lit_first[lit + 1]:
            rule = lit_rules[k]
            k += 1
            q = headers[rule]
            if q["protos"] & bit == 0 or (q["side"] != 2 and q["side"] != side):
                continue
            if q["scope"] == _TX:
                # What is parsed already needs no further reason.
                if hot or framed[u] or q["apps"] & ~due == 0 or last_unit[rule] == u:
                    continue
                if app != APP_UNDECIDED and q["apps"] >> np.uint64(app) & np.uint64(1) == 0:
                    continue
            elif last_unit[rule] == u and last_left[rule]:
                continue
            if not header_matches(q, sender, receiver, sport, dport, ports):
                continue
            if last_unit[rule] != u:
                last_unit[rule] = u
                last_left[rule] = 0
                start, end = starts[u], ends[u]
                first = not stream or (poss[u] == 0 and unit_of[2 * slots[u] + side] == u)
                if first and end - start <= WHOLE and other_first[rule + 1] > other_first[rule]:
                    left = missing(
                        data, start, end, rule, np.int64(-1), other_first, other_at, other_len, other_cased, pool
                    )
                    last_left[rule] = left
                    if left:
                        if stream and q["scope"] != 1:
                            late_rule[late] = rule
                            late_hit[late] = h | left << 32
                            late += 1
                        if late == late_rule.size:
                            state[0] = h
                            state[1] = k
                            state[2] = late
                            state[3] = np.int64(due)
                            return n
                        continue
            if q["scope"] == _TX:
                due |= q["apps"]
            out_rule[n] = rule
            out_hit[n] = h
            n += 1
            if n == out_rule.size:
                state[0] = h
                state[1] = k
                state[2] = late
                state[3] = np.int64(due)
                return n
        h += 1
    state[0] = h
    state[1] = 0
    state[2] = late
    return n


@kernel(int64(I4, I8, I8, I4, U1, UNITS_T, I4, I4, I4, U1, U1, boolean[::1]))
def complete(rules, sides, lefts, unit_of, data, units, other_first, other_at, other_len, other_cased, pool,
             done):  # pragma: no cover  # fmt: skip
    """Look for what late pairs still miss in the new bytes of their sides; return how many miss nothing any more.

    rules: int32[n]; sides: int64[n], 2 * slot + side; lefts: int64[n], bits of missing literals, which are cleared as
    they are found; unit_of: int32[2 * slots], the unit of each side, -1: none, -2: several. done: bool[n].
    """
    starts, ends = units["start"], units["end"]
    count = np.int64(0)
    for i in range(rules.size):
        done[i] = False
        u = unit_of[sides[i]]
        if u == -1:
            continue
        if u == -2 or ends[u] - starts[u] > WHOLE:
            lefts[i] = 0
        else:
            lefts[i] = missing(
                data, starts[u], ends[u], rules[i], lefts[i], other_first, other_at, other_len, other_cased, pool
            )
        if lefts[i] == 0:
            done[i] = True
            count += 1
    return count
