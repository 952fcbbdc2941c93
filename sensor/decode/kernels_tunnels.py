"""Tunnels: what of a packet is another packet. Compiled into the decode kernel.

What is found is written into a record of INNER; its `step` stays `steps.NONE` where there is nothing to decode.
"""

import numpy as np

from sensor.decode import bits, steps
from sensor.decode.kernels_peek import ethernet_at, ip_at, step_of
from sensor.decode.limits import MAX_TUNNEL_PORTS
from sensor.model.jit import helper, inlined
from sensor.model.kernels_bytes import u16, u32
from sensor.model.rows import TUNNEL_ERSPAN, TUNNEL_GENEVE, TUNNEL_GRE, TUNNEL_IPIP, TUNNEL_TEREDO, TUNNEL_VXLAN

INNER = np.dtype([
    ("step", np.int64),
    ("pos", np.int64), ("end", np.int64),
    ("tunnel", np.int64), ("id", np.int64),
    ("etype", np.int64),
    ("vlan", np.int64),
])  # fmt: skip
"""The packet in a tunnel: its first header (`steps`), from where to where its bytes go, TUNNEL_* and number of the
tunnel, ethertype where the tunnel names it (0: it does not), VLAN id that was taken out of the frame (-1: none)."""

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
"""Flags of GRE (RFC 2784, 2890; 2637)."""
_PPP, _ERSPAN, _ERSPAN3 = 0x880B, 0x88BE, 0x22EB


@inlined
def nothing(inner):  # pragma: no cover
    """Begin a row: no tunnel is known yet."""
    inner["step"] = steps.NONE
    inner["etype"] = 0
    inner["vlan"] = -1


@helper
def ip_in_ip(proto, pay, pay_end, inner):  # pragma: no cover
    """IPv4 (4) or IPv6 (41) right behind an IP header (RFC 2003, 2473)."""
    if pay_end > pay:
        inner["step"] = steps.IPV4 if proto == 4 else steps.IPV6
        inner["pos"] = pay
        inner["end"] = pay_end
        inner["tunnel"] = TUNNEL_IPIP
        inner["id"] = 0


@helper
def _vxlan(b, pay, pay_end, inner, anomaly):  # pragma: no cover
    """RFC 7348. Return the anomalies."""
    if pay_end - pay < 8:
        return anomaly | bits.VXLAN_TRUNCATED
    if b[pay] & 8 == 0 or not ethernet_at(b, pay + 8, pay_end):
        return anomaly | bits.VXLAN_UNKNOWN_PAYLOAD
    inner["step"] = steps.ETHERNET
    inner["pos"] = pay + 8
    inner["tunnel"] = TUNNEL_VXLAN
    inner["id"] = u32(b, pay + 4) >> 8
    return anomaly


@helper
def _geneve(b, pay, pay_end, inner, anomaly):  # pragma: no cover
    """RFC 8926. Return the anomalies."""
    left = pay_end - pay
    if left < 8 or left < 8 + (np.int64(b[pay]) & 0x3F) * 4:
        return anomaly | bits.GENEVE_TRUNCATED
    pos = pay + 8 + (np.int64(b[pay]) & 0x3F) * 4
    etype = u16(b, pay + 2)
    step = step_of(etype)
    if step == steps.ETHERNET:
        known = ethernet_at(b, pos, pay_end)
    else:
        known = step != steps.OPAQUE and ip_at(b, pos, pay_end, step)
    if b[pay] >> 6 != 0 or not known:
        return anomaly | bits.GENEVE_UNKNOWN_PAYLOAD
    inner["step"] = step
    inner["pos"] = pos
    inner["tunnel"] = TUNNEL_GENEVE
    inner["id"] = u32(b, pay + 4) >> 8
    inner["etype"] = etype
    return anomaly


@helper
def over_udp(b, which, pay, pay_end, inner, anomaly):  # pragma: no cover
    """Look into a datagram to a tunnel's port, `which` in the table of ports. Return the anomalies."""
    inner["end"] = pay_end
    if which < MAX_TUNNEL_PORTS:
        return _vxlan(b, pay, pay_end, inner, anomaly)
    return _geneve(b, pay, pay_end, inner, anomaly)


@helper
def teredo(b, pay, pay_end, inner):  # pragma: no cover
    """IPv6 in a datagram (RFC 4380), behind an origin indication or nothing, that fills it to the last byte."""
    if pay_end - pay >= 48 and b[pay] == 0 and b[pay + 1] == 0:
        pay += 8
    if pay_end - pay < 40 or b[pay] >> 4 != 6 or 40 + u16(b, pay + 4) != pay_end - pay:
        return
    inner["step"] = steps.IPV6
    inner["pos"] = pay
    inner["end"] = pay_end
    inner["tunnel"] = TUNNEL_TEREDO
    inner["id"] = 0


