"""The kernels of the journal. State lives in the caller's arrays; `journal.py` describes a page."""

from typing import no_type_check

import numba
import numpy as np
from numba import int64, types

from sensor.model.jit import helper, kernel
from sensor.model.kernels_bytes import copy
from sensor.model.rows import FLOW, KEEP_ALL, KEEP_NONE, KEEP_WINDOW, ROW, SEG, SEG_DATA, SEG_GAP

SIDE = np.dtype(
    [
        ("data", "<i8"),  # bytes of data in all pages
        ("epoch", "<i8"),  # the block that added last
        ("head", "<i4"),  # oldest page, -1: none
        ("tail", "<i4"),  # page that is written to
    ],
    align=True,
)
"""One side of a flow."""

PAGE = np.dtype([("next", "<i4"), ("used", "<i4"), ("data", "<i4")], align=True)
"""A page: the next of its side (or of the free ones), bytes used, bytes of data among them."""

HEADER = 40
"""Bytes of a record's header: five int64 (kind and length, position, order, packet number, time)."""
KIND_GAP, KIND_MORE = 1, 2
"""Bits 32 and up of the first word; the lower 32 are the length. MORE: continues the record before."""

# Slots of `meta`, int64[8]
M_FREE, M_FREE_COUNT, M_EPOCH, M_ORDER, M_DROPPED, M_DROPPED_BYTES, M_WRITTEN = 0, 1, 2, 3, 4, 5, 6

_RO = types.Array(types.uint8, 1, "C", readonly=True)
_SIDES = numba.from_dtype(SIDE)[::1]
_PAGES = numba.from_dtype(PAGE)[::1]


@helper
@no_type_check
def _drop_head(sides: np.ndarray, pages: np.ndarray, meta: np.ndarray, s: int) -> None:
    """Give the oldest page of a side back."""
    page = np.int64(sides["head"][s])
    sides["head"][s] = pages["next"][page]
    if sides["head"][s] < 0:
        sides["tail"][s] = -1
    sides["data"][s] -= pages["data"][page]
    pages["next"][page] = meta[M_FREE]
    meta[M_FREE] = page
    meta[M_FREE_COUNT] += 1


@kernel(int64(numba.from_dtype(SEG)[::1], numba.from_dtype(ROW)[::1], numba.int64[::1], numba.int64[::1], _RO,
            numba.from_dtype(FLOW)[::1], _SIDES, _PAGES, numba.uint8[::1], numba.int64[::1], numba.uint8[::1],
            numba.int64[::1], numba.int64[::1], numba.int64[::1], numba.int32[::1]))  # fmt: skip
