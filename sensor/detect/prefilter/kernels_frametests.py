"""Which transaction rules a framed message may match, by the literals in its parts, before Python sees it."""

import numba
import numpy as np
from numba.types import boolean, int64

from sensor.detect.headers.kernels_headers import (
    FLOWS_T,
    HEADERS_T,
    I4,
    I8,
    U1,
    U1_2,
    U8,
    U8_2,
    header_matches,
    note_pairs,
)
from sensor.detect.regex.kernels_automata import AUTOMATA_T, BEGINS, may_match
from sensor.detect.scan.kernels_scan import REPEAT, UNITS_T
from sensor.model.frames import ABSENT, APART, CONTINUED, DECODED, FRAME, OPEN, UNKNOWN
from sensor.model.jit import helper, inlined, kernel
from sensor.model.kernels_search import search

TEST = np.dtype(
    [
        ("at", "<i4"),  # where the literal stands in the pool; AUTOMATIC: the automaton
        ("size", "<i4"),
        ("low", "<i4"),  # lowest offset at which it may begin; SIZED: fewest bytes of the part
        ("high", "<i4"),  # offset behind which it may not end, -1: none; SIZED: most bytes
        ("part", "u1"),
        ("flags", "u1"),  # bits below
    ],
    align=True,
)
"""What of a part a rule asks for."""

FOLD, NEGATED, END, LOOSE, SIZED, KEY, AUTOMATIC, BEHIND = 1, 2, 4, 8, 16, 32, 64, 128
"""FOLD: case is ignored, the pool has the literal in lower case. NEGATED: it may not be there. END: it ends the part.
LOOSE: not to be asked where the message has a cookie, whose line the part leaves out. SIZED: about the part's size.
KEY: of those that may be anywhere in what goes on, the one that is looked for there. AUTOMATIC: a regex; BEHIND: its
automaton begins with a literal, whose place and size these are."""

_FRAMES, _TESTS = numba.from_dtype(FRAME)[::1], numba.from_dtype(TEST)[::1]
_TX = 4


@inlined
def _found(t, data, start, end, pool):  # pragma: no cover
    """Tell whether the literal of a test stands where it may in data[start:end]."""
    size, at, fold = np.int64(t["size"]), np.int64(t["at"]), t["flags"] & FOLD
    low = start + np.int64(t["low"])
    last = end - size
    if t["high"] >= 0:
        last = min(last, start + np.int64(t["high"]) - size)
    if t["flags"] & END:
        if last < end - size:
            return False
        low = max(low, end - size)
    return search(data, low, last, pool, at, size, fold) >= 0


@helper
def _matches(t, data, start, end, automata, follow, octets, sets):  # pragma: no cover
    """Tell whether the regex of a test may match data[start:end]."""
    number, first, last = t["at"], start, end
    if t["flags"] & BEHIND:
        size = np.int64(t["size"])
        first, last = start + np.int64(t["low"]), end - size
        if t["high"] >= 0:
            last = min(last, start + np.int64(t["high"]) - size)
        if first > last:
            return False
    elif automata[number]["flags"] & BEGINS:
        last = start
    return may_match(number, automata, follow, octets, sets, data, start, end, first, last)


@inlined
def _holds(t, f, data, text, decoded, in_text, last_part, cookie, pool, automata, follow, octets,
           sets):  # pragma: no cover  # fmt: skip
    """Tell whether a test may hold on a message.

    text: of the parts in_text; decoded: of those that stand there (`DECODED`). last_part: the first of the parts that
    open messages go on with.
    """
    part = np.int64(t["part"])
    start, end = np.int64(f["at"][part]), np.int64(f["to"][part])
    if start == UNKNOWN:
        return True
    if start == ABSENT:
        return part >= last_part and f["flags"] & OPEN != 0
    if t["flags"] & LOOSE and f["at"][cookie] != ABSENT:
        return True
    if t["flags"] & SIZED:
        return t["low"] <= end - start <= t["high"]
    where = text if in_text[part] else data
    if start >= DECODED:
        where, start, end = decoded, start - DECODED, end - DECODED
    if t["flags"] & AUTOMATIC:
        return _matches(t, where, start, end, automata, follow, octets, sets)
    there = _found(t, where, start, end, pool)
    if t["flags"] & NEGATED:
        return not there
    if there or f["flags"] & OPEN == 0 or part < last_part:
        return there
    # It may still come.
    return t["flags"] & END != 0 or t["high"] < 0 or start + t["high"] > end


