"""The TCP state machine of a flow: handshakes, acknowledgments, FIN, RST, reuse of ports (RFC 9293, 5961, 7323, 7413).

Helpers compiled into `kernels_track.track`; nothing here is called from Python. Names as in
`kernels_reassembly`.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# Numba infers the types; to mypy an item of an array is Any and np.int64 no int.

from __future__ import annotations

import numpy as np

from sensor.flow import track_layout as lay
from sensor.flow.kernels_reassembly import MASK, declare_gap, diff, finish_side, note, payload, release
from sensor.model import rows as m
from sensor.model import tcpoptions as option
from sensor.model.anomaly import StreamAnomaly
from sensor.model.jit import helper, inlined

FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32
NEAR = 1 << 16
"""Distance from the expected byte within which a segment needs no look at the window."""
FAR_BEHIND = 1 << 20
"""A segment that lies farther behind the expected byte is no retransmission, whatever the window."""

_MIDSTREAM = int(StreamAnomaly.MIDSTREAM_PICKUP)
_OUT_OF_WINDOW = int(StreamAnomaly.OUT_OF_WINDOW)
_SYN_DIFF = int(StreamAnomaly.SYN_RESEND_DIFF_SEQ)
_SYNACK_DIFF = int(StreamAnomaly.SYNACK_DIFF_SEQ)
_RST_INVALID = int(StreamAnomaly.RST_BUT_INVALID)
_URGENT = int(StreamAnomaly.URGENT_DATA)
_RST_INJECT = int(StreamAnomaly.SUSPECTED_RST_INJECT)
_FASTOPEN = int(StreamAnomaly.TCP_FASTOPEN)


@inlined
def _limit(w: lay.World, f: np.void, a: np.void, side: int) -> int:
    """Return how far beyond the expected byte a segment of this side may start (RFC 9293 section 3.4, RFC 7323 2.3)."""
    other = 1 - side
    theirs = np.int64(a["bits"][other])
    window = w.cfg[lay.C_UNKNOWN_WINDOW]
    if not f["midstream"] and theirs & lay.SIDE_SYN:
        window = np.int64(f["win"][other])
        if theirs & np.int64(a["bits"][side]) & lay.SIDE_WSCALE:
            window <<= np.int64(f["wscale"][other])
    return window + w.cfg[lay.C_SLACK]


@inlined
def _beyond(f: np.void, a: np.void, side: int, seq: int) -> int:
    """Return how far seq lies beyond all of the side's bytes that are delivered or acknowledged."""
    ahead = diff(seq, np.int64(f["next"][side]))
    if np.int64(a["bits"][side]) & lay.SIDE_ACKED:
        return min(ahead, diff(seq, np.int64(f["acked"][side])))
    return ahead


@inlined
def _syn_options(
    w: lay.World, f: np.void, a: np.void, r: np.void, buf: np.ndarray, row: int, slot: int, side: int
) -> None:
    """Read window scale (RFC 7323 section 2.2) and note Fast Open data (RFC 7413 section 4.1.1)."""
    at = np.int64(r["l4"]) + 20
    end = min(np.int64(r["pay"]), np.int64(buf.size))
    while at < end:
        kind = np.int64(buf[at])
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if at + 1 >= end:
            break
        size = np.int64(buf[at + 1])
        if size < 2 or at + size > end:
            break
        if kind == option.WINDOW_SCALE and size == 3:
            f["wscale"][side] = min(np.int64(buf[at + 2]), 14)
            a["bits"][side] = np.int64(a["bits"][side]) | lay.SIDE_WSCALE
        elif kind == option.FAST_OPEN and r["paylen"] > 0:
            note(w, f, a, row, slot, side, _FASTOPEN)
        at += size


@helper
def _start_side(f: np.void, side: int, seq: int) -> None:
    """Let a side's stream begin at a sequence number."""
    f["isn"][side] = seq
    f["next"][side] = seq
    f["synced"][side] = 1


@helper
def syn_seen(f: np.void, a: np.void, side: int, seq: int) -> None:
    """Put a new flow where it stands after a SYN that the flow before it got; seq: the stream start it announced."""
    _start_side(f, side, seq)
    a["bits"][side] = np.int64(a["bits"][side]) | lay.SIDE_SYN
    f["tcpstate"] = m.TCP_SYN_SENT


