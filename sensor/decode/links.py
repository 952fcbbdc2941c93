"""Steps of the reference below IP: Ethernet and its tags, PPP, cooked captures."""

from __future__ import annotations

from sensor.decode import bits
from sensor.decode.headers import u16, u32
from sensor.decode.limits import MAX_MPLS_LABELS, MAX_VLAN_TAGS
from sensor.decode.walk import (
    ETH_IPV4,
    ETH_IPV6,
    ETH_MPLS,
    ETH_NSH,
    ETH_PPP,
    ETH_PPPOE_DISCOVERY,
    ETH_TEB,
    MAX_802_3_LENGTH,
    STEP_OF_ETHERTYPE,
    Step,
    Walk,
    ethernet_fits,
)

SLL_LLC = 4
"""ETH_P_802_2, linux/if_ether.h."""
_FABRIC_TAG = 2
SNAP = bytes.fromhex("aaaa03")
ENCAPSULATED_ETHERNET = (bytes.fromhex("000000"), bytes.fromhex("0000f8"))
"""SNAP organisations whose type field is an ethertype: RFC 1042, IEEE 802.1H."""
AF_INET, AF_INET6 = 2, {10, 24, 28, 30}
"""Linux, NetBSD, FreeBSD, Darwin."""
NSH_NEXT = {1: ETH_IPV4, 2: ETH_IPV6, 3: ETH_TEB, 4: ETH_NSH, 5: ETH_MPLS}
"""RFC 8300 section 2.2."""


def _truncated(walk: Walk, bit: int) -> Step:
    walk.flag(bit)
    return Step.OPAQUE


def _dispatch(walk: Walk, ethertype: int) -> Step:
    walk.row.ethertype = ethertype
    step = STEP_OF_ETHERTYPE.get(ethertype, Step.OPAQUE)
    if step is Step.OPAQUE and ethertype != ETH_PPPOE_DISCOVERY:
        walk.flag(bits.ETHERTYPE_UNKNOWN)
    return step


def _type_or_length(walk: Walk, value: int) -> Step:
    if value > MAX_802_3_LENGTH:
        return _dispatch(walk, value)
    walk.row.ethertype = 0
    walk.end = min(walk.end, walk.pos + value)
    return Step.LLC


def ethernet(walk: Walk) -> Step:
    """IEEE 802.3 and Ethernet II."""
    if walk.left() < 14:
        return _truncated(walk, bits.LINK_TRUNCATED)
    return _type_or_length(walk, walk.reader.ethernet(walk.take(14)))


def vlan(walk: Walk) -> Step:
    """IEEE 802.1Q, 802.1ad and older QinQ tags."""
    if walk.row.nvlan >= MAX_VLAN_TAGS:
        walk.flag(bits.VLAN_TOO_MANY_LAYERS)
    if walk.left() < 4:
        return _truncated(walk, bits.VLAN_TRUNCATED)
    ident, ethertype = walk.reader.vlan(walk.take(4))
    row = walk.row
    if row.nvlan == 0:
        row.vlan0 = ident
    elif row.nvlan == 1:
        row.vlan1 = ident
    row.nvlan += 1
    return _type_or_length(walk, ethertype)


def llc(walk: Walk) -> Step:
    """IEEE 802.2; only SNAP with an ethertype is decoded."""
    head = walk.frame[walk.pos : min(walk.end, walk.pos + 8)]
    if len(head) < 8 or head[:3] != SNAP or head[3:6] not in ENCAPSULATED_ETHERNET:
        return _truncated(walk, bits.LLC_UNSUPPORTED)
    walk.pos += 8
    return _dispatch(walk, u16(head, 6))


def mpls(walk: Walk) -> Step:
    """RFC 3032. What the stack carries is not said: explicit-null labels and the first nibble tell."""
    for _ in range(MAX_MPLS_LABELS):
        if walk.left() < 4:
            return _truncated(walk, bits.MPLS_TRUNCATED)
        label, bottom = walk.reader.mpls(walk.take(4))
        if bottom:
            return _below_labels(walk, label)
    return _truncated(walk, bits.MPLS_TOO_MANY_LAYERS)


def _below_labels(walk: Walk, label: int) -> Step:
    nibble = walk.frame[walk.pos] >> 4 if walk.left() > 0 else None
    if label == 0:
        return walk.ip_step(Step.IPV4)
    if label == 2:
        return walk.ip_step(Step.IPV6)
    if walk.left() < 4:
        return _truncated(walk, bits.LINK_TRUNCATED)
    if nibble == 4:
        return walk.ip_step(Step.IPV4)
    if nibble == 6:
        return walk.ip_step(Step.IPV6)
    if nibble == 0:  # control word of a pseudowire, RFC 4385
        walk.pos = min(walk.end, walk.pos + 4)
        return Step.ETHERNET
    if ethernet_fits(walk.frame, walk.pos, walk.end):
        return Step.ETHERNET
    return _truncated(walk, bits.ETHERTYPE_UNKNOWN)


def pppoe(walk: Walk) -> Step:
    """Session stage, RFC 2516."""
    if walk.left() < 8:
        return _truncated(walk, bits.PPPOE_TRUNCATED)
    if walk.frame[walk.pos : walk.pos + 2] != b"\x11\x00":
        return _truncated(walk, bits.PPPOE_UNSUPPORTED)
    length = u16(walk.take(6), 4)
    walk.end = min(walk.end, walk.pos + length)
    return Step.PPP