@no_type_check
def append(
    segs: np.ndarray, rows: np.ndarray, numbers: np.ndarray, seg_at: np.ndarray, data: np.ndarray,
    flows: np.ndarray, sides: np.ndarray, pages: np.ndarray, pool: np.ndarray, words: np.ndarray,
    lost: np.ndarray, reported: np.ndarray, meta: np.ndarray, limits: np.ndarray, overflow: np.ndarray,
) -> int:  # fmt: skip
    """Write the block's records; return how many slots are in `overflow`.

    words: `pool` as int64; limits: page size, window, cap, pages in reserve; reported: int64[slots], the
    epoch in which a slot was last put into `overflow`; overflow: int32[at least the number of segs].
    """
    kind, flow, side, length, pos, seg_row = (
        segs["kind"], segs["flow"], segs["side"], segs["len"], segs["pos"], segs["row"])  # fmt: skip
    keep, last, ts = flows["keep"], flows["last"], rows["ts"]
    s_data, s_epoch, s_head, s_tail = sides["data"], sides["epoch"], sides["head"], sides["tail"]
    p_next, p_used, p_data = pages["next"], pages["used"], pages["data"]
    page_size, window, cap, reserve = limits[0], limits[1], limits[2], limits[3]
    meta[M_EPOCH] += 1
    epoch = meta[M_EPOCH]
    n = np.int64(0)
    for i in range(segs.size):
        what = kind[i]
        if what not in (SEG_DATA, SEG_GAP):
            continue
        slot = np.int64(flow[i])
        if slot < 0 or keep[slot] == KEEP_NONE:
            continue
        s = 2 * slot + side[i]
        if s_epoch[s] != epoch:
            s_epoch[s] = epoch
            if keep[slot] == KEEP_WINDOW:
                # Only here: the window in front of each byte of this block must outlive the block.
                while s_head[s] >= 0 and s_head[s] != s_tail[s] and s_data[s] - p_data[s_head[s]] >= window:
                    _drop_head(sides, pages, meta, s)
        meta[M_ORDER] += 1
        meta[M_WRITTEN] += 1
        row = np.int64(seg_row[i])
        number = numbers[row] if row >= 0 else np.int64(0)
        when = ts[row] if row >= 0 else last[slot]
        gap = what == SEG_GAP
        left = np.int64(length[i])
        at = seg_at[i]
        where = pos[i]
        more = np.int64(0)
        tell = False
        while True:
            page = np.int64(s_tail[s])
            if page < 0 or p_used[page] + HEADER + (0 if gap else min(left, 8)) > page_size:
                if meta[M_FREE] < 0 and keep[slot] == KEEP_WINDOW and s_head[s] >= 0 and s_head[s] != s_tail[s]:
                    meta[M_DROPPED] += 1
                    meta[M_DROPPED_BYTES] += p_data[s_head[s]]
                    _drop_head(sides, pages, meta, s)
                new = meta[M_FREE]
                if new < 0:
                    lost[slot] = 1
                    meta[M_DROPPED] += 1
                    meta[M_DROPPED_BYTES] += 0 if gap else left
                    tell = True
                    break
                meta[M_FREE] = p_next[new]
                meta[M_FREE_COUNT] -= 1
                p_next[new] = -1
                p_used[new] = 0
                p_data[new] = 0
                if page < 0:
                    s_head[s] = new
                else:
                    p_next[page] = new
                s_tail[s] = new
                page = new
                if keep[slot] == KEEP_ALL and meta[M_FREE_COUNT] < reserve:
                    tell = True
            used = np.int64(p_used[page])
            base = page * page_size + used
            size = left if gap else min(left, page_size - used - HEADER)
            w = base >> 3
            words[w] = size | (KIND_GAP if gap else more) << 32
            words[w + 1] = where
            words[w + 2] = meta[M_ORDER]
            words[w + 3] = number
            words[w + 4] = when
            if gap:
                p_used[page] = used + HEADER
                break
            copy(pool, base + HEADER, data, at, size)
            p_used[page] = used + HEADER + ((size + 7) & ~7)
            p_data[page] += size
            s_data[s] += size
            left -= size
            at += size
            where += size
            more = np.int64(KIND_MORE)
            if left == 0:
                break
        if keep[slot] == KEEP_ALL and s_data[2 * slot] + s_data[2 * slot + 1] > cap:
            tell = True
        if tell and reported[slot] != epoch:
            reported[slot] = epoch
            overflow[n] = slot
            n += 1
    return n


@kernel(int64(int64, int64, int64, _SIDES, _PAGES, numba.uint8[::1], numba.int64[::1], int64, numba.uint8[::1]))
@no_type_check
def window(
    s: int, start: int, end: int, sides: np.ndarray, pages: np.ndarray, pool: np.ndarray, words: np.ndarray,
    page_size: int, out: np.ndarray,
) -> int:  # fmt: skip
    """Copy what is retained of [start, end), without holes, up to `end`; return where it starts.

    out: uint8[end - start]; the byte of stream position p is out[p - start].
    """
    first, reached = end, start
    page = np.int64(sides["head"][s])
    while page >= 0:
        base = page * page_size
        stop = base + pages["used"][page]
        while base < stop:
            w = base >> 3
            size = words[w] & 0xFFFFFFFF
            where = words[w + 1]
            if words[w] >> 32 == KIND_GAP:
                base += HEADER
                continue
            a, b = max(where, start), min(where + size, end)
            if a < b:
                if first == end or a != reached:
                    first = a
                copy(out, a - start, pool, base + HEADER + a - where, b - a)
                reached = b
            base += HEADER + ((size + 7) & ~7)
        page = np.int64(pages["next"][page])
    return first if reached == end else end


@kernel(int64(numba.int32[::1], _SIDES, _PAGES, numba.uint8[::1], numba.int64[::1], int64))
@no_type_check
def trim(
    slots: np.ndarray, sides: np.ndarray, pages: np.ndarray, lost: np.ndarray, meta: np.ndarray,
    window: int,
) -> int:  # fmt: skip
    """Give back pages of slots but for `window` bytes of each side (negative: all); return how many."""
    before = meta[M_FREE_COUNT]
    for i in range(slots.size):
        for s in range(2 * np.int64(slots[i]), 2 * np.int64(slots[i]) + 2):
            if window < 0:
                lost[slots[i]] = 0
                while sides["head"][s] >= 0:
                    _drop_head(sides, pages, meta, s)
                continue
            while sides["head"][s] != sides["tail"][s] and (
                sides["data"][s] - pages["data"][sides["head"][s]] >= window
            ):
                _drop_head(sides, pages, meta, s)
    return meta[M_FREE_COUNT] - before
