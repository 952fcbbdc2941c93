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
from sensor.model import tcpoptions as option
from sensor.model.jit import helper, kernel
from sensor.model.kernels_bytes import u16
from sensor.model.rows import FLOW, FRAG_PART, FS_NEW, ROW
from sensor.model.tcpevents import TcpEvent as T

WATCH = np.dtype(
    [
        ("isn", "<u4", (2,)),
        ("alt", "<u4", (2,)),  # the side's first sequence number, where later SYNs had others
        ("next", "<u4", (2,)),  # behind the highest byte that the side has sent
        ("acked", "<u4", (2,)),  # highest acknowledgment of the side's bytes
        ("win", "<u4", (2,)),  # window that the side has announced, scaled
        ("edge", "<u4", (2,)),  # right edge of the window that the side was given; it never goes back
        ("stamp", "<u4", (2,)),  # its last timestamp
        ("before", "<u4", (2,)),  # the timestamp of its first SYN
        ("stamped", "u1", (2,)),  # its SYN had one
        ("phase", "u1"),
        ("client", "u1"),  # side of the first SYN
        ("fourway", "u1"),
        ("extra", "u1"),  # SYNs, then SYN/ACKs with other numbers
        ("fin", "u1"),  # 1 + side of the first FIN
        ("sure", "u1"),  # the server has said something behind the handshake
        ("reset", "u1"),  # a bit per side that has sent a reset with a signature and nothing since
        ("early", "u1"),  # the SYN has data and asked for TCP Fast Open (RFC 7413)
    ],
    align=True,
)
"""What is remembered of a flow."""

UNKNOWN, FRESH, SYN_SENT, SYN_RECV, OPEN, HALF, CLOSING, LAST, OVER = range(9)
"""Phases: nothing seen; no SYN yet; …; one side has finished, both at once, both; reset."""
FIN, SYN, RST, ACK = 1, 2, 4, 16
_TIMESTAMP_SIZE = 10
"""Bytes of the option (RFC 7323 section 3)."""
SYN_QUEUE, SYNACK_QUEUE = 10, 5
"""SYNs and SYN/ACKs with numbers of their own that Suricata remembers."""
_GIVEN, _NARROW = 32, 1024
"""Bytes of a window that may be taken back besides, where more than so many are left."""
_CLIENT_SAYS, _SERVER_SAYS = 17, 9
"""Bytes of either side after which a protocol that nobody knows is given up."""
_MASK = 0xFFFFFFFF

(
    WRONG_DIRECTION, SYNACK_ACK, RESEND_ACK, SYNACK_TOSERVER, SYN_DIFF, SYN_TOCLIENT, EVASION, WRONG_BOTH, SYNACK_FLOOD,
    SYN_FLOOD, FOUR_ACK, FOUR_SYN, FOUR_SEQ, FOUR_INVALID, INVALID_ACK, EST_ACK, EST_SEQ, EST_TOSERVER, EST_SYN,
    EST_SYN_DIFF, EST_SYN_TOCLIENT, EST_INVALID, EST_WINDOW, EST_BEFORE, SPURIOUS, FIN_INVALID, FIN_WINDOW, FIN_NONE,
    RST_NONE, RST_INVALID, RST_DATA, BROKEN, STAMP, CW_WINDOW, CW_FIN, CW_INVALID, FIN1_SEQ, FIN1_FIN, FIN1_INVALID,
    FIN2_SEQ, FIN2_FIN, FIN2_INVALID, LAST_SEQ, LAST_INVALID, TFO_IGNORED, EST_RESEND, SHUT_SYN, CW_BEFORE, AGAIN,
    FIN_SYN, TW_SEQ, TW_INVALID, BAD_WINDOW, CLOSING_SEQ, CLOSING_INVALID, INJECTED,
) = (1 << int(one) for one in T)  # fmt: skip


@helper
@no_type_check
def _bad_ack(w: np.void, o: int, ack: int) -> bool:  # pragma: no cover
    """Whether an acknowledgment of side o's bytes is beyond its window, or further back than that is wide."""
    back = diff(np.int64(w["acked"][o]), ack)
    if back > 0:
        return w["win"][1 - o] != 0 and back > w["win"][1 - o]
    return diff(ack, np.int64(w["edge"][o])) > 0


