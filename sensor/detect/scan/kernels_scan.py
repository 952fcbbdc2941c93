"""The literal scan: one native pass over gathered bytes, masks tested before anything is emitted.

A literal is found by a gram, four bytes of it. Only every second place of the bytes is hashed (where all literals of a
table are long enough, every fourth or eighth), and of each literal as many neighbouring grams are in the table, so that
one of them lies on a hashed place wherever the literal stands. Grams are folded by `| 0x20` in each byte: cheap, and
exact comparison follows.

A literal of four bytes has one gram; the other is what lies one place further, or one place before, whatever its byte
beside the literal is. In the filter stand all 128 grams that it may be; in the table of grams that byte is 0, which
folded bytes never are.

Nearly all of the time is spent on places where nothing is: one load of four bytes, one multiplication, one load of the
filter, four places at once, and one branch for all four. Of two bits of one word of the filter both must be set. All of
that is in unsigned numbers: with signed ones Numba looks at each index whether it counts from the end.
"""

from typing import Any

import numba
import numpy as np
from numba.types import int64, void

from sensor.model.jit import inlined, kernel
from sensor.model.kernels_search import same, zeros
from sensor.model.units import UNIT

LITERAL = np.dtype(
    [
        ("mask", "<u8"),  # group bits of the units in which it is searched
        ("at", "<i4"),  # where it stands in the pool
        ("size", "u1"),
        ("nocase", "u1"),  # the pool has it in lower case
        ("sides", "u1"),  # bits: sides in whose bytes it is searched
    ],
    align=True,
)
"""What is searched."""

TABLE = np.dtype(
    [
        ("mask", "<u8"),  # group bits: units with others have literals that the table lacks
        ("filter", "<i8"),  # its first word among all filters, and behind these that of its wild grams
        ("wilds", "<i8"),
        ("slots", "<i8"),  # its first slot among all
        ("last", "<i8"),  # number of its last slot: slots less one
        ("slot_shift", "<i4"),  # 32 less the bits that name a slot
        ("shift", "<i4"),  # 32 less the bits that name a bit of the filter
        ("stride", "<i4"),
        ("wild", "u1"),  # 1: some of its grams have a byte that may be any
        ("sides", "u1"),  # bits: units of which sides it is for
    ],
    align=True,
)
"""The literals that units of some groups may hold. Their entries, filters and slots lie one behind the other."""

ENTRY = np.dtype(
    [
        ("lit", "<i4"),
        ("check", "<u4"),  # the folded gram that stands in it, or in what is read of it, at `place`
        ("off", "i1"),  # where in it the gram is that it is found by
        ("place", "u1"),
        ("size", "u1"),  # bytes of the literal
        ("more", "u1"),  # 1: the next entry is of the same gram
    ],
    align=True,
)
"""A literal of a gram."""

UNITS_T = _UNIT = numba.from_dtype(UNIT)[::1]
_LITERALS, _TABLES, _ENTRIES = (numba.from_dtype(dtype)[::1] for dtype in (LITERAL, TABLE, ENTRY))
_u1, _i4, _u4, _u8, _i8 = numba.uint8[::1], numba.int32[::1], numba.uint32[::1], numba.uint64[::1], numba.int64[::1]
_u4_2 = numba.uint32[:, ::1]
_U = np.uint64
_0, _1, _2, _3, _4, _8, _16, _20, _24, _26 = (np.uint64(n) for n in (0, 1, 2, 3, 4, 8, 16, 20, 24, 26))

GRAM, STRIDE = 4, 2
HASH = 0x61C88647  # odd, below 2**31: a product with a 32-bit gram stays inside int64 (Knuth, multiplicative hash)
FILTER_WORD = 64
"""Bits of a word of the filter. A gram is in the word that the first bits of its hash name, by two bits: those that the
next six bits name, and those from `SECOND` on."""
SECOND = 5
WILD_BITS = 4096
"""Size of the filter of wild grams."""
AHEAD, BEHIND = 0x00FFFFFF, 0xFFFFFF00
"""Of a gram with a byte that may be any: the others. AHEAD: those in front of it."""
_HASH, _32_BITS, _FOLD = np.uint64(HASH), np.uint64(0xFFFFFFFF), np.uint64(0x20202020)
_SECOND, _WORD, _LOG = np.uint64(SECOND), np.uint64(FILTER_WORD - 1), np.uint64(6)
_AT_ONCE = 4
REPEAT = 256
"""A literal is reported once per so many bytes of a unit: traffic stuffed with one literal costs no more."""