_LEAST_IP = {0x0021: (Step.IPV4, 20), 0x0057: (Step.IPV6, 40)}
"""IP in PPP: RFC 1332, RFC 5072. Less than a header is none."""


def ppp(walk: Walk) -> Step:
    """RFC 1661, with or without HDLC-like framing (RFC 1662) and protocol field compression."""
    walk.row.ethertype = ETH_PPP
    if walk.left() >= 2 and walk.frame[walk.pos : walk.pos + 2] == b"\xff\x03":
        walk.pos += 2
    if walk.left() > 0 and walk.frame[walk.pos] & 1:
        protocol = walk.take(1)[0]
    elif walk.left() >= 2:
        protocol = u16(walk.take(2), 0)
    else:
        return _truncated(walk, bits.PPP_PKT_TOO_SMALL)
    if protocol in _LEAST_IP:
        step, least = _LEAST_IP[protocol]
        return _truncated(walk, bits.LINK_TRUNCATED) if walk.left() < least else walk.ip_step(step)
    if protocol in {0x0281, 0x0283}:
        walk.row.ethertype = ETH_MPLS
        return Step.MPLS
    if protocol < 0x8000:  # above: network and link control, which carry no traffic
        walk.flag(bits.PPP_UNSUPPORTED)
    return Step.OPAQUE


def nsh(walk: Walk) -> Step:
    """Network service header, RFC 8300."""
    if walk.left() < 8:
        return _truncated(walk, bits.LINK_TRUNCATED)
    head = walk.frame[walk.pos : walk.pos + 4]
    length = (head[1] & 0x3F) * 4
    follow = NSH_NEXT.get(head[3])
    if head[0] >> 6 or not 8 <= length <= walk.left() or follow is None:
        return _truncated(walk, bits.ETHERTYPE_UNKNOWN)
    walk.pos += length
    walk.row.ethertype = follow
    return STEP_OF_ETHERTYPE[follow]


def vntag(walk: Walk) -> Step:
    """Cisco's tag: four bytes, then an ethertype."""
    return _wrapped(walk, 6)


def backbone(walk: Walk) -> Step:
    """IEEE 802.1ah: a service tag, the addresses of the customer, an ethertype."""
    return _wrapped(walk, 18)


def _wrapped(walk: Walk, size: int) -> Step:
    if walk.left() < size:
        return _truncated(walk, bits.LINK_TRUNCATED)
    return _dispatch(walk, u16(walk.take(size), size - 2))


def fabric(walk: Walk) -> Step:
    """Cisco's FabricPath: a tag of two bytes in front of the customer's frame."""
    if walk.left() < _FABRIC_TAG + 14:
        return _truncated(walk, bits.LINK_TRUNCATED)
    walk.take(_FABRIC_TAG)
    return Step.ETHERNET


def sll(walk: Walk) -> Step:
    """LINKTYPE_LINUX_SLL."""
    if walk.left() < 16:
        return _truncated(walk, bits.SLL_PKT_TOO_SMALL)
    return _cooked(walk, u16(walk.take(16), 14))


def sll2(walk: Walk) -> Step:
    """LINKTYPE_LINUX_SLL2."""
    if walk.left() < 20:
        return _truncated(walk, bits.SLL_PKT_TOO_SMALL)
    return _cooked(walk, u16(walk.take(20), 0))


def _cooked(walk: Walk, protocol: int) -> Step:
    return Step.LLC if protocol == SLL_LLC else _dispatch(walk, protocol)


def null(walk: Walk) -> Step:
    """LINKTYPE_NULL and LINKTYPE_LOOP: an address family, in the byte order of the machine that captured."""
    if walk.left() < 4:
        return _truncated(walk, bits.LTNULL_PKT_TOO_SMALL)
    raw = walk.take(4)
    family = u32(raw, 0)
    if family > 0xFFFF:
        family = int.from_bytes(raw, "little") & 0xFFFF
    if family == AF_INET:
        return walk.ip_step(Step.IPV4)
    if family in AF_INET6:
        return walk.ip_step(Step.IPV6)
    return _truncated(walk, bits.LTNULL_UNSUPPORTED_TYPE)


def raw_ip(walk: Walk) -> Step:
    """LINKTYPE_RAW, and those of one version: the version nibble tells. What is shorter than IPv4's header is no IP."""
    if walk.left() < 20:
        return _truncated(walk, bits.IPV4_PKT_TOO_SMALL)
    version = walk.frame[walk.pos] >> 4
    if version == 4:
        return walk.ip_step(Step.IPV4)
    if version == 6:
        return walk.ip_step(Step.IPV6)
    return _truncated(walk, bits.IPRAW_INVALID_IP_VERSION)


def hdlc(walk: Walk) -> Step:
    """Cisco HDLC."""
    if walk.left() < 4:
        return _truncated(walk, bits.CHDLC_PKT_TOO_SMALL)
    return _dispatch(walk, u16(walk.take(4), 2))


def ppp_hdlc(walk: Walk) -> Step:
    """LINKTYPE_PPP and LINKTYPE_PPP_HDLC: PPP, or Cisco HDLC by its address byte."""
    if walk.left() > 0 and walk.frame[walk.pos] in {0x0F, 0x8F}:
        return hdlc(walk)
    return ppp(walk)


def opaque(walk: Walk) -> Step:
    """Give up: what is left is payload."""
    return walk.close_row(walk.pos, walk.end)
