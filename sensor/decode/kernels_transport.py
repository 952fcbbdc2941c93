"""What stands behind an IP header: transport headers, tunnels, checksums. Compiled into the decode kernel."""

import numpy as np

from sensor.decode import bits, steps
from sensor.decode.checksum import ones_sum, transport_state
from sensor.decode.kernels_network import ANY_LENGTH, NO_TRANSPORT, UNSURE
from sensor.decode.kernels_peek import options_valid
from sensor.decode.kernels_tunnels import gre, ip_in_ip, over_udp, teredo
from sensor.decode.limits import MAX_TUNNEL_PORTS, TEREDO_PORT
from sensor.model.block import HINT_CSUM_PARTIAL, HINT_CSUM_VALID
from sensor.model.jit import helper, inlined
from sensor.model.kernels_bytes import u16, u32
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL, CSUM_UNVERIFIED


@helper
def _to_itself(r):  # pragma: no cover
    """Tell whether both addresses are one, and not the loopback address."""
    if r["src_lo"] != r["dst_lo"] or r["src_hi"] != r["dst_hi"]:
        return False
    if r["ipv"] == 6:
        return r["src_hi"] != np.uint64(0) or r["src_lo"] != np.uint64(1)
    return r["src_lo"] >> np.uint64(24) != np.uint64(127)


@inlined
def _tcp(b, r, l4, pay_end, wire, anomaly):  # pragma: no cover
    """RFC 9293. Return (l4, -1: no good header; where the payload begins; anomalies), as do the next."""
    left = pay_end - l4
    if left < 20:
        return -1, l4, anomaly | bits.TCP_PKT_TOO_SMALL
    size = (np.int64(b[l4 + 12]) >> 4) * 4
    if size < 20:
        return -1, l4, anomaly | bits.TCP_HLEN_TOO_SMALL
    if size > wire:
        return -1, l4, anomaly | bits.TCP_PKT_TOO_SMALL
    r["sport"] = u16(b, l4)
    r["dport"] = u16(b, l4 + 2)
    r["seq"] = u32(b, l4 + 4)
    r["ack"] = u32(b, l4 + 8)
    r["tcpflags"] = b[l4 + 13]
    r["win"] = u16(b, l4 + 14)
    r["urg"] = u16(b, l4 + 18)
    pay = min(pay_end, l4 + size)
    if size > 20 and size <= left and not options_valid(b, l4 + 20, pay):
        anomaly |= bits.TCP_INVALID_OPTLEN
    if r["sport"] == r["dport"] and _to_itself(r):
        anomaly |= bits.LAND_ATTACK
    return l4, pay, anomaly


@helper
def _icmp(b, r, l4, pay_end, anomaly):  # pragma: no cover
    """RFC 792, 4443. Payload: `transport.icmp_payload`. Return its end as well."""
    if pay_end - l4 < 8:
        return -1, l4, pay_end, anomaly | (bits.ICMPV6_PKT_TOO_SMALL if r["ipv"] == 6 else bits.ICMPV4_PKT_TOO_SMALL)
    kind = np.int64(b[l4])
    code = np.int64(b[l4 + 1])
    r["sport"] = kind
    r["dport"] = code
    if r["ipv"] == 4:
        return l4, l4 + (20 if kind in (13, 14) and pay_end - l4 >= 20 else 8), pay_end, anomaly
    if (kind == 1 and code <= 6) or (2 <= kind <= 4 and code <= kind - 2) or (kind in (128, 129) and code == 0):
        return l4, l4 + 8, pay_end, anomaly
    return l4, l4 + 4, max(l4 + 4, pay_end - 8), anomaly


@helper
def _sctp(b, r, l4, pay_end, anomaly):  # pragma: no cover
    """RFC 9260."""
    if pay_end - l4 < 12:
        return -1, l4, anomaly | bits.SCTP_PKT_TOO_SMALL
    r["sport"] = u16(b, l4)
    r["dport"] = u16(b, l4 + 2)
    return l4, l4 + 12, anomaly


