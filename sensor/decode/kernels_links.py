"""Link layers, up to the header that closes a row. Compiled into the decode kernel."""

import numpy as np

from sensor.decode import bits, steps
from sensor.decode.kernels_peek import ethernet_at, step_of
from sensor.decode.limits import MAX_LAYERS, MAX_MPLS_LABELS, MAX_VLAN_TAGS
from sensor.model.jit import helper, inlined
from sensor.model.kernels_bytes import u16, u32

_LENGTH_MAX = 1500
"""IEEE 802.3: up to here, the field is a length."""
_PPPOE_DISCOVERY = 0x8863
"""Known, and holds nothing."""


@inlined
def _by_ethertype(etype, anomaly):  # pragma: no cover
    """Return (step, anomalies) for what an ethertype announces."""
    step = step_of(etype)
    if step == steps.OPAQUE and etype != _PPPOE_DISCOVERY:
        anomaly |= bits.ETHERTYPE_UNKNOWN
    return step, anomaly


@inlined
def _by_ethertype_or_length(pos, end, etype, anomaly):  # pragma: no cover
    """Return (step, end, ethertype, anomalies) behind an Ethernet header or a tag."""
    if etype <= _LENGTH_MAX:
        return steps.LLC, min(end, pos + etype), np.int64(0), anomaly
    step, anomaly = _by_ethertype(etype, anomaly)
    return step, end, etype, anomaly


@helper
def _llc(b, pos, end, etype, anomaly):  # pragma: no cover
    """LLC with SNAP (IEEE 802.2). Return (step, pos, ethertype, anomalies), as do the next."""
    snap = end - pos >= 8 and b[pos] == 0xAA and b[pos + 1] == 0xAA and b[pos + 2] == 3
    if not snap or b[pos + 3] != 0 or b[pos + 4] != 0 or b[pos + 5] not in (0, 0xF8):
        return steps.OPAQUE, pos, etype, anomaly | bits.LLC_UNSUPPORTED
    etype = u16(b, pos + 6)
    step, anomaly = _by_ethertype(etype, anomaly)
    return step, pos + 8, etype, anomaly


@helper
def _mpls(b, pos, end, etype, anomaly):  # pragma: no cover
    """MPLS (RFC 3032): what follows the labels is told by the last of them, else by its own first bits."""
    label = np.int64(-1)
    for _ in range(MAX_MPLS_LABELS):
        if end - pos < 4:
            anomaly |= bits.MPLS_TRUNCATED
            break
        entry = u32(b, pos)
        pos += 4
        if entry & 0x100:
            label = entry >> 12
            break
    else:
        anomaly |= bits.MPLS_TOO_MANY_LAYERS
    if label < 0:
        return steps.OPAQUE, pos, etype, anomaly
    if end - pos < 4 and label not in (0, 2):
        return steps.OPAQUE, pos, etype, anomaly | bits.LINK_TRUNCATED
    nibble = b[pos] >> 4 if pos < end else 0xFF
    if label == 0 or (nibble == 4 and label != 2):
        return steps.IPV4, pos, etype, anomaly
    if label == 2 or nibble == 6:
        return steps.IPV6, pos, etype, anomaly
    if nibble == 0:  # control word of a pseudowire, RFC 4385
        return steps.ETHERNET, min(end, pos + 4), etype, anomaly
    if ethernet_at(b, pos, end):
        return steps.ETHERNET, pos, etype, anomaly
    return steps.OPAQUE, pos, etype, anomaly | bits.ETHERTYPE_UNKNOWN


@helper
def _nsh(b, pos, end, etype, anomaly):  # pragma: no cover
    """Service chaining (RFC 8300)."""
    left = end - pos
    if left < 8:
        return steps.OPAQUE, pos, etype, anomaly | bits.LINK_TRUNCATED
    words = np.int64(b[pos + 1]) & 0x3F
    if b[pos] >> 6 != 0 or words < 2 or words * 4 > left:
        return steps.OPAQUE, pos, etype, anomaly | bits.ETHERTYPE_UNKNOWN
    follow = b[pos + 3]
    if follow == 1:
        etype = np.int64(0x0800)
    elif follow == 2:
        etype = np.int64(0x86DD)
    elif follow == 3:
        etype = np.int64(0x6558)
    elif follow == 4:
        etype = np.int64(0x894F)
    elif follow == 5:
        etype = np.int64(0x8847)
    else:
        return steps.OPAQUE, pos, etype, anomaly | bits.ETHERTYPE_UNKNOWN
    return step_of(etype), pos + words * 4, etype, anomaly


