"""IPv4, IPv6 and ARP. Compiled into the decode kernel."""

import numpy as np

from sensor.decode import bits, steps
from sensor.decode.checksum import ipv4_header_state
from sensor.decode.kernels_peek import has_transport, jumbo, options_valid, unknown_option
from sensor.decode.limits import MAX_IPV6_EXT_BYTES, MAX_IPV6_EXT_HEADERS
from sensor.model.jit import helper, inlined
from sensor.model.kernels_bytes import u16, u32, u64
from sensor.model.rows import FRAG_PART

NO_TRANSPORT, ANY_LENGTH, UNSURE = 1, 2, 4
"""What an IP header says of what follows: no transport header can be looked at; a UDP length of zero means "as IP
says"; the pseudo header may hold an address of a routing header or home-address option."""


@inlined
def _ipv4(b, r, l3, end, missing, verify, anomaly):  # pragma: no cover
    """RFC 791. Return as `network` does."""
    left = end - l3
    if left < 20:
        return np.int64(-1), np.int64(0), l3, end, 0, anomaly | bits.IPV4_PKT_TOO_SMALL
    if b[l3] >> 4 != 4:
        return np.int64(-1), np.int64(0), l3, end, 0, anomaly | bits.IPV4_WRONG_VERSION
    if b[l3] & 15 < 5:
        return np.int64(-1), np.int64(0), l3, end, 0, anomaly | bits.IPV4_HLEN_TOO_SMALL
    known = 0
    size = (np.int64(b[l3]) & 15) * 4
    total = u16(b, l3 + 2)
    if total == 0:
        total = left
        known = ANY_LENGTH
        anomaly |= bits.IPV4_ZERO_LENGTH
    elif total < size:
        known = NO_TRANSPORT
        anomaly |= bits.IPV4_IPLEN_SMALLER_THAN_HLEN
    if (total > left or size > left) and not known & NO_TRANSPORT:
        anomaly |= bits.SNAPLEN_CUT if missing > 0 else bits.IPV4_TRUNC_PKT
    pay = min(end, l3 + size)
    if size > 20 and not options_valid(b, l3 + 20, pay) and size <= left:
        anomaly |= bits.IPV4_OPT_INVALID
    flags = u16(b, l3 + 6)
    r["src_lo"] = np.uint64(u32(b, l3 + 12))
    r["dst_lo"] = np.uint64(u32(b, l3 + 16))
    r["ipv"] = 4
    r["tos"] = b[l3 + 1]
    r["ipid"] = u16(b, l3 + 4)
    r["fragoff"] = flags & 0x1FFF
    r["ttl"] = b[l3 + 8]
    if flags & 0x3FFF and not known & NO_TRANSPORT:
        r["frag"] = FRAG_PART
        known |= NO_TRANSPORT
    if size > left:
        known |= NO_TRANSPORT
    elif verify:
        r["l3csum"] = ipv4_header_state(b, l3, size)
    return np.int64(b[l3 + 9]), total, pay, max(pay, min(end, l3 + total)), known, anomaly


@helper
def _fragment(b, r, pay, pay_end, l3_end, anomaly):  # pragma: no cover
    """Read a fragment header, 8 bytes at `pay`. Return (whether the packet is a part of one, anomalies)."""
    flags = u16(b, pay + 2)
    r["ipid"] = u32(b, pay + 4)
    r["fragoff"] = flags >> 3
    if flags & 0xFFF9 == 0:
        return False, anomaly | bits.IPV6_FH_USELESS
    r["frag"] = FRAG_PART
    if flags & 1 and (l3_end - pay - 8) & 7:
        anomaly |= bits.IPV6_FRAG_INVALID_LENGTH
    if flags >> 3 == 0 and not has_transport(b, pay + 8, pay_end, np.int64(b[pay])):
        anomaly |= bits.IPV6_FH_NO_L4
    return True, anomaly


@helper
def _kind_of(proto, seen):  # pragma: no cover
    """Return the bit of an extension header among those that were seen."""
    if proto == 51:
        return 1
    if proto == 44:
        return 2
    if proto == 0:
        return 4
    if proto == 43:
        return 8
    if proto == 60:  # twice is allowed, RFC 8200 section 4.1
        return 32 if seen & 16 else 16
    return 64 << (proto & 7)  # 135: 7, 139: 3, 140: 4