_FAILS, _ASKS_NOTHING, _MAY = range(3)


@inlined
def _verdict(rule, f, data, text, decoded, in_text, last_part, cookie, first, tests, pool, automata, follow, octets,
             sets):  # pragma: no cover  # fmt: skip
    """Tell whether a message may match a rule, as far as its side tells; or whether nothing in it is asked for."""
    side = np.int64(f["side"])
    begin, end = first[2 * rule + side], first[2 * rule + side + 1]
    asked = begin == end
    for k in range(begin, end):
        t = tests[k]
        if f["at"][t["part"]] == APART:
            continue
        asked = True
        if not _holds(t, f, data, text, decoded, in_text, last_part, cookie, pool, automata, follow, octets, sets):
            return _FAILS
    return _MAY if asked else _ASKS_NOTHING


@inlined
def _paired(t, pool, stamps, stamp):  # pragma: no cover
    """Tell whether the first two bytes of a literal stand side by side in bytes that were noted."""
    if t["size"] < 2 or t["flags"] & FOLD:
        return True
    at = np.int64(t["at"])
    return stamps[np.int64(pool[at]) | np.int64(pool[at + 1]) << 8] == stamp


@inlined
def _key_stands(rule, f, data, first, tests, pool, stamps, stamp):  # pragma: no cover
    """Tell whether the key of a rule stands in what is here of the part that goes on.

    stamps, stamp: of the pairs of bytes in it (`note_pairs`).
    """
    side = np.int64(f["side"])
    for k in range(first[2 * rule + side], first[2 * rule + side + 1]):
        t = tests[k]
        if t["flags"] & KEY:
            return _paired(t, pool, stamps, stamp) and _found(t, data, np.int64(f["first"]), np.int64(f["last"]), pool)
    return True


@inlined
def _frame_at(frames, a, b, pos):  # pragma: no cover
    """Return the first of frames[a:b] that ends behind a place."""
    while a < b:
        mid = (a + b) >> 1
        if frames[mid]["last"] <= pos:
            a = mid + 1
        else:
            b = mid
    return a


@inlined
def _ends(q, flow, masks, slot, ports):  # pragma: no cover
    """Tell whether the ends of a flow may be those of a rule, seen from the side that it names, or from either."""
    for s in range(2):
        if q["side"] in (s, 2):
            sport, dport = np.int64(flow["sport"]), np.int64(flow["dport"])
            if s == 1:
                sport, dport = dport, sport
            if header_matches(q, masks[2 * slot + s], masks[2 * slot + 1 - s], sport, dport, ports):
                return True
    return False


@kernel(
    int64(I4, I4, I8, U1, UNITS_T, U1, FLOWS_T, HEADERS_T, U1_2, U8, I4, I4, _FRAMES, I4, U1, U1, U1, int64, int64,
          I4, _TESTS, U1, AUTOMATA_T, U8, I4, U8_2, U1, U1, int64, I4, I4, I4, I8)
)  # fmt: skip
def by_literal(lits, hit_units, hit_pos, data, units, plain, flows, headers, ports, flow_masks, lit_first, lit_rules,
               frames, frame_first, text, decoded, in_text, last_part, cookie, first, tests, pool, automata, follow,
               octets, sets, hit_side, deep, app, seen, out_frame, out_rule, state):  # pragma: no cover  # fmt: skip
    """Write (frame, rule) pairs of rules whose literal was found in or near a message, and which it may match.

    Returns how many. In place of a frame, -1 - unit: the message is not known.
    frame_first: int32[units + 1]; in_text: uint8[parts]; first: int32[2 * rules + 1], tests of each rule and side;
    hit_side: uint8[rules], side of the literal, 2: either; deep: uint8[rules], bit 0: it asks for more than the head,
    bit 1: for bytes that may be in another message; seen: int32[rules] of scratch, -1 at the start. state: int64[2],
    hit to go on from, and rules of its literal done. Stops early when the output is full.
    """
    n = np.int64(0)
    room = out_rule.size - frames.size - 1
    h = state[0]
    mask = np.uint64(1) << np.uint64(app)
    while h < lits.size and n < room:
        u = hit_units[h]
        if not plain[u]:
            h += 1
            continue
        slot, side = np.int64(units[u]["flow"]), np.int64(units[u]["side"])
        pos = hit_pos[h]
        b = np.int64(frame_first[u + 1])
        a = _frame_at(frames, np.int64(frame_first[u]), b, pos)
        k = np.int64(lit_first[lits[h]]) + state[1]
        state[1] = 0
        while k < lit_first[lits[h] + 1] and n < room:
            rule = np.int64(lit_rules[k])
            k += 1
            q = headers[rule]
            if q["scope"] != _TX or q["apps"] & mask == 0 or hit_side[rule] not in (side, 2):
                continue
            if not _ends(q, flows[slot], flow_masks, slot, ports):
                continue
            if deep[rule] & 2 or a == b or pos < frames[a]["first"]:
                out_frame[n] = -1 - u
                out_rule[n] = rule
                n += 1
                continue
            m = max(a, np.int64(seen[rule]) + 1)
            while m < b and frames[m]["first"] <= pos + REPEAT:
                f = frames[m]
                seen[rule] = m
                if f["flags"] & CONTINUED:
                    passes = deep[rule] != 0
                else:
                    passes = _verdict(
                        rule, f, data, text, decoded, in_text, last_part, cookie, first, tests, pool, automata, follow,
                        octets, sets,
                    ) == _MAY  # fmt: skip
                if passes:
                    out_frame[n] = m
                    out_rule[n] = rule
                    n += 1
                m += 1
        if k < lit_first[lits[h] + 1]:
            state[1] = k - lit_first[lits[h]]
        else:
            h += 1
    state[0] = h
    return n


