"""Decode a whole block into rows in one pass: the hot path.

Meaning of the row columns where `model/rows.py` leaves room:

* `l4` is set only where the transport header is complete and valid; a reader of ports, flags or sequence
  numbers asks `l4 >= 0` first. `proto` is the IP protocol in any case.
* `iplen` is the declared length, `paylen` the captured one: a cut packet has `l3 + iplen` beyond its bytes.
* ICMP payload starts 8 bytes into the message, whatever its type.
* A fragment's `pay` is the start of the fragmentable part; an IPv6 fragment header is the 8 bytes before it.
* In the row of a tunnel's inner packet, `l2`, `caplen`, `wirelen` and the VLAN ids speak of the inner frame.
  An Ethernet header is at `l2` if `l3 - l2 >= 14`.
* A row whose IP header cannot be trusted (version, header length, too short) has `ipv` 0 and the header as
  payload.

`reference.py` and `dpkt_view.py` say the same; `tests/property/test_decode_parity.py` holds the three equal.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
from numba import types

from sensor.decode import bits, steps
from sensor.decode.checksum import ipv4_header_state, ones_sum, transport_state
from sensor.decode.kernels_peek import (
    ethernet_at,
    first_step,
    has_transport,
    ip_at,
    jumbo,
    options_valid,
    step_of,
    u16,
    u32,
    u64,
    unknown_option,
)
from sensor.decode.limits import (
    MAX_ETHERNET_FRAME,
    MAX_IPV6_EXT_BYTES,
    MAX_IPV6_EXT_HEADERS,
    MAX_LAYERS,
    MAX_MPLS_LABELS,
    MAX_ROWS_PER_PACKET,
    MAX_TUNNEL_PORTS,
    MAX_TUNNELS,
    MAX_VLAN_TAGS,
    DecodeOptions,
)
from sensor.model.block import HINT_CSUM_PARTIAL, HINT_CSUM_VALID, PacketBlock
from sensor.model.jit import kernel
from sensor.model.prefetch import ahead
from sensor.model.rows import (
    CSUM_BAD,
    CSUM_OK,
    CSUM_PARTIAL,
    CSUM_UNVERIFIED,
    FRAG_PART,
    ROW,
    TUNNEL_ERSPAN,
    TUNNEL_GENEVE,
    TUNNEL_GRE,
    TUNNEL_IPIP,
    TUNNEL_VXLAN,
    new_rows,
)

ROW_T = numba.from_dtype(ROW)
_AHEAD = 5
"""Packets: how far ahead headers are fetched. Their places are known, and each is a cache miss of its own: without
that a packet takes 78 ns instead of 43."""


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


_SIGNATURE = types.UniTuple(types.int64, 2)(
    _column(types.uint8), _column(types.int64), _column(types.int32), _column(types.int32),
    _column(types.int64), _column(types.uint16), _column(types.int32), _column(types.uint8),
    _column(types.int64), types.boolean, types.int64, types.int64, _column(ROW_T), ROW_T[::1],
)  # fmt: skip


@kernel(_SIGNATURE)
@no_type_check
def decode_kernel(
    b: np.ndarray,
    off: np.ndarray,
    caplen: np.ndarray,
    wirelen: np.ndarray,
    ts: np.ndarray,
    linktype: np.ndarray,
    tci: np.ndarray,
    hints: np.ndarray,
    ports: np.ndarray,
    verify: bool,
    first: int,
    used: int,
    blank: np.ndarray,
    rows: np.ndarray,
) -> tuple[int, int]:
    """Decode packets from `first` into `rows[used:]`; return (next packet, rows used).

    Stops before a packet for which there may be no room. tci, hints: empty where the block has none.
    ports: int64[2 * MAX_TUNNEL_PORTS], VXLAN's then GENEVE's, -1 unused. blank: one row to start from.
    """
    size = b.shape[0]
    room = rows.shape[0] - MAX_ROWS_PER_PACKET
    k = used
    for i in range(first, off.shape[0]):
        if k > room:
            return i, k
        if i + _AHEAD < off.shape[0]:
            ahead(b, off[i + _AHEAD])
            ahead(b, off[i + _AHEAD] + 63)
        pos = min(max(off[i], 0), size)
        cap = min(max(np.int64(caplen[i]), 0), size - pos)
        end = pos + cap
        cap_end = end
        missing = max(np.int64(wirelen[i]) - cap, 0)
        hint = hints[i] if hints.shape[0] > 0 else 0
        anomaly = np.int64(0)
        etype = np.int64(0)
        nvlan = np.int64(0)
        vlan0 = np.int64(0)
        vlan1 = np.int64(0)
        if tci.shape[0] > 0 and tci[i] >= 0:
            nvlan = np.int64(1)
            vlan0 = np.int64(tci[i]) & 0xFFF
        step = first_step(linktype[i])
        if step == steps.ETHERNET and cap + missing > MAX_ETHERNET_FRAME:
            anomaly |= bits.FRAME_OVER_MTU
        elif step == steps.OPAQUE:
            anomaly |= bits.ETHERTYPE_UNKNOWN
        layers = 0
        depth = 0
        parent = -1
        tunnel = 0
        tunnel_id = np.int64(0)

        while True:  # one row a turn: the frame, then what its tunnels hold
            rows[k] = blank[0]
            r = rows[k]
            r["ts"] = ts[i]
            r["pkt"] = i
            r["parent"] = parent
            r["l2"] = pos
            r["caplen"] = end - pos
            r["wirelen"] = end - pos + (missing if end == cap_end else 0)
            r["tunnel"] = tunnel
            r["tunnel_id"] = tunnel_id

            # ---- link layers, until a step closes the row
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
                left = end - pos
                if step == steps.ETHERNET:
                    if left < 14:
                        anomaly |= bits.LINK_TRUNCATED
                        step = steps.OPAQUE
                        continue
                    etype = u16(b, pos + 12)
                    pos += 14
                elif step == steps.VLAN:
                    if left < 4:
                        anomaly |= bits.VLAN_TRUNCATED
                        step = steps.OPAQUE
                        continue
                    if nvlan == 0:
                        vlan0 = u16(b, pos) & 0xFFF
                    elif nvlan == 1:
                        vlan1 = u16(b, pos) & 0xFFF
                    nvlan += 1
                    if nvlan > MAX_VLAN_TAGS:
                        anomaly |= bits.VLAN_TOO_MANY_LAYERS
                    etype = u16(b, pos + 2)
                    pos += 4
                elif step == steps.LLC:
                    snap = left >= 8 and b[pos] == 0xAA and b[pos + 1] == 0xAA and b[pos + 2] == 3
                    if not snap or b[pos + 3] != 0 or b[pos + 4] != 0 or b[pos + 5] not in (0, 0xF8):
                        anomaly |= bits.LLC_UNSUPPORTED
                        step = steps.OPAQUE
                        continue
                    etype = u16(b, pos + 6)
                    pos += 8
                elif step == steps.MPLS:
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
                    step = steps.OPAQUE
                    if label < 0:
                        continue
                    nibble = b[pos] >> 4 if pos < end else 0xFF
                    if label == 0 or (nibble == 4 and label != 2):
                        step = steps.IPV4
                    elif label == 2 or nibble == 6:
                        step = steps.IPV6
                    elif nibble == 0:  # control word of a pseudowire, RFC 4385
                        pos = min(end, pos + 4)
                        step = steps.ETHERNET
                    elif ethernet_at(b, pos, end):
                        step = steps.ETHERNET
                    else:
                        anomaly |= bits.ETHERTYPE_UNKNOWN
                    continue
                elif step == steps.PPPOE:
                    step = steps.OPAQUE
                    if left < 8:
                        anomaly |= bits.PPPOE_TRUNCATED
                    elif b[pos] != 0x11 or b[pos + 1] != 0:
                        anomaly |= bits.PPPOE_UNSUPPORTED
                    else:
                        end = min(end, pos + 6 + u16(b, pos + 4))
                        pos += 6
                        step = steps.PPP
                    continue
                elif step == steps.NSH:
                    step = steps.OPAQUE
                    if left < 8:
                        anomaly |= bits.LINK_TRUNCATED
                        continue
                    words = np.int64(b[pos + 1]) & 0x3F
                    if b[pos] >> 6 != 0 or words < 2 or words * 4 > left:
                        anomaly |= bits.ETHERTYPE_UNKNOWN
                        continue
                    follow = b[pos + 3]
                    if follow not in (1, 2, 3, 4, 5):
                        anomaly |= bits.ETHERTYPE_UNKNOWN
                        continue
                    pos += words * 4
                    if follow == 1:
                        etype = np.int64(0x0800)
                    elif follow == 2:
                        etype = np.int64(0x86DD)
                    elif follow == 3:
                        etype = np.int64(0x6558)
                    elif follow == 4:
                        etype = np.int64(0x894F)
                    else:
                        etype = np.int64(0x8847)
                    step = step_of(etype)
                    continue
                elif step in (steps.SLL, steps.SLL2):
                    head = 16 if step == steps.SLL else 20
                    if left < head:
                        anomaly |= bits.LINK_TRUNCATED
                        step = steps.OPAQUE
                        continue
                    etype = u16(b, pos + 14 if step == steps.SLL else pos)
                    pos += head
                    if etype == 4:  # ETH_P_802_2
                        etype = np.int64(0)
                        step = steps.LLC
                        continue
                elif step == steps.NULL:
                    step = steps.OPAQUE
                    if left < 4:
                        anomaly |= bits.LINK_TRUNCATED
                        continue
                    family = u32(b, pos)
                    if family > 0xFFFF:  # the byte order is the capturing machine's
                        family = ((family >> 24) & 0xFF) | ((family >> 8) & 0xFF00)
                    pos += 4
                    if family == 2:
                        step = steps.IPV4
                    elif family in (10, 24, 28, 30):
                        step = steps.IPV6
                    else:
                        anomaly |= bits.ETHERTYPE_UNKNOWN
                    continue
                elif step == steps.RAW:
                    nibble = b[pos] >> 4 if left > 0 else 0
                    step = steps.OPAQUE
                    if nibble == 4:
                        step = steps.IPV4
                    elif nibble == 6:
                        step = steps.IPV6
                    else:
                        anomaly |= bits.IPV4_WRONG_VERSION if left > 0 else bits.LINK_TRUNCATED
                    continue
                elif step == steps.HDLC or (step == steps.PPP_HDLC and left > 0 and b[pos] in (0x0F, 0x8F)):
                    if left < 4:
                        anomaly |= bits.LINK_TRUNCATED
                        step = steps.OPAQUE
                        continue
                    etype = u16(b, pos + 2)
                    pos += 4
                else:  # PPP, RFC 1661 and 1662
                    etype = np.int64(0x880B)
                    step = steps.OPAQUE
                    if left >= 2 and b[pos] == 0xFF and b[pos + 1] == 3:
                        pos += 2
                        left -= 2
                    if left > 0 and b[pos] & 1:
                        proto = np.int64(b[pos])
                        pos += 1
                    elif left >= 2:
                        proto = u16(b, pos)
                        pos += 2
                    else:
                        anomaly |= bits.LINK_TRUNCATED
                        continue
                    if proto == 0x21:
                        step = steps.IPV4
                    elif proto == 0x57:
                        step = steps.IPV6
                    elif proto in (0x281, 0x283):
                        etype = np.int64(0x8847)
                        step = steps.MPLS
                    elif proto < 0x8000:  # above: network and link control
                        anomaly |= bits.PPP_UNSUPPORTED
                    continue
                if etype <= 1500 and step in (steps.ETHERNET, steps.VLAN):  # IEEE 802.3: a length
                    end = min(end, pos + etype)
                    etype = np.int64(0)
                    step = steps.LLC
                    continue
                step = step_of(etype)
                if step == steps.OPAQUE and etype != 0x8863:  # PPPoE discovery is known and holds nothing
                    anomaly |= bits.ETHERTYPE_UNKNOWN

            r["nvlan"] = min(nvlan, 255)
            r["vlan0"] = vlan0
            r["vlan1"] = vlan1
            r["ethertype"] = etype
            left = end - pos
            next_step = steps.NONE
            next_etype = np.int64(0)
            next_vlan = np.int64(-1)
            proto = np.int64(-1)  # set by a good IP header
            pay = pos
            pay_end = end
            l3 = pos

            # ---- network layer
            is6 = step == steps.IPV6
            stop = False  # no transport header to look at
            zero_ok = False  # a zero UDP length means: as IP says
            unsure = False  # the pseudo header may hold an address of a routing header or home-address option
            total = np.int64(0)
            src_lo = np.uint64(0)
            dst_lo = np.uint64(0)
            src_hi = np.uint64(0)
            dst_hi = np.uint64(0)
            if step == steps.IPV4:
                r["l3"] = l3
                if left < 20:
                    anomaly |= bits.IPV4_PKT_TOO_SMALL
                elif b[l3] >> 4 != 4:
                    anomaly |= bits.IPV4_WRONG_VERSION
                elif b[l3] & 15 < 5:
                    anomaly |= bits.IPV4_HLEN_TOO_SMALL
                else:
                    proto = np.int64(b[l3 + 9])
                    hlen = (np.int64(b[l3]) & 15) * 4
                    total = u16(b, l3 + 2)
                    if total == 0:
                        total = left
                        zero_ok = True
                        anomaly |= bits.IPV4_ZERO_LENGTH
                    elif total < hlen:
                        stop = True
                        anomaly |= bits.IPV4_IPLEN_SMALLER_THAN_HLEN
                    if total > left or hlen > left:
                        anomaly |= bits.SNAPLEN_CUT if missing > 0 else bits.IPV4_TRUNC_PKT
                    pay = min(end, l3 + hlen)
                    pay_end = max(pay, min(end, l3 + total))
                    if hlen > 20 and not options_valid(b, l3 + 20, pay) and hlen <= left:
                        anomaly |= bits.IPV4_OPT_INVALID
                    src_lo = np.uint64(u32(b, l3 + 12))
                    dst_lo = np.uint64(u32(b, l3 + 16))
                    flags = u16(b, l3 + 6)
                    r["ipv"] = 4
                    r["tos"] = b[l3 + 1]
                    r["ipid"] = u16(b, l3 + 4)
                    r["fragoff"] = flags & 0x1FFF
                    r["ttl"] = b[l3 + 8]
                    if flags & 0x3FFF and not stop:
                        r["frag"] = FRAG_PART
                        stop = True
                    if hlen > left:
                        stop = True
                    elif verify:
                        r["l3csum"] = ipv4_header_state(b, l3, hlen)
            elif is6:
                r["l3"] = l3
                if left < 40:
                    anomaly |= bits.IPV6_PKT_TOO_SMALL
                elif b[l3] >> 4 != 6:
                    anomaly |= bits.IPV6_WRONG_VERSION
                else:
                    proto = np.int64(b[l3 + 6])
                    pay = l3 + 40
                    total = 40 + u16(b, l3 + 4)
                    if total == 40 and proto != 59:
                        total = 40 + (jumbo(b, pay, end) if proto == 0 else 0)
                        zero_ok = True
                        if total == 40:
                            total = left
                            anomaly |= bits.IPV6_ZERO_LENGTH
                    if total > left:
                        anomaly |= bits.SNAPLEN_CUT if missing > 0 else bits.IPV6_TRUNC_PKT
                    pay_end = min(end, l3 + total)
                    src_hi = u64(b, l3 + 8)
                    src_lo = u64(b, l3 + 16)
                    dst_hi = u64(b, l3 + 24)
                    dst_lo = u64(b, l3 + 32)
                    r["src_hi"] = src_hi
                    r["dst_hi"] = dst_hi
                    r["ipv"] = 6
                    r["tos"] = ((np.int64(b[l3]) & 15) << 4) | (np.int64(b[l3 + 1]) >> 4)
                    r["ttl"] = b[l3 + 7]
                    headers = 0
                    seen = 0
                    while proto in (0, 43, 44, 51, 60, 135, 139, 140):
                        stop = True
                        if pay_end - pay < 8:
                            anomaly |= bits.IPV6_TRUNC_EXTHDR
                            break
                        headers += 1
                        if proto == 51:
                            kind, length = 1, (np.int64(b[pay + 1]) + 2) * 4
                        elif proto == 44:
                            kind, length = 2, np.int64(8)
                        else:
                            length = (np.int64(b[pay + 1]) + 1) * 8
                            if proto == 0:
                                kind = 4
                            elif proto == 43:
                                kind = 8
                            elif proto == 60:  # twice is allowed, RFC 8200 section 4.1
                                kind = 32 if seen & 16 else 16
                            else:
                                kind = 64 << (proto & 7)  # 135: 7, 139: 3, 140: 4
                        if headers > MAX_IPV6_EXT_HEADERS or pay + length - l3 > 40 + MAX_IPV6_EXT_BYTES:
                            anomaly |= bits.IPV6_EXTHDR_TOO_MANY
                            break
                        if length > pay_end - pay:
                            anomaly |= bits.IPV6_TRUNC_EXTHDR
                            break
                        if seen & kind:
                            anomaly |= bits.IPV6_EXTHDR_DUPL
                        seen |= kind
                        if kind == 8:
                            if b[pay + 2] == 0:
                                anomaly |= bits.IPV6_RH_TYPE0
                            if b[pay + 3] != 0:
                                unsure = True
                        elif kind in (16, 32):
                            unsure = True
                            if unknown_option(b, pay + 2, pay + length):
                                anomaly |= bits.IPV6_DSTOPTS_UNKNOWN_OPT
                        elif kind == 2:
                            flags = u16(b, pay + 2)
                            r["ipid"] = u32(b, pay + 4)
                            r["fragoff"] = flags >> 3
                            if flags & 0xFFF9:
                                proto = np.int64(b[pay])
                                pay += 8
                                r["frag"] = FRAG_PART
                                if flags & 1 and (l3 + total - pay) & 7:
                                    anomaly |= bits.IPV6_FRAG_INVALID_LENGTH
                                if flags >> 3 == 0 and not has_transport(b, pay, pay_end, proto):
                                    anomaly |= bits.IPV6_FH_NO_L4
                                break
                            anomaly |= bits.IPV6_FH_USELESS
                        proto = np.int64(b[pay])
                        pay += length
                        stop = False
                    if headers > 0 and not stop and pay_end - pay < 2 and proto != 59:
                        anomaly |= bits.IPV6_TRUNC_EXTHDR
                        stop = True
            elif step == steps.ARP:
                r["l3"] = l3
                if left < 8:
                    anomaly |= bits.ARP_TRUNCATED
                elif u16(b, l3) not in (1, 6) or u16(b, l3 + 2) != 0x0800 or b[l3 + 4] != 6 or b[l3 + 5] != 4:
                    anomaly |= bits.ARP_UNSUPPORTED
                elif left < 28:
                    anomaly |= bits.ARP_TRUNCATED
                else:
                    r["sport"] = u16(b, l3 + 6)
                    r["src_lo"] = np.uint64(u32(b, l3 + 14))
                    r["dst_lo"] = np.uint64(u32(b, l3 + 24))
                    pay = l3 + 28
                    pay_end = pay

            # ---- transport layer and tunnels
            if proto >= 0:
                r["proto"] = proto
                r["iplen"] = total
                r["src_lo"] = src_lo
                r["dst_lo"] = dst_lo
                l4 = pay
                left = pay_end - l4
                wire = l3 + total - l4  # declared bytes of the transport message
                next_end = pay_end
                if stop:
                    l4 = -1
                elif proto == 6:
                    hlen = (np.int64(b[l4 + 12]) >> 4) * 4 if left >= 20 else 0
                    if left < 20:
                        anomaly |= bits.TCP_PKT_TOO_SMALL
                        l4 = -1
                    elif hlen < 20:
                        anomaly |= bits.TCP_HLEN_TOO_SMALL
                        l4 = -1
                    elif hlen > wire:
                        anomaly |= bits.TCP_PKT_TOO_SMALL
                        l4 = -1
                    else:
                        sport = u16(b, l4)
                        dport = u16(b, l4 + 2)
                        r["sport"] = sport
                        r["dport"] = dport
                        r["seq"] = u32(b, l4 + 4)
                        r["ack"] = u32(b, l4 + 8)
                        r["tcpflags"] = b[l4 + 13]
                        r["win"] = u16(b, l4 + 14)
                        r["urg"] = u16(b, l4 + 18)
                        pay = min(pay_end, l4 + hlen)
                        if hlen > 20 and hlen <= left and not options_valid(b, l4 + 20, pay):
                            anomaly |= bits.TCP_INVALID_OPTLEN
                        if sport == dport and src_lo == dst_lo and src_hi == dst_hi:
                            if is6:
                                loop = src_hi == np.uint64(0) and src_lo == np.uint64(1)
                            else:
                                loop = src_lo >> np.uint64(24) == np.uint64(127)
                            if not loop:
                                anomaly |= bits.LAND_ATTACK
                elif proto == 17:
                    if left < 8:
                        anomaly |= bits.UDP_PKT_TOO_SMALL
                        l4 = -1
                    else:
                        dport = u16(b, l4 + 2)
                        r["sport"] = u16(b, l4)
                        r["dport"] = dport
                        ulen = u16(b, l4 + 4)
                        if ulen == 0 and (is6 or zero_ok):
                            ulen = wire
                        if ulen < 8 or ulen > wire:
                            anomaly |= bits.UDP_LEN_INVALID
                        else:
                            pay_end = min(pay_end, l4 + ulen)
                            wire = ulen
                        pay = l4 + 8
                        which = -1
                        for j in range(2 * MAX_TUNNEL_PORTS):
                            if dport == ports[j]:
                                which = j
                                break
                        left_in = pay_end - pay
                        if which < 0:
                            pass
                        elif which < MAX_TUNNEL_PORTS:
                            if left_in < 8:
                                anomaly |= bits.VXLAN_TRUNCATED
                            elif b[pay] & 8 == 0 or not ethernet_at(b, pay + 8, pay_end):
                                anomaly |= bits.VXLAN_UNKNOWN_PAYLOAD
                            else:
                                next_step = steps.ETHERNET
                                next_pos = pay + 8
                                next_tunnel = TUNNEL_VXLAN
                                next_id = u32(b, pay + 4) >> 8
                        elif left_in < 8 or left_in < 8 + (np.int64(b[pay]) & 0x3F) * 4:
                            anomaly |= bits.GENEVE_TRUNCATED
                        else:
                            next_pos = pay + 8 + (np.int64(b[pay]) & 0x3F) * 4
                            next_etype = u16(b, pay + 2)
                            next_step = step_of(next_etype)
                            next_tunnel = TUNNEL_GENEVE
                            next_id = u32(b, pay + 4) >> 8
                            if next_step == steps.ETHERNET:
                                known = ethernet_at(b, next_pos, pay_end)
                            else:
                                known = next_step != steps.OPAQUE and ip_at(b, next_pos, pay_end, next_step)
                            if b[pay] >> 6 != 0 or not known:
                                next_step = steps.NONE
                                anomaly |= bits.GENEVE_UNKNOWN_PAYLOAD
                        next_end = pay_end
                elif (proto == 1 and not is6) or (proto == 58 and is6):
                    if left < 8:
                        anomaly |= bits.ICMPV6_PKT_TOO_SMALL if is6 else bits.ICMPV4_PKT_TOO_SMALL
                        l4 = -1
                    else:
                        r["sport"] = b[l4]
                        r["dport"] = b[l4 + 1]
                        pay = l4 + 8
                elif proto == 132:
                    if left < 12:
                        anomaly |= bits.SCTP_PKT_TOO_SMALL
                        l4 = -1
                    else:
                        r["sport"] = u16(b, l4)
                        r["dport"] = u16(b, l4 + 2)
                        pay = l4 + 12
                elif proto in (4, 41):
                    if left > 0:
                        next_step = steps.IPV4 if proto == 4 else steps.IPV6
                        next_pos = pay
                        next_tunnel = TUNNEL_IPIP
                        next_id = np.int64(0)
                    l4 = -1
                elif proto == 47 and left < 4:
                    anomaly |= bits.GRE_PKT_TOO_SMALL
                    l4 = -1
                elif proto == 47:
                    flags = u16(b, l4)
                    inner = u16(b, l4 + 2)
                    version = flags & 7
                    hlen = np.int64(4)
                    key = np.int64(4)
                    if version == 0 and flags & 0x4000 == 0:  # RFC 2784, 2890
                        if flags & 0x8000:
                            hlen += 4
                        key = hlen
                        if flags & 0x2000:
                            hlen += 4
                        if flags & 0x1000:
                            hlen += 4
                    elif version == 1 and inner == 0x880B and flags & 0x2000:  # RFC 2637
                        hlen += 4
                        if flags & 0x1000:
                            hlen += 4
                        if flags & 0x0080:
                            hlen += 4
                    else:
                        hlen = np.int64(-1)
                    if hlen < 0:
                        anomaly |= bits.GRE_UNSUPPORTED
                        pay = l4 + 4
                    elif hlen > left:
                        anomaly |= bits.GRE_PKT_TOO_SMALL
                        l4 = -1
                    else:
                        pay = l4 + hlen
                        next_tunnel = TUNNEL_GRE
                        next_id = np.int64(0)
                        left_in = pay_end - pay
                        if version == 1:
                            next_id = u16(b, l4 + 6)
                            next_end = min(pay_end, pay + u16(b, l4 + 4))
                            left_in = next_end - pay
                            next_step = steps.PPP
                        elif flags & 0x2000:
                            next_id = u32(b, l4 + key)
                        if left_in == 0 or version == 1:
                            pass
                        elif inner == 0x88BE and flags & 0x1000 == 0:  # ERSPAN type I: no header
                            next_step = steps.ETHERNET
                            next_tunnel = TUNNEL_ERSPAN
                            next_id = np.int64(0)
                        elif inner == 0x88BE:  # type II
                            if left_in < 8:
                                anomaly |= bits.ERSPAN_TRUNCATED
                            elif b[pay] >> 4 != 1:
                                anomaly |= bits.ERSPAN_UNSUPPORTED
                            else:
                                next_step = steps.ETHERNET
                                next_tunnel = TUNNEL_ERSPAN
                                next_id = u16(b, pay + 2) & 0x3FF
                                if (b[pay + 2] >> 3) & 3 in (1, 2):  # the tag was taken out of the frame
                                    next_vlan = u16(b, pay) & 0xFFF
                                pay += 8
                        elif inner == 0x22EB:  # type III
                            form = (u16(b, pay + 10) >> 10) & 0x1F if left_in >= 12 else 0
                            more = 20 if left_in >= 12 and b[pay + 11] & 1 else 12
                            if left_in < more:
                                anomaly |= bits.ERSPAN_TRUNCATED
                            elif b[pay] >> 4 != 2 or form not in (0, 2):
                                anomaly |= bits.ERSPAN_UNSUPPORTED
                            else:
                                next_step = steps.ETHERNET if form == 0 else steps.RAW
                                next_tunnel = TUNNEL_ERSPAN
                                next_id = u16(b, pay + 2) & 0x3FF
                                pay += more
                        else:
                            next_etype = inner
                            next_step = step_of(inner)
                            if next_step == steps.OPAQUE:
                                next_step = steps.NONE
                                anomaly |= bits.GRE_UNSUPPORTED
                        if pay >= next_end:
                            next_step = steps.NONE
                        next_pos = pay
                else:
                    l4 = -1
                    if proto == 50:
                        anomaly |= bits.ESP_UNINSPECTED
                r["l4"] = l4
                if verify and l4 >= 0 and (proto in (1, 6, 17, 58)):
                    state = CSUM_UNVERIFIED
                    at = l4 + (16 if proto == 6 else 6 if proto == 17 else 2)
                    if hint == HINT_CSUM_PARTIAL:
                        state = CSUM_PARTIAL
                    elif hint == HINT_CSUM_VALID and parent < 0:
                        state = CSUM_OK
                    elif wire > left or anomaly & bits.UDP_LEN_INVALID:
                        pass
                    elif proto == 1:
                        state = CSUM_OK if ones_sum(b, l4, wire) == 0xFFFF else CSUM_BAD
                    elif proto == 17 and u16(b, at) == 0 and (not is6 or next_step != steps.NONE):
                        state = CSUM_OK  # unused: RFC 768, for tunnels over IPv6 RFC 6935
                    else:
                        pseudo = proto + (ones_sum(b, l3 + 8, 32) if is6 else ones_sum(b, l3 + 12, 8))
                        state = transport_state(b, l4, wire, at, pseudo)
                        if state == CSUM_BAD and unsure:
                            state = CSUM_UNVERIFIED
                    r["l4csum"] = state

            if next_step != steps.NONE and depth >= MAX_TUNNELS:
                next_step = steps.NONE
                anomaly |= bits.TOO_MANY_LAYERS
            r["pay"] = pay
            r["paylen"] = pay_end - pay
            r["anomaly"] = anomaly
            r["slow"] = 1 if anomaly & bits.SLOW else 0
            k += 1
            if next_step == steps.NONE:
                break

            # ---- into the tunnel
            parent = k - 1
            depth += 1
            step = next_step
            pos = next_pos
            end = next_end
            tunnel = next_tunnel
            tunnel_id = next_id
            etype = next_etype
            anomaly = np.int64(0)
            nvlan = np.int64(next_vlan >= 0)
            vlan0 = max(next_vlan, 0)
            vlan1 = np.int64(0)
    return off.shape[0], k


def _ports(options: DecodeOptions) -> np.ndarray:
    table = np.full(2 * MAX_TUNNEL_PORTS, -1, np.int64)
    table[: len(options.vxlan_ports)] = options.vxlan_ports
    table[MAX_TUNNEL_PORTS : MAX_TUNNEL_PORTS + len(options.geneve_ports)] = options.geneve_ports
    return table


def _optional(column: np.ndarray | None, dtype: type) -> np.ndarray:
    return np.empty(0, dtype) if column is None else np.ascontiguousarray(column, dtype)


def decode_block(block: PacketBlock, *, verify_checksums: bool, options: DecodeOptions) -> np.ndarray:
    """Return the rows of a block: ROW[m], m >= block.n, in packet order, inner rows behind their outer row.

    verify_checksums: fill `l3csum` and `l4csum`; otherwise both stay CSUM_UNVERIFIED. No bytes make it raise.
    """
    columns = (
        block.buf,
        np.ascontiguousarray(block.off, np.int64),
        np.ascontiguousarray(block.caplen, np.int32),
        np.ascontiguousarray(block.wirelen, np.int32),
        np.ascontiguousarray(block.ts, np.int64),
        np.ascontiguousarray(block.linktype, np.uint16),
        _optional(block.vlan_tci, np.int32),
        _optional(block.hints, np.uint8),
        _ports(options),
        verify_checksums,
    )
    n = block.n
    blank = new_rows(1)
    rows = np.empty(n + n // 8 + 64, ROW)
    done, used = decode_kernel(*columns, 0, 0, blank, rows)
    if done < n:  # many tunnels: the layer limit bounds what the rest can need
        more = np.empty(used + (n - done) * MAX_ROWS_PER_PACKET + MAX_ROWS_PER_PACKET, ROW)
        more[:used] = rows[:used]
        rows = more
        done, used = decode_kernel(*columns, done, used, blank, rows)
    return rows[:used]
