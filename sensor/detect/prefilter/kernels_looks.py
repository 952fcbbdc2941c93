"""First looks: what of a rule's tests on raw bytes can be refused without judging it.

The tests of a chain are gone through once, without going back. What is kept of the cursor is the lowest and the
highest place at which it could be; a test fails only if it would fail from each of them.
"""

import numba
import numpy as np
from numba.types import boolean, int64

from sensor.detect.headers.kernels_headers import (
    BYTES,
    FLOWS_T,
    HEADERS_T,
    I4,
    I8,
    ROWS_T,
    U1,
    U8,
    U8_2,
    fragment_bit,
    head_known,
    proto_bit,
    row_fits,
    size_fits,
)
from sensor.detect.regex.kernels_automata import AUTOMATA_T, BEGINS, LINES, may_match
from sensor.model.jit import allocating_kernel, helper, inlined, kernel
from sensor.model.kernels_search import same, search
from sensor.model.rows import FS_BEFORE, FS_ESTABLISHED
from sensor.proto.kernels_probe import HEAD

LOOK = np.dtype(
    [
        ("low", "<i8"),  # lowest offset of the first byte, from the start of the packet or stream
        ("high", "<i8"),  # offset behind which the last byte may not lie
        ("after", "<i8"),  # the same, from the cursor
        ("until", "<i8"),
        ("value", "<i8"),  # NUMBER: to compare with; JUMP: multiplier; AT_LEAST: bytes; REGEX: its automaton
        ("mask", "<i8"),  # NUMBER: bits compared, 0: all
        ("at", "<i4"),  # CONTENT: where the literal stands in the pool
        ("size", "<i4"),  # bytes of the literal or number; REGEX: of the literal that the automaton leaves out
        ("kind", "u1"),
        ("op", "u1"),  # NUMBER: EQUAL …; JUMP: FROM_NUMBER …; REGEX: see there; EXTRACT: 1, text; CONTENT: 1, its last
        # place matters
        ("nocase", "u1"),  # CONTENT: the pool has it in lower case
        ("last", "u1"),  # CONTENT: it ends with the buffer
        ("negated", "u1"),
        ("relative", "u1"),
        ("little", "u1"),  # the number's lowest byte comes first
        ("align", "u1"),  # JUMP: to a multiple of four
    ],
    align=True,
)
"""A test on raw bytes. A number stands at offset `low`, or `after` from the cursor; `until` is what a JUMP adds."""

START, CONTENT, NUMBER, EXTRACT, JUMP, AT_LEAST, ANYWHERE, REGEX = range(8)
"""Kinds: begin of a chain; content, or a literal of a regex; byte_test; byte_extract and byte_math; byte_jump;
isdataat; something behind which the cursor may be anywhere; the automaton of a regex (op 1: it begins with the literal
that has set the cursor)."""

EQUAL, UNEQUAL, LESS, GREATER, AT_MOST, NO_LESS, AND = range(7)
FROM_NUMBER, FROM_START, FROM_END = range(3)
NEVER = 1 << 40
"""Beyond every offset."""
CLOSE = 512
"""Bytes within which the last place of a literal is looked for, and not only the first."""
MEMO = 16
"""Looks of a rule whose results are kept from one window to the next."""
LOOKS_T = numba.from_dtype(LOOK)[::1]


@helper
def _last(data, start, end, pool, at, size, nocase):  # pragma: no cover
    """Return the last such place."""
    for p in range(end - size, start - 1, -1):
        if same(data, p, pool, at, size, nocase):
            return p
    return -1


@helper
def _number(data, at, size, little):  # pragma: no cover
    value = np.int64(0)
    for x in range(size):
        value = value << 8 | np.int64(data[at + size - 1 - x if little else at + x])
    return value


