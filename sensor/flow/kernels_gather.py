"""The kernel that copies payload into contiguous scan units; its state is in the caller's arrays."""

from typing import no_type_check

import numba
import numpy as np
from numba import boolean, int64, types

from sensor.model.jit import kernel
from sensor.model.kernels_bytes import copy
from sensor.model.rows import (
    FLOW,
    FRAG_PART,
    ROW,
    SEG,
    SEG_DATA,
    SEG_END,
    SEG_GAP,
    STREAM_INORDER,
    TUNNEL_NONE,
    TUNNEL_VXLAN,
)
from sensor.model.units import UNIT, UNIT_PACKET, UNIT_STREAM

_RO = types.Array(types.uint8, 1, "C", readonly=True)


@kernel(int64(numba.from_dtype(ROW)[::1], _RO, numba.from_dtype(SEG)[::1], _RO, numba.from_dtype(FLOW)[::1],
            boolean[::1], numba.uint8[:, ::1], numba.int32[::1], numba.uint64[::1], numba.int32[::1],
            numba.from_dtype(UNIT)[::1], numba.int64[::1], numba.uint8[::1]))  # fmt: skip
@no_type_check
def gather(
    rows: np.ndarray, buf: np.ndarray, segs: np.ndarray, queued: np.ndarray, flows: np.ndarray,
    wanted: np.ndarray, tails: np.ndarray, tail_len: np.ndarray, owner: np.ndarray, current: np.ndarray,
    units: np.ndarray, seg_at: np.ndarray, data: np.ndarray,
) -> int:  # fmt: skip
    """Write units, seg_at and data; return the number of units.

    tails: uint8[2 * slots, tail], tail_len: int32[2 * slots], the last bytes of each side; owner:
    uint64[slots], the flow id they belong to; current: int32[2 * slots], all -1 before and after; wanted:
    bool[rows], empty for all.
    """
    kind, flow, side, length, off, src, pos, seg_row = (
        segs["kind"], segs["flow"], segs["side"], segs["len"], segs["off"], segs["src"], segs["pos"],
        segs["row"])  # fmt: skip
    u_start, u_end, u_fresh, u_pos, u_flow, u_row, u_side, u_kind = (
        units["start"], units["end"], units["fresh"], units["pos"], units["flow"], units["row"],
        units["side"], units["kind"])  # fmt: skip
    proto, stream, paylen, pay, parent, tunnel, frag, dup, ipv = (
        rows["proto"], rows["stream"], rows["paylen"], rows["pay"], rows["parent"], rows["tunnel"],
        rows["frag"], rows["dup"], rows["ipv"])  # fmt: skip
    r_flow, r_side, ids = rows["flow"], rows["side"], flows["id"]
    tail = tails.shape[1]
    n = np.int64(0)
    # ---- which units there are; until they are placed, u_start holds the number of carried bytes, u_end that
    # of new ones, seg_at the unit.
    # current: -1 side not seen in this block, -2 seen, but what follows is cut off from what was.
    for i in range(segs.size):
        seg_at[i] = -1
        slot = np.int64(flow[i])
        if slot < 0:
            continue
        if owner[slot] != ids[slot]:
            owner[slot] = ids[slot]
            tail_len[2 * slot] = 0
            tail_len[2 * slot + 1] = 0
        s = 2 * slot + side[i]
        if kind[i] == SEG_DATA:
            u = np.int64(current[s])
            if u < 0:
                u = n
                n += 1
                u_start[u] = tail_len[s]
                u_end[u] = 0
                u_pos[u] = pos[i]
                u_flow[u] = slot
                u_row[u] = seg_row[i]
                u_side[u] = side[i]
                u_kind[u] = UNIT_STREAM
                current[s] = u
            u_end[u] += length[i]
            seg_at[i] = u
        elif kind[i] == SEG_GAP:
            current[s] = -2
            tail_len[s] = 0
        elif kind[i] == SEG_END:
            for both in range(2 * slot, 2 * slot + 2):
                current[both] = -2
                tail_len[both] = 0
    # ---- place them; u_end becomes the next place to write to
    at = np.int64(0)
    for u in range(n):
        carried, fresh = u_start[u], u_end[u]
        copy(data, at, tails[2 * np.int64(u_flow[u]) + u_side[u]], 0, carried)
        u_start[u] = at
        u_fresh[u] = at + carried
        u_end[u] = at + carried
        at += carried + fresh
    for i in range(segs.size):
        u = seg_at[i]
        if u >= 0:
            seg_at[i] = u_end[u]
            if src[i] == 0:
                copy(data, u_end[u], buf, off[i], np.int64(length[i]))
            else:
                copy(data, u_end[u], queued, off[i], np.int64(length[i]))
            u_end[u] += length[i]
    # ---- what the next block's units begin with
    for u in range(n):
        s = 2 * np.int64(u_flow[u]) + u_side[u]
        if current[s] == u:
            carried = min(tail, u_end[u] - u_start[u])
            tail_len[s] = carried
            copy(tails[s], 0, data, u_end[u] - carried, carried)
    for i in range(segs.size):
        if flow[i] >= 0:
            current[2 * np.int64(flow[i])] = -1
            current[2 * np.int64(flow[i]) + 1] = -1
    # ---- payload that is not in a stream
    for i in range(rows.size):
        size = np.int64(paylen[i])
        if size <= 0 or dup[i] == 1 or frag[i] == FRAG_PART:
            continue
        if proto[i] == 6 and stream[i] == STREAM_INORDER:
            continue
        if wanted.size > 0 and not wanted[i]:
            continue
        if (
            i + 1 < rows.size
            and parent[i + 1] == i
            and tunnel[i + 1] != TUNNEL_NONE
            and (ipv[i + 1] != 0 or tunnel[i + 1] < TUNNEL_VXLAN)
        ):
            continue
        u_start[n] = at
        u_fresh[n] = at
        u_end[n] = at + size
        u_pos[n] = 0
        u_flow[n] = r_flow[i]
        u_row[n] = i
        u_side[n] = r_side[i]
        u_kind[n] = UNIT_PACKET
        copy(data, at, buf, np.int64(pay[i]), size)
        at += size
        n += 1
    return n