@inlined
def _acks_syn(f: np.void, a: np.void, side: int, ack: int, slack: int) -> bool:
    """Say whether an acknowledgment fits a side's SYN and Fast Open data; go back to its first SYN if that fits.

    slack: bytes that may be acknowledged beyond those seen.
    """
    ahead = diff(ack, np.int64(f["isn"][side]))
    alt = np.int64(a["bits"][side]) & lay.SIDE_ALT and ack == np.int64(a["alt"][side])
    if ahead != 0 and alt and f["pos"][side] == 0:
        _start_side(f, side, ack)
        return True
    return ahead >= 0 and diff(ack, np.int64(f["next"][side])) <= slack


@inlined
def _syn(
    w: lay.World,
    f: np.void,
    a: np.void,
    r: np.void,
    buf: np.ndarray,
    row: int,
    slot: int,
    side: int,
    seq: int,
) -> bool:
    """Take a SYN; seq: the stream start it announces. Returns False where the segment is not acceptable."""
    other = 1 - side
    acks = np.int64(r["tcpflags"]) & ACK
    ack = np.int64(r["ack"])
    bits = np.int64(a["bits"][side])
    theirs = np.int64(a["bits"][other])
    tcpstate = np.int64(f["tcpstate"])
    if f["synced"][side] and seq == np.int64(f["isn"][side]):
        a["bits"][side] = bits | lay.SIDE_SYN
        return True
    if tcpstate >= m.TCP_ESTABLISHED and f["synced"][side]:
        if not acks:
            a["resyn"], a["resyn_side"] = seq, 1 + side
        return False
    if acks and theirs & lay.SIDE_SYN and not theirs & lay.SIDE_SYNACKED and not _acks_syn(f, a, other, ack, 0):
        return False
    if bits & lay.SIDE_SYN:
        if f["pos"][side] > 0 or bits & lay.SIDE_SYNACKED:
            return False
        if not bits & lay.SIDE_ALT:
            a["alt"][side] = f["isn"][side]
        bits |= lay.SIDE_ALT
        note(w, f, a, row, slot, side, _SYNACK_DIFF if acks else _SYN_DIFF)
    _start_side(f, side, seq)
    a["bits"][side] = bits | lay.SIDE_SYN
    _syn_options(w, f, a, r, buf, row, slot, side)
    if tcpstate == m.TCP_NONE:
        f["tcpstate"] = m.TCP_SYN_RECV if acks else m.TCP_SYN_SENT
        f["midstream"] = 0
        if acks and not f["synced"][other]:
            f["midstream"] = 1
            _start_side(f, other, ack)
            a["bits"][other] = theirs | lay.SIDE_SYN
    elif tcpstate == m.TCP_SYN_SENT and f["synced"][other] and theirs & lay.SIDE_SYN:
        f["tcpstate"] = m.TCP_SYN_RECV
    return True


@inlined
def _acknowledge(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, ack: int) -> None:
    """Take an acknowledgment of a side's bytes; what it proves lost is declared a gap."""
    if not f["synced"][side]:
        return
    bits = np.int64(a["bits"][side])
    if bits & lay.SIDE_SYN and not bits & lay.SIDE_SYNACKED:
        if not _acks_syn(f, a, side, ack, NEAR):
            return
        bits |= lay.SIDE_SYNACKED
    ahead = diff(ack, np.int64(f["next"][side]))
    if ahead > NEAR and _beyond(f, a, side, ack) > _limit(w, f, a, side):
        return
    if not bits & lay.SIDE_ACKED or diff(ack, np.int64(f["acked"][side])) > 0:
        f["acked"][side] = ack
        bits |= lay.SIDE_ACKED
    a["bits"][side] = bits
    if ahead > 0 and f["queue"][side] >= 0:
        release(w, f, a, row, slot, side, 0)
    elif ahead > FAR_BEHIND:
        declare_gap(w, f, a, row, slot, side, ahead)


@helper
def _signed(r: np.void, buf: np.ndarray) -> bool:
    """Say whether a segment carries a signature: MD5 (RFC 2385) or the authentication option (RFC 5925).

    Where the connection has agreed on none, no receiver obeys such a RST; where it has, somebody would have to know
    the key.
    """
    at = np.int64(r["l4"]) + 20
    end = np.int64(r["pay"])
    while at < end:
        kind = buf[at]
        if kind in (19, 29):
            return True
        if kind == 0:
            return False
        if kind == 1:
            at += 1
        elif at + 1 < end and buf[at + 1] >= 2:
            at += np.int64(buf[at + 1])
        else:
            return False
    return False