@helper
def _compares(op, a, b):  # pragma: no cover
    """Tell whether a number compares so."""
    if op == EQUAL:
        return a == b
    if op == UNEQUAL:
        return a != b
    if op == LESS:
        return a < b
    if op == GREATER:
        return a > b
    if op == AT_MOST:
        return a <= b
    if op == NO_LESS:
        return a >= b
    return a & b != 0


@helper
def _masked(value, mask):  # pragma: no cover
    """Return the bits of a mask, moved down by its trailing zeros (mask 0: no mask)."""
    if mask == 0:
        return value
    value &= mask
    while mask & 1 == 0:
        mask >>= 1
        value >>= 1
    return value


@inlined
def _find(k, memo, n, data, begin, base, lo, hi, pool):  # pragma: no cover
    """Return the first place in [lo, hi) of a window at which a literal stands; -1: none.

    memo: int64[MEMO, 3], what a former window of the same side showed: places of the stream that were looked at
    [from, to), and the first of them at which the literal stands, -1: none.
    """
    size, at, nocase = np.int64(k["size"]), np.int64(k["at"]), k["nocase"]
    if n >= MEMO:
        p = search(data, begin + lo, begin + hi - size, pool, at, size, nocase)
        return p - begin if p >= 0 else np.int64(-1)
    a, b = base + lo, base + hi - size + 1
    if not (memo[n, 0] <= a <= memo[n, 1]):
        memo[n, 0], memo[n, 1], memo[n, 2] = a, a, -1
    if memo[n, 2] < a:
        memo[n, 2] = -1
        if memo[n, 1] < b:
            p = search(data, begin + memo[n, 1] - base, begin + hi - size, pool, at, size, nocase)
            memo[n, 2] = p - begin + base if p >= 0 else np.int64(-1)
            memo[n, 1] = memo[n, 2] + 1 if p >= 0 else b
        memo[n, 0] = a
    return memo[n, 2] - base if 0 <= memo[n, 2] < b else np.int64(-1)


@inlined
def _content(k, n, data, begin, size, base, cursor, pool, memo, sees_all):  # pragma: no cover
    """Tell whether a literal may stand where it must; the cursor moves behind it.

    cursor: int64[4], lowest and highest, and between which places the literal may begin that has set it. sees_all: no
    rule has seen less than all of these bytes.
    """
    length, at = np.int64(k["size"]), np.int64(k["at"])
    lo = max(np.int64(0), k["low"] - base, cursor[0] + k["after"])
    hi = min(size, k["high"] - base, cursor[1] + k["until"])
    if k["negated"]:
        if not sees_all or k["last"] or (k["relative"] and cursor[0] != cursor[1]):
            return True
        return search(data, begin + lo, begin + hi - length, pool, at, length, k["nocase"]) < 0
    if k["last"]:
        cursor[0] = cursor[1] = size
        return size - length >= lo and hi >= size and same(data, begin + size - length, pool, at, length, k["nocase"])
    if hi - lo < length:
        return False
    p = _find(k, memo, n, data, begin, base, lo, hi, pool)
    if p < 0:
        return False
    cursor[0], cursor[1] = p + length, hi
    cursor[2], cursor[3] = p, hi - length
    if k["op"] and p + length < hi <= p + CLOSE:
        cursor[1] = _last(data, begin + p, begin + hi, pool, at, length, k["nocase"]) - begin + length
    return True


@helper
def _numeric(k, data, begin, size, base, cursor):  # pragma: no cover
    """Tell whether a number may be there, and compare so; the cursor moves as it says."""
    kind, wide = k["kind"], np.int64(k["size"])
    if k["relative"]:
        lo, hi = cursor[0] + k["after"], cursor[1] + k["after"]
    else:
        lo = hi = k["low"] - base
    if hi < 0 or lo + wide > size:
        return False
    if kind == EXTRACT:
        cursor[0], cursor[1] = max(lo, np.int64(0)) + (1 if k["op"] else wide), min(hi + wide, size)
        return True
    if lo != hi:
        if kind == JUMP:
            cursor[0], cursor[1] = -base, size
        return True
    value = _masked(_number(data, begin + lo, wide, k["little"]), k["mask"])
    if kind == NUMBER:
        return _compares(k["op"], value, k["value"]) != (k["negated"] != 0)
    value *= k["value"]
    if k["align"]:
        value += -value % 4
    value += k["until"]
    if k["op"] == FROM_START:
        value -= base
    else:
        value += size if k["op"] == FROM_END else lo + wide
    cursor[0] = cursor[1] = max(value, -base)
    return value <= size


