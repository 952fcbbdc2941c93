"""The kernel of IP reassembly. State lives in the caller's arrays; see `defrag.py`.

Fragments go into two rings, one of records and one of bytes: what is oldest is overwritten first, so memory
never grows, nothing is ever compacted, and a flood costs the same per fragment as ordinary traffic.
"""

from typing import no_type_check

import numba
import numpy as np
from numba import int64, types

from sensor.flow.limits_fragments import FRAG_MAX_DATAGRAM, FRAG_MAX_HEADER
from sensor.model.anomaly import DecodeAnomaly
from sensor.model.jit import helper, kernel
from sensor.model.kernels_bytes import copy, u16, u32
from sensor.model.rows import ROW

TRACK = np.dtype(
    [
        # key
        ("src_hi", "<u8"),
        ("src_lo", "<u8"),
        ("dst_hi", "<u8"),
        ("dst_lo", "<u8"),
        ("ipid", "<i8"),
        ("vlan", "<i8"),
        ("tunnel_id", "<i8"),
        ("proto", "<i8"),  # IPv6: 0, only the first fragment knows it (RFC 8200 section 4.5)
        # state
        ("ts", "<i8"),  # of the fragment that came first
        ("header", "<i8"),  # position of the first fragment's header in the byte ring
        ("hlen", "<i4"),  # its length, 0: not seen
        ("nh_at", "<i4"),  # IPv6: where in it the next-header byte to be replaced is
        ("nh", "<i4"),  # IPv6: what it becomes
        ("total", "<i4"),  # payload bytes of the datagram, -1: last fragment not seen
        ("high", "<i4"),  # end of the fragment that reaches furthest
        ("covered", "<i4"),  # units of 8 bytes present
        ("fragments", "<i4"),
        ("overlaps", "<i4"),
        ("first", "<i4"),  # fragment records in order of arrival
        ("last", "<i4"),
        ("chain", "<i4"),  # next tracker of the hash bucket
        ("older", "<i4"),  # order of creation
        ("newer", "<i4"),
        ("use", "<i4"),  # counts how often the slot was taken
        ("live", "u1"),
        ("ipv", "u1"),
    ],
    align=True,
)
"""A datagram under reassembly."""

NODE = np.dtype(
    [
        ("base", "<i8"),  # position in the byte ring where the record's bytes begin (header included)
        ("at", "<i8"),  # position of the payload
        ("track", "<i4"),
        ("use", "<i4"),  # the tracker's `use` when the record was made
        ("off", "<i4"),  # offset in the datagram's payload
        ("size", "<i4"),
        ("next", "<i4"),
    ],
    align=True,
)
"""A stored fragment."""

UNITS = 8192
"""Units of 8 bytes in the largest datagram."""
OUT_SIZE = 66_560
"""The largest datagram with its header."""

# Slots of `meta`, int64[32]
M_NODE_HEAD, M_NODE_TAIL, M_BYTE_HEAD, M_OLDEST, M_NEWEST, M_LIVE, M_FREE, M_DONE = 0, 1, 2, 3, 4, 5, 6, 7
# ... of which these are counters, in the order of `DefragCounters`
(C_FRAGMENTS, C_REASSEMBLED, C_TIMEOUTS, C_EVICTED_TRACKERS, C_EVICTED_MEMORY, C_TOO_LARGE, C_IGNORED,
 C_TRUNCATED, C_MAX_FRAGMENTS, C_MAX_OVERLAPS, C_OVERLAPS, C_OVERLAPS_DIFFERENT,
 C_DUPLICATES) = range(8, 21)  # fmt: skip
# Slots of `limits`, int64[5]
L_TIMEOUT, L_PER_DATAGRAM, L_OVERLAPS, L_POLICY, L_SEED = 0, 1, 2, 3, 4

FIRST, LAST, BSD, BSD_RIGHT, LINUX, WINDOWS = 0, 1, 2, 3, 4, 5

IGNORE, KNOWN, KEEP = 0, 1, 2
"""What becomes of a fragment."""