@inlined
def _reset_fits(f: np.void, a: np.void, r: np.void, w: lay.World, side: int) -> bool:
    """Say whether a receiver obeys this RST: its number is exactly the next byte's (RFC 5961 section 3.2).

    What is next is uncertain where bytes were lost: what was acknowledged, and the end of the queue, count too.
    """
    tcpstate = np.int64(f["tcpstate"])
    seq = np.int64(r["seq"])
    if tcpstate in (m.TCP_NONE, m.TCP_CLOSED):
        return True
    if not f["synced"][side]:
        if tcpstate != m.TCP_SYN_SENT:
            return True
        return np.int64(r["tcpflags"]) & ACK != 0 and _acks_syn(f, a, 1 - side, np.int64(r["ack"]), 0)
    bits = np.int64(a["bits"][side])
    expected = np.int64(f["next"][side])
    if seq == expected or (bits & lay.SIDE_ACKED and seq == np.int64(f["acked"][side])):
        return True
    if bits & lay.SIDE_FINISHED and seq == (expected - 1) & MASK:
        return True
    if f["queue"][side] >= 0:
        tail = w.pieces[np.int64(a["tail"][side])]
        return seq == (np.int64(tail["seq"]) + np.int64(tail["len"])) & MASK
    return False


@helper
def _fin_state(f: np.void, a: np.void) -> int:
    """Return the TCP state that follows from which FINs are known and acknowledged, as the server sees it."""
    tcpstate = np.int64(f["tcpstate"])
    c, s = np.int64(a["bits"][0]), np.int64(a["bits"][1])
    ends = lay.SIDE_FIN | lay.SIDE_ACKED
    client_acked = c & ends == ends and diff(np.int64(f["acked"][0]), np.int64(a["fin"][0])) > 0
    server_acked = s & ends == ends and diff(np.int64(f["acked"][1]), np.int64(a["fin"][1])) > 0
    client, server = c & lay.SIDE_FINISHED or client_acked, s & lay.SIDE_FINISHED or server_acked
    if client and server:
        if client_acked and server_acked:
            return m.TCP_CLOSED
        if tcpstate not in (m.TCP_FIN_WAIT1, m.TCP_FIN_WAIT2, m.TCP_CLOSING, m.TCP_TIME_WAIT):
            return m.TCP_LAST_ACK
        return m.TCP_TIME_WAIT if server_acked else m.TCP_CLOSING
    if client:
        return m.TCP_CLOSE_WAIT
    if server:
        return m.TCP_FIN_WAIT2 if server_acked else m.TCP_FIN_WAIT1
    return tcpstate


@inlined
def _establish(f: np.void, a: np.void, side: int, carries: int) -> int:
    """Leave the handshake where this segment allows it; returns FS_HANDSHAKE_DONE if it acknowledged it, else 0.

    Normally both SYNs are acknowledged (this covers simultaneous open and split handshakes too). A client
    that goes on without a SYN/ACK in the capture, and a server that sends data without one, show that it was
    lost. Where only the server is heard, from its SYN/ACK on, it shows the end of the handshake when it acknowledges
    data.
    """
    c, s = np.int64(a["bits"][0]), np.int64(a["bits"][1])
    both = c & s & lay.SIDE_SYN and c & s & lay.SIDE_SYNACKED
    goes_on = (c | s) & lay.SIDE_SYNACKED if carries else np.int64(a["bits"][side]) & lay.SIDE_SYN
    if f["midstream"] and side == 1 and f["tcpstate"] == m.TCP_SYN_RECV and c & lay.SIDE_ACKED:
        both = both or diff(np.int64(f["acked"][0]), np.int64(f["isn"][0])) > 0
    if both or (f["tcpstate"] == m.TCP_SYN_SENT and goes_on):
        f["tcpstate"] = m.TCP_ESTABLISHED
        a["flags"] |= lay.A_ESTABLISHED
        return m.FS_HANDSHAKE_DONE if both else 0
    return 0


@inlined
def _headers_only(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, end: int) -> None:
    """Skip the payload of a segment that the capture cut to its headers."""
    missing = diff(end, np.int64(f["next"][side]))
    if missing > 0 and f["queue"][side] < 0 and not a["flags"] & lay.A_RESET:
        declare_gap(w, f, a, row, slot, side, missing)


@inlined
def _reset_undone(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, seq: int) -> None:
    """Take a RST back whose sender goes on where it was: somebody else sent it, or it never arrived.

    An endpoint that resets a connection forgets it. Who sends a RST that only the sensor sees (a short time to
    live) would otherwise hide all that follows.
    """
    near = diff(seq, np.int64(f["next"][side]))
    if not a["flags"] & lay.A_ESTABLISHED or not f["synced"][side] or near < -NEAR or near > NEAR:
        return
    a["flags"] = lay.A_ESTABLISHED
    f["tcpstate"] = m.TCP_ESTABLISHED
    f["tcpstate"] = _fin_state(f, a)
    note(w, f, a, row, slot, side, _RST_INJECT)


