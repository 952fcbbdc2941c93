"""Bytes as parsers show them, for the literal scan: the dotted names of DNS questions."""

import numpy as np
from numba import njit
from numba.types import Array, boolean, int64, uint8

from sensor.detect.kernels_headers import ROWS_T, U1
from sensor.detect.kernels_scan import UNITS_T
from sensor.model.units import UNIT_PACKET

I8 = int64[::1]
_BYTES = Array(uint8, 1, "C", readonly=True)


@njit
def _is_plain(c):  # pragma: no cover
    """Tell whether a byte of a label stands in a dotted name as it is, and is no separator."""
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c in (42, 45, 95)


@njit(int64(ROWS_T, _BYTES, I8, boolean[::1], U1, UNITS_T, I8), cache=True)
def question_names(rows, buf, at_rows, responses, out, made, odd):  # pragma: no cover
    """Write the name of each DNS datagram's question, dotted, a zero byte before and behind; return (made, odd).

    at_rows: int64[n], UDP rows that hold DNS messages; responses[0]: those with QR set, too. out: uint8[258 * n].
    odd: int64[n], the rows whose question is not one name of plain labels: they must be parsed. The two counts are
    packed as made | odd << 32.
    """
    pays, lens, slots, sides = rows["pay"], rows["paylen"], rows["flow"], rows["side"]
    n = at = strange = np.int64(0)
    for i in range(at_rows.size):
        row = at_rows[i]
        p = np.int64(pays[row])
        end = p + lens[row]
        if end - p < 12:
            continue
        if buf[p + 2] & 0x80 and not responses[0]:
            continue
        plain = buf[p + 4] == 0 and buf[p + 5] == 1
        begin = at
        out[at] = 0
        at += 1
        p += 12
        while plain:
            if p >= end:
                plain = False
                break
            size = np.int64(buf[p])
            if size == 0:
                break
            # 32 letters from A to P are a NetBIOS name (RFC 1001 section 14.1), which is shown decoded.
            if size > 63 or size == 32 or p + 1 + size > end or at - begin + size + 2 > 256:
                plain = False
                break
            if at > begin + 1:
                out[at] = 46
                at += 1
            for x in range(size):
                c = buf[p + 1 + x]
                if not _is_plain(c):
                    plain = False
                out[at] = c
                at += 1
            p += 1 + size
        if not plain:
            at = begin
            odd[strange] = row
            strange += 1
            continue
        out[at] = 0
        at += 1
        made["start"][n], made["fresh"][n], made["end"][n] = begin, begin, at
        made["pos"][n], made["flow"][n], made["row"][n] = 0, slots[row], row
        made["side"][n], made["kind"][n] = sides[row], UNIT_PACKET
        n += 1
    return n | strange << 32