_TOO_LARGE = np.uint64(1 << DecodeAnomaly.FRAG_PKT_TOO_LARGE)
_OVERLAP = np.uint64(1 << DecodeAnomaly.FRAG_OVERLAP)
_DIFFERENT = np.uint64(1 << DecodeAnomaly.FRAG_OVERLAP_DIFF_DATA)
_IGNORED = np.uint64(1 << DecodeAnomaly.FRAG_IGNORED)
_TIMEOUT = np.uint64(1 << DecodeAnomaly.FRAG_TIMEOUT)
_MIX = 0x2C1B3C6D
_WORD = 0xFFFFFFFF
_RO = types.Array(types.uint8, 1, "C", readonly=True)
_TRACKS = numba.from_dtype(TRACK)[::1]
_NODES = numba.from_dtype(NODE)[::1]


@helper
@no_type_check
def _mix(h: int, x: int) -> int:
    p = (h ^ (x & _WORD) ^ (x >> 32 & _WORD)) * _MIX
    return (p ^ p >> 29) & _WORD


@helper
@no_type_check
def _ones(x: int) -> int:
    """Count the bits set in a 32-bit word."""
    x -= x >> 1 & 0x55555555
    x = (x & 0x33333333) + (x >> 2 & 0x33333333)
    return ((x + (x >> 4) & 0x0F0F0F0F) * 0x01010101 & _WORD) >> 24


@helper
@no_type_check
def _bucket_of(tracks: np.ndarray, t: int, size: int, seed: int) -> int:
    h = _mix(_mix(seed, np.int64(tracks["src_lo"][t])), np.int64(tracks["src_hi"][t]))
    h = _mix(_mix(h, np.int64(tracks["dst_lo"][t])), np.int64(tracks["dst_hi"][t]))
    h = _mix(_mix(h, tracks["ipid"][t]), tracks["proto"][t] ^ tracks["vlan"][t] << 8)
    return _mix(h, tracks["tunnel_id"][t]) & size - 1


@helper
@no_type_check
def _release(
    t: int, tracks: np.ndarray, buckets: np.ndarray, free: np.ndarray, meta: np.ndarray, seed: int,
) -> None:  # fmt: skip
    """Forget a datagram: out of its hash bucket, out of the order of age, onto the stack of free slots."""
    chain, older, newer = tracks["chain"], tracks["older"], tracks["newer"]
    b = _bucket_of(tracks, t, buckets.size, seed)
    if buckets[b] == t:
        buckets[b] = chain[t]
    else:
        k = buckets[b]
        while chain[k] != t:
            k = chain[k]
        chain[k] = chain[t]
    if older[t] >= 0:
        newer[older[t]] = newer[t]
    else:
        meta[M_OLDEST] = newer[t]
    if newer[t] >= 0:
        older[newer[t]] = older[t]
    else:
        meta[M_NEWEST] = older[t]
    tracks["live"][t] = 0
    free[meta[M_FREE]] = t
    meta[M_FREE] += 1
    meta[M_LIVE] -= 1
    if meta[M_LIVE] == 0:
        # Start again at the bottom: a quiet sensor touches only the first pages of its rings.
        meta[M_NODE_HEAD] = 0
        meta[M_NODE_TAIL] = 0
        meta[M_BYTE_HEAD] = 0


@helper
@no_type_check
def _reserve(
    size: int, tracks: np.ndarray, nodes: np.ndarray, buckets: np.ndarray, free: np.ndarray,
    data: np.ndarray, meta: np.ndarray, seed: int,
) -> int:  # fmt: skip
    """Make room for one record and `size` contiguous bytes; return the position of the first."""
    while True:
        start = meta[M_BYTE_HEAD]
        rest = data.size - start % data.size
        if rest < size:
            start += rest
        tail = meta[M_NODE_TAIL]
        if tail == meta[M_NODE_HEAD]:
            break
        k = tail % nodes.size
        if meta[M_NODE_HEAD] - tail < nodes.size and start + size - nodes["base"][k] <= data.size:
            break
        t = nodes["track"][k]
        meta[M_NODE_TAIL] += 1
        if tracks["live"][t] == 1 and tracks["use"][t] == nodes["use"][k]:
            meta[C_EVICTED_MEMORY] += 1
            _release(t, tracks, buckets, free, meta, seed)
    return start


