"""The bytes of one side of a TCP flow: delivery in order, the queue of early segments, overlaps, gaps, the depth.

Helpers compiled into `kernels_track.track`; nothing here is called from Python.

Side 0 is the client's data (to_server), side 1 the server's. `w` is the whole table; `f` and `a` are the
records of one flow in `w.flows` and `w.aux`; `row` is the row that an event belongs to, -1: none. Sequence
arithmetic is int64 masked to 32 bits (RFC 9293 section 3.4), so plain Python gives the same results.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# Numba infers the types; to mypy an item of an array is Any and np.int64 no int.

from __future__ import annotations

import numpy as np

from sensor.flow import track_layout as lay
from sensor.flow.limits import CHUNK
from sensor.model import rows as m
from sensor.model.anomaly import StreamAnomaly
from sensor.model.jit import helper, inlined
from sensor.model.kernels_bytes import copy

MASK = 0xFFFFFFFF

_GAP = int(StreamAnomaly.REASSEMBLY_GAP)
_OVERLAP = int(StreamAnomaly.OVERLAP)
_OVERLAP_DIFF = int(StreamAnomaly.OVERLAP_DIFF_DATA)
_DEPTH = int(StreamAnomaly.DEPTH_REACHED)
_SMB_PORTS = (139, 445)
_MEMCAP = int(StreamAnomaly.SEGMENT_MEMCAP)
_AFTER_CLOSE = int(StreamAnomaly.DATA_AFTER_CLOSE)


@helper
def diff(a: int, b: int) -> int:
    """Return how far sequence number a lies ahead of b (RFC 9293 section 3.4)."""
    return ((a - b + 0x80000000) & MASK) - 0x80000000


@helper
def event(
    w: lay.World,
    row: int,
    slot: int,
    side: int,
    kind: int,
    src: int,
    arg: int,
    off: int,
    pos: int,
    length: int,
) -> None:
    """Append one SEG record; the caller has seen to it that there is room."""
    e = w.out[w.st[lay.S_OUT]]
    e["off"] = off
    e["pos"] = pos
    e["row"] = row
    e["flow"] = slot
    e["len"] = length
    e["side"] = side
    e["kind"] = kind
    e["src"] = src
    e["arg"] = arg
    w.st[lay.S_OUT] += 1


@helper
def note(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, what: int) -> None:
    """Report an anomaly once per side: a flood of it costs a counter."""
    notes = np.int64(a["notes"][side])
    if notes >> what & 1 == 0:
        a["notes"][side] = notes | 1 << what
        event(w, row, slot, side, m.SEG_NOTE, 0, what, 0, f["pos"][side], 0)


@helper
def _depth(w: lay.World, f: np.void) -> int:
    """Return how many bytes of a side are reassembled, 0: all.

    SMB is known when the block ends in which it began: until a flow's protocol is known, its ports tell.
    """
    smb = w.cfg[lay.C_SMB]
    if smb >= 0:
        app, port = np.int64(f["app"]), np.int64(f["dport"])
        if app == smb or (app == m.APP_UNDECIDED and port in _SMB_PORTS):
            return int(w.cfg[lay.C_SMB_DEPTH])
    return int(w.cfg[lay.C_DEPTH])


@inlined
def _room_in_depth(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, n: int) -> int:
    """Return how many of the next n bytes lie within the depth."""
    depth = _depth(w, f)
    pos = f["pos"][side]
    if depth == 0 or pos + n <= depth:
        return n
    if np.int64(a["notes"][side]) >> _DEPTH & 1 == 0:
        w.cnt[lay.N_DEPTH] += 1
    note(w, f, a, row, slot, side, _DEPTH)
    return max(depth - pos, 0)


@helper
def _deliver(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, src: int, off: int, n: int) -> int:
    """Deliver the next n bytes of a side; return how many lay within the depth."""
    got = _room_in_depth(w, f, a, row, slot, side, n)
    if got > 0:
        event(w, row, slot, side, m.SEG_DATA, src, 0, off, f["pos"][side], got)
        f["pos"][side] += got
    f["next"][side] = (np.int64(f["next"][side]) + n) & MASK
    return got


@helper
def _data(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, src: int, off: int, n: int) -> int:
    """Deliver the next n bytes of a side, but for an urgent one; return how many lay within the depth."""
    ahead = n
    if a["oob"][side]:
        ahead = diff(np.int64(a["urgent"][side]), np.int64(f["next"][side]))
        if ahead < n:
            a["oob"][side] = 0
    if ahead < 0 or ahead >= n:
        return _deliver(w, f, a, row, slot, side, src, off, n)
    got = _deliver(w, f, a, row, slot, side, src, off, ahead) if ahead > 0 else 0
    f["next"][side] = (np.int64(f["next"][side]) + 1) & MASK
    rest = n - ahead - 1
    return got + 1 + (_deliver(w, f, a, row, slot, side, src, off + ahead + 1, rest) if rest > 0 else 0)


@helper
def declare_gap(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, n: int) -> None:
    """Declare the next n bytes of a side lost."""
    start = np.int64(f["next"][side])
    got = _room_in_depth(w, f, a, row, slot, side, n)
    if got > 0:
        note(w, f, a, row, slot, side, _GAP)
        event(w, row, slot, side, m.SEG_GAP, 0, 0, 0, f["pos"][side], got)
        f["pos"][side] += got
        f["gaps"][side] = (np.int64(f["gaps"][side]) + got) & MASK
        w.cnt[lay.N_GAPS] += 1
        w.cnt[lay.N_GAP_BYTES] += got
    a["gap_lo"][side] = start
    a["gap_hi"][side] = (start + n) & MASK
    a["bits"][side] = np.int64(a["bits"][side]) | lay.SIDE_GAP
    f["next"][side] = (start + n) & MASK


@helper
def _pop(w: lay.World, f: np.void, a: np.void, side: int) -> None:
    """Take the first piece off a side's queue; its bytes stay readable until the block is done with."""
    st = w.st
    n = np.int64(f["queue"][side])
    piece = w.pieces[n]
    f["queue"][side] = piece["nxt"]
    f["queued"][side] -= piece["len"]
    a["nseg"][side] -= 1
    w.piece_spent[st[lay.S_PIECES_SPENT]] = n
    st[lay.S_PIECES_SPENT] += 1
    st[lay.S_PIECES_LIVE] -= 1


