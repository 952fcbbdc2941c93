"""The walk over one block of a TPACKET_V3 ring: frame headers to columns, nothing of the frames themselves is read."""

from typing import Any

import numpy as np
from numba import int32, int64, uint8, uint16

from sensor.capture.uapi import (
    ETH_P_8021Q,
    FRAME_HEADER,
    FRAME_LEN,
    FRAME_MAC,
    FRAME_NEXT,
    FRAME_NSEC,
    FRAME_SEC,
    FRAME_SNAPLEN,
    FRAME_STATUS,
    FRAME_VLAN_TCI,
    FRAME_VLAN_TPID,
    TP_STATUS_CSUM_VALID,
    TP_STATUS_CSUMNOTREADY,
    TP_STATUS_VLAN_TPID_VALID,
    TP_STATUS_VLAN_VALID,
)
from sensor.model.block import HINT_CSUM_PARTIAL, HINT_CSUM_VALID, HINT_NONE
from sensor.model.jit import helper, kernel
from sensor.model.prefetch import ahead

TAGGED, HINTED, USED = 0, 1, 2
"""What `seen` says of the block: frames with a tag out of band, frames with a hint, bytes of all frames."""

_NS = 1_000_000_000
_LINE = 64
_AHEAD = 2048
"""Bytes: how far ahead the block is fetched, line by line. Where a header is, only the one before it tells, and another
processor has written it: 110 ns a packet from miss to miss, 70 so; and who comes next finds frames in the cache."""
_i4, _i8, _u2, _u1 = int32[::1], int64[::1], uint16[::1], uint8[::1]


@helper
def _u2at(buf: np.ndarray, at: int) -> Any:  # pragma: no cover
    return np.int64(buf[at]) | np.int64(buf[at + 1]) << 8


@helper
def _u4at(buf: np.ndarray, at: int) -> Any:  # pragma: no cover
    return _u2at(buf, at) | _u2at(buf, at + 2) << 16


@kernel(int64(_u1, int64, int64, _i8, _i4, _i4, _i8, _i4, _u2, _u1, _i8))
def walk_block(  # pragma: no cover
    buf: np.ndarray, first: int, count: int, off: np.ndarray, caplen: np.ndarray, wirelen: np.ndarray, ts: np.ndarray,
    tci: np.ndarray, tpid: np.ndarray, hints: np.ndarray, seen: np.ndarray,
) -> int:  # fmt: skip
    """Fill the columns of a block of `count` frames and return how many there are.

    buf: uint8, one block of the ring (linux/if_packet.h, little-endian machine); first: offset of the first
    frame's header. The kernel is trusted, yet no offset leads out of the block: the walk stops there. tci: -1
    without a tag; a tag is there when the status says so, priority tags (VLAN id 0) included. seen: int64[3].
    """
    n, at, size = 0, first, buf.size
    seen[:] = 0
    while n < count and 0 <= at <= size - FRAME_HEADER:
        status = _u4at(buf, at + FRAME_STATUS)
        start, length = at + _u2at(buf, at + FRAME_MAC), _u4at(buf, at + FRAME_SNAPLEN)
        if start + length > size:
            break
        off[n] = start
        caplen[n] = length
        wirelen[n] = min(max(length, _u4at(buf, at + FRAME_LEN)), 0x7FFFFFFF)
        ts[n] = _u4at(buf, at + FRAME_SEC) * _NS + _u4at(buf, at + FRAME_NSEC)
        tci[n], tpid[n] = -1, 0
        if status & TP_STATUS_VLAN_VALID:
            tci[n] = _u4at(buf, at + FRAME_VLAN_TCI) & 0xFFFF
            tpid[n] = _u2at(buf, at + FRAME_VLAN_TPID) if status & TP_STATUS_VLAN_TPID_VALID else ETH_P_8021Q
            seen[TAGGED] += 1
        hints[n] = HINT_NONE
        if status & TP_STATUS_CSUMNOTREADY:
            hints[n] = HINT_CSUM_PARTIAL
            seen[HINTED] += 1
        elif status & TP_STATUS_CSUM_VALID:
            hints[n] = HINT_CSUM_VALID
            seen[HINTED] += 1
        seen[USED] += length
        n += 1
        step = _u4at(buf, at + FRAME_NEXT)
        if step == 0:
            break
        for line in range(at + _AHEAD, min(at + _AHEAD + step, size), _LINE):
            ahead(buf, line)
        at += step
    return n