@helper
@no_type_check
def _paint(
    t: int, policy: int, tracks: np.ndarray, nodes: np.ndarray, own: np.ndarray, begin: np.ndarray,
) -> None:  # fmt: skip
    """Decide for each unit of 8 bytes which fragment it is taken from.

    own: int32[UNITS], the record; begin: int32[UNITS], first unit of the piece the unit belongs to. A piece
    is what is left of a fragment after trimming.
    """
    units = (np.int64(tracks["total"][t]) + 7) >> 3
    for u in range(units):
        own[u] = -1
    k = np.int64(tracks["first"][t])
    while k >= 0:
        a = np.int64(nodes["off"][k]) >> 3
        b = (np.int64(nodes["off"][k]) + nodes["size"][k] + 7) >> 3
        u = a
        piece = a
        while u < b:
            if own[u] < 0:
                own[u] = k
                begin[u] = piece
                u += 1
                continue
            start = np.int64(begin[u])
            e = u
            while e < units and own[e] == own[u] and begin[e] == start:
                e += 1
            if policy == FIRST:
                wins = False
            elif policy == LAST:
                wins = True
            elif policy == BSD:
                wins = start > a
            elif policy == BSD_RIGHT:
                wins = start <= a
            elif policy == LINUX:
                wins = start >= a
            else:
                wins = start > a and e < b
            stop = min(e, b)
            if wins:
                for v in range(u, stop):
                    own[v] = k
                    begin[v] = piece
                for v in range(stop, e):
                    begin[v] = stop
            else:
                piece = stop
            u = stop
        k = np.int64(nodes["next"][k])


@helper
@no_type_check
def _finish(out: np.ndarray, size: int, ipv: int, hlen: int, nh_at: int, nh: int) -> None:
    """Make the header say what the datagram is: its length, no fragment fields, the right checksum."""
    if ipv == 4:
        out[2] = size >> 8
        out[3] = size & 255
        out[6] &= 0xC0
        out[7] = 0
        out[10] = 0
        out[11] = 0
        total = 0
        for k in range(0, hlen, 2):
            total += np.int64(out[k]) << 8 | np.int64(out[k + 1])
        total = (total & 0xFFFF) + (total >> 16)
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        out[10] = total >> 8
        out[11] = total & 255
    else:
        out[4] = size - 40 >> 8
        out[5] = size - 40 & 255
        out[nh_at] = nh


@helper
@no_type_check
def _assemble(
    t: int, policy: int, tracks: np.ndarray, nodes: np.ndarray, data: np.ndarray, own: np.ndarray,
    begin: np.ndarray, out: np.ndarray,
) -> int:  # fmt: skip
    """Write the datagram to `out`; return its length, 0 when header and payload together are too long."""
    hlen, total = np.int64(tracks["hlen"][t]), np.int64(tracks["total"][t])
    fixed = 40 if tracks["ipv"][t] == 6 else 0
    if hlen - fixed + total > FRAG_MAX_DATAGRAM:
        return 0
    copy(out, 0, data, tracks["header"][t] % data.size, hlen)
    if tracks["overlaps"][t] == 0:
        k = np.int64(tracks["first"][t])
        while k >= 0:
            copy(out, hlen + nodes["off"][k], data, nodes["at"][k] % data.size, np.int64(nodes["size"][k]))
            k = np.int64(nodes["next"][k])
    else:
        _paint(t, policy, tracks, nodes, own, begin)
        units = (total + 7) >> 3
        u = 0
        while u < units:
            k = np.int64(own[u])
            e = u
            while e < units and own[e] == k:
                e += 1
            size = min(e * 8, total) - u * 8
            copy(out, hlen + u * 8, data, nodes["at"][k] % data.size + u * 8 - nodes["off"][k], size)
            u = e
    _finish(out, hlen + total, tracks["ipv"][t], hlen, tracks["nh_at"][t], tracks["nh"][t])
    return hlen + total