@inlined
def _udp(b, r, l4, pay_end, wire, any_length, ports, inner, anomaly):  # pragma: no cover
    """RFC 768. Return (l4, payload's begin and end, declared bytes of the message, anomalies)."""
    if pay_end - l4 < 8:
        return -1, l4, pay_end, wire, anomaly | bits.UDP_PKT_TOO_SMALL
    dport = u16(b, l4 + 2)
    r["sport"] = u16(b, l4)
    r["dport"] = dport
    size = u16(b, l4 + 4)
    if size == 0 and any_length:
        size = wire
    if size < 8 or size > wire:
        anomaly |= bits.UDP_LEN_INVALID
    else:
        pay_end = min(pay_end, l4 + size)
        wire = size
    for which in range(2 * MAX_TUNNEL_PORTS):
        if dport == ports[which]:
            anomaly = over_udp(b, which, l4 + 8, pay_end, inner, anomaly)
            break
    if dport == TEREDO_PORT or r["sport"] == TEREDO_PORT:
        teredo(b, l4 + 8, pay_end, inner)
    return l4, l4 + 8, pay_end, wire, anomaly


@inlined
def _checksum(b, r, l3, l4, left, wire, unsure, hint, in_tunnel, holds, anomaly):  # pragma: no cover
    """Return CSUM_* of a transport message. left, wire: its bytes, captured and declared; holds: a packet, too."""
    proto = r["proto"]
    if hint == HINT_CSUM_PARTIAL:
        return CSUM_PARTIAL
    if hint == HINT_CSUM_VALID and not in_tunnel:
        return CSUM_OK
    if wire > left or anomaly & bits.UDP_LEN_INVALID:
        return CSUM_UNVERIFIED
    if proto == 1:
        return CSUM_OK if ones_sum(b, l4, wire) == 0xFFFF else CSUM_BAD
    is6 = r["ipv"] == 6
    at = l4 + (16 if proto == 6 else 6 if proto == 17 else 2)
    if proto == 17 and u16(b, at) == 0 and (not is6 or holds):
        return CSUM_OK  # unused: RFC 768, for tunnels over IPv6 RFC 6935
    pseudo = np.int64(proto) + (ones_sum(b, l3 + 8, 32) if is6 else ones_sum(b, l3 + 12, 8))
    state = transport_state(b, l4, wire, at, pseudo)
    return CSUM_UNVERIFIED if state == CSUM_BAD and unsure else state


@inlined
def transport(b, r, l3, total, pay, pay_end, known, hint, verify, ports, inner, anomaly):  # pragma: no cover
    """Read what the IP header announces, `r["proto"]`; put a packet in it into `inner`.

    total, pay, pay_end, known: see `network`. Return (payload's begin and end, anomalies).
    """
    proto = np.int64(r["proto"])
    is6 = r["ipv"] == 6
    l4 = pay
    left = pay_end - pay
    wire = l3 + total - pay
    if known & NO_TRANSPORT:
        l4 = -1
    elif proto == 6:
        l4, pay, anomaly = _tcp(b, r, pay, pay_end, wire, anomaly)
    elif proto == 17:
        any_length = is6 or known & ANY_LENGTH != 0
        l4, pay, pay_end, wire, anomaly = _udp(b, r, pay, pay_end, wire, any_length, ports, inner, anomaly)
    elif (proto == 1 and not is6) or (proto == 58 and is6):
        l4, pay, pay_end, anomaly = _icmp(b, r, pay, pay_end, anomaly)
    elif proto == 132:
        l4, pay, anomaly = _sctp(b, r, pay, pay_end, anomaly)
    elif proto == 47:
        l4, pay, anomaly = gre(b, pay, pay_end, inner, anomaly)
    else:
        l4 = -1
        if proto in (4, 41):
            ip_in_ip(proto, pay, pay_end, inner)
        elif proto == 50:
            anomaly |= bits.ESP_UNINSPECTED
    r["l4"] = l4
    if verify and l4 >= 0 and proto in (1, 6, 17, 58):
        holds = inner["step"] != steps.NONE
        unsure = known & UNSURE != 0
        r["l4csum"] = _checksum(b, r, l3, l4, left, wire, unsure, hint, r["parent"] >= 0, holds, anomaly)
    return pay, pay_end, anomaly