@helper
def _trim(f: np.void, piece: np.void, side: int, n: int) -> None:
    """Cut n bytes off the front of a piece of a side."""
    piece["seq"] = (np.int64(piece["seq"]) + n) & MASK
    piece["off"] += n
    piece["len"] -= n
    f["queued"][side] -= n


@helper
def finish_side(f: np.void, a: np.void, side: int) -> None:
    """Take the FIN once every byte before it is known: it occupies one sequence number."""
    bits = np.int64(a["bits"][side])
    if bits & lay.SIDE_FIN and not bits & lay.SIDE_FINISHED:
        fin = np.int64(a["fin"][side])
        beyond = diff(np.int64(f["next"][side]), fin)
        if beyond >= 0:
            a["bits"][side] = bits | lay.SIDE_FINISHED
        if beyond == 0:
            f["next"][side] = (fin + 1) & MASK


@helper
def release(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, force: int) -> None:
    """Deliver queued pieces that are due.

    A hole is given up once the receiver acknowledged all of it: it has the bytes, the capture lost them. Where a
    mirror gives the two directions out of order, acknowledgments come before what they are about: so only one that
    comes when there are bytes behind the hole counts (as in Suricata), and what the end of the stream acknowledges is
    waited for as long as there is a flow.
    force -1: give up no hole; 1: the first one in any case; 2: all of them.
    """
    while f["queue"][side] >= 0:
        n = np.int64(f["queue"][side])
        piece = w.pieces[n]
        ahead = diff(np.int64(piece["seq"]), np.int64(f["next"][side]))
        if ahead > 0:
            acked = np.int64(a["bits"][side]) & lay.SIDE_ACKED
            if force < 0 or (
                force == 0 and not (acked and diff(np.int64(f["acked"][side]), np.int64(piece["seq"])) >= 0)
            ):
                break
            force = 0 if force == 1 else force
            declare_gap(w, f, a, row, slot, side, ahead)
        elif ahead < 0:
            _trim(f, piece, side, min(-ahead, np.int64(piece["len"])))
        if piece["len"] > 0:
            _data(w, f, a, row, slot, side, 1, n * CHUNK + np.int64(piece["off"]), np.int64(piece["len"]))
        _pop(w, f, a, side)
    bits = np.int64(a["bits"][side])
    if force == 2 and bits & lay.SIDE_FIN and not bits & lay.SIDE_FINISHED and bits & lay.SIDE_ACKED:
        fin = np.int64(a["fin"][side])
        hole = diff(fin, np.int64(f["next"][side]))
        if hole > 0 and diff(np.int64(f["acked"][side]), fin) > 0:
            declare_gap(w, f, a, row, slot, side, hole)
    finish_side(f, a, side)


