"""The literal scan: one native pass over gathered bytes, masks tested before anything is emitted.

A literal is found by one of its 4-grams. With `stride` s only every s-th position is hashed, and s consecutive
grams of each literal are in the table, so that one of them lies on a hashed position wherever the literal stands.
Grams are folded by `| 0x20` in each byte: cheap, and exact comparison follows.

Nearly all of the time is spent on positions where nothing is: one load of four bytes, one multiplication, one load
of the filter. Of the bytes of `bench.pcap` a filter of one bit per gram passed 1.7 % (10,000 literals), and what came
behind cost as much as all the others; two bits of the same word pass 0.25 %. All of that is in unsigned numbers: with
signed ones Numba looks at each index whether it counts from the end.
"""

from typing import Any

import numba
import numpy as np
from numba.types import int64

from sensor.model.jit import helper, kernel
from sensor.model.units import UNIT

UNITS_T = _UNIT = numba.from_dtype(UNIT)[::1]
_u1, _i4, _u4, _u8, _i8 = numba.uint8[::1], numba.int32[::1], numba.uint32[::1], numba.uint64[::1], numba.int64[::1]
_U = np.uint64
_0, _1, _2, _3, _8, _16, _24 = (np.uint64(n) for n in (0, 1, 2, 3, 8, 16, 24))

GRAM = 4
HASH = 0x61C88647  # odd, below 2**31: a product with a 32-bit gram stays inside int64 (Knuth, multiplicative hash)
FILTER_WORD = 64
"""Bits of a word of the filter. A gram is in the word that the first bits of its hash name, by two bits: those that the
next six bits name, and those from `SECOND` on."""
SECOND = 5
_HASH, _32_BITS, _FOLD = np.uint64(HASH), np.uint64(0xFFFFFFFF), np.uint64(0x20202020)
_SECOND, _WORD, _LOG = np.uint64(SECOND), np.uint64(FILTER_WORD - 1), np.uint64(6)
REPEAT = 256
"""A literal is reported once per so many bytes of a unit: traffic stuffed with one literal costs no more."""


@helper
def gram_at(data: np.ndarray, p: Any) -> Any:
    """Return the folded gram at a position. p: uint64, as the result; four loads that become one."""
    return (_U(data[p]) | _U(data[p + _1]) << _8 | _U(data[p + _2]) << _16 | _U(data[p + _3]) << _24) | _FOLD


@helper
def _next(data: np.ndarray, p: Any, stop: Any, stride: Any, grams: np.ndarray, shift: Any) -> Any:
    """Return the first position from `p` on, and not behind `stop`, whose gram passes the filter; else one behind it.

    All numbers are uint64. shift: 32 less the bits that name a bit of the filter.
    """
    top = shift + _LOG
    while p <= stop:
        x = gram_at(data, p) * _HASH & _32_BITS
        word = grams[x >> top]
        if word >> (x >> shift & _WORD) & word >> (x >> _SECOND & _WORD) & _1:
            break
        p += stride
    return p


@kernel(int64(_u1, _UNIT, _u8, int64, int64, _u8, _u4, _i4, _i4, _i4, _i4, _i4, _i4, _u8, _u1, _u1, _u1,
            _i4, _i8, _i4, _i4, _i8, _i8))  # fmt: skip
def scan(data, units, bits, stride, hash_bits, grams, keys, first, count, ent_lit, ent_off,
         lit_len, lit_at, lit_mask, lit_cased, pool, low, last_unit, last_pos, out_lit, out_unit, out_pos,
         state):  # fmt: skip
    """Append hits (literal, unit, position in `data`) and return their number.

    grams: the filter; keys: the grams in a hash table, 0 where there is none (a folded gram is never 0).
    state: int64[2], the (unit, position) to go on from; unit == units.size when all is done. Returns early when
    the output is full. last_unit/last_pos: per literal, where it was reported last.
    """
    starts, ends, freshs = units["start"], units["end"], units["fresh"]
    n = np.int64(0)
    cap = out_lit.size
    shift = _U(32 - hash_bits)
    table = keys.size - 1
    step = _U(stride)
    u = state[0]
    resume = state[1]
    while u < units.size:
        a, e, fresh = starts[u], ends[u], freshs[u]
        bit = bits[u]
        p = resume if resume >= 0 else (a + stride - 1) // stride * stride
        resume = -1
        stop = e - GRAM
        while p <= stop:
            p = np.int64(_next(data, _U(p), _U(stop), step, grams, shift))
            if p > stop:
                break
            g = np.int64(gram_at(data, _U(p)))
            j = (g * HASH & 0xFFFFFFFF) >> 7 & table
            while keys[j] != 0 and keys[j] != g:
                j = j + 1 & table
            for q in range(first[j], first[j] + count[j]):
                lit = ent_lit[q]
                if lit_mask[lit] & bit == 0:
                    continue
                s = p - ent_off[q]
                end = s + lit_len[lit]
                # Wholly in the carried tail: an earlier block reported it.
                if s < a or end > e or end <= fresh:
                    continue
                if last_unit[lit] == u and s - last_pos[lit] < REPEAT:
                    continue
                at = lit_at[lit]
                same = True
                if lit_cased[lit]:
                    for x in range(lit_len[lit]):
                        if data[s + x] != pool[at + x]:
                            same = False
                            break
                else:
                    for x in range(lit_len[lit]):
                        if low[data[s + x]] != pool[at + x]:
                            same = False
                            break
                if same:
                    if n == cap:
                        state[0] = u
                        state[1] = p
                        return n
                    last_unit[lit] = u
                    last_pos[lit] = s
                    out_lit[n] = lit
                    out_unit[n] = u
                    out_pos[n] = s
                    n += 1
            p += stride
        u += 1
    state[0] = u
    state[1] = -1
    return n
