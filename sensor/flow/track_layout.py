"""What the flow table keeps beside `FLOW`, as its kernel sees it: record types, and the meaning of each state cell.

Only `table.py` and `kernels_track.py` use this; other stages see `FLOW`, `ROW` and `SEG`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

AUX = np.dtype(
    [
        ("key", "<i8"),  # protocol, IP version and ports as seen from the client
        ("serial", "<i8"),  # order of creation
        ("tick", "<i8"),  # second of the table's clock at the last packet
        ("bucket", "<i4"),  # hash bucket
        ("hnext", "<i4"),  # next slot in the bucket's chain, -1: none
        ("prev", "<i4"),  # neighbours in the time-out list, oldest first; -1: none
        ("nxt", "<i4"),
        ("tail", "<i4", (2,)),  # last queued piece of the side, valid where FLOW.queue is not -1
        ("nseg", "<i4", (2,)),  # queued pieces
        ("fin", "<u4", (2,)),  # sequence number of the side's FIN, valid with SIDE_FIN
        ("alt", "<u4", (2,)),  # stream start after the side's first SYN where a later one differed (SIDE_ALT)
        ("gap_lo", "<u4", (2,)),  # last declared gap, valid with SIDE_GAP
        ("gap_hi", "<u4", (2,)),
        ("urgent", "<u4", (2,)),  # sequence number of a byte that is not part of the stream, valid with `oob`
        ("resyn", "<u4"),  # stream start after a SYN on an open connection, waiting for its SYN/ACK
        ("resyn_side", "u1"),  # 1 + side that sent it, 0: none
        ("timer", "u1"),  # time-out list the flow is in
        ("flags", "u1"),  # A_*
        ("bits", "u1", (2,)),  # SIDE_*
        ("oob", "u1", (2,)),
        ("notes", "<u2", (2,)),  # bit per StreamAnomaly reported for the side
    ],
    align=True,
)
"""Per flow, beside FLOW."""

A_ESTABLISHED, A_RESET = 1, 2
A_RESET_BY = 4
"""Shifted by the side whose RST counted."""

SIDE_SYN, SIDE_SYNACKED, SIDE_ACKED, SIDE_WSCALE, SIDE_FIN, SIDE_FINISHED, SIDE_GAP, SIDE_ALT = (
    1 << n for n in range(8)
)

PIECE = np.dtype(
    [
        ("seq", "<u4"),  # of its first byte
        ("start", "<u4"),  # extent of the segment it came in: what overlap policies compare
        ("end", "<u4"),
        ("len", "<i4"),
        ("off", "<i4"),  # of its first byte in its chunk
        ("nxt", "<i4"),  # next piece of the side, -1: none
    ],
    align=True,
)
"""A piece of an out-of-order segment; piece n owns bytes n * CHUNK … of the queue buffer."""

POLICY = np.dtype(
    [
        ("first_hi", "<u8"), ("first_lo", "<u8"), ("last_hi", "<u8"), ("last_lo", "<u8"),
        ("ipv", "u1"), ("policy", "u1"),
    ],
    align=True,
)  # fmt: skip
"""An address range with the overlap policy of its hosts; the first range that fits counts."""

P_FIRST, P_LAST, P_BSD, P_LINUX, P_OLD_LINUX, P_SOLARIS = range(6)

T_TCP_NEW, T_TCP_ESTABLISHED, T_TCP_CLOSED, T_UDP_NEW, T_UDP_ESTABLISHED = range(5)
T_ICMP_NEW, T_ICMP_ESTABLISHED, T_OTHER_NEW, T_OTHER_ESTABLISHED, N_TIMERS = range(5, 10)

(
    C_MAX_FLOWS, C_VLAN, C_MIDSTREAM, C_CHECKSUM, C_MAX_PIECES, C_SIDE_BYTES, C_SIDE_PIECES, C_DEPTH, C_SLACK,
    C_UNKNOWN_WINDOW, C_DEFAULT_POLICY, C_URGENT, C_SMB, C_SMB_DEPTH, C_TIMEOUTS,
) = range(15)  # fmt: skip
C_SIZE = C_TIMEOUTS + N_TIMERS
"""Cells of `cfg`; the time-outs of the N_TIMERS lists are the last ones."""

(
    S_MODE, S_WHY, S_OUT, S_LIVE, S_FRESH, S_FREE, S_ENDED, S_PIECES_LIVE, S_PIECES_FRESH, S_PIECES_FREE,
    S_PIECES_SPENT, S_CLOCK, S_SWEPT, S_STARTED, S_SHIFT, S_JUMP, S_JUMP_NOW, S_JUMP_PKT, S_JUMP_FLOWS,
    S_SERIAL, S_NOW, S_JUMP_SLOTS,
) = range(22)  # fmt: skip
MAX_JUMP_SLOTS = 8
"""Flows remembered of a packet whose time jumped; more layers than that are rows of one hostile packet."""
S_SIZE = S_JUMP_SLOTS + MAX_JUMP_SLOTS
"""Cells of `st`, what the kernel keeps between calls."""

MODE_ROWS, MODE_TIME = 0, 1
WHY_DONE, WHY_OUT, WHY_SLOT, WHY_PIECE = 0, 1, 2, 3

COUNTERS = (
    "total", "active", "tcp", "udp", "icmp", "other", "untracked", "timeouts", "closed", "emergency_evictions",
    "midstream_pickups", "port_reuse", "syn", "synack", "rst", "rst_invalid", "bad_checksum", "reassembly_gap",
    "gap_bytes", "overlap", "overlap_diff_data", "segment_memcap_drop", "out_of_window", "depth_reached",
    "data_after_close", "clock_jumps", "memuse",
)  # fmt: skip
(
    N_TOTAL, N_ACTIVE, N_TCP, N_UDP, N_ICMP, N_OTHER, N_UNTRACKED, N_TIMEOUTS, N_CLOSED, N_EVICTIONS,
    N_MIDSTREAM, N_REUSE, N_SYN, N_SYNACK, N_RST, N_RST_INVALID, N_BAD_CHECKSUM, N_GAPS,
    N_GAP_BYTES, N_OVERLAP, N_OVERLAP_DIFF, N_MEMCAP, N_OUT_OF_WINDOW, N_DEPTH,
    N_AFTER_CLOSE, N_JUMPS, N_MEMUSE,
) = range(len(COUNTERS))  # fmt: skip

HASH_KEYS = 24
"""Random multipliers of the key hash: one for each 16-bit word of a key, and an offset."""


class World(NamedTuple):
    """All arrays of a table, as the kernel takes them."""

    out: np.ndarray
    flows: np.ndarray
    aux: np.ndarray
    pieces: np.ndarray
    pool: np.ndarray
    buckets: np.ndarray
    slots: np.ndarray
    ended: np.ndarray
    piece_free: np.ndarray
    piece_spent: np.ndarray
    timers: np.ndarray
    cfg: np.ndarray
    keys: np.ndarray
    policies: np.ndarray
    st: np.ndarray
    cnt: np.ndarray