@helper
@no_type_check
def _compare(
    t: int, off: int, end: int, buf: np.ndarray, at: int, tracks: np.ndarray, nodes: np.ndarray,
    data: np.ndarray,
) -> int:  # fmt: skip
    """Look at what is stored in [off, end): 0 same bytes, 1 some differ, 2 the very same fragment."""
    k = np.int64(tracks["first"][t])
    different = 0
    while k >= 0:
        a, b = max(off, np.int64(nodes["off"][k])), min(end, np.int64(nodes["off"][k]) + nodes["size"][k])
        if a < b:
            x = buf[at + a - off : at + b - off]
            start = nodes["at"][k] % data.size + a - nodes["off"][k]
            y = data[start : start + b - a]
            diff = 0
            for m in range(b - a):
                diff |= x[m] ^ y[m]
            if diff != 0:
                return 1
            if nodes["off"][k] == off and nodes["size"][k] == end - off:
                different = 2
        k = np.int64(nodes["next"][k])
    return different


@helper
@no_type_check
def _emit(row: int, at: int, size: int, done: np.ndarray, meta: np.ndarray) -> int:
    """Note where a datagram is in the output; return its size."""
    k = meta[M_DONE]
    done[k, 0] = row
    done[k, 1] = at
    done[k, 2] = size
    meta[M_DONE] += 1
    meta[C_REASSEMBLED] += 1
    return size


@helper
@no_type_check
def _captured_end(rows: np.ndarray, i: int, size: int) -> int:
    """Return where the captured bytes of a row end: with the frame of the outermost of its packets."""
    stop = np.int64(size)
    while i >= 0:
        stop = min(stop, np.int64(rows["l2"][i]) + rows["caplen"][i])
        i = np.int64(rows["parent"][i])
    return stop


@helper
@no_type_check
def _part4(buf: np.ndarray, start: int, size: int) -> tuple[int, int, int, int, int, int]:
    """Read the header of an IPv4 fragment.

    Return (bytes of the header, -1: it is none; of header and payload; offset in the datagram; whether more follows;
    identification; protocol).
    """
    hlen = (np.int64(buf[start]) & 15) * 4
    field = u16(buf, start + 6)
    off, more = (field & 0x1FFF) * 8, field & 0x2000
    if hlen < 20:
        return np.int64(-1), size, off, more, np.int64(0), np.int64(0)
    if more != 0:
        size -= (size - hlen) & 7  # as Linux does: the odd bytes cannot be part of a datagram
    return hlen, size, off, more, u16(buf, start + 4), np.int64(buf[start + 9])


@helper
@no_type_check
def _part6(buf: np.ndarray, start: int, size: int) -> tuple[int, int, int, int, int, int]:
    """Read the headers of an IPv6 fragment.

    Return (bytes in front of the fragment header, -1: there is none; offset; whether more follows; identification;
    where the next-header byte is that announces it; what it becomes).
    """
    hlen, nh_at = np.int64(40), np.int64(6)
    kind = np.int64(buf[start + 6])
    while hlen + 8 <= size and hlen <= FRAG_MAX_HEADER:
        here = start + hlen
        if kind == 44:
            field = u16(buf, here + 2)
            off, more = field & 0xFFF8, field & 1
            if more != 0 and (size - hlen) & 7 != 0:
                break
            return hlen, off, more, u32(buf, here + 4), nh_at, np.int64(buf[here])
        if kind not in (0, 43, 51, 60, 135, 139, 140):
            break
        nh_at = hlen
        hlen += (np.int64(buf[here + 1]) + 2) * 4 if kind == 51 else (np.int64(buf[here + 1]) + 1) * 8
        kind = np.int64(buf[here])
    return np.int64(-1), np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)


