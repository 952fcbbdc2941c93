"""A second look at TCP connections, as Suricata takes it: what is odd about each segment by the state that it meets.

Beside `kernels_tcp`, which decides what the stream is: this only names oddities, and runs only where a rule asks. A
connection whose beginning was not seen since then is not looked at.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
from numba import types, void

from sensor.flow.kernels_reassembly import diff
from sensor.model.jit import helper, kernel
from sensor.model.rows import FLOW, FRAG_PART, FS_NEW, ROW
from sensor.model.tcpevents import TcpEvent as T

WATCH = np.dtype(
    [
        ("isn", "<u4", (2,)),
        ("alt", "<u4", (2,)),  # the side's first sequence number, where later SYNs had others
        ("next", "<u4", (2,)),  # behind the highest byte that the side has sent
        ("sent", "<u4", (2,)),  # behind the highest byte that was seen of it
        ("acked", "<u4", (2,)),  # highest acknowledgment of the side's bytes
        ("win", "<u4", (2,)),  # window that the side has announced, scaled
        ("stamp", "<u4", (2,)),  # its last timestamp
        ("stamped", "u1", (2,)),
        ("phase", "u1"),
        ("client", "u1"),  # side of the first SYN
        ("fourway", "u1"),
        ("extra", "u1"),  # SYNs, then SYN/ACKs with other numbers
        ("fin", "u1"),  # 1 + side of the first FIN
        ("sure", "u1"),  # the server has said something behind the handshake
        ("early", "u1"),  # the SYN asked for TCP Fast Open and has data (RFC 7413)
    ],
    align=True,
)
"""What is remembered of a flow."""

UNKNOWN, FRESH, SYN_SENT, SYN_RECV, OPEN, HALF, CLOSING, LAST, OVER = range(9)
"""Phases: nothing seen; no SYN yet; …; one side has finished, both at once, both; reset."""
FIN, SYN, RST, ACK = 1, 2, 4, 16
_TIMESTAMP, _TIMESTAMP_SIZE, _FAST_OPEN = 8, 10, 34
"""Options (RFC 7323 section 3, RFC 7413 section 4.1.1)."""
SYN_QUEUE, SYNACK_QUEUE = 10, 5
"""SYNs and SYN/ACKs with numbers of their own that Suricata remembers."""
_GIVEN = 32
"""Bytes of a window that may be taken back besides."""
_MASK = 0xFFFFFFFF

(
    WRONG_DIRECTION, SYNACK_ACK, RESEND_ACK, SYNACK_TOSERVER, SYN_DIFF, SYN_TOCLIENT, EVASION, WRONG_BOTH, SYNACK_FLOOD,
    SYN_FLOOD, FOUR_ACK, FOUR_SYN, FOUR_SEQ, FOUR_INVALID, INVALID_ACK, EST_ACK, EST_SEQ, EST_TOSERVER, EST_SYN,
    EST_SYN_DIFF, EST_SYN_TOCLIENT, EST_INVALID, EST_WINDOW, EST_BEFORE, SPURIOUS, FIN_INVALID, FIN_WINDOW, FIN_NONE,
    RST_NONE, RST_INVALID, RST_DATA, BROKEN, STAMP, CW_WINDOW, CW_FIN, CW_INVALID, FIN1_SEQ, FIN1_FIN, FIN1_INVALID,
    FIN2_SEQ, FIN2_FIN, FIN2_INVALID, LAST_SEQ, LAST_INVALID, TFO_IGNORED, EST_RESEND, SHUT_SYN, CW_BEFORE, AGAIN,
    FIN_SYN, TW_SEQ, TW_INVALID, BAD_WINDOW, CLOSING_SEQ, CLOSING_INVALID,
) = (1 << int(one) for one in T)  # fmt: skip


@helper
@no_type_check
def _bad_ack(w: np.void, o: int, ack: int) -> bool:  # pragma: no cover
    """Whether an acknowledgment of side o's bytes is beyond all that it may have sent."""
    limit = (np.int64(w["acked"][o]) + np.int64(w["win"][1 - o])) & _MASK
    return diff(ack, limit) > 0 and diff(ack, np.int64(w["next"][o])) > 0


