"""Record walks of capture files: one pass over the record headers, nothing of the packets themselves is read.

A kernel stops at the first record that is incomplete in the window, at a block's bounds, or at what it cannot
judge, and says so in its status; positions are exact, so the caller can go on there. Numbers are kept inside
int64 (a 64-bit time stamp comes as two halves), so that compiled and plain Python agree.
"""

import numpy as np
from numba import int32, int64, types, uint8, uint16

from sensor.capture.limits import MAX_CAPLEN, MAX_PCAPNG_BLOCK
from sensor.model.jit import helper, kernel

SHORT, FULL, STRUCTURE, BAD_CAPLEN, BAD_LENGTH, BAD_TRAILER, BAD_INTERFACE, BAD_FIT = 0, 1, 2, 3, 4, 5, 6, 7
"""Status: more bytes needed; block full; a section or interface block is next; kinds of damage."""

IF_LINK, IF_SNAPLEN, IF_POW2, IF_EXP = 0, 1, 2, 3
IF_SCALE, IF_MAX, IF_OFFSET, IF_SKIPPED, IF_COLUMNS = 4, 5, 6, 7, 8
"""Columns of the interface table, int64[n, IF_COLUMNS]. LINK: link type, -1: not decodable. SNAPLEN: 0: none.
Time stamps count 2**-EXP seconds where POW2, else 10**-EXP; there SCALE is the nanoseconds per unit, or minus
half the units per nanosecond, 0: always less than one. MAX: the largest time stamp that fits. OFFSET:
nanoseconds to add. SKIPPED: packets passed over because of their link type."""

BLOCK_SECTION, BLOCK_INTERFACE, BLOCK_PACKET, BLOCK_SIMPLE, BLOCK_ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6

_RESULT = types.UniTuple(int64, 3)
_BYTES = types.Array(uint8, 1, "C", readonly=True)
_i4, _i8 = int32[::1], int64[::1]
_TS_MAX = 0x7FFFFFFFFFFFFFFF
_INT32_MAX = 0x7FFFFFFF
_NS = 1_000_000_000
_SEC_MAX = _TS_MAX // _NS


@helper
def _u32(buf, p, big):  # pragma: no cover
    b0 = np.int64(buf[p])
    b1 = np.int64(buf[p + 1])
    b2 = np.int64(buf[p + 2])
    b3 = np.int64(buf[p + 3])
    if big:
        return b0 << 24 | b1 << 16 | b2 << 8 | b3
    return b3 << 24 | b2 << 16 | b1 << 8 | b0


@kernel(_RESULT(_BYTES, int64, int64, int64, int64, int64, int64, _i8, _i4, _i4, _i8))
def pcap_index(buf, start, big, header, old, frac_ns, max_bytes, off, caplen, wirelen, ts):  # pragma: no cover
    """Walk records of a classic file from `start`; return (packets, end, status).

    header: bytes of a record header; old: the two lengths may be in either order, the smaller one counts as captured;
    frac_ns: nanoseconds per unit of the fraction field. Fills `off`
    (relative to `start`), `caplen`, `wirelen` (never below `caplen`) and `ts`; their size is the most packets
    wanted. draft-ietf-opsawg-pcap section 5.
    """
    size = np.int64(buf.size)
    p = np.int64(start)
    n = np.int64(0)
    while True:
        if n == off.size or p - start >= max_bytes:
            return n, p, np.int64(FULL)
        if size - p < header:
            return n, p, np.int64(SHORT)
        cap = _u32(buf, p + 8, big)
        wire = _u32(buf, p + 12, big)
        if old and wire < cap:
            cap, wire = wire, cap
        if cap > MAX_CAPLEN:
            return n, p, np.int64(BAD_CAPLEN)
        if size - p - header < cap:
            return n, p, np.int64(SHORT)
        ts[n] = _u32(buf, p, big) * _NS + _u32(buf, p + 4, big) * frac_ns
        off[n] = p + header - start
        caplen[n] = cap
        wirelen[n] = min(max(wire, cap), _INT32_MAX)
        n += 1
        p += header + cap