@helper
@no_type_check
def _find(rows: np.ndarray, i: int, ipid: int, proto: int, tracks: np.ndarray, buckets: np.ndarray,
          seed: int) -> tuple[int, int]:  # fmt: skip
    """Return (bucket, datagram that a fragment belongs to, -1: none is known). Leaves its key in the last slot."""
    probe = tracks.size - 1
    tracks["src_hi"][probe] = rows["src_hi"][i]
    tracks["src_lo"][probe] = rows["src_lo"][i]
    tracks["dst_hi"][probe] = rows["dst_hi"][i]
    tracks["dst_lo"][probe] = rows["dst_lo"][i]
    tracks["ipid"][probe] = ipid
    tracks["proto"][probe] = proto
    vlan = (np.int64(rows["vlan0"][i]) | np.int64(rows["vlan1"][i]) << 16 | np.int64(rows["nvlan"][i]) << 32
            | np.int64(rows["tunnel"][i]) << 40 | np.int64(rows["ipv"][i]) << 48)  # fmt: skip
    tracks["vlan"][probe] = vlan
    tracks["tunnel_id"][probe] = np.int64(rows["tunnel_id"][i])
    b = _bucket_of(tracks, probe, buckets.size, seed)
    t = np.int64(buckets[b])
    while t >= 0 and not (
        tracks["ipid"][t] == ipid and tracks["proto"][t] == proto
        and tracks["src_lo"][t] == tracks["src_lo"][probe]
        and tracks["src_hi"][t] == tracks["src_hi"][probe]
        and tracks["dst_lo"][t] == tracks["dst_lo"][probe]
        and tracks["dst_hi"][t] == tracks["dst_hi"][probe]
        and tracks["vlan"][t] == vlan and tracks["tunnel_id"][t] == tracks["tunnel_id"][probe]
    ):  # fmt: skip
        t = np.int64(tracks["chain"][t])
    return b, t


@helper
@no_type_check
def _begin(b: int, ts: int, ipv: int, tracks: np.ndarray, bits: np.ndarray, buckets: np.ndarray, free: np.ndarray,
           meta: np.ndarray, seed: int) -> int:  # fmt: skip
    """Begin the datagram whose key is in the last slot; the oldest gives way where there is no room."""
    if meta[M_FREE] == 0:
        meta[C_EVICTED_TRACKERS] += 1
        _release(meta[M_OLDEST], tracks, buckets, free, meta, seed)
    meta[M_FREE] -= 1
    t = np.int64(free[meta[M_FREE]])
    use = tracks["use"][t]
    tracks[t] = tracks[tracks.size - 1]
    tracks["use"][t] = use + 1 & 0x7FFFFFFF
    tracks["ipv"][t] = ipv
    tracks["live"][t] = 1
    tracks["ts"][t] = ts
    tracks["hlen"][t] = 0
    tracks["total"][t] = -1
    tracks["high"][t] = 0
    tracks["covered"][t] = 0
    tracks["fragments"][t] = 0
    tracks["overlaps"][t] = 0
    tracks["first"][t] = -1
    tracks["last"][t] = -1
    tracks["chain"][t] = buckets[b]
    buckets[b] = t
    tracks["older"][t] = meta[M_NEWEST]
    tracks["newer"][t] = -1
    if meta[M_NEWEST] >= 0:
        tracks["newer"][meta[M_NEWEST]] = t
    else:
        meta[M_OLDEST] = t
    meta[M_NEWEST] = t
    meta[M_LIVE] += 1
    line = bits[t]
    for w in range(line.size):
        line[w] = 0
    return t


@helper
@no_type_check
def _units(w: int, u0: int, u1: int) -> int:
    """Return the bits of the units u0..u1 in the 32-bit word w of a datagram's map."""
    return (1 << min(u1 - w * 32, 32)) - (1 << max(u0 - w * 32, 0))


@helper
@no_type_check
def _missing(bits: np.ndarray, t: int, u0: int, u1: int) -> int:
    """Return how many of the units u0..u1 are not there yet."""
    new = np.int64(0)
    for w in range(u0 >> 5, (u1 + 31) >> 5):
        new += _ones(_units(w, u0, u1) & ~np.int64(bits[t, w]))
    return new


