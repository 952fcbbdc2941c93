"""The kernel of duplicate removal. State lives in the caller's arrays; `dedup.py` says what a copy is."""

from typing import no_type_check

import numba
import numpy as np
from numba import int64, types

from sensor.flow.limits_fragments import DEDUP_DEPTH, DEDUP_MAX_PACKET, DEDUP_PAIRS
from sensor.model.jit import helper, inlined, kernel
from sensor.model.kernels_bytes import copy
from sensor.model.rows import ROW, TUNNEL_ERSPAN

RING = np.dtype(
    [
        ("key", "<i8"),  # 32-bit hash of what a copy must share
        ("ts", "<i8"),
        ("at", "<i8"),  # first byte of the IP or ARP header, in the block's buffer or in the carried bytes
        ("link", "<i8"),  # number of the previous packet of the same bucket, -1: none
        ("pair", "<i8"),  # 62-bit hash of sender and receiver
        ("size", "<i4"),  # bytes that must be equal; -1: too old to have copies
        ("carried", "u1"),  # 1: `at` points into the carried bytes
        ("trial", "u1"),  # 1: content was new, so whether a copy comes is evidence
        ("copies", "u1"),  # copies seen, saturating
        ("many", "u1"),  # 1: broadcast or multicast, any number of copies
    ],
    align=True,
)
"""One of the last packets."""

PAIR = np.dtype([("key", "<i8"), ("trials", "<i4"), ("copies", "<i4")], align=True)
"""How many packets with new content a sender/receiver pair had, and how many of them came twice."""

# Slots of `meta`, int64[8]
M_NEXT, M_CLOCK, M_TRIALS, M_COPIES, M_CARRY, M_SUSPECTED, M_EXAMINED, M_CARRIED = 0, 1, 2, 3, 4, 5, 6, 7

BUCKETS = 256
JUMP = 1_000_000_000  # ns that time must go back to count as another capture, not as late packets
CARRY = DEDUP_DEPTH * DEDUP_MAX_PACKET
_PAIR_SPAN = 64  # trials of a pair after which its shares are halved: a mirror that was mended is forgotten
_ALL_SPAN = 256
_MIX = 0x2C1B3C6D  # odd, below 2**31: a product with a 32-bit word stays inside int64
_WORD = 0xFFFFFFFF
_RO = types.Array(types.uint8, 1, "C", readonly=True)


@helper
@no_type_check
def _mix(h: int, x: int) -> int:
    p = (h ^ (x & _WORD)) * _MIX
    return (p ^ p >> 29) & _WORD


@helper
@no_type_check
def _word(buf: np.ndarray, at: int) -> int:
    return np.int64(buf[at]) | np.int64(buf[at + 1]) << 8 | np.int64(buf[at + 2]) << 16 | np.int64(buf[at + 3]) << 24


@helper
@no_type_check
def _word8(buf: np.ndarray, at: int) -> int:
    return (
        np.int64(buf[at])
        | np.int64(buf[at + 1]) << 8
        | np.int64(buf[at + 2]) << 16
        | np.int64(buf[at + 3]) << 24
        | np.int64(buf[at + 4]) << 32
        | np.int64(buf[at + 5]) << 40
        | np.int64(buf[at + 6]) << 48
        | np.int64(buf[at + 7]) << 56
    )


@helper
@no_type_check
def _same(a: np.ndarray, i: int, b: np.ndarray, j: int, size: int, ipv: int) -> bool:
    """Whether two packets agree but for TTL and header checksum (IPv4) or hop limit (IPv6)."""
    head = min(size, 12)
    for k in range(head):
        if a[i + k] != b[j + k]:
            if ipv == 4 and (k == 8 or k >= 10):
                continue
            if ipv == 6 and k == 7:
                continue
            return False
    # Slices and range(): indexing from 0 lets numba leave out its test for negative indexes (400 bytes: 25 ns
    # instead of 500).
    x, y = a[i + head : i + size], b[j + head : j + size]
    words = (size - head) >> 3
    for k in range(words):
        if _word8(x, k * 8) != _word8(y, k * 8):
            return False
    diff = 0
    for k in range(words * 8, size - head):
        diff |= x[k] ^ y[k]
    return diff == 0