@helper
def _nanoseconds(hi, lo, ifs, i):  # pragma: no cover
    """Return the time stamp `hi << 32 | lo` of interface `i` in nanoseconds, clamped to int64."""
    exp = ifs[i, IF_EXP]
    scale = ifs[i, IF_SCALE]
    t = np.int64(_TS_MAX)
    if ifs[i, IF_POW2]:
        # Split so that no product leaves int64; each floor divides by a power of two, so the result is exact.
        if exp >= 32:
            shift = exp - 32
            sec = hi >> min(shift, 63)
            part = hi if shift >= 32 else hi & ((1 << shift) - 1)
            frac = (part * _NS + (lo * _NS >> 32)) >> min(shift, 63)
        elif hi >> (exp + 2):
            sec = np.int64(_SEC_MAX)
            frac = np.int64(0)
        else:
            sec = hi << (32 - exp) | lo >> exp
            frac = (lo & ((1 << exp) - 1)) * _NS >> exp
        if sec < _SEC_MAX:
            t = sec * _NS + frac
    elif scale > 0:
        if hi < 0x80000000:
            units = hi << 32 | lo
            if units <= ifs[i, IF_MAX]:
                t = units * scale
    elif scale < 0:
        t = (hi << 31 | lo >> 1) // -scale
    else:
        t = np.int64(0)
    offset = ifs[i, IF_OFFSET]
    if offset > 0 and t > _TS_MAX - offset:
        return np.int64(_TS_MAX)
    return t + offset


@kernel(
    _RESULT(_BYTES, int64, int64, int64[:, ::1], int64, _i8, int64, _i8, _i4, _i4, _i8, uint16[::1], _i8)
)
def pcapng_index(buf, start, big, ifs, n_ifs, state, max_bytes, off, caplen, wirelen, ts, link, number):
    """Walk blocks of a pcapng section from `start`; return (packets, end, status).

    ifs: the interface table, `n_ifs` rows of it in use; state: int64[2], packets seen so far in the file and
    the time of the last one (simple packet blocks have none of their own). Columns as in pcap_index, plus
    `link` and the packet `number`. Unknown blocks are passed over; STRUCTURE stops before a section or
    interface block. draft-ietf-opsawg-pcapng section 4.
    """
    size = np.int64(buf.size)
    p = np.int64(start)
    n = np.int64(0)
    while True:
        if n == off.size or p - start >= max_bytes:
            return n, p, np.int64(FULL)
        if size - p < 12:
            return n, p, np.int64(SHORT)
        kind = _u32(buf, p, big)
        if kind in (BLOCK_SECTION, BLOCK_INTERFACE):
            return n, p, np.int64(STRUCTURE)
        total = _u32(buf, p + 4, big)
        if total < 12 or total & 3 or total > MAX_PCAPNG_BLOCK:
            return n, p, np.int64(BAD_LENGTH)
        if size - p < total:
            return n, p, np.int64(SHORT)
        if _u32(buf, p + total - 4, big) != total:
            return n, p, np.int64(BAD_TRAILER)
        if kind in (BLOCK_ENHANCED, BLOCK_PACKET):
            if total < 32:
                return n, p, np.int64(BAD_FIT)
            i = _u32(buf, p + 8, big)
            if kind == BLOCK_PACKET:
                i = i >> 16 if big else i & 0xFFFF
            cap = _u32(buf, p + 20, big)
            wire = _u32(buf, p + 24, big)
            head = 28
        elif kind == BLOCK_SIMPLE:
            if total < 16:
                return n, p, np.int64(BAD_FIT)
            i = np.int64(0)
            wire = _u32(buf, p + 8, big)
            cap = min(wire, total - 16)
            if n_ifs and ifs[0, IF_SNAPLEN]:
                cap = min(cap, ifs[0, IF_SNAPLEN])
            head = 12
        else:
            p += total
            continue
        if i >= n_ifs:
            return n, p, np.int64(BAD_INTERFACE)
        if cap > MAX_CAPLEN:
            return n, p, np.int64(BAD_CAPLEN)
        if cap > total - head - 4:
            return n, p, np.int64(BAD_FIT)
        state[0] += 1
        if head == 28:
            state[1] = _nanoseconds(_u32(buf, p + 12, big), _u32(buf, p + 16, big), ifs, i)
        if ifs[i, IF_LINK] < 0:
            ifs[i, IF_SKIPPED] += 1
        else:
            ts[n] = state[1]
            off[n] = p + head - start
            caplen[n] = cap
            wirelen[n] = min(max(wire, cap), _INT32_MAX)
            link[n] = ifs[i, IF_LINK]
            number[n] = state[0]
            n += 1
        p += total