@helper
@no_type_check
def _fits(t: int, off: int, end: int, more: int, new: int, at: int, buf: np.ndarray, tracks: np.ndarray,
          nodes: np.ndarray, data: np.ndarray, meta: np.ndarray,
          limits: np.ndarray) -> tuple[int, np.uint64]:  # fmt: skip
    """Look whether a fragment, payload at `at`, fits what is known of its datagram; count what does not.

    new: how many of its units are not there yet. Return (IGNORE, KNOWN: it says nothing new, or KEEP; anomalies).
    """
    odd = np.uint64(0)
    known = np.int64(tracks["total"][t])
    overlaps = new < ((end + 7) >> 3) - (off >> 3)
    if (known >= 0 and (end > known or (more == 0 and end != known))) or (more == 0 and tracks["high"][t] > end):
        meta[C_IGNORED] += 1
        if overlaps:
            meta[C_OVERLAPS] += 1
            odd |= _OVERLAP
        return IGNORE, odd | _IGNORED
    if tracks["fragments"][t] >= limits[L_PER_DATAGRAM]:
        meta[C_MAX_FRAGMENTS] += 1
        return IGNORE, _IGNORED
    if not overlaps:
        return KEEP, odd
    if tracks["overlaps"][t] >= limits[L_OVERLAPS]:
        meta[C_MAX_OVERLAPS] += 1
        return IGNORE, _IGNORED
    seen = _compare(t, off, end, buf, at, tracks, nodes, data)
    odd |= _OVERLAP
    if seen == 2:
        meta[C_DUPLICATES] += 1
    else:
        meta[C_OVERLAPS] += 1
        tracks["overlaps"][t] += 1
    if seen == 1:
        meta[C_OVERLAPS_DIFFERENT] += 1
        odd |= _DIFFERENT
    # Every stored version of these bytes may say the same: no policy can tell the difference.
    return KEEP if seen == 1 or new > 0 else KNOWN, odd


@helper
@no_type_check
def _keep(t: int, off: int, length: int, new: int, buf: np.ndarray, at: int, tracks: np.ndarray, bits: np.ndarray,
          nodes: np.ndarray, data: np.ndarray, base: int, head: int, meta: np.ndarray) -> None:  # fmt: skip
    """Store a fragment, payload at `at`, in the place that was made for it, `head` bytes of header in front."""
    k = meta[M_NODE_HEAD] % nodes.size
    meta[M_NODE_HEAD] += 1
    meta[M_BYTE_HEAD] = base + head + length
    nodes["base"][k] = base
    nodes["at"][k] = base + head
    nodes["track"][k] = t
    nodes["use"][k] = tracks["use"][t]
    nodes["off"][k] = off
    nodes["size"][k] = length
    nodes["next"][k] = -1
    copy(data, base % data.size + head, buf, at, length)
    if tracks["last"][t] >= 0:
        nodes["next"][tracks["last"][t]] = k
    else:
        tracks["first"][t] = k
    tracks["last"][t] = k
    u0, u1 = off >> 3, (off + length + 7) >> 3
    for w in range(u0 >> 5, (u1 + 31) >> 5):
        bits[t, w] = np.uint32(np.int64(bits[t, w]) | _units(w, u0, u1))
    tracks["covered"][t] += new
    tracks["fragments"][t] += 1
    tracks["high"][t] = max(np.int64(tracks["high"][t]), off + length)


@kernel(int64(numba.from_dtype(ROW)[::1], _RO, numba.int64[::1], int64, _TRACKS, numba.uint32[:, ::1], _NODES,
            numba.uint8[::1], numba.int32[::1], numba.int32[::1], numba.int64[::1], numba.int64[::1],
            numba.int32[:, ::1], numba.int64[:, ::1], numba.uint8[::1]))  # fmt: skip
