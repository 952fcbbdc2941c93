"""The literal scan: one native pass over gathered bytes, masks tested before anything is emitted.

A literal is found by one of its 4-grams. With `stride` s only every s-th position is hashed, and s consecutive
grams of each literal are in the table, so that one of them lies on a hashed position wherever the literal stands.
Grams are folded by `| 0x20` in each byte: cheap, and exact comparison follows.
"""

import numba
import numpy as np
from numba import njit
from numba.types import int64

from sensor.model.units import UNIT

UNITS_T = _UNIT = numba.from_dtype(UNIT)[::1]
_u1, _i4, _u4, _u8, _i8 = numba.uint8[::1], numba.int32[::1], numba.uint32[::1], numba.uint64[::1], numba.int64[::1]

GRAM = 4
HASH = 0x61C88647  # odd, below 2**31: a product with a 32-bit gram stays inside int64 (Knuth, multiplicative hash)
REPEAT = 256
"""A literal is reported once per so many bytes of a unit: traffic stuffed with one literal costs no more."""


@njit(int64(_u1, _u4, _UNIT, _u8, int64, int64, _u1, _u4, _i4, _i4, _i4, _i4, _i4, _i4, _u8, _u1, _u1, _u1,
            _i4, _i8, _i4, _i4, _i8, _i8), cache=True)  # fmt: skip
def scan(data, words, units, bits, stride, hash_bits, bitmap, keys, first, count, ent_lit, ent_off,
         lit_len, lit_at, lit_mask, lit_cased, pool, low, last_unit, last_pos, out_lit, out_unit, out_pos,
         state):  # fmt: skip
    """Append hits (literal, unit, position in `data`) and return their number.

    words: the same bytes as uint32, for strides that are multiples of four: one aligned load a position.
    state: int64[2], the (unit, position) to go on from; unit == units.size when all is done. Returns early when
    the output is full. last_unit/last_pos: per literal, where it was reported last.
    """
    starts, ends, freshs = units["start"], units["end"], units["fresh"]
    n = np.int64(0)
    cap = out_lit.size
    shift = 32 - hash_bits
    table = keys.size - 1
    aligned = stride & 3 == 0
    u = state[0]
    resume = state[1]
    while u < units.size:
        a, e, fresh = starts[u], ends[u], freshs[u]
        bit = bits[u]
        p = resume if resume >= 0 else (a + stride - 1) // stride * stride
        resume = -1
        stop = e - GRAM
        rolled = stride == 1 and p <= stop
        g = np.int64(0)
        if rolled:
            g = (np.int64(data[p]) << 8 | np.int64(data[p + 1]) << 16 | np.int64(data[p + 2]) << 24) | 0x20202000
        while p <= stop:
            if aligned:
                g = np.int64(words[p >> 2]) | 0x20202020
            elif rolled:
                g = g >> 8 | (np.int64(data[p + 3]) | 0x20) << 24
            else:
                g = (np.int64(data[p]) | np.int64(data[p + 1]) << 8 | np.int64(data[p + 2]) << 16
                     | np.int64(data[p + 3]) << 24) | 0x20202020  # fmt: skip
            h = (g * HASH & 0xFFFFFFFF) >> shift
            if bitmap[h >> 3] >> (h & 7) & 1:
                j = (g * HASH & 0xFFFFFFFF) >> 7 & table
                while count[j] > 0 and keys[j] != g:
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