@helper
def _new_wins(policy: int, starts: int, ends: int) -> bool:
    """Say whether a host keeps the newer bytes where two segments overlap.

    starts, ends: how far the newer segment's first byte and end lie ahead of the older one's.
    Novak and Sturges, "Target-Based TCP Stream Reassembly", 2007.
    """
    if policy == lay.P_LAST:
        return True
    if policy == lay.P_FIRST:
        return False
    if starts < 0:
        return ends >= 0 or policy != lay.P_SOLARIS
    if starts == 0:
        return (policy == lay.P_LINUX and ends > 0) or (policy in (lay.P_OLD_LINUX, lay.P_SOLARIS) and ends >= 0)
    return policy == lay.P_SOLARIS and ends > 0


@helper
def _differs(w: lay.World, buf: np.ndarray, off: int, at: int, n: int) -> bool:
    for j in range(n):  # noqa: SIM110 - a generator would not compile
        if buf[off + j] != w.pool[at + j]:
            return True
    return False


@helper
def _judge(w: lay.World, f: np.void, a: np.void, buf: np.ndarray, row: int, slot: int, side: int,
           n: int, seq: int, end: int, cur: int, off: int, ov: int) -> int:  # fmt: skip
    """Compare ov bytes from cur (buf[off:]) of segment [seq, end) with queued piece n.

    Returns 0: the older bytes stay, 1: the newer ones replace them, 2: they are equal.
    """
    piece = w.pieces[n]
    at = n * CHUNK + np.int64(piece["off"]) + diff(cur, np.int64(piece["seq"]))
    starts, ends = diff(seq, np.int64(piece["start"])), diff(end, np.int64(piece["end"]))
    if not _differs(w, buf, off, at, ov):
        if starts != 0 or ends != 0:
            w.cnt[lay.N_OVERLAP] += 1
            note(w, f, a, row, slot, side, _OVERLAP)
        return 2
    w.cnt[lay.N_OVERLAP] += 1
    w.cnt[lay.N_OVERLAP_DIFF] += 1
    note(w, f, a, row, slot, side, _OVERLAP_DIFF)
    return 1 if _new_wins(np.int64(f["policy"][side]), starts, ends) else 0


@helper
def _merge(w: lay.World, f: np.void, a: np.void, buf: np.ndarray, row: int, slot: int, side: int,
           seq: int, end: int, off: int) -> int:  # fmt: skip
    """Deliver a segment that starts at the expected byte, whose bytes may lie in the queue too.

    seq: the segment's own start; off: offset of the expected byte in buf. Returns the bytes taken from buf.
    """
    first = np.int64(f["next"][side])
    total = diff(end, first)
    at = run = taken = 0
    while at < total:
        n = np.int64(f["queue"][side])
        if n < 0:
            break
        piece = w.pieces[n]
        ahead = diff(np.int64(piece["seq"]), (first + at) & MASK)
        if ahead >= total - at:
            break
        if ahead > 0:
            at += ahead
        elif ahead < 0:
            _trim(f, piece, side, min(-ahead, np.int64(piece["len"])))
        ov = min(np.int64(piece["len"]), total - at)
        if ov > 0:
            if _judge(w, f, a, buf, row, slot, side, n, seq, end, (first + at) & MASK, off + at, ov) == 0:
                if at > run:
                    taken += _data(w, f, a, row, slot, side, 0, off + run, at - run)
                _data(w, f, a, row, slot, side, 1, n * CHUNK + np.int64(piece["off"]), ov)
                run = at + ov
            _trim(f, piece, side, ov)
            at += ov
        if piece["len"] == 0:
            _pop(w, f, a, side)
    if total > run:
        taken += _data(w, f, a, row, slot, side, 0, off + run, total - run)
    return taken