@inlined
def _answer_undone(w: lay.World, f: np.void, a: np.void, row: int, slot: int, side: int, ack: int) -> None:
    """Take a RST or a FIN back that came in front of the SYN/ACK, without data: the client has not obeyed it.

    It may have had a timestamp that the SYN does not explain (RFC 7323), or be somebody else's. It would otherwise
    hide all that follows.
    """
    bits, theirs = np.int64(a["bits"][side]), np.int64(a["bits"][1 - side])
    ended = np.int64(a["flags"]) & lay.A_RESET_BY << side or bits & lay.SIDE_FIN
    if not ended or bits & lay.SIDE_SYN or not theirs & lay.SIDE_SYN or ack != np.int64(f["isn"][1 - side]):
        return
    if f["pos"][0] > 0 or f["pos"][1] > 0:
        return
    a["flags"] = 0
    a["bits"][side] = 0
    f["synced"][side] = 0
    f["tcpstate"] = m.TCP_SYN_SENT
    note(w, f, a, row, slot, side, _RST_INJECT)


@helper
def _urgent(f: np.void, a: np.void, side: int, at: int) -> None:
    """Note which byte is not part of the stream: the one in front of the urgent pointer.

    RFC 6093 section 3.1: the last byte of the urgent data. Of two that are still to come the later one counts, as in
    Linux.
    """
    later = not a["oob"][side] or diff(at, np.int64(a["urgent"][side])) > 0
    if later and diff(at, np.int64(f["next"][side])) >= 0:
        a["urgent"][side] = at
        a["oob"][side] = 1


