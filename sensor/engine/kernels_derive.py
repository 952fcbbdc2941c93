"""Bytes as normalisation leaves them, for the literal scan: percent-decoded requests, dotted names of DNS questions."""

import numpy as np
from numba import njit
from numba.types import Array, boolean, int64, uint8

from sensor.detect.kernels_headers import ROWS_T, U1
from sensor.detect.kernels_scan import UNITS_T
from sensor.model.units import UNIT_PACKET

I8 = int64[::1]
_BYTES = Array(uint8, 1, "C", readonly=True)
_PERCENT = 37
_LOWER_U = 117


@njit
def _hex(c):  # pragma: no cover
    """Return the value of a hex digit, -1: it is none."""
    if 48 <= c <= 57:
        return np.int64(c) - 48
    c = np.int64(c) | 32
    return c - 87 if 97 <= c <= 102 else np.int64(-1)


@njit
def _number(data, p, end, digits):  # pragma: no cover
    """Return the number that so many hex digits at p are, -1: they are none."""
    if p + digits > end:
        return np.int64(-1)
    value = np.int64(0)
    for x in range(digits):
        d = _hex(data[p + x])
        if d < 0:
            return np.int64(-1)
        value = value << 4 | d
    return value


@njit(int64(U1, UNITS_T, boolean[::1], U1, UNITS_T, boolean[::1]), cache=True)
def percent_decode(data, units, wanted, out, made, coded):  # pragma: no cover
    """Write each wanted unit that holds a percent sign once more, decoded; return how many were made.

    Decodes `%XX` and `%uXXXX` in one pass, as `sensor.proto.http1.uri` does in a path. A query keeps its `%uXXXX`:
    a unit with one is written again without decoding those. out: uint8, room for all wanted units twice; made: UNIT,
    room for as many. Sets coded[i] where unit i holds a percent sign.
    """
    starts, ends, wheres = units["start"], units["end"], made["start"]
    n = at = np.int64(0)
    for i in range(units.size):
        coded[i] = False
        if not wanted[i]:
            continue
        start, end = starts[i], ends[i]
        for p in range(start, end):
            if data[p] == _PERCENT:
                coded[i] = True
                break
        words = coded[i]
        copies = 1 if coded[i] else 0
        while copies:
            copies -= 1
            made[n] = units[i]
            wheres[n] = at
            made["fresh"][n] = at
            p = start
            while p < end:
                c = np.int64(data[p])
                step = 1
                if c == _PERCENT:
                    value = _number(data, p + 1, end, 2)
                    if value >= 0:
                        c, step = value, 3
                    elif words and p + 1 < end and data[p + 1] | 32 == _LOWER_U:
                        value = _number(data, p + 2, end, 4)
                        if value >= 0:
                            copies = 1
                            c, step = value, 6
                            if 0xFF01 <= c <= 0xFF5E:
                                c -= 0xFEE0
                            if c > 255:
                                c = np.int64(63)
                out[at] = c
                at += 1
                p += step
            made["end"][n] = at
            n += 1
            words = False
    return n


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