@helper
def _wrapped(b, step, pos, end, etype, anomaly):  # pragma: no cover
    """Cisco's tag or a backbone header (IEEE 802.1ah), then an ethertype; or a fabric's tag, then a whole frame."""
    size = 6 if step == steps.VNTAG else 18 if step == steps.BACKBONE else 16
    if end - pos < size:
        return steps.OPAQUE, pos, etype, anomaly | bits.LINK_TRUNCATED
    if step == steps.FABRIC:
        return steps.ETHERNET, pos + 2, etype, anomaly
    pos += size
    etype = u16(b, pos - 2)
    step, anomaly = _by_ethertype(etype, anomaly)
    return step, pos, etype, anomaly


@helper
def _cooked(b, step, pos, end, etype, anomaly):  # pragma: no cover
    """Linux's cooked captures, SLL and SLL2."""
    head = 16 if step == steps.SLL else 20
    if end - pos < head:
        return steps.OPAQUE, pos, etype, anomaly | bits.SLL_PKT_TOO_SMALL
    etype = u16(b, pos + 14 if step == steps.SLL else pos)
    pos += head
    if etype == 4:  # ETH_P_802_2
        return steps.LLC, pos, np.int64(0), anomaly
    step, anomaly = _by_ethertype(etype, anomaly)
    return step, pos, etype, anomaly


@helper
def _null(b, pos, end, etype, anomaly):  # pragma: no cover
    """BSD's loopback: an address family in the byte order of the machine that captured."""
    if end - pos < 4:
        return steps.OPAQUE, pos, etype, anomaly | bits.LTNULL_PKT_TOO_SMALL
    family = u32(b, pos)
    if family > 0xFFFF:
        family = ((family >> 24) & 0xFF) | ((family >> 8) & 0xFF00)
    pos += 4
    if family == 2:
        return steps.IPV4, pos, etype, anomaly
    if family in (10, 24, 28, 30):
        return steps.IPV6, pos, etype, anomaly
    return steps.OPAQUE, pos, etype, anomaly | bits.LTNULL_UNSUPPORTED_TYPE


@helper
def _raw(b, pos, end, etype, anomaly):  # pragma: no cover
    """IP of either version, without anything in front."""
    if end - pos < 20:
        return steps.OPAQUE, pos, etype, anomaly | bits.IPV4_PKT_TOO_SMALL
    nibble = b[pos] >> 4
    if nibble == 4:
        return steps.IPV4, pos, etype, anomaly
    if nibble == 6:
        return steps.IPV6, pos, etype, anomaly
    return steps.OPAQUE, pos, etype, anomaly | bits.IPRAW_INVALID_IP_VERSION


@helper
def _hdlc(b, pos, end, etype, anomaly):  # pragma: no cover
    """Cisco's HDLC."""
    if end - pos < 4:
        return steps.OPAQUE, pos, etype, anomaly | bits.CHDLC_PKT_TOO_SMALL
    etype = u16(b, pos + 2)
    step, anomaly = _by_ethertype(etype, anomaly)
    return step, pos + 4, etype, anomaly


@helper
def _ppp(b, pos, end, anomaly):  # pragma: no cover
    """PPP (RFC 1661, 1662), with or without address and control, with a protocol of one byte or two."""
    etype = np.int64(0x880B)
    if end - pos >= 2 and b[pos] == 0xFF and b[pos + 1] == 3:
        pos += 2
    if end > pos and b[pos] & 1:
        proto = np.int64(b[pos])
        pos += 1
    elif end - pos >= 2:
        proto = u16(b, pos)
        pos += 2
    else:
        return steps.OPAQUE, pos, etype, anomaly | bits.PPP_PKT_TOO_SMALL
    if (proto == 0x21 and end - pos < 20) or (proto == 0x57 and end - pos < 40):
        return steps.OPAQUE, pos, etype, anomaly | bits.LINK_TRUNCATED
    if proto == 0x21:
        return steps.IPV4, pos, etype, anomaly
    if proto == 0x57:
        return steps.IPV6, pos, etype, anomaly
    if proto in (0x281, 0x283):
        return steps.MPLS, pos, np.int64(0x8847), anomaly
    if proto < 0x8000:  # above: network and link control
        anomaly |= bits.PPP_UNSUPPORTED
    return steps.OPAQUE, pos, etype, anomaly


