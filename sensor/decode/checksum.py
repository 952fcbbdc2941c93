"""Internet checksums (RFC 1071) as states, never as verdicts.

A guest-to-guest frame on Xen carries no finished checksum: the sender's driver leaves the pseudo-header sum
in the field (CHECKSUM_PARTIAL), or the kernel says so (TP_STATUS_CSUMNOTREADY). Such a packet is `partial`,
not `bad`.

The functions are compiled into the decode kernel and mean the same as plain Python.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from sensor.model.jit import inlined
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL

_1, _2, _3, _4, _8, _12, _16, _24 = (np.uint64(n) for n in (1, 2, 3, 4, 8, 12, 16, 24))


@inlined
@no_type_check
def fold(total: int) -> int:
    """Fold carries of a sum of at most 2**47 into 16 bits."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)


@inlined
@no_type_check
def _word(buf: np.ndarray, at: np.uint64) -> np.uint64:
    """Return four bytes as they lie: four loads that become one."""
    return (
        np.uint64(buf[at]) | np.uint64(buf[at + _1]) << _8 | np.uint64(buf[at + _2]) << _16
        | np.uint64(buf[at + _3]) << _24
    )  # fmt: skip


@inlined
@no_type_check
def ones_sum(buf: np.ndarray, start: int, length: int) -> int:
    """Return the folded one's complement sum of big-endian words; an odd last byte is a word's high byte.

    Words of four bytes as they lie, carries kept in the upper half: the sum of words of two bytes is the same in either
    order of bytes, swapped (RFC 1071 section 2). All indices are unsigned: with signed ones Numba looks at each whether
    it counts from the end, and four loads do not become one. Measured: 0.035 ns a byte.
    """
    at = np.uint64(start)
    end = np.uint64(start + max(length, 0))
    total = other = np.uint64(0)
    while at + _16 <= end:
        total += _word(buf, at) + _word(buf, at + _4)
        other += _word(buf, at + _8) + _word(buf, at + _12)
        at += _16
    total += other
    while at + _4 <= end:
        total += _word(buf, at)
        at += _4
    if at + _2 <= end:
        total += np.uint64(buf[at]) | np.uint64(buf[at + _1]) << _8
        at += _2
    if at < end:
        total += np.uint64(buf[at])
    folded = fold(np.int64(total))
    return (folded & 0xFF) << 8 | folded >> 8


@inlined
@no_type_check
def ipv4_header_state(buf: np.ndarray, start: int, length: int) -> int:
    """State of an IPv4 header. A blank field is what segmentation offload leaves: partial."""
    if ones_sum(buf, start, length) == 0xFFFF:
        return CSUM_OK
    if buf[start + 10] == 0 and buf[start + 11] == 0:
        return CSUM_PARTIAL
    return CSUM_BAD


@inlined
@no_type_check
def transport_state(buf: np.ndarray, start: int, length: int, field: int, pseudo: int) -> int:
    """State of TCP, UDP or ICMPv6 bytes.

    field: offset of the checksum in buf. pseudo: sum of the addresses and the protocol; what offload
    leaves in the field is that sum, with the length or without it.
    """
    if fold(ones_sum(buf, start, length) + pseudo + length) == 0xFFFF:
        return CSUM_OK
    found = (np.int64(buf[field]) << 8) | np.int64(buf[field + 1])
    if found in (fold(pseudo + length), fold(pseudo)):
        return CSUM_PARTIAL
    return CSUM_BAD