@helper
def _store(w: lay.World, f: np.void, a: np.void, buf: np.ndarray, side: int, before: int, after: int,
           seq: int, end: int, cur: int, off: int, n: int) -> int:  # fmt: skip
    """Copy n <= CHUNK bytes at cur into a new piece between two others; return it, or -1 at a cap."""
    st, cfg = w.st, w.cfg
    if st[lay.S_PIECES_LIVE] >= cfg[lay.C_MAX_PIECES] or a["nseg"][side] >= cfg[lay.C_SIDE_PIECES]:
        return -1
    if f["queued"][side] + n > cfg[lay.C_SIDE_BYTES]:
        return -1
    if st[lay.S_PIECES_FREE] > 0:
        st[lay.S_PIECES_FREE] -= 1
        new = np.int64(w.piece_free[st[lay.S_PIECES_FREE]])
    else:
        new = st[lay.S_PIECES_FRESH]
        st[lay.S_PIECES_FRESH] += 1
    st[lay.S_PIECES_LIVE] += 1
    piece = w.pieces[new]
    piece["seq"], piece["start"], piece["end"] = cur, seq, end
    piece["len"], piece["off"], piece["nxt"] = n, 0, after
    copy(w.pool, new * CHUNK, buf, off, n)
    if before < 0:
        f["queue"][side] = new
    else:
        left = w.pieces[before]
        left["nxt"] = new
    if after < 0:
        a["tail"][side] = new
    f["queued"][side] += n
    a["nseg"][side] += 1
    return new


@helper
def _replace(w: lay.World, f: np.void, a: np.void, buf: np.ndarray, side: int, before: int, n: int,
             seq: int, end: int, cur: int, off: int, ov: int) -> None:  # fmt: skip
    """Put ov bytes from cur (buf[off:]) of segment [seq, end) in the place of those of queued piece n.

    They are the newer segment's from now on: the next one that overlaps them is compared with it. At a cap, and in the
    midst of a piece, which only a host that always takes the newer ones has, they pass for the older one's.
    """
    piece = w.pieces[n]
    head = diff(cur, np.int64(piece["seq"]))
    rest = np.int64(piece["len"]) - head - ov
    if head == 0 and rest == 0:
        piece["start"], piece["end"] = seq, end
    elif head == 0:
        if _store(w, f, a, buf, side, before, n, seq, end, cur, off, ov) >= 0:
            _trim(f, piece, side, ov)
            return
    elif rest == 0 and _store(w, f, a, buf, side, n, np.int64(piece["nxt"]), seq, end, cur, off, ov) >= 0:
        piece["len"] = head
        f["queued"][side] -= ov
        return
    copy(w.pool, n * CHUNK + np.int64(piece["off"]) + head, buf, off, ov)


@helper
def _enqueue(w: lay.World, f: np.void, a: np.void, buf: np.ndarray, row: int, slot: int, side: int,
             seq: int, end: int, cur: int, off: int) -> tuple[int, int]:  # fmt: skip
    """Keep the bytes from cur (buf[off:]) to end of segment [seq, end), all ahead of the expected byte.

    Returns how many bytes were dealt with (fewer than there are: a cap is reached) and how many of them were
    new.
    """
    total = diff(end, cur)
    at = fresh = 0
    before, n = -1, np.int64(f["queue"][side])
    if n >= 0:
        tail = np.int64(a["tail"][side])
        last = w.pieces[tail]
        if diff(cur, np.int64(last["seq"])) >= last["len"]:
            before, n = tail, -1
    while at < total:
        here = (cur + at) & MASK
        ahead = total - at
        if n >= 0:
            piece = w.pieces[n]
            ahead = min(ahead, diff(np.int64(piece["seq"]), here))
            if ahead <= 0:
                ov = min(np.int64(piece["len"]) + ahead, total - at)
                if ov > 0:
                    if _judge(w, f, a, buf, row, slot, side, n, seq, end, here, off + at, ov) == 1:
                        _replace(w, f, a, buf, side, before, n, seq, end, here, off + at, ov)
                    at += ov
                before, n = n, np.int64(piece["nxt"])
                continue
        size = min(ahead, CHUNK)
        new = _store(w, f, a, buf, side, before, n, seq, end, here, off + at, size)
        if new < 0:
            break
        before = new
        at += size
        fresh += size
    return at, fresh