@helper
@no_type_check
def _beyond(w: np.void, d: int, seq: int) -> bool:  # pragma: no cover
    """Whether a segment of side d begins behind its window."""
    limit = (np.int64(w["acked"][d]) + np.int64(w["win"][1 - d])) & _MASK
    return diff(seq, limit) > 0 and diff(seq, np.int64(w["next"][d])) > 0


@helper
@no_type_check
def _begin(w: np.void, d: int, seq: int) -> None:  # pragma: no cover
    w["isn"][d] = seq
    w["next"][d] = (seq + 1) & _MASK
    w["sent"][d] = (seq + 1) & _MASK
    w["acked"][d] = (seq + 1) & _MASK


@helper
@no_type_check
def _take(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> None:  # pragma: no cover
    """Take a sound segment."""
    end = (seq + size) & _MASK
    if diff(end, np.int64(w["next"][d])) > 0:
        w["next"][d] = end
    if size > 0 and diff(end, np.int64(w["sent"][d])) > 0:
        w["sent"][d] = end
    if flags & ACK and diff(ack, np.int64(w["acked"][1 - d])) > 0:
        w["acked"][1 - d] = ack
        if diff(ack, np.int64(w["next"][1 - d])) > 0:
            w["next"][1 - d] = ack
    w["win"][d] = win


@helper
@no_type_check
def _syn_sent(w: np.void, d: int, seq: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    c = np.int64(w["client"])
    found = 0
    if not flags & SYN:
        return 0
    if not flags & ACK:
        if d != c:
            w["fourway"] = 1
            _begin(w, d, seq)
        elif seq != w["isn"][c]:
            w["extra"] = min(np.int64(w["extra"]) + 1, 255)
            if w["extra"] > SYN_QUEUE:
                return SYN_FLOOD
            _begin(w, c, seq)
        return 0
    if d == c:
        if not w["fourway"]:
            return WRONG_DIRECTION
        if ack != (np.int64(w["isn"][1 - c]) + 1) & _MASK:
            return FOUR_ACK
        if seq != w["isn"][c]:
            return FOUR_SYN
    elif w["early"] and ack == w["next"][c]:
        w["acked"][c] = ack
        _begin(w, d, seq)
    elif ack == (np.int64(w["alt"][c]) + 1) & _MASK:
        found = TFO_IGNORED if w["early"] else 0
        _begin(w, c, np.int64(w["alt"][c]))
        _begin(w, d, seq)
    elif ack != (np.int64(w["isn"][c]) + 1) & _MASK:
        return SYNACK_ACK
    else:
        _begin(w, d, seq)
    w["alt"][d] = seq
    w["win"][d] = win
    w["extra"] = 0
    w["phase"] = SYN_RECV
    return found


@helper
@no_type_check
def _syn_again(w: np.void, d: int, seq: int, ack: int, flags: int) -> int:  # pragma: no cover
    """Take a SYN or SYN/ACK while the handshake waits for its end."""
    c = np.int64(w["client"])
    if not flags & ACK:
        if d != c:
            return SYN_TOCLIENT
        return SYN_DIFF if seq != w["isn"][c] else 0
    if d == c:
        return SYNACK_TOSERVER
    if ack != (np.int64(w["isn"][c]) + 1) & _MASK:
        return RESEND_ACK
    if seq != w["isn"][d]:
        w["extra"] = min(np.int64(w["extra"]) + 1, 255)
        if w["extra"] > SYNACK_QUEUE:
            return SYNACK_FLOOD
        _begin(w, d, seq)
    return 0


@helper
@no_type_check
def _finish(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Take the first FIN."""
    if flags & ACK and _bad_ack(w, 1 - d, ack):
        return FIN_INVALID | INVALID_ACK
    if diff(seq, np.int64(w["acked"][d])) < 0 or _beyond(w, d, seq):
        return FIN_WINDOW
    if flags & SYN and d == w["client"]:
        return FIN_SYN
    _take(w, d, seq, size + 1, ack, flags, win)
    w["fin"] = 1 + d
    w["phase"] = HALF
    return 0


@helper
@no_type_check
def _syn_recv(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    if flags & FIN:
        return _finish(w, d, seq, size, ack, flags, win)
    if flags & SYN:
        return _syn_again(w, d, seq, ack, flags)
    if not flags & ACK:
        return 0
    if d == w["client"] and ack == (np.int64(w["alt"][1 - d]) + 1) & _MASK:
        _begin(w, 1 - d, np.int64(w["alt"][1 - d]))
    right_seq = seq == w["next"][d]
    right_ack = ack == w["next"][1 - d]
    if w["fourway"] and d != w["client"]:
        if not right_seq:
            return FOUR_SEQ
        if not right_ack:
            return FOUR_INVALID | INVALID_ACK
    elif d == w["client"] and not right_ack:
        return EVASION if right_seq else WRONG_BOTH
    elif d != w["client"] and diff(seq, np.int64(w["next"][d])) > 0:
        return WRONG_BOTH
    _take(w, d, seq, size, ack, flags, win)
    w["phase"] = OPEN
    return 0


@helper
@no_type_check
def _open_syn(w: np.void, d: int, seq: int, ack: int, flags: int) -> int:  # pragma: no cover
    c = np.int64(w["client"])
    if flags & ACK:
        if d == c:
            return EST_TOSERVER
        if ack != w["acked"][c]:
            return EST_ACK
        if seq != w["isn"][d]:
            return EST_SEQ
        return EST_RESEND if w["sure"] else 0
    if d != c:
        return EST_SYN_TOCLIENT
    return EST_SYN_DIFF if seq != w["isn"][c] else EST_SYN


@helper
@no_type_check
def _old(w: np.void, d: int, seq: int, size: int) -> int:  # pragma: no cover
    """Say what is odd about bytes that were acknowledged before."""
    rest = diff((seq + size) & _MASK, np.int64(w["acked"][d]))
    # One byte or none in front of the next: the other side is asked whether it is still there.
    if rest > 0 or (size < 2 and (seq + 1) & _MASK == w["next"][d]):
        return 0
    found = SPURIOUS if size > 0 else 0
    return found | EST_BEFORE if rest < 0 and w["phase"] == OPEN else found


@helper
@no_type_check
def _open(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    if flags & FIN:
        return _finish(w, d, seq, size, ack, flags, win)
    if flags & SYN:
        return _open_syn(w, d, seq, ack, flags)
    if d != w["client"]:
        w["sure"] = 1
    if flags & ACK and _bad_ack(w, 1 - d, ack):
        return EST_INVALID | INVALID_ACK
    if _beyond(w, d, seq):
        return EST_WINDOW
    found = _old(w, d, seq, size)
    _take(w, d, seq, size, ack, flags, win)
    return found


@helper
@no_type_check
def _again(w: np.void, d: int, seq: int, size: int) -> int:  # pragma: no cover
    """Say that all bytes were sent before, or that some were acknowledged: once one side has finished."""
    end = (seq + size) & _MASK
    if size == 0 or (diff(end, np.int64(w["next"][d])) > 0 and diff(seq, np.int64(w["acked"][d])) >= 0):
        return 0
    return AGAIN


@helper
@no_type_check
def _half(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """One side has finished: Suricata names the phase after what the server has to do."""
    first = np.int64(w["fin"]) - 1
    if flags & SYN:
        return 0 if flags & FIN or (first == w["client"] and not flags & ACK) else SHUT_SYN
    bad = flags & ACK != 0 and _bad_ack(w, 1 - d, ack)
    far = _beyond(w, d, seq)
    if bad or far:
        if first == w["client"]:
            return CW_INVALID | INVALID_ACK if bad else CW_FIN if flags & FIN else CW_WINDOW
        if w["acked"][first] == w["next"][first]:
            return FIN2_INVALID | INVALID_ACK if bad else FIN2_FIN if flags & FIN else FIN2_SEQ
        return FIN1_INVALID | INVALID_ACK if bad else FIN1_FIN if flags & FIN else FIN1_SEQ
    found = _old(w, d, seq, size) | _again(w, d, seq, size)
    if found & SPURIOUS and first == w["client"]:
        found |= CW_BEFORE
    again = flags & FIN != 0 and d == first
    if again and first == w["client"] and diff(seq, np.int64(w["acked"][d])) < 0:
        return CW_FIN
    _take(w, d, seq, size + (1 if flags & FIN and not again else 0), ack, flags, win)
    if flags & FIN and d != first:
        both = first != w["client"] and not flags & ACK and w["acked"][first] != w["next"][first]
        w["phase"] = CLOSING if both else LAST
    return found


@helper
@no_type_check
def _closing(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Both have finished, the server first, and the client's end acknowledged nothing."""
    found = _old(w, d, seq, size) | _again(w, d, seq, size)
    if flags & SYN or not flags & ACK or found:
        return found
    if (seq + (1 if d == w["client"] else 0)) & _MASK != w["next"][d]:  # an end that acknowledged nothing has no number
        return CLOSING_SEQ
    if _bad_ack(w, 1 - d, ack):
        return CLOSING_INVALID | INVALID_ACK
    _take(w, d, seq, size, ack, flags, win)
    w["phase"] = LAST
    return 0


@helper
@no_type_check
def _shrinks(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> bool:  # pragma: no cover
    """Whether a segment behind a gap on both sides takes back more of its window than what was missed explains."""
    less = np.int64(w["win"][d]) - win
    if w["phase"] < OPEN or flags & (SYN | FIN | RST) or less <= size:
        return False
    missed = diff(ack, np.int64(w["sent"][1 - d]))
    if missed <= 0 or less <= missed + _GIVEN or diff(seq, np.int64(w["sent"][d])) <= 0:
        return False
    return not _bad_ack(w, 1 - d, ack)


@helper
@no_type_check
def _timewait(
    w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int, found: int
) -> int:  # pragma: no cover
    """Take a segment behind both ends, of which the server's came first: an acknowledgment in its place is the last."""
    found |= _again(w, d, seq, size)
    if found or not flags & ACK or flags & FIN:
        return found
    if seq != w["next"][d] and (seq + 1) & _MASK != w["next"][d]:
        return TW_SEQ
    if _bad_ack(w, 1 - d, ack):
        return TW_INVALID | INVALID_ACK
    _take(w, d, seq, size, ack, flags, win)
    w["phase"] = OVER
    return 0


@helper
@no_type_check
def _option(b: np.ndarray, at: int, end: int, kind: int, size: int) -> int:  # pragma: no cover
    """Return where the first option of a kind and size (0: any) begins (RFC 9293 section 3.2), -1: there is none."""
    while at < end:
        this = np.int64(b[at])
        if this == 1:
            at += 1
            continue
        long = np.int64(b[at + 1]) if at + 1 < end else 0
        if this == kind and (size == 0 or (long == size and at + size <= end)):
            return at
        if this == 0 or long < 2:
            return -1
        at += long
    return -1


@helper
@no_type_check
def _goes_on(w: np.void, r: np.void) -> bool:  # pragma: no cover
    """Whether a flow that begins with a SYN/ACK is the one whose data it leaves out (`kernels_tcp.reused_ports`)."""
    answers = np.int64(r["tcpflags"]) & (SYN | ACK) == SYN | ACK and w["phase"] == SYN_SENT and r["side"] != w["client"]
    return answers and np.int64(r["ack"]) == (np.int64(w["isn"][w["client"]]) + 1) & _MASK


@helper
@no_type_check
def _last(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Both have finished: what comes until this is acknowledged."""
    first = np.int64(w["fin"]) - 1
    if flags & SYN:
        return 0 if flags & FIN or (first == w["client"] and not flags & ACK) else SHUT_SYN
    found = _old(w, d, seq, size)
    if first != w["client"]:
        return _timewait(w, d, seq, size, ack, flags, win, found)
    if d != first:
        return found
    if w["acked"][1 - d] == w["next"][1 - d]:
        return 0
    found |= _again(w, d, seq, size)
    if found:
        return found
    if flags & ACK and _bad_ack(w, 1 - d, ack):
        return LAST_INVALID | INVALID_ACK
    if seq != w["next"][d] and (seq + 1) & _MASK != w["next"][d]:
        return LAST_SEQ
    _take(w, d, seq, size, ack, flags, win)
    return 0


@helper
@no_type_check
def _timestamp(b: np.ndarray, at: int, end: int) -> int:  # pragma: no cover
    """Return the timestamp option's value (RFC 7323 section 3), -1: none."""
    at = _option(b, at, end, _TIMESTAMP, _TIMESTAMP_SIZE)
    if at < 0:
        return -1
    value = np.int64(0)
    for k in range(at + 2, at + 6):
        value = value << 8 | np.int64(b[k])
    return value


@helper
@no_type_check
def _unexplained(w: np.void, d: int, b: np.ndarray, at: int, end: int) -> bool:  # pragma: no cover
    """Whether an answer to a SYN repeats another timestamp than that of the SYN (RFC 7323 section 3.2)."""
    at = _option(b, at, end, _TIMESTAMP, _TIMESTAMP_SIZE)
    if at < 0:
        return False
    echo = np.int64(0)
    for k in range(at + 6, at + 10):
        echo = echo << 8 | np.int64(b[k])
    return echo != 0 and (not w["stamped"][1 - d] or echo != np.int64(w["stamp"][1 - d]))


@helper
@no_type_check
def _stale(w: np.void, d: int, stamp: int) -> bool:  # pragma: no cover
    """Whether a timestamp is older than the side's last one; takes it otherwise."""
    if stamp < 0:
        return False
    if w["stamped"][d] and diff(stamp, np.int64(w["stamp"][d])) < 0:
        return True
    w["stamp"][d] = stamp
    w["stamped"][d] = 1
    return False


@helper
@no_type_check
def _fresh(w: np.void, d: int, seq: int, size: int, flags: int, win: int, midstream: bool) -> int:  # pragma: no cover
    if flags & RST:
        return RST_NONE
    if flags & FIN:
        return FIN_NONE
    if flags & SYN and not flags & ACK:
        _begin(w, d, seq)
        w["next"][d] = (seq + 1 + size) & _MASK
        w["alt"][d] = seq
        w["client"] = d
        w["win"][d] = win
        w["phase"] = SYN_SENT
    elif flags & ACK and midstream:  # of a connection whose start was not seen; else it belongs to none
        w["phase"] = UNKNOWN
    return 0


@helper
@no_type_check
def _in_place(w: np.void, d: int, seq: int) -> bool:  # pragma: no cover
    """Whether a reset has the next number of its side, for which the end of the side does not count."""
    ended = w["phase"] >= CLOSING or (w["phase"] == HALF and w["fin"] == 1 + d)
    return (seq + (1 if ended else 0)) & _MASK == w["next"][d]


@helper
@no_type_check
def _judge(
    w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int, midstream: bool
) -> int:  # pragma: no cover
    phase = np.int64(w["phase"])
    if phase == FRESH:
        return _fresh(w, d, seq, size, flags, win, midstream)
    if flags & RST:
        if phase >= SYN_RECV and flags & ACK and _bad_ack(w, 1 - d, ack):
            return RST_INVALID | INVALID_ACK
        if phase == SYN_SENT and not w["fourway"]:
            if flags & ACK and (d == w["client"] or diff(ack, np.int64(w["next"][1 - d])) > 0):
                return RST_INVALID | INVALID_ACK
            if d != w["client"] and not flags & ACK:
                return 0
        if phase >= SYN_RECV and not _in_place(w, d, seq):
            return 0
        w["phase"] = OVER
        return RST_DATA if size > 0 else 0
    if phase == SYN_SENT:
        return _syn_sent(w, d, seq, ack, flags, win)
    if phase == SYN_RECV:
        return _syn_recv(w, d, seq, size, ack, flags, win)
    if phase == OPEN:
        return _open(w, d, seq, size, ack, flags, win)
    if phase == HALF:
        return _half(w, d, seq, size, ack, flags, win)
    if phase == CLOSING:
        return _closing(w, d, seq, size, ack, flags, win)
    return _last(w, d, seq, size, ack, flags, win) if phase == LAST else 0


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


@kernel(void(_column(numba.from_dtype(ROW)), _column(types.uint8), _column(numba.from_dtype(FLOW)),
           numba.from_dtype(WATCH)[::1], numba.int64[::1], numba.boolean, numba.uint64[::1]))  # fmt: skip
@no_type_check
def watch(
    rows: np.ndarray, b: np.ndarray, flows: np.ndarray, state: np.ndarray, early: np.ndarray, midstream: bool,
    out: np.ndarray,
) -> None:  # pragma: no cover
    """Write what is odd about each row: uint64[n], a bit per `TcpEvent`.

    state: WATCH[slots]; early: int64[1], slot of the last SYN with data, -1: none. midstream: connections are taken
    up whose start was not seen.
    """
    for i in range(rows.shape[0]):
        r = rows[i]
        out[i] = 0
        slot = np.int64(r["flow"])
        if r["proto"] != 6 or slot < 0 or r["l4"] < 0 or r["dup"] != 0 or r["frag"] == FRAG_PART:
            continue
        w = state[slot]
        d = np.int64(r["side"])
        if r["fstate"] & FS_NEW and early[0] >= 0 and _goes_on(state[early[0]], r):
            state[slot] = state[early[0]]
            early[0] = -1
        elif r["fstate"] & FS_NEW:
            w["phase"] = FRESH
            w["fourway"] = 0
            w["extra"] = 0
            w["fin"] = 0
            w["sure"] = 0
            w["early"] = 0
            w["stamped"][0] = 0
            w["stamped"][1] = 0
        flags = np.int64(r["tcpflags"])
        broken = BROKEN if not flags & ACK and r["ack"] != 0 else 0
        out[i] = np.uint64(broken)
        if w["phase"] == UNKNOWN or w["phase"] == OVER:
            continue
        if w["phase"] == FRESH:
            w["stamped"][0] = 0
            w["stamped"][1] = 0
        l4 = np.int64(r["l4"])
        end = min(l4 + (np.int64(b[l4 + 12]) >> 4) * 4, np.int64(b.size))
        answers = end > l4 + 20 and w["phase"] == SYN_SENT and d != w["client"]
        if answers and _unexplained(w, d, b, l4 + 20, end):
            out[i] = np.uint64(broken | STAMP)
            continue
        if end > l4 + 20 and not flags & RST and _stale(w, d, _timestamp(b, l4 + 20, end)):
            out[i] = np.uint64(broken | STAMP)
            continue
        win = np.int64(r["win"]) if flags & SYN else np.int64(r["win"]) << np.int64(flows["wscale"][slot, d])
        if w["phase"] == FRESH and flags & SYN and r["paylen"] > 0 and _option(b, l4 + 20, end, _FAST_OPEN, 0) >= 0:
            w["early"] = 1
            early[0] = slot
        if _shrinks(w, d, np.int64(r["seq"]), np.int64(r["paylen"]), np.int64(r["ack"]), flags, win):
            out[i] = np.uint64(broken | BAD_WINDOW)
            continue
        found = _judge(w, d, np.int64(r["seq"]), np.int64(r["paylen"]), np.int64(r["ack"]), flags, win, midstream)
        out[i] = np.uint64(broken | found)