@helper
@no_type_check
def _beyond(w: np.void, d: int, end: int) -> bool:  # pragma: no cover
    """Whether a segment of side d ends behind its window."""
    return diff(end & _MASK, np.int64(w["edge"][d])) > 0


@helper
@no_type_check
def _widen(w: np.void, d: int) -> None:  # pragma: no cover
    """Give side d the window that the other side announces from its last acknowledgment on."""
    edge = (np.int64(w["acked"][d]) + np.int64(w["win"][1 - d])) & _MASK
    if diff(edge, np.int64(w["edge"][d])) > 0:
        w["edge"][d] = edge


@helper
@no_type_check
def _begin(w: np.void, d: int, seq: int) -> None:  # pragma: no cover
    w["isn"][d] = seq
    w["next"][d] = (seq + 1) & _MASK
    w["acked"][d] = (seq + 1) & _MASK
    w["edge"][d] = (seq + 1 + np.int64(w["win"][1 - d])) & _MASK


@helper
@no_type_check
def _reach(w: np.void, d: int, end: int) -> None:  # pragma: no cover
    """Take note of how far side d has sent."""
    if diff(end, np.int64(w["next"][d])) > 0:
        w["next"][d] = end


@helper
@no_type_check
def _take(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> None:  # pragma: no cover
    """Take a sound segment. What acknowledges more than was seen moves no `next`."""
    _reach(w, d, (seq + size) & _MASK)
    if flags & ACK and diff(ack, np.int64(w["acked"][1 - d])) > 0:
        w["acked"][1 - d] = ack
    w["win"][d] = win
    _widen(w, 1 - d)


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
    _widen(w, 1 - d)
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
    if flags & ACK:
        _reach(w, 1 - d, ack)
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
    elif d != w["client"] and (not right_seq or diff(ack, np.int64(w["next"][1 - d])) < 0):
        return WRONG_BOTH
    _take(w, d, seq, size, ack, flags, win)
    if d == w["client"]:  # what the SYN has announced counts no longer
        w["edge"][1 - d] = (np.int64(w["acked"][1 - d]) + win) & _MASK
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
def _early(w: np.void, d: int, seq: int, size: int) -> bool:  # pragma: no cover
    """Whether all was acknowledged before, and nobody asks whether the other side is still there."""
    if size < 2 and (seq + 1) & _MASK == w["next"][d]:
        return False
    end = (seq + size) & _MASK
    return diff(end, np.int64(w["acked"][d])) < 0 and diff(end, np.int64(w["next"][d])) <= 0


@helper
@no_type_check
def _told(w: np.void) -> bool:  # pragma: no cover
    """Whether both sides have said enough that is acknowledged to tell that it is no known protocol."""
    for side in range(2):
        end = np.int64(w["acked"][side])
        if diff(end, np.int64(w["next"][side])) > 0:
            end = np.int64(w["next"][side])
        if diff(end, np.int64(w["isn"][side])) <= (_CLIENT_SAYS if side == w["client"] else _SERVER_SAYS):
            return False
    return True


@helper
@no_type_check
def _shrinks(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> bool:  # pragma: no cover
    """Whether a segment behind a gap on both sides takes back more of its window than what was missed explains."""
    less = np.int64(w["win"][d]) - win
    if w["phase"] < OPEN or w["phase"] == OVER or flags & (SYN | FIN | RST) or less <= size:
        return False
    if diff(ack, np.int64(w["next"][1 - d])) <= 0 or diff(seq, np.int64(w["next"][d])) <= 0:
        return False
    return less > diff(ack, np.int64(w["acked"][1 - d])) + (_GIVEN if win > _NARROW else 0)


@helper
@no_type_check
def _apart(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Say what is odd about a segment that does not count, whatever the state; -1: it does."""
    if w["phase"] == FRESH:
        return -1
    if _shrinks(w, d, seq, size, ack, flags, win):
        return BAD_WINDOW
    plain = flags & (SYN | FIN | RST) == 0
    outdated = w["phase"] >= OPEN and size == 0 and seq == w["next"][d]
    if plain and outdated and diff(ack, np.int64(w["acked"][1 - d])) < 0:
        return 0
    # Asks whether the other side is still there (RFC 9293 section 3.8.4).
    if plain and size < 2 and (seq + 1) & _MASK == w["next"][d] and ack == w["acked"][1 - d]:
        return 0
    before = size > 0 and diff((seq + size) & _MASK, (np.int64(w["isn"][d]) + 1) & _MASK) <= 0
    return SPURIOUS if before and not _told(w) else -1


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
    if _early(w, d, seq, size):
        return EST_BEFORE
    if size == 1 and seq == w["next"][d] and w["win"][1 - d] == 0:  # asks whether the window is still closed
        return 0
    _reach(w, d, (seq + size) & _MASK)
    if _beyond(w, d, seq + size):
        return EST_WINDOW
    _take(w, d, seq, size, ack, flags, win)
    return 0


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
def _far(w: np.void, d: int, seq: int, size: int, flags: int) -> bool:  # pragma: no cover
    """Whether a segment is out of its window, or an end before its place, when one side has finished."""
    if w["fin"] == 1 + w["client"]:
        edge = (np.int64(w["acked"][d]) + np.int64(w["win"][1 - d])) & _MASK
        if diff(seq, edge) > 0:
            return True
        early = diff(seq, np.int64(w["acked"][d])) < 0 and diff(seq, np.int64(w["next"][d])) < 0
        return flags & FIN != 0 and early
    if flags & FIN:
        return _beyond(w, d, seq) or diff((seq + size + 1) & _MASK, np.int64(w["next"][d])) < 0
    return _beyond(w, d, seq + size)


@helper
@no_type_check
def _half(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """One side has finished: Suricata names the phase after what the server has to do."""
    first = np.int64(w["fin"]) - 1
    if flags & SYN:
        return 0 if flags & FIN or (first == w["client"] and not flags & ACK) else SHUT_SYN
    bad = flags & ACK != 0 and _bad_ack(w, 1 - d, ack)
    far = _far(w, d, seq, size, flags)
    found = _again(w, d, seq, size)
    if bad or far:
        if first == w["client"]:
            return found | (CW_INVALID | INVALID_ACK if bad else CW_FIN if flags & FIN else CW_WINDOW)
        if w["acked"][first] == w["next"][first]:
            return found | (FIN2_INVALID | INVALID_ACK if bad else FIN2_FIN if flags & FIN else FIN2_SEQ)
        return found | (FIN1_INVALID | INVALID_ACK if bad else FIN1_FIN if flags & FIN else FIN1_SEQ)
    if size > 0 and first == w["client"] and diff((seq + size) & _MASK, np.int64(w["acked"][d])) <= 0:
        found |= CW_BEFORE
    # Behind a server's end another one in its place is taken for the client's.
    again = flags & FIN != 0 and d == first and (first == w["client"] or (seq + size + 1) & _MASK == w["next"][d])
    if again and first == w["client"] and diff(seq, np.int64(w["acked"][d])) < 0:
        return CW_FIN
    place = np.int64(w["next"][d])
    _take(w, d, seq, size + (1 if flags & FIN and d != first else 0), ack, flags, win)
    if seq != place:  # only what comes in its place counts now
        w["next"][d] = place
    if flags & ACK:
        _reach(w, 1 - d, ack)
    if flags & FIN and not again and (d != first or first != w["client"]):
        both = first != w["client"] and not flags & ACK and w["acked"][first] != w["next"][first]
        w["phase"] = CLOSING if both else LAST
    return found


@helper
@no_type_check
def _closing(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Both have finished, the server first, and the client's end acknowledged nothing."""
    if flags & SYN:
        return 0 if flags & FIN else SHUT_SYN
    found = _again(w, d, seq, size)
    if not flags & ACK or found:
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
def _timewait(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Take a segment behind both ends, of which the server's came first: an acknowledgment in its place is the last."""
    found = _again(w, d, seq, size)
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
def _opens_fast(b: np.ndarray, at: int, end: int) -> bool:  # pragma: no cover
    """Whether options ask for TCP Fast Open, by its number or as the experiment that it was."""
    if _option(b, at, end, option.FAST_OPEN, 0) >= 0:
        return True
    for kind in option.EXPERIMENTS:
        found = _option(b, at, end, kind, 0)
        if found >= 0 and found + 4 <= end and u16(b, found + 2) == option.FAST_OPEN_EXPERIMENT:
            return True
    return False


@helper
@no_type_check
def _goes_on(w: np.void, r: np.void) -> bool:  # pragma: no cover
    """Whether a flow that begins with a SYN/ACK is the one whose data it leaves out (`kernels_tcp.reused_ports`)."""
    answers = np.int64(r["tcpflags"]) & (SYN | ACK) == SYN | ACK and w["phase"] == SYN_SENT and r["side"] != w["client"]
    return answers and np.int64(r["ack"]) == (np.int64(w["isn"][w["client"]]) + 1) & _MASK


@helper
@no_type_check
def _answers_anew(w: np.void, r: np.void) -> bool:  # pragma: no cover
    """Whether a flow that begins with a SYN/ACK is another connection of those ends (`kernels_tcp.reused_ports`)."""
    answers = np.int64(r["tcpflags"]) & (SYN | ACK) == SYN | ACK and w["phase"] >= OPEN
    return answers and np.int64(r["ack"]) == (np.int64(w["alt"][1 - r["side"]]) + 1) & _MASK


@helper
@no_type_check
def _last(w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int) -> int:  # pragma: no cover
    """Both have finished: what comes until this is acknowledged."""
    first = np.int64(w["fin"]) - 1
    if flags & SYN:
        return 0 if flags & FIN or (first == w["client"] and not flags & ACK) else SHUT_SYN
    if first != w["client"]:
        return _timewait(w, d, seq, size, ack, flags, win)
    if d != first or w["acked"][1 - d] == w["next"][1 - d]:
        return 0
    found = _again(w, d, seq, size)
    if found:
        return found
    if flags & ACK and _bad_ack(w, 1 - d, ack):
        return LAST_INVALID | INVALID_ACK
    if seq != w["next"][d] and (seq + 1) & _MASK != w["next"][d]:
        return LAST_SEQ
    _take(w, d, seq, size, ack, flags, win)
    w["phase"] = OVER
    return 0


@helper
@no_type_check
def _timestamp(b: np.ndarray, at: int, end: int) -> int:  # pragma: no cover
    """Return the timestamp option's value (RFC 7323 section 3), -1: none."""
    at = _option(b, at, end, option.TIMESTAMP, _TIMESTAMP_SIZE)
    if at < 0:
        return -1
    value = np.int64(0)
    for k in range(at + 2, at + 6):
        value = value << 8 | np.int64(b[k])
    return value


@helper
@no_type_check
def _signed(w: np.void, d: int, flags: int, b: np.ndarray, at: int, end: int) -> int:  # pragma: no cover
    """Look for a reset with a signature, which ends nothing (-1), and for what its sender goes on to say."""
    if flags & RST:
        if _option(b, at, end, option.MD5, 0) < 0 and _option(b, at, end, option.AUTHENTICATION, 0) < 0:
            return 0
        w["reset"] = np.int64(w["reset"]) | 1 << d
        return -1
    if not np.int64(w["reset"]) >> d & 1:
        return 0
    w["reset"] = np.int64(w["reset"]) & 1 << (1 - d)
    return INJECTED


@helper
@no_type_check
def _unexplained(w: np.void, d: int, b: np.ndarray, at: int, end: int) -> bool:  # pragma: no cover
    """Whether an answer to a SYN repeats another timestamp than that of the SYN (RFC 7323 section 3.2)."""
    at = _option(b, at, end, option.TIMESTAMP, _TIMESTAMP_SIZE)
    if at < 0:
        return False
    echo = np.int64(0)
    for k in range(at + 6, at + 10):
        echo = echo << 8 | np.int64(b[k])
    known = echo == np.int64(w["stamp"][1 - d]) or echo == np.int64(w["before"][1 - d])
    return echo != 0 and not (w["stamped"][1 - d] and known)


@helper
@no_type_check
def _stale(w: np.void, d: int, stamp: int, flags: int) -> bool:  # pragma: no cover
    """Whether a timestamp is older than the side's last one, where both SYNs had one; takes it otherwise."""
    if stamp < 0:
        return False
    if flags & SYN:
        if w["phase"] <= SYN_SENT:
            if not w["stamped"][d]:
                w["before"][d] = stamp
            w["stamp"][d] = stamp
            w["stamped"][d] = 1
        return False
    if not w["stamped"][0] or not w["stamped"][1]:
        return False
    if diff(stamp, np.int64(w["stamp"][d])) < 0:
        return True
    w["stamp"][d] = stamp
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
    """Whether a reset has the next number of its side; the end of a client that has finished first does not count."""
    ended = d == w["client"] and w["phase"] == HALF and w["fin"] == 1 + d
    return (seq + (1 if ended else 0)) & _MASK == w["next"][d]


@helper
@no_type_check
def _judge(
    w: np.void, d: int, seq: int, size: int, ack: int, flags: int, win: int, midstream: bool
) -> int:  # pragma: no cover
    phase = np.int64(w["phase"])
    if phase == FRESH:
        return _fresh(w, d, seq, size, flags, win, midstream)
    if phase == OVER:
        return 0
    if flags & RST:
        if phase >= SYN_RECV and flags & ACK and _bad_ack(w, 1 - d, ack):
            return RST_INVALID | INVALID_ACK
        if phase == SYN_SENT and not w["fourway"]:
            right = d != w["client"] and ack == w["next"][1 - d]  # what a refused connection is told
            return RST_INVALID | INVALID_ACK if flags & ACK and ack != 0 and not right else 0
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

    state: WATCH[slots]; early: int64[1], slot of the last SYN that has data or asks for another connection, -1: none.
    midstream: connections are taken up whose start was not seen.
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
            anew = early[0] >= 0 and _answers_anew(state[early[0]], r)
            w["phase"] = FRESH
            w["fourway"] = 0
            w["extra"] = 0
            w["fin"] = 0
            w["sure"] = 0
            w["early"] = 0
            w["reset"] = 0
            for side in range(2):
                w["isn"][side] = 0
                w["next"][side] = 0
                w["acked"][side] = 0
                w["stamped"][side] = 0
            if anew:  # its SYN, and with it what the client's windows mean, belongs to the flow before
                w["phase"] = UNKNOWN
                early[0] = -1
        flags = np.int64(r["tcpflags"])
        broken = BROKEN if not flags & ACK and r["ack"] != 0 else 0
        out[i] = np.uint64(broken)
        if w["phase"] == UNKNOWN:
            continue
        if w["phase"] == FRESH:
            w["stamped"][0] = 0
            w["stamped"][1] = 0
        l4 = np.int64(r["l4"])
        end = min(l4 + (np.int64(b[l4 + 12]) >> 4) * 4, np.int64(b.size))
        odd = _signed(w, d, flags, b, l4 + 20, end) if w["phase"] != FRESH else 0
        if odd < 0:
            continue
        broken |= odd
        answers = end > l4 + 20 and w["phase"] == SYN_SENT and d != w["client"]
        win = np.int64(r["win"]) if flags & SYN else np.int64(r["win"]) << np.int64(flows["wscale"][slot, d])
        if w["phase"] == FRESH and flags & SYN and r["paylen"] > 0:
            w["early"] = _opens_fast(b, l4 + 20, end)
            early[0] = slot
        seq = np.int64(r["seq"])
        size = np.int64(r["paylen"])
        ack = np.int64(r["ack"])
        found = _apart(w, d, seq, size, ack, flags, win)
        if found < 0:
            acked = w["phase"] != FRESH and size > 0 and diff((seq + size) & _MASK, np.int64(w["acked"][d])) <= 0
            found = SPURIOUS if acked else 0
            wrong = answers and _unexplained(w, d, b, l4 + 20, end)
            if not wrong and end > l4 + 20 and w["phase"] != OVER:
                wrong = _stale(w, d, _timestamp(b, l4 + 20, end), flags)
            if wrong:
                found |= STAMP
            else:
                found |= _judge(w, d, seq, size, ack, flags, win, midstream)
            if found & EST_SYN_DIFF:
                w["alt"][d] = seq
                early[0] = slot
        out[i] = np.uint64(broken | found)