@no_type_check
def step(
    rows: np.ndarray, buf: np.ndarray, which: np.ndarray, start_at: int, tracks: np.ndarray, bits: np.ndarray,
    nodes: np.ndarray, data: np.ndarray, buckets: np.ndarray, free: np.ndarray, meta: np.ndarray,
    limits: np.ndarray, scratch: np.ndarray, done: np.ndarray, out: np.ndarray,
) -> int:  # fmt: skip
    """Take the fragments that are the rows `which[start_at:]`; return up to where.

    Stops before `which.size` when `out` has no room for one more datagram. Datagram k of this call, k below
    meta[M_DONE], was completed by row done[k, 0] and is out[done[k, 1] : done[k, 1] + done[k, 2]].
    """
    l3, iplen, ts, ipv, anomaly = rows["l3"], rows["iplen"], rows["ts"], rows["ipv"], rows["anomaly"]
    timeout, seed = limits[L_TIMEOUT], limits[L_SEED]
    meta[M_DONE] = 0
    used = np.int64(0)
    for at_which in range(start_at, which.size):
        if used + OUT_SIZE > out.size:
            return np.int64(at_which)
        i = which[at_which]
        meta[C_FRAGMENTS] += 1
        # ---- where the fragment is, from its own bytes
        start = np.int64(l3[i])
        size = np.int64(iplen[i])
        if start + size > _captured_end(rows, i, buf.size) or size < 20:
            meta[C_TRUNCATED] += 1
            anomaly[i] |= _IGNORED
            continue
        nh_at, nh, proto = np.int64(0), np.int64(0), np.int64(0)
        if ipv[i] == 4:
            hlen, size, off, more, ipid, proto = _part4(buf, start, size)
            at = hlen
        else:
            hlen, off, more, ipid, nh_at, nh = _part6(buf, start, size)
            at = hlen + 8
        length = size - at
        end = off + length
        if hlen < 0 or length <= 0:
            meta[C_IGNORED] += 1
            anomaly[i] |= _IGNORED
            continue
        if end + (hlen if ipv[i] == 4 else hlen - 40) > FRAG_MAX_DATAGRAM:
            meta[C_TOO_LARGE] += 1
            anomaly[i] |= _TOO_LARGE
            continue
        if off == 0 and more == 0:
            # An atomic fragment stands alone whatever else has its identification (RFC 6946).
            copy(out, used, buf, start, hlen)
            copy(out, used + hlen, buf, start + at, length)
            _finish(out[used:], hlen + length, ipv[i], hlen, nh_at, nh)
            used += _emit(i, used, hlen + length, done, meta)
            continue
        # ---- the datagram it belongs to
        b, t = _find(rows, i, ipid, proto, tracks, buckets, seed)
        if t >= 0 and abs(ts[i] - tracks["ts"][t]) > timeout:
            anomaly[i] |= _TIMEOUT
            t = np.int64(-1)
        while meta[M_OLDEST] >= 0 and abs(ts[i] - tracks["ts"][meta[M_OLDEST]]) > timeout:
            meta[C_TIMEOUTS] += 1
            _release(meta[M_OLDEST], tracks, buckets, free, meta, seed)
        if t < 0:
            t = _begin(b, ts[i], ipv[i], tracks, bits, buckets, free, meta, seed)
        # ---- whether it fits, and what is new in it
        new = _missing(bits, t, off >> 3, (end + 7) >> 3)
        what, odd = _fits(t, off, end, more, new, start + at, buf, tracks, nodes, data, meta, limits)
        anomaly[i] |= odd
        if what == IGNORE:
            continue
        if what == KEEP:
            head = hlen if off == 0 and tracks["hlen"][t] == 0 else np.int64(0)
            use = tracks["use"][t]
            base = _reserve(head + length, tracks, nodes, buckets, free, data, meta, seed)
            if tracks["live"][t] == 0 or tracks["use"][t] != use:
                anomaly[i] |= _IGNORED  # its own datagram was the oldest
                continue
            if head > 0:
                copy(data, base % data.size, buf, start, head)
                tracks["header"][t] = base
                tracks["hlen"][t] = head
                tracks["nh_at"][t] = nh_at
                tracks["nh"][t] = nh
            _keep(t, off, length, new, buf, start + at, tracks, bits, nodes, data, base, head, meta)
        if more == 0:
            tracks["total"][t] = end
        if tracks["total"][t] >= 0 and tracks["covered"][t] == (np.int64(tracks["total"][t]) + 7) >> 3:
            made = _assemble(t, limits[L_POLICY], tracks, nodes, data, scratch[0], scratch[1], out[used:])
            _release(t, tracks, buckets, free, meta, seed)
            if made == 0:
                meta[C_TOO_LARGE] += 1
                anomaly[i] |= _TOO_LARGE
                continue
            used += _emit(i, used, made, done, meta)
    return np.int64(which.size)