@kernel(
    int64(U1, UNITS_T, FLOWS_T, HEADERS_T, U1_2, U8, _FRAMES, U1, U1, U1, int64, int64, I4, _TESTS, U1, AUTOMATA_T, U8,
          I4, U8_2, I4, I4, U1, U1, U1, I4, I4, I8)
)  # fmt: skip
def by_frame(data, units, flows, headers, ports, flow_masks, frames, text, decoded, in_text, last_part, cookie, first,
             tests, pool, automata, follow, octets, sets, always, always_first, floats, any_float, stamps, out_frame,
             out_rule, state):  # pragma: no cover  # fmt: skip
    """Write (frame, rule) pairs of rules without a literal of the scan; return how many.

    always: numbers of these rules, those of side 0 first (always_first: int32[3]); floats: uint8[rules], whether a
    rule has a key; any_float: uint8[2], whether any of a side has; stamps: of `note_pairs`, all 0. state: int64[1],
    frame to go on from.
    """
    n, stamp = np.int64(0), np.int64(0)
    room = out_rule.size - always.size
    m = state[0]
    while m < frames.size and n <= room:
        f = frames[m]
        slot, side = np.int64(units[f["unit"]]["flow"]), np.int64(f["side"])
        continued, unfinished = f["flags"] & CONTINUED != 0, f["flags"] & OPEN != 0
        if (continued or unfinished) and any_float[side] and f["last"] > f["first"]:
            stamp = note_pairs(data, np.int64(f["first"]), np.int64(f["last"]) - np.int64(f["first"]), stamps, stamp)
        for k in range(always_first[side], always_first[side + 1]):
            rule = np.int64(always[k])
            if continued:
                passes = floats[rule] != 0 and _key_stands(rule, f, data, first, tests, pool, stamps, stamp)
            elif floats[rule] and unfinished and not _key_stands(rule, f, data, first, tests, pool, stamps, stamp):
                passes = False
            else:
                passes = _verdict(
                    rule, f, data, text, decoded, in_text, last_part, cookie, first, tests, pool, automata, follow,
                    octets, sets,
                ) == _MAY  # fmt: skip
            if passes and _ends(headers[rule], flows[slot], flow_masks, slot, ports):
                out_frame[n] = m
                out_rule[n] = rule
                n += 1
        m += 1
    state[0] = m
    return n


@kernel(
    int64(I4, I4, U1, _FRAMES, U1, U1, U1, int64, int64, I4, _TESTS, U1, AUTOMATA_T, U8, I4, U8_2, boolean[::1])
)  # fmt: skip
def try_pairs(at, rules, data, frames, text, decoded, in_text, last_part, cookie, first, tests, pool, automata, follow,
              octets, sets, out):  # pragma: no cover  # fmt: skip
    """Tell of each pair (frame, rule) whether the message may match; return how many. at, rules: int32[n]."""
    count = np.int64(0)
    for i in range(at.size):
        f = frames[at[i]]
        out[i] = f["flags"] & CONTINUED != 0 or _verdict(
            rules[i], f, data, text, decoded, in_text, last_part, cookie, first, tests, pool, automata, follow, octets,
            sets,
        ) != _FAILS  # fmt: skip
        count += out[i]
    return count