@inlined
def payload(w: lay.World, f: np.void, a: np.void, buf: np.ndarray, row: int, slot: int, side: int,
             seq: int, length: int, off: int, cut: int) -> int:  # fmt: skip
    """Take the payload of an acceptable segment; return STREAM_*. cut: bytes that a snapshot length left out."""
    bits = np.int64(a["bits"][side])
    if bits & lay.SIDE_FIN:
        over = diff((seq + length + cut) & MASK, np.int64(a["fin"][side]))
        if over > 0:
            w.cnt[lay.N_AFTER_CLOSE] += 1
            note(w, f, a, row, slot, side, _AFTER_CLOSE)
            kept = length + cut - over
            length, cut = min(length, kept), max(kept - length, 0)
            if length <= 0:
                return m.STREAM_IGNORED
    start = np.int64(f["next"][side])
    ahead = diff(seq, start)
    end = (seq + length) & MASK
    if ahead + length <= 0:
        if (
            bits & lay.SIDE_GAP
            and diff(seq, np.int64(a["gap_hi"][side])) < 0
            and diff(end, np.int64(a["gap_lo"][side])) > 0
        ):
            return m.STREAM_IGNORED
        return m.STREAM_OLD
    if a["flags"] & lay.A_RESET:
        w.cnt[lay.N_AFTER_CLOSE] += 1
        note(w, f, a, row, slot, side, _AFTER_CLOSE)
        return m.STREAM_IGNORED
    if 0 < _depth(w, f) <= f["pos"][side]:
        _room_in_depth(w, f, a, row, slot, side, 1)
        while f["queue"][side] >= 0:
            _pop(w, f, a, side)
        f["next"][side] = (end + cut) & MASK
        return m.STREAM_IGNORED
    if ahead <= 0:
        trim = -ahead
        if f["queue"][side] < 0:
            taken = _data(w, f, a, row, slot, side, 0, off + trim, length - trim)
        else:
            taken = _merge(w, f, a, buf, row, slot, side, seq, end, off + trim)
        if cut > 0 and np.int64(f["next"][side]) == end:
            declare_gap(w, f, a, row, slot, side, cut)
        if f["queue"][side] >= 0:
            release(w, f, a, row, slot, side, -1)
        if taken == length:
            return m.STREAM_INORDER
        if taken > 0:
            return m.STREAM_PARTIAL
        return m.STREAM_IGNORED if np.int64(a["notes"][side]) >> _DEPTH & 1 else m.STREAM_OLD
    at = fresh = kept = 0
    while True:
        here = (seq + at) & MASK
        if diff(here, np.int64(f["next"][side])) <= 0:
            trim = diff(np.int64(f["next"][side]), here)
            if trim < length - at:
                fresh += _merge(w, f, a, buf, row, slot, side, seq, end, off + at + trim)
            break
        done, new = _enqueue(w, f, a, buf, row, slot, side, seq, end, here, off + at)
        at += done
        kept += new
        if at >= length:
            break
        w.cnt[lay.N_MEMCAP] += 1
        note(w, f, a, row, slot, side, _MEMCAP)
        if f["queue"][side] >= 0:
            release(w, f, a, row, slot, side, 1)
        else:
            declare_gap(w, f, a, row, slot, side, diff((seq + at) & MASK, np.int64(f["next"][side])))
    release(w, f, a, row, slot, side, -1)
    if kept > 0:
        return m.STREAM_QUEUED
    if fresh > 0:
        return m.STREAM_INORDER if fresh == length else m.STREAM_PARTIAL
    return m.STREAM_OLD