@inlined
@no_type_check
def _print(rows: np.ndarray, i: int, buf: np.ndarray, at: int, size: int) -> int:
    """Return a number that a packet and its copy share: of its addresses, headers and some of its bytes."""
    r = rows[i]
    src_lo, dst_lo = np.int64(r["src_lo"]), np.int64(r["dst_lo"])
    h = _mix(np.int64(size), src_lo)
    h = _mix(h, dst_lo)
    if r["ipv"] != 4:
        h = _mix(h, np.int64(r["src_hi"]) ^ np.int64(r["src_hi"]) >> 32 ^ src_lo >> 32)
        h = _mix(h, np.int64(r["dst_hi"]) ^ np.int64(r["dst_hi"]) >> 32 ^ dst_lo >> 32)
    h = _mix(h, np.int64(r["ipid"]) ^ size << 16 ^ np.int64(r["proto"]) << 8)
    h = _mix(h, np.int64(r["seq"]))
    h = _mix(h, np.int64(r["ack"]) ^ np.int64(r["sport"]) << 16 ^ np.int64(r["dport"]))
    if size >= 28:
        h = _mix(h, _word(buf, at + size - 4))
        pay = np.int64(r["pay"])
        if r["paylen"] >= 8 and pay >= at and pay + 8 <= at + size:
            h = _mix(h, _word(buf, pay) ^ _word(buf, pay + 4) << 1)
    return h


@inlined
@no_type_check
def _stations(rows: np.ndarray, i: int, buf: np.ndarray, at: int) -> tuple[int, int]:
    """Return (a number of the two stations that a packet goes between, whether it is for more than one)."""
    r = rows[i]
    mac = np.int64(r["l2"])
    if mac >= 0 and at - mac >= 14:
        g = _mix(_mix(np.int64(1), _word(buf, mac)), _word(buf, mac + 4))
        return _mix(g, _word(buf, mac + 8)) >> 1 | g >> 1 << 31, np.int64(buf[mac]) & 1
    g = _mix(_mix(np.int64(2), np.int64(r["src_lo"])), np.int64(r["src_hi"]))
    return _mix(_mix(g, np.int64(r["dst_lo"])), np.int64(r["dst_hi"])) >> 1 | g >> 1 << 31, np.int64(0)


@helper
@no_type_check
def _doubled(pair: int, pairs: np.ndarray, meta: np.ndarray, learn: int) -> bool:
    """Tell whether packets of two stations come twice: by what they have shown, else by what all have."""
    q = pair & DEDUP_PAIRS - 1
    if pairs["key"][q] == pair and pairs["trials"][q] >= learn:
        return 4 * pairs["copies"][q] >= 3 * pairs["trials"][q]
    return meta[M_TRIALS] >= learn and 2 * meta[M_COPIES] >= meta[M_TRIALS]


@inlined
@no_type_check
def _learned(pair: int, hit: int, pairs: np.ndarray, meta: np.ndarray, learn: int) -> None:
    """Take note of a packet of two stations that leaves the ring: whether a copy of it has come (hit: 1) or not."""
    q = pair & DEDUP_PAIRS - 1
    if pairs["key"][q] != pair:
        pairs["key"][q] = pair
        pairs["trials"][q] = 0
        pairs["copies"][q] = 0
    pairs["trials"][q] += 1
    pairs["copies"][q] += hit
    if pairs["trials"][q] >= max(_PAIR_SPAN, 2 * learn):
        pairs["trials"][q] >>= 1
        pairs["copies"][q] >>= 1
    meta[M_TRIALS] += 1
    meta[M_COPIES] += hit
    if meta[M_TRIALS] >= max(_ALL_SPAN, 2 * learn):
        meta[M_TRIALS] >>= 1
        meta[M_COPIES] >>= 1


@kernel(int64(numba.from_dtype(ROW)[::1], _RO, numba.from_dtype(RING)[::1], numba.int64[::1],
            numba.from_dtype(PAIR)[::1], numba.uint8[:, ::1], numba.int64[::1], int64, int64))  # fmt: skip