@helper
def _gre_header(flags, inside):  # pragma: no cover
    """Return (bytes of the header, -1: unsupported; where the key stands in it)."""
    size = np.int64(4)
    version = flags & 7
    if version == 0 and flags & _ROUTING == 0:  # RFC 2784, 2890
        if flags & _CHECKSUM:
            size += 4
        key = size
        if flags & _KEY:
            size += 4
        if flags & _SEQUENCE:
            size += 4
        return size, key
    if version == 1 and inside == _PPP and flags & _KEY:  # RFC 2637
        size += 4
        if flags & _SEQUENCE:
            size += 4
        if flags & _ACK:
            size += 4
        return size, np.int64(4)
    return np.int64(-1), np.int64(4)


@helper
def _erspan2(b, pay, left, inner, anomaly):  # pragma: no cover
    """ERSPAN type II. Return (bytes of its header, anomalies)."""
    if left < 8:
        return 0, anomaly | bits.ERSPAN_TRUNCATED
    if b[pay] >> 4 != 1:
        return 0, anomaly | bits.ERSPAN_UNSUPPORTED
    inner["step"] = steps.ETHERNET
    inner["tunnel"] = TUNNEL_ERSPAN
    inner["id"] = u16(b, pay + 2) & 0x3FF
    if (b[pay + 2] >> 3) & 3 in (1, 2):  # the tag was taken out of the frame
        inner["vlan"] = u16(b, pay) & 0xFFF
    return 8, anomaly


@helper
def _erspan3(b, pay, left, inner, anomaly):  # pragma: no cover
    """ERSPAN type III, with or without its platform part. Return (bytes of its header, anomalies)."""
    form = (u16(b, pay + 10) >> 10) & 0x1F if left >= 12 else 0
    size = 20 if left >= 12 and b[pay + 11] & 1 else 12
    if left < size:
        return 0, anomaly | bits.ERSPAN_TRUNCATED
    if b[pay] >> 4 != 2 or form not in (0, 2):
        return 0, anomaly | bits.ERSPAN_UNSUPPORTED
    inner["step"] = steps.ETHERNET if form == 0 else steps.RAW
    inner["tunnel"] = TUNNEL_ERSPAN
    inner["id"] = u16(b, pay + 2) & 0x3FF
    return size, anomaly


@helper
def gre(b, l4, pay_end, inner, anomaly):  # pragma: no cover
    """GRE, and ERSPAN in it. Return (l4, -1: no good header; where the payload begins; anomalies)."""
    left = pay_end - l4
    if left < 4:
        return -1, l4, anomaly | bits.GRE_PKT_TOO_SMALL
    flags = u16(b, l4)
    inside = u16(b, l4 + 2)
    size, key = _gre_header(flags, inside)
    if size < 0:
        return l4, l4 + 4, anomaly | bits.GRE_UNSUPPORTED
    if size > left:
        return -1, l4, anomaly | bits.GRE_PKT_TOO_SMALL
    pay = l4 + size
    end = pay_end
    left = end - pay
    inner["tunnel"] = TUNNEL_GRE
    inner["id"] = u32(b, l4 + key) if flags & _KEY else 0
    if flags & 7 == 1:
        inner["id"] = u16(b, l4 + 6)
        end = min(pay_end, pay + u16(b, l4 + 4))
        inner["step"] = steps.PPP
    elif left == 0:
        pass
    elif inside == _ERSPAN and flags & _SEQUENCE == 0:  # type I: no header
        inner["step"] = steps.ETHERNET
        inner["tunnel"] = TUNNEL_ERSPAN
        inner["id"] = 0
    elif inside == _ERSPAN:
        more, anomaly = _erspan2(b, pay, left, inner, anomaly)
        pay += more
    elif inside == _ERSPAN3:
        more, anomaly = _erspan3(b, pay, left, inner, anomaly)
        pay += more
    else:
        step = step_of(inside)
        if step == steps.OPAQUE:
            anomaly |= bits.GRE_UNSUPPORTED
        else:
            inner["step"] = step
        inner["etype"] = inside
    if pay >= end:
        inner["step"] = steps.NONE
    inner["pos"] = pay
    inner["end"] = end
    return l4, pay, anomaly