@helper
def _pppoe(b, pos, end, anomaly):  # pragma: no cover
    """RFC 2516. Return (step, pos, end, anomalies)."""
    if end - pos < 8:
        return steps.OPAQUE, pos, end, anomaly | bits.PPPOE_TRUNCATED
    if b[pos] != 0x11 or b[pos + 1] != 0:
        return steps.OPAQUE, pos, end, anomaly | bits.PPPOE_UNSUPPORTED
    return steps.PPP, pos + 6, min(end, pos + 6 + u16(b, pos + 4)), anomaly


@helper
def _rare(b, step, pos, end, etype, anomaly):  # pragma: no cover
    """Take one header that is neither Ethernet's nor a tag. Return (step, pos, end, ethertype, anomalies)."""
    if step == steps.PPPOE:
        step, pos, end, anomaly = _pppoe(b, pos, end, anomaly)
    elif step == steps.LLC:
        step, pos, etype, anomaly = _llc(b, pos, end, etype, anomaly)
    elif step == steps.MPLS:
        step, pos, etype, anomaly = _mpls(b, pos, end, etype, anomaly)
    elif step == steps.NSH:
        step, pos, etype, anomaly = _nsh(b, pos, end, etype, anomaly)
    elif step in (steps.SLL, steps.SLL2):
        step, pos, etype, anomaly = _cooked(b, step, pos, end, etype, anomaly)
    elif step in (steps.VNTAG, steps.BACKBONE, steps.FABRIC):
        step, pos, etype, anomaly = _wrapped(b, step, pos, end, etype, anomaly)
    elif step == steps.NULL:
        step, pos, etype, anomaly = _null(b, pos, end, etype, anomaly)
    elif step == steps.RAW:
        step, pos, etype, anomaly = _raw(b, pos, end, etype, anomaly)
    elif step == steps.HDLC or (step == steps.PPP_HDLC and end > pos and b[pos] in (0x0F, 0x8F)):
        step, pos, etype, anomaly = _hdlc(b, pos, end, etype, anomaly)
    else:
        step, pos, etype, anomaly = _ppp(b, pos, end, anomaly)
    return step, pos, end, etype, anomaly


@inlined
def links(b, r, step, pos, end, etype, vlan, layers, anomaly):  # pragma: no cover
    """Walk from a header to the one that closes the row; fill in the row's VLAN ids and ethertype.

    vlan: the id of a tag that is not in the bytes, -1: none. Return (step, pos, end, layers, anomalies).
    """
    nvlan = np.int64(vlan >= 0)
    vlan0 = max(vlan, 0)
    vlan1 = np.int64(0)
    while True:
        if step == steps.IPV4:
            etype = np.int64(0x0800)
        elif step == steps.IPV6:
            etype = np.int64(0x86DD)
        layers += 1
        if layers > MAX_LAYERS and step != steps.OPAQUE:
            anomaly |= bits.TOO_MANY_LAYERS
            step = steps.OPAQUE
        if step >= steps.ARP:
            break
        if step == steps.ETHERNET:
            if end - pos < 14:
                anomaly |= bits.LINK_TRUNCATED
                step = steps.OPAQUE
                continue
            etype = u16(b, pos + 12)
            pos += 14
            step, end, etype, anomaly = _by_ethertype_or_length(pos, end, etype, anomaly)
        elif step == steps.VLAN:
            if nvlan >= MAX_VLAN_TAGS:
                anomaly |= bits.VLAN_TOO_MANY_LAYERS
            if end - pos < 4:
                anomaly |= bits.VLAN_TRUNCATED
                step = steps.OPAQUE
                continue
            if nvlan == 0:
                vlan0 = u16(b, pos) & 0xFFF
            elif nvlan == 1:
                vlan1 = u16(b, pos) & 0xFFF
            nvlan += 1
            etype = u16(b, pos + 2)
            pos += 4
            step, end, etype, anomaly = _by_ethertype_or_length(pos, end, etype, anomaly)
        else:
            step, pos, end, etype, anomaly = _rare(b, step, pos, end, etype, anomaly)
    r["nvlan"] = min(nvlan, 255)
    r["vlan0"] = vlan0
    r["vlan1"] = vlan1
    r["ethertype"] = etype
    return step, pos, end, layers, anomaly