@helper
def _regex(k, data, begin, size, base, cursor, automata, follow, octets, sets):  # pragma: no cover
    """Tell whether a regex may match."""
    number = k["value"]
    if k["op"]:
        lo, hi = cursor[2] + k["size"], min(cursor[3] + k["size"], size)
    elif k["relative"]:
        lo, hi = min(cursor[0], size), min(cursor[1], size)
        # What is not at hand, or where a line could begin at each of several places, nobody knows.
        if lo < 0 or (lo != hi and automata[number]["flags"] & LINES):
            return True
        if not automata[number]["flags"] & BEGINS:
            hi = size
    else:
        lo, hi = np.int64(0), size
        if automata[number]["flags"] & BEGINS:
            if base > 0:
                return False
            hi = lo
    return may_match(number, automata, follow, octets, sets, data, begin + lo, begin + size, begin + lo, begin + hi)


@helper
def _unseen(k, base, heads, head, known, pool):  # pragma: no cover
    """Tell whether a test may hold on bytes that are not at hand, all of them behind `base`.

    heads[head : head + known]: the first bytes of the stream.
    """
    kind, high, length = k["kind"], k["high"], np.int64(k["size"])
    if kind == CONTENT:
        if k["negated"]:
            return True
        if high <= known:
            low = max(np.int64(0), k["low"])
            if search(heads, head + low, head + high - length, pool, np.int64(k["at"]), length, k["nocase"]) < 0:
                return False
        return high - length >= base
    if not NUMBER <= kind <= JUMP or k["relative"]:
        return True
    low = k["low"]
    if kind == NUMBER and low >= 0 and low + length <= known:
        value = _masked(_number(heads, head + low, length, k["little"]), k["mask"])
        if _compares(k["op"], value, k["value"]) == (k["negated"] != 0):
            return False
    return low >= base


@inlined
def may_hold(looks, first, last, data, begin, size, base, pool, automata, follow, octets, sets, memo, sees_all,
             cursor, heads, head, known):  # pragma: no cover  # fmt: skip
    """Tell whether looks first:last may hold on data[begin : begin + size].

    base: bytes of the packet or stream before these; size -1: they are not at hand, but for its first bytes,
    heads[head : head + known]. memo: see `_find`; cursor:
    int64[4] of scratch; sees_all: see `_content`.
    """
    for n in range(first, last):
        k = looks[n]
        kind = k["kind"]
        if size < 0:
            if not _unseen(k, base, heads, head, known, pool):
                return False
        elif kind == CONTENT:
            if not _content(k, n - first, data, begin, size, base, cursor, pool, memo, sees_all):
                return False
        elif kind == START:
            cursor[0] = cursor[1] = -base
        elif kind == ANYWHERE:
            cursor[0], cursor[1] = -base, size
        elif kind == REGEX:
            if not _regex(k, data, begin, size, base, cursor, automata, follow, octets, sets):
                return False
        elif kind == AT_LEAST:
            # Of a number of bytes that must follow, or must not.
            if k["relative"]:
                there, lacks = cursor[0] + k["value"] <= size, cursor[1] + k["value"] > size
            else:
                there = k["value"] - base < size
                lacks = not there
            if not (lacks if k["negated"] else there):
                return False
        elif not _numeric(k, data, begin, size, base, cursor):
            return False
    return True