@helper
def _extensions(b, r, l3, total, proto, pay, pay_end, known, anomaly):  # pragma: no cover
    """Walk the extension headers (RFC 8200 section 4). Return (protocol behind them, pay, known, anomalies)."""
    headers = 0
    seen = 0
    while proto in (0, 43, 44, 51, 60, 135, 139, 140):
        if pay_end - pay < 8:
            return proto, pay, known | NO_TRANSPORT, anomaly | bits.IPV6_TRUNC_EXTHDR
        headers += 1
        kind = _kind_of(proto, seen)
        if proto == 51:
            size = (np.int64(b[pay + 1]) + 2) * 4
        elif proto == 44:
            size = np.int64(8)
        else:
            size = (np.int64(b[pay + 1]) + 1) * 8
        if headers > MAX_IPV6_EXT_HEADERS or pay + size - l3 > 40 + MAX_IPV6_EXT_BYTES:
            return proto, pay, known | NO_TRANSPORT, anomaly | bits.IPV6_EXTHDR_TOO_MANY
        if size > pay_end - pay:
            return proto, pay, known | NO_TRANSPORT, anomaly | bits.IPV6_TRUNC_EXTHDR
        if seen & kind:
            anomaly |= bits.IPV6_EXTHDR_DUPL
        seen |= kind
        if proto == 43:
            if b[pay + 2] == 0:
                anomaly |= bits.IPV6_RH_TYPE0
            if b[pay + 3] != 0:
                known |= UNSURE
        elif proto == 60:
            known |= UNSURE
            if unknown_option(b, pay + 2, pay + size):
                anomaly |= bits.IPV6_DSTOPTS_UNKNOWN_OPT
        elif proto == 44:
            part, anomaly = _fragment(b, r, pay, pay_end, l3 + total, anomaly)
            if part:
                return np.int64(b[pay]), pay + 8, known | NO_TRANSPORT, anomaly
        proto = np.int64(b[pay])
        pay += size
    if headers > 0 and pay_end - pay < 2 and proto != 59:
        return proto, pay, known | NO_TRANSPORT, anomaly | bits.IPV6_TRUNC_EXTHDR
    return proto, pay, known, anomaly


@helper
def _ipv6(b, r, l3, end, missing, anomaly):  # pragma: no cover
    """RFC 8200. Return as `network` does."""
    left = end - l3
    if left < 40:
        return np.int64(-1), np.int64(0), l3, end, 0, anomaly | bits.IPV6_PKT_TOO_SMALL
    if b[l3] >> 4 != 6:
        return np.int64(-1), np.int64(0), l3, end, 0, anomaly | bits.IPV6_WRONG_VERSION
    known = 0
    proto = np.int64(b[l3 + 6])
    pay = l3 + 40
    total = 40 + u16(b, l3 + 4)
    if total == 40 and proto != 59:
        total = 40 + (jumbo(b, pay, end) if proto == 0 else 0)
        known = ANY_LENGTH
        if total == 40:
            total = left
            anomaly |= bits.IPV6_ZERO_LENGTH
    if total > left:
        anomaly |= bits.SNAPLEN_CUT if missing > 0 else bits.IPV6_TRUNC_PKT
    pay_end = min(end, l3 + total)
    r["src_hi"] = u64(b, l3 + 8)
    r["src_lo"] = u64(b, l3 + 16)
    r["dst_hi"] = u64(b, l3 + 24)
    r["dst_lo"] = u64(b, l3 + 32)
    r["ipv"] = 6
    r["tos"] = ((np.int64(b[l3]) & 15) << 4) | (np.int64(b[l3 + 1]) >> 4)
    r["ttl"] = b[l3 + 7]
    proto, pay, known, anomaly = _extensions(b, r, l3, total, proto, pay, pay_end, known, anomaly)
    return proto, total, pay, pay_end, known, anomaly


@helper
def _arp(b, r, l3, end, anomaly):  # pragma: no cover
    """RFC 826, for IPv4 over Ethernet. Return (pay, pay_end, anomalies)."""
    left = end - l3
    if left < 8:
        return l3, end, anomaly | bits.ARP_TRUNCATED
    if u16(b, l3) not in (1, 6) or u16(b, l3 + 2) != 0x0800 or b[l3 + 4] != 6 or b[l3 + 5] != 4:
        return l3, end, anomaly | bits.ARP_UNSUPPORTED
    if left < 28:
        return l3, end, anomaly | bits.ARP_TRUNCATED
    r["sport"] = u16(b, l3 + 6)
    r["src_lo"] = np.uint64(u32(b, l3 + 14))
    r["dst_lo"] = np.uint64(u32(b, l3 + 24))
    return l3 + 28, l3 + 28, anomaly


@inlined
def network(b, r, step, l3, end, missing, verify, anomaly):  # pragma: no cover
    """Read the header that closes a row.

    missing: bytes of the frame that were not captured. Return (protocol, -1: no good IP header; declared bytes from the
    IP header on; where the payload begins and ends; NO_TRANSPORT | ANY_LENGTH | UNSURE; anomalies).
    """
    proto, total, pay, pay_end, known = np.int64(-1), np.int64(0), l3, end, 0
    if step == steps.IPV4:
        r["l3"] = l3
        proto, total, pay, pay_end, known, anomaly = _ipv4(b, r, l3, end, missing, verify, anomaly)
    elif step == steps.IPV6:
        r["l3"] = l3
        proto, total, pay, pay_end, known, anomaly = _ipv6(b, r, l3, end, missing, anomaly)
    elif step == steps.ARP:
        r["l3"] = l3
        pay, pay_end, anomaly = _arp(b, r, l3, end, anomaly)
    return proto, total, pay, pay_end, known, anomaly