@kernel(void(_UNIT, _u8, _TABLES, _i4))
def choose(units, bits, tables, out):
    """Write the first table that has all literals for a unit: int32[units]; the last one has all for every unit.

    bits: uint64[units], group bits.
    """
    sides = units["side"]
    number = 0
    for u in range(units.size):
        if u == 0 or bits[u] != bits[u - 1] or sides[u] != sides[u - 1]:
            number = 0
            while number < tables.size - 1:
                t = tables[number]
                if bits[u] & ~t["mask"] == 0 and t["sides"] >> sides[u] & 1:
                    break
                number += 1
        out[u] = number


@inlined
def gram_at(data: np.ndarray, p: Any) -> Any:
    """Return the folded gram at a position. p: uint64, as the result; four loads that become one."""
    return (_U(data[p]) | _U(data[p + _1]) << _8 | _U(data[p + _2]) << _16 | _U(data[p + _3]) << _24) | _FOLD


@inlined
def _last_gram(data: np.ndarray, p: Any) -> Any:
    """Return the folded gram at the place with two bytes behind it."""
    return (_U(data[p]) | _U(data[p + _1]) << _8 | _U(data[p + _2]) << _16) | _FOLD


@inlined
def _passes(g: Any, grams: np.ndarray, first: Any, shift: Any) -> Any:
    """Return 1 where a gram passes the filter whose first word is given, else 0."""
    x = g * _HASH & _32_BITS
    word = grams[first + (x >> (shift + _LOG))]
    return word >> (x >> shift & _WORD) & word >> (x >> _SECOND & _WORD) & _1


@inlined
def _passing(data: np.ndarray, p: Any, step: Any, grams: np.ndarray, first: Any, shift: Any) -> Any:
    """Return which of `_AT_ONCE` places from p on have a gram that passes, as bits. All numbers are uint64."""
    found = _0
    for k in range(_AT_ONCE):
        found |= _passes(gram_at(data, p + _U(k) * step), grams, first, shift) << _U(k)
    return found


@inlined
def _next(data: np.ndarray, p: Any, stop: Any, step: Any, grams: np.ndarray, first: Any, shift: Any) -> Any:
    """Return the first place from p on, `_AT_ONCE` after `_AT_ONCE`, from which on one passes, and which do, as bits.

    None up to `stop`: a place behind it. All numbers are uint64.
    """
    found = _0
    while p <= stop:
        found = _passing(data, p, step, grams, first, shift)
        if found:
            break
        p += _4 * step
    return p, found


@inlined
def _entries_of(key: Any, slots: np.ndarray, first: Any, last: Any, shift: Any) -> Any:
    """Return the first entry of a gram, -1: no literal has it. slots: uint32[k, 2], gram and entry, 0: free."""
    j = (key * HASH & 0xFFFFFFFF) >> shift
    while slots[first + j, 0] != 0:
        if slots[first + j, 0] == key:
            return np.int64(slots[first + j, 1])
        j = j + 1 & last
    return np.int64(-1)


@inlined
def _may_be_wild(key: Any, grams: np.ndarray, first: Any) -> Any:
    """Tell whether a gram with a byte that may be any may be one of a table. first: `TABLE.wilds`."""
    bit = _U(key) * _HASH & _32_BITS
    return grams[first + (bit >> _26)] >> (bit >> _20 & _WORD) & _1 != _0