@kernel(boolean(HEADERS_T, int64, int64, FLOWS_T, I4))
def speaks(headers, rule, slot, flows, turned):  # pragma: no cover
    """Tell whether a flow may speak a protocol of a rule. turned: int32[k], sorted: slots that spoke another before."""
    apps = headers[rule]["apps"]
    if apps == 0:
        return True
    if slot < 0:
        return False
    if apps >> np.uint64(flows[slot]["app"]) & np.uint64(1):
        return True
    at = np.searchsorted(turned, slot)
    return at < turned.size and turned[at] == slot


@allocating_kernel(int64(I4, I4, ROWS_T, FLOWS_T, I4, BYTES, HEADERS_T, I4, LOOKS_T, U1, AUTOMATA_T, U8, I4, U8_2,
             boolean[::1]))
def look_rows(at, rules, rows, flows, turned, data, headers, first, looks, pool, automata, follow, octets, sets,
              out):  # pragma: no cover  # fmt: skip
    """Tell of each pair (row, rule) whether the rule may match the row; return how many.

    at, rules: int32[n]; first: int32[rules + 1], where a rule's looks begin; out: bool[n].
    """
    memo, cursor = np.zeros((MEMO, 3), np.int64), np.zeros(4, np.int64)
    count = np.int64(0)
    for i in range(at.size):
        r, rule = rows[at[i]], np.int64(rules[i])
        q = headers[rule]
        slot = np.int64(r["flow"])
        out[i] = False
        part = fragment_bit(r["ipv"], r["frag"])
        size = np.int64(0 if part else r["paylen"])
        bit = proto_bit(r["ipv"], r["proto"])
        side, established = np.int64(r["side"]), r["fstate"] & FS_BEFORE == FS_ESTABLISHED
        fits = row_fits(q, bit, r["proto"], part, side, slot >= 0, r["tcpflags"], established)
        if fits and size_fits(q, size) and speaks(headers, rule, slot, flows, turned):
            memo[:] = -1
            out[i] = may_hold(
                looks, first[rule], first[rule + 1], data, np.int64(r["pay"]), size, np.int64(0), pool, automata,
                follow, octets, sets, memo, True, cursor, pool, np.int64(0), np.int64(0),
            )  # fmt: skip
            count += out[i]
    return count


@allocating_kernel(int64(I4, I4, I8, I8, I8, I4, FLOWS_T, I4, BYTES, HEADERS_T, I4, LOOKS_T, U1, AUTOMATA_T, U8, I4,
             U8_2, boolean[::1], U1, I8))
def look_windows(sides, rules, bases, origins, begins, sizes, flows, turned, data, headers, first, looks, pool,
                 automata, follow, octets, sets, out, heads, head_sizes):  # pragma: no cover  # fmt: skip
    """Tell of each pair (window, rule) whether the rule may match the window; return how many.

    sides: 2 * slot + side; bases: offset of the first byte in its message; origins: stream offset of that message;
    begins: where the byte is in `data`; sizes: bytes, -1: they are not all there. In the order of rules, then sides,
    then windows. heads, head_sizes: see `head_known`.
    """
    memo, cursor = np.zeros((MEMO, 3), np.int64), np.zeros(4, np.int64)
    count = np.int64(0)
    side, last, origin = np.int64(-1), np.int64(-1), np.int64(-1)
    for i in range(rules.size):
        rule = np.int64(rules[i])
        out[i] = False
        if rule != last or sides[i] != side or origins[i] != origin:
            side, origin = np.int64(sides[i]), np.int64(origins[i])
            memo[:] = -1
        last = rule
        if speaks(headers, rule, side >> 1, flows, turned):
            out[i] = may_hold(
                looks, first[rule], first[rule + 1], data, begins[i], np.int64(sizes[i]), bases[i], pool, automata,
                follow, octets, sets, memo, False, cursor, heads, HEAD * side,
                head_known(head_sizes, side) if head_sizes.size and origin == 0 else np.int64(0),
            )  # fmt: skip
            count += out[i]
    return count
