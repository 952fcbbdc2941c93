"""Rows of which `details.py` may find anything: the look that is cheap enough for each packet."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np
from numba import types, void

from sensor.model.jit import helper, kernel
from sensor.model.rows import FRAG_PART, ROW, TUNNEL_GRE

_ROWS = types.Array(numba.from_dtype(ROW), 1, "C", readonly=True)
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)


@helper
@no_type_check
def _plain_option(kind: int, size: int) -> bool:  # pragma: no cover
    """Whether a TCP option is one that everybody sends, as long as it must be."""
    if kind == 8:
        return size == 10
    if kind == 2:
        return size == 4
    if kind == 3:
        return size == 3
    if kind == 4:
        return size == 2
    return kind == 5 and (size - 2) % 8 == 0 and 10 <= size <= 34


@helper
@no_type_check
def _odd_tcp(b: np.ndarray, l4: int, end: int) -> bool:  # pragma: no cover
    """Whether the options of a TCP header hold anything but known ones of the right length, each once."""
    if end - l4 < 20:
        return True
    stop = l4 + (np.int64(b[l4 + 12]) >> 4) * 4
    if stop < l4 + 20 or stop > end:
        return True
    at = l4 + 20
    seen = 0
    while at < stop:
        kind = np.int64(b[at])
        if kind == 0:
            return False
        if kind == 1:
            at += 1
            continue
        size = np.int64(b[at + 1]) if at + 1 < stop else 0
        if size > stop - at or not _plain_option(kind, size) or seen & (1 << kind):
            return True
        seen |= 1 << kind
        at += size
    return False


@helper
@no_type_check
def _odd_link(b: np.ndarray, l2: int, l3: int, end: int) -> bool:  # pragma: no cover
    """Whether a frame holds more than Ethernet and tags in front of IP or ARP."""
    if l3 >= 0 and l3 - l2 < 14:
        return False
    at = l2 + 12
    while at + 2 <= end:
        kind = (np.int64(b[at]) << 8) | np.int64(b[at + 1])
        if kind in (0x8100, 0x88A8, 0x9100):
            at += 4
            continue
        return kind not in (0x0800, 0x86DD, 0x0806)
    return False


@helper
@no_type_check
def _odd_ip(r: np.void, b: np.ndarray, l3: int, end: int) -> bool:  # pragma: no cover
    """Whether an IP header has options or extension headers, or carries what is looked at closely."""
    proto = r["proto"]
    if r["ipv"] == 4:
        if l3 < end and b[l3] & 15 > 5:
            return True
        if proto == 1:
            return r["l4"] >= 0 and r["sport"] in (3, 4, 5, 11, 12)
    else:
        if l3 + 6 < end and b[l3 + 6] not in (6, 17, 58, 132):
            return True
        if proto == 58:
            return r["l4"] >= 0 and 1 <= r["sport"] <= 4
    return proto in (47, 50)


@kernel(void(_ROWS, _BYTES, numba.uint8[::1]))
@no_type_check
def suspects(rows: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:  # pragma: no cover
    """Write 1 for each row that may have details, 0 for the others. rows: ROW[n], b: their bytes, out: uint8[n]."""
    size = b.shape[0]
    for i in range(rows.shape[0]):
        r = rows[i]
        l2 = np.int64(r["l2"])
        l3 = np.int64(r["l3"])
        end = min(l2 + np.int64(r["caplen"]), size)
        odd = r["anomaly"] != 0 or (r["tunnel"] == TUNNEL_GRE and r["ethertype"] == 0x880B) or _odd_link(b, l2, l3, end)
        if not odd and r["ipv"] != 0 and l3 >= 0:
            odd = _odd_ip(r, b, l3, end)
            if not odd and r["frag"] != FRAG_PART and r["l4"] >= 0:
                l4 = np.int64(r["l4"])
                end = min(end, l3 + np.int64(r["iplen"]))
                if r["proto"] == 6:
                    odd = _odd_tcp(b, l4, end)
                elif r["proto"] == 17:
                    room = l3 + np.int64(r["iplen"]) - l4
                    odd = end - l4 < 8 or ((np.int64(b[l4 + 4]) << 8) | np.int64(b[l4 + 5])) != room
        out[i] = odd