@inlined
def segment(w: lay.World, f: np.void, a: np.void, r: np.void, buf: np.ndarray, row: int, slot: int, side: int) -> int:
    """Run one TCP segment through the state machine and its payload through reassembly.

    Returns STREAM_* | FS_HANDSHAKE_DONE << 8 where it applies.
    """
    flags = np.int64(r["tcpflags"])
    seq = np.int64(r["seq"])
    length = np.int64(r["paylen"])
    ignored = m.STREAM_IGNORED if length > 0 else m.STREAM_NONE
    if w.cfg[lay.C_CHECKSUM] and r["l4csum"] == m.CSUM_BAD:
        w.cnt[lay.N_BAD_CHECKSUM] += 1
        return ignored
    f["tcpflags"][side] = np.int64(f["tcpflags"][side]) | flags
    if flags & RST:
        w.cnt[lay.N_RST] += 1
        if _signed(r, buf) and f["tcpstate"] != m.TCP_NONE:
            w.cnt[lay.N_RST_INVALID] += 1
            note(w, f, a, row, slot, side, _RST_INJECT)
        elif _reset_fits(f, a, r, w, side):
            f["tcpstate"] = m.TCP_CLOSED
            a["flags"] = np.int64(a["flags"]) | lay.A_RESET | lay.A_RESET_BY << side
        else:
            w.cnt[lay.N_RST_INVALID] += 1
            note(w, f, a, row, slot, side, _RST_INVALID)
        return ignored
    if np.int64(a["flags"]) & lay.A_RESET_BY << side and not flags & SYN:
        _reset_undone(w, f, a, row, slot, side, seq)
    if flags & SYN:
        if flags & ACK:
            w.cnt[lay.N_SYNACK] += 1
            if f["tcpstate"] == m.TCP_NONE and not w.cfg[lay.C_MIDSTREAM]:
                f["midstream"] = 1
                return ignored
        else:
            w.cnt[lay.N_SYN] += 1
        seq = (seq + 1) & MASK
        if flags & ACK:
            _answer_undone(w, f, a, row, slot, side, np.int64(r["ack"]))
        fresh = f["tcpstate"] == m.TCP_NONE
        if not _syn(w, f, a, r, buf, row, slot, side, seq):
            return ignored
        if fresh and f["midstream"]:
            w.cnt[lay.N_MIDSTREAM] += 1
            note(w, f, a, row, slot, side, _MIDSTREAM)
    elif not flags & ACK:
        return ignored
    elif f["tcpstate"] == m.TCP_NONE:
        f["midstream"] = 1
        if not w.cfg[lay.C_MIDSTREAM]:
            return ignored
        f["tcpstate"] = m.TCP_ESTABLISHED
        a["flags"] |= lay.A_ESTABLISHED
        w.cnt[lay.N_MIDSTREAM] += 1
        note(w, f, a, row, slot, side, _MIDSTREAM)
    if f["synced"][side]:
        ahead = diff(seq, np.int64(f["next"][side]))
        if (ahead > NEAR and _beyond(f, a, side, seq) > _limit(w, f, a, side)) or (
            ahead < -FAR_BEHIND and ahead + length < -_limit(w, f, a, side)
        ):
            w.cnt[lay.N_OUT_OF_WINDOW] += 1
            note(w, f, a, row, slot, side, _OUT_OF_WINDOW)
            return ignored
    elif f["tcpstate"] == m.TCP_SYN_SENT and length == 0 and not flags & FIN:
        _acknowledge(w, f, a, row, slot, 1 - side, np.int64(r["ack"]))
        return ignored
    else:
        _start_side(f, side, seq)
    f["win"][side] = r["win"]
    if flags & ACK:
        _acknowledge(w, f, a, row, slot, 1 - side, np.int64(r["ack"]))
    done = 0
    if f["tcpstate"] < m.TCP_ESTABLISHED and not (flags & SYN and not flags & ACK):
        done = _establish(f, a, side, 1 if length > 0 else 0)
        if length > 0 and not flags & FIN:
            done = 0  # the connection is in use: to rules on packets, as to Suricata's, it is established
    if flags & URG:
        note(w, f, a, row, slot, side, _URGENT)
        if w.cfg[lay.C_URGENT] and r["urg"] > 0:
            _urgent(f, a, side, (seq + np.int64(r["urg"]) - 1) & MASK)
    cut = 0
    if r["caplen"] < r["wirelen"]:
        wanted = np.int64(r["iplen"]) - (np.int64(r["pay"]) - np.int64(r["l3"]))
        cut = max(0, min(wanted - length, np.int64(r["wirelen"]) - np.int64(r["caplen"])))
    status = ignored
    if length > 0:
        status = payload(w, f, a, buf, row, slot, side, seq, length, np.int64(r["pay"]), cut)
    elif cut > 0:
        _headers_only(w, f, a, row, slot, side, (seq + cut) & MASK)
    if flags & FIN and not np.int64(a["bits"][side]) & lay.SIDE_FIN:
        a["fin"][side] = (seq + length + cut) & MASK
        a["bits"][side] = np.int64(a["bits"][side]) | lay.SIDE_FIN
    if (np.int64(a["bits"][0]) | np.int64(a["bits"][1])) & lay.SIDE_FIN:
        finish_side(f, a, side)
        if m.TCP_ESTABLISHED <= f["tcpstate"] < m.TCP_CLOSED:
            f["tcpstate"] = _fin_state(f, a)
    return status | done << 8


@inlined
def reused_ports(f: np.void, a: np.void, r: np.void, side: int) -> int:
    """Say whether a SYN or SYN/ACK opens a new connection on an old flow's ports.

    2: its SYN was seen before; 3: it is the same connection, but without the data that its SYN carried (RFC 7413
    section 4.2.2; other data may follow in their place, and who would not forget them would take those for a copy).

    A SYN on an open connection proves nothing (its receiver answers with a challenge ACK, RFC 5961 section
    4), so it waits for the SYN/ACK, unless nothing of the other side is captured at all.
    """
    flags = np.int64(r["tcpflags"])
    if not flags & SYN or flags & RST:
        return 0
    start = (np.int64(r["seq"]) + 1) & MASK
    known = np.int64(a["bits"][side]) & lay.SIDE_SYN or (f["synced"][side] and f["pos"][side] > 0)
    if known and start == np.int64(f["isn"][side]):
        return 0
    other = 1 - side
    if flags & ACK:
        if a["resyn_side"] == 1 + other and np.int64(r["ack"]) == np.int64(a["resyn"]):
            return 2
        if f["tcpstate"] == m.TCP_SYN_SENT and f["pos"][other] > 0 and np.int64(r["ack"]) == np.int64(f["isn"][other]):
            return 3
        return 1 if f["tcpstate"] >= m.TCP_LAST_ACK and known else 0
    if f["tcpstate"] >= m.TCP_LAST_ACK:
        return 1
    one_sided = f["pkts"][other] == 0 and f["synced"][side]
    return 1 if one_sided and (f["tcpstate"] >= m.TCP_ESTABLISHED or f["pos"][side] > 0) else 0
