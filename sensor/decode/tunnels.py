"""The reference's tunnels: each function reads a header where the walk stands, says what is inside."""

from __future__ import annotations

from sensor.decode import bits
from sensor.decode.headers import u16, u32
from sensor.decode.walk import (
    ETH_IPV4,
    ETH_IPV6,
    ETH_PPP,
    STEP_OF_ETHERTYPE,
    Step,
    Tunnel,
    Walk,
    ethernet_fits,
    version_fits,
)
from sensor.model.rows import TUNNEL_ERSPAN, TUNNEL_GENEVE, TUNNEL_GRE, TUNNEL_IPIP, TUNNEL_TEREDO, TUNNEL_VXLAN

GRE_CHECKSUM, GRE_ROUTING, GRE_KEY, GRE_SEQUENCE, GRE_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
ERSPAN, ERSPAN_III = 0x88BE, 0x22EB
"""GRE protocols of draft-foschiano-erspan."""
_ORIGIN, IPV6_HEADER = 8, 40


def ip_in_ip(walk: Walk, proto: int) -> Tunnel | None:
    """IPv4 (RFC 2003) or IPv6 (RFC 4213) in IP."""
    if walk.left() == 0:
        return None
    if proto == 4:
        return Tunnel(Step.IPV4, walk.pos, walk.end, TUNNEL_IPIP, ethertype=ETH_IPV4)
    return Tunnel(Step.IPV6, walk.pos, walk.end, TUNNEL_IPIP, ethertype=ETH_IPV6)


def vxlan(walk: Walk) -> Tunnel | None:
    """RFC 7348. A datagram to the port that is something else stays a datagram."""
    if walk.left() < 8:
        walk.flag(bits.VXLAN_TRUNCATED)
        return None
    inner = walk.pos + 8
    if not walk.frame[walk.pos] & 0x08 or not ethernet_fits(walk.frame, inner, walk.end):
        walk.flag(bits.VXLAN_UNKNOWN_PAYLOAD)
        return None
    vni = u32(walk.frame, walk.pos + 4) >> 8
    return Tunnel(Step.ETHERNET, inner, walk.end, TUNNEL_VXLAN, vni)


def geneve(walk: Walk) -> Tunnel | None:
    """RFC 8926."""
    head = walk.frame[walk.pos : min(walk.end, walk.pos + 8)]
    if len(head) < 8 or walk.left() < 8 + (head[0] & 0x3F) * 4:
        walk.flag(bits.GENEVE_TRUNCATED)
        return None
    inner = walk.pos + 8 + (head[0] & 0x3F) * 4
    ethertype = u16(head, 2)
    step = STEP_OF_ETHERTYPE.get(ethertype)
    if step is Step.ETHERNET:
        known = ethernet_fits(walk.frame, inner, walk.end)
    else:
        known = step is not None and version_fits(walk.frame, inner, walk.end, step)
    if head[0] >> 6 or not known or step is None:
        walk.flag(bits.GENEVE_UNKNOWN_PAYLOAD)
        return None
    return Tunnel(step, inner, walk.end, TUNNEL_GENEVE, u32(head, 4) >> 8, ethertype)


def teredo(walk: Walk) -> Tunnel | None:
    """RFC 4380: IPv6 in a datagram, behind an origin indication or nothing."""
    at = walk.pos
    if walk.left() >= _ORIGIN + IPV6_HEADER and walk.frame[at : at + 2] == b"\0\0":
        at += _ORIGIN
    left = walk.end - at
    if left < IPV6_HEADER or not version_fits(walk.frame, at, walk.end, Step.IPV6):
        return None
    if IPV6_HEADER + u16(walk.frame, at + 4) != left:
        return None
    return Tunnel(Step.IPV6, at, walk.end, TUNNEL_TEREDO, ethertype=ETH_IPV6)


def gre(walk: Walk) -> Tunnel | None:
    """RFC 2784 with key and sequence (RFC 2890), PPTP's version 1 (RFC 2637), ERSPAN."""
    start = walk.pos
    if walk.left() < 4:
        walk.flag(bits.GRE_PKT_TOO_SMALL)
        return None
    flags, protocol = walk.reader.gre(walk.frame[start : start + 4])
    length = _gre_length(flags, protocol)
    if length is None:
        walk.flag(bits.GRE_UNSUPPORTED)
        walk.row.l4 = start
        walk.pos += 4
        return None
    if length > walk.left():
        walk.flag(bits.GRE_PKT_TOO_SMALL)
        return None
    walk.row.l4 = start
    walk.pos += length
    if flags & 7 == 1:
        return _pptp(walk, start)
    if walk.left() == 0:
        return None
    if protocol == ERSPAN:
        return _erspan_2(walk) if flags & GRE_SEQUENCE else _erspan(walk, Step.ETHERNET, 0)
    if protocol == ERSPAN_III:
        return _erspan_3(walk)
    step = STEP_OF_ETHERTYPE.get(protocol)
    if step is None:
        walk.flag(bits.GRE_UNSUPPORTED)
        return None
    key_at = start + (8 if flags & GRE_CHECKSUM else 4)
    key = u32(walk.frame, key_at) if flags & GRE_KEY else 0
    return Tunnel(step, walk.pos, walk.end, TUNNEL_GRE, key, protocol)


def _gre_length(flags: int, protocol: int) -> int | None:
    """Return the bytes of the header, None where the form is not supported."""
    version = flags & 7
    if version == 0 and not flags & GRE_ROUTING:
        optional = GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE
    elif version == 1 and protocol == ETH_PPP and flags & GRE_KEY:
        optional = GRE_KEY | GRE_SEQUENCE | GRE_ACK
    else:
        return None
    return 4 + 4 * (flags & optional).bit_count()


def _pptp(walk: Walk, start: int) -> Tunnel | None:
    length, call = u16(walk.frame, start + 4), u16(walk.frame, start + 6)
    end = min(walk.end, walk.pos + length)
    return Tunnel(Step.PPP, walk.pos, end, TUNNEL_GRE, call) if end > walk.pos else None


def _erspan(walk: Walk, step: Step, session: int, vlan: int | None = None) -> Tunnel | None:
    if walk.left() == 0:
        return None
    return Tunnel(step, walk.pos, walk.end, TUNNEL_ERSPAN, session, vlan=vlan)


def _erspan_2(walk: Walk) -> Tunnel | None:
    if walk.left() < 8:
        walk.flag(bits.ERSPAN_TRUNCATED)
        return None
    version_vlan, session = u16(walk.frame, walk.pos), u16(walk.frame, walk.pos + 2)
    if version_vlan >> 12 != 1:
        walk.flag(bits.ERSPAN_UNSUPPORTED)
        return None
    walk.pos += 8
    taken_out = session >> 11 & 3 in {1, 2}  # 3: the tag is still in the frame
    return _erspan(walk, Step.ETHERNET, session & 0x3FF, version_vlan & 0xFFF if taken_out else None)


def _erspan_3(walk: Walk) -> Tunnel | None:
    head = walk.frame[walk.pos : min(walk.end, walk.pos + 12)]
    length = 20 if len(head) == 12 and head[11] & 1 else 12
    if walk.left() < length:
        walk.flag(bits.ERSPAN_TRUNCATED)
        return None
    step = {0: Step.ETHERNET, 2: Step.RAW}.get(u16(head, 10) >> 10 & 0x1F)
    if head[0] >> 4 != 2 or step is None:
        walk.flag(bits.ERSPAN_UNSUPPORTED)
        return None
    walk.pos += length
    return _erspan(walk, step, u16(head, 2) & 0x3FF)