@no_type_check
def mark(
    rows: np.ndarray, buf: np.ndarray, ring: np.ndarray, heads: np.ndarray, pairs: np.ndarray,
    carry: np.ndarray, meta: np.ndarray, window: int, learn: int,
) -> int:  # fmt: skip
    """Set `dup` on second copies and return how many packets were marked."""
    parent, tunnel, l2, l3, caplen, iplen = (
        rows["parent"], rows["tunnel"], rows["l2"], rows["l3"], rows["caplen"], rows["iplen"])  # fmt: skip
    ts, ipv, ethertype, dup = rows["ts"], rows["ipv"], rows["ethertype"], rows["dup"]
    r_key, r_ts, r_at, r_link, r_pair = ring["key"], ring["ts"], ring["at"], ring["link"], ring["pair"]
    r_size, r_carried, r_trial, r_copies, r_many = (
        ring["size"], ring["carried"], ring["trial"], ring["copies"], ring["many"])  # fmt: skip
    n = rows.size
    now, clock = meta[M_NEXT], meta[M_CLOCK]
    old = carry[meta[M_CARRY]]
    marked = 0
    examined = 0
    suspected = 0
    for i in range(n):
        up = parent[i]
        if up >= 0:
            if tunnel[i] != TUNNEL_ERSPAN or parent[up] >= 0:
                dup[i] = dup[up]
                continue
            outer = up
        else:
            # The mirror's own transport differs in each copy: what it carries is compared.
            if i + 1 < n and parent[i + 1] == i and tunnel[i + 1] == TUNNEL_ERSPAN:
                continue
            outer = i
        at = np.int64(l3[i])
        if at < 0 or (ipv[i] == 0 and ethertype[i] != 0x0806):
            continue
        size = np.int64(iplen[i]) if ipv[i] != 0 else 28
        size = min(size, np.int64(l2[outer]) + caplen[outer] - at, buf.size - at)
        if size < 20 or size > DEDUP_MAX_PACKET:
            continue
        examined += 1
        if ts[i] < clock - JUMP:
            clock = ts[i]
            for k in range(DEDUP_DEPTH):
                r_size[k] = -1
        clock = max(clock, ts[i])
        # ---- what a copy must share, cheaply
        h = _print(rows, i, buf, at, size)
        # ---- the packet that this one may be a copy of
        bucket = h & BUCKETS - 1
        fresh = 1
        tries = 0
        first = np.int64(-1)
        s = heads[bucket]
        while s >= 0 and s >= now - DEDUP_DEPTH:
            k = s & DEDUP_DEPTH - 1
            if r_key[k] == h:
                fresh = 0
                if (r_size[k] == size and clock - r_ts[k] <= window and (r_copies[k] == 0 or r_many[k] == 1)
                        and tries < 2):  # fmt: skip
                    tries += 1
                    if r_carried[k] == 1:
                        equal = _same(buf, at, old, r_at[k], size, ipv[i])
                    else:
                        equal = _same(buf, at, buf, r_at[k], size, ipv[i])
                    if equal:
                        first = k
                        break
            s = r_link[k]
        if first >= 0:
            r_copies[first] = min(np.int64(r_copies[first]) + 1, 255)
            if _doubled(r_pair[first], pairs, meta, learn):
                marked += 1
                dup[i] = 1
                if up >= 0:
                    dup[up] = 1
            else:
                suspected += 1
            continue
        # ---- an original: the oldest packet leaves, and tells whether a copy of it came
        k = now & DEDUP_DEPTH - 1
        if now >= DEDUP_DEPTH and r_trial[k] == 1:
            _learned(r_pair[k], 1 if r_copies[k] > 0 else 0, pairs, meta, learn)
        pair, many = _stations(rows, i, buf, at)
        r_key[k] = h
        r_ts[k] = ts[i]
        r_at[k] = at
        r_link[k] = heads[bucket]
        r_pair[k] = pair
        r_size[k] = size
        r_carried[k] = 0
        r_trial[k] = fresh
        r_copies[k] = 0
        r_many[k] = many
        heads[bucket] = now
        now += 1
    # ---- the buffer goes back to its owner: keep the bytes that may still be compared
    new = carry[1 - meta[M_CARRY]]
    used = 0
    for k in range(min(now, DEDUP_DEPTH)):
        size = np.int64(r_size[k])
        if size < 0 or clock - r_ts[k] > window or (r_copies[k] > 0 and r_many[k] == 0):
            r_size[k] = -1
            continue
        at = r_at[k]
        if r_carried[k] == 1:
            copy(new, used, old, at, size)
        else:
            copy(new, used, buf, at, size)
        r_at[k] = used
        r_carried[k] = 1
        used += size
    meta[M_CARRY] = 1 - meta[M_CARRY]
    meta[M_CARRIED] = used
    meta[M_NEXT] = now
    meta[M_CLOCK] = clock
    meta[M_SUSPECTED] += suspected
    meta[M_EXAMINED] += examined
    return marked