@inlined
def _found(data: np.ndarray, place: Any, e: Any, a: Any, x: Any) -> Any:
    """Return where the literal of an entry may stand in data[a:e], by the gram at a place; -1: nowhere there."""
    s = place - np.int64(x["off"])
    if s < a or s + np.int64(x["size"]) > e or gram_at(data, _U(s + np.int64(x["place"]))) != x["check"]:
        return np.int64(-1)
    return s


@kernel(int64(_u1, _UNIT, _u8, _i4, _TABLES, _u8, _u4_2, _ENTRIES, _LITERALS, _u1, _i4, _i8, _i4, _i4, _i8, _i8))
def scan(data, units, bits, table_of, tables, grams, slots, entries, literals, pool, last_unit, last_pos, out_lit,
         out_unit, out_pos, state):  # fmt: skip
    """Append hits (literal, unit, position in `data`) and return their number.

    table_of: int32[units], see `choose`; grams: the filters; slots: see `_entries_of`.
    state: int64[2], the (unit, position) to go on from; unit == units.size when all is done. Returns early when
    the output is full. last_unit/last_pos: per literal, where it was reported last.
    """
    starts, ends, freshs, sides = units["start"], units["end"], units["fresh"], units["side"]
    n = np.int64(0)
    cap = out_lit.size
    u = state[0]
    p = state[1]
    while u < units.size:
        a, e, fresh = starts[u], ends[u], freshs[u]
        bit, side = bits[u], sides[u]
        t = tables[table_of[u]]
        step, wild, first, last = np.int64(t["stride"]), t["wild"] != 0, t["slots"], t["last"]
        begin, wilds, shift, slot_shift = _U(t["filter"]), _U(t["wilds"]), _U(t["shift"]), np.int64(t["slot_shift"])
        if p < 0:  # with a byte that may be any, a gram may begin one place before the literal, and end one behind
            p = a & ~np.int64(1) if wild else (a + step - 1) // step * step
        stop = e - GRAM + wild
        whole = min(stop, data.size - GRAM)  # what is behind it has one byte less
        blocks = whole - (_AT_ONCE - 1) * step
        while p <= stop:
            if p <= blocks:
                # A number that the compiler knows makes it twice as fast: neighbouring grams share their bytes.
                if step == STRIDE:
                    at, found = _next(data, _U(p), _U(blocks), _U(STRIDE), grams, begin, shift)
                else:
                    at, found = _next(data, _U(p), _U(blocks), _U(step), grams, begin, shift)
                p, width = np.int64(at), _AT_ONCE * step if found else 0
            else:  # what is left
                found = _passes(gram_at(data, _U(p)) if p <= whole else _last_gram(data, _U(p)), grams, begin, shift)
                width = step
            while found:
                place = p + step * zeros(found)
                found &= found - _1
                g = np.int64(gram_at(data, _U(place)) if place <= whole else _last_gram(data, _U(place)))
                for kind in range(3 if wild else 1):
                    key = g if kind == 0 else g & AHEAD if kind == 1 else g & BEHIND
                    if kind and not _may_be_wild(key, grams, wilds):
                        continue
                    q = _entries_of(key, slots, first, last, slot_shift)
                    while q >= 0:
                        entry = entries[q]
                        q = q + 1 if entry["more"] else np.int64(-1)
                        s = _found(data, place, e, a, entry)
                        if s < 0:
                            continue
                        lit, size = np.int64(entry["lit"]), np.int64(entry["size"])
                        x = literals[lit]
                        # Wholly in the carried tail: an earlier block reported it.
                        if s + size <= fresh or x["mask"] & bit == 0 or not x["sides"] >> side & 1:
                            continue
                        if not same(data, s, pool, np.int64(x["at"]), size, x["nocase"]):
                            continue
                        if last_unit[lit] == u and s - last_pos[lit] < REPEAT:
                            continue
                        if n == cap:
                            state[0] = u
                            state[1] = place
                            return n
                        last_unit[lit] = u
                        last_pos[lit] = s
                        out_lit[n] = lit
                        out_unit[n] = u
                        out_pos[n] = s
                        n += 1
            p += width
        p = np.int64(-1)
        u += 1
    state[0] = u
    state[1] = -1
    return n
