"""What the decode kernel asks about bytes and types: compiled into it, and the same as plain Python."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from sensor.decode import steps
from sensor.decode.limits import MAX_IPV6_EXT_HEADERS
from sensor.model.block import (
    LINKTYPE_C_HDLC,
    LINKTYPE_ETHERNET,
    LINKTYPE_IPV4,
    LINKTYPE_IPV6,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_LOOP,
    LINKTYPE_NULL,
    LINKTYPE_PPP,
    LINKTYPE_PPP_HDLC,
    LINKTYPE_RAW,
)
from sensor.model.jit import helper
from sensor.model.kernels_bytes import u16, u32


@helper
@no_type_check
def step_of(etype: int) -> int:
    """Step for an ethertype, steps.OPAQUE where the payload is not decoded."""
    if etype == 0x0800:
        return steps.IPV4
    if etype == 0x86DD:
        return steps.IPV6
    if etype == 0x0806:
        return steps.ARP
    if etype in (0x8100, 0x88A8, 0x9100, 0x9200):
        return steps.VLAN
    if etype in (0x8847, 0x8848):
        return steps.MPLS
    if etype == 0x8864:
        return steps.PPPOE
    if etype == 0x880B:
        return steps.PPP
    if etype == 0x6558:
        return steps.ETHERNET
    if etype == 0x894F:
        return steps.NSH
    if etype == 0x8926:
        return steps.VNTAG
    if etype == 0x88E7:
        return steps.BACKBONE
    if etype == 0x8903:
        return steps.FABRIC
    return steps.OPAQUE


@helper
@no_type_check
def ip_at(b: np.ndarray, pos: int, end: int, step: int) -> bool:
    """Whether the version nibble fits an IP step; True for other steps."""
    if step in (steps.IPV4, steps.IPV6):
        return pos < end and (b[pos] >> 4) == (4 if step == steps.IPV4 else 6)
    return True


@helper
@no_type_check
def ethernet_at(b: np.ndarray, pos: int, end: int) -> bool:
    """Whether the bytes look like an Ethernet frame that would be decoded."""
    if end - pos < 14:
        return False
    step = step_of(u16(b, pos + 12))
    return step not in (steps.OPAQUE, steps.ETHERNET) and ip_at(b, pos + 14, end, step)


@helper
@no_type_check
def options_valid(b: np.ndarray, pos: int, end: int) -> bool:
    """Walk kind-length options of IPv4 (RFC 791) or TCP (RFC 9293)."""
    while pos < end:
        kind = b[pos]
        if kind == 0:
            return True
        if kind == 1:
            pos += 1
            continue
        if end - pos < 2:
            return False
        size = np.int64(b[pos + 1])
        if size < 2 or size > end - pos:
            return False
        pos += size
    return True


@helper
@no_type_check
def jumbo(b: np.ndarray, pos: int, end: int) -> int:
    """Jumbo payload length of the hop-by-hop header at pos (RFC 2675), 0: none that can be."""
    if end - pos < 8:
        return 0
    stop = min(end, pos + (np.int64(b[pos + 1]) + 1) * 8)
    pos += 2
    while pos < stop:
        kind = b[pos]
        if kind == 0:
            pos += 1
            continue
        if stop - pos < 2:
            return 0
        size = np.int64(b[pos + 1])
        if kind == 0xC2 and size == 4 and stop - pos >= 6:
            value = u32(b, pos + 2)
            return value if 0xFFFF < value < 0x4000_0000 else 0
        pos += 2 + size
    return 0


@helper
@no_type_check
def unknown_option(b: np.ndarray, pos: int, end: int) -> bool:
    """Whether IPv6 options hold a type other than padding, router alert, jumbo payload and home address."""
    while pos < end:
        kind = b[pos]
        if kind == 0:
            pos += 1
            continue
        if end - pos < 2:
            return False
        if kind not in (1, 5, 0xC2, 0xC9):
            return True
        pos += 2 + np.int64(b[pos + 1])
    return False


@helper
@no_type_check
def has_transport(b: np.ndarray, pos: int, end: int, nh: int) -> bool:
    """Whether a first IPv6 fragment holds the whole header chain and transport header (RFC 7112)."""
    for _ in range(MAX_IPV6_EXT_HEADERS):
        if nh not in (0, 43, 44, 51, 60, 135, 139, 140):
            break
        if end - pos < 8:
            return False
        if nh == 44:
            size = np.int64(8)
        elif nh == 51:
            size = (np.int64(b[pos + 1]) + 2) * 4
        else:
            size = (np.int64(b[pos + 1]) + 1) * 8
        nh = np.int64(b[pos])
        pos += size
    need = 20 if nh == 6 else 12 if nh == 132 else 8 if nh in (17, 58) else 0
    return end - pos >= need


@helper
@no_type_check
def first_step(linktype: int) -> int:
    """Step for a link type; steps.OPAQUE for types that capture refuses."""
    if linktype == LINKTYPE_ETHERNET:
        return steps.ETHERNET
    if linktype in (LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6):
        return steps.RAW
    if linktype == LINKTYPE_LINUX_SLL:
        return steps.SLL
    if linktype == LINKTYPE_LINUX_SLL2:
        return steps.SLL2
    if linktype in (LINKTYPE_NULL, LINKTYPE_LOOP):
        return steps.NULL
    if linktype in (LINKTYPE_PPP, LINKTYPE_PPP_HDLC):
        return steps.PPP_HDLC
    if linktype == LINKTYPE_C_HDLC:
        return steps.HDLC
    return steps.OPAQUE
