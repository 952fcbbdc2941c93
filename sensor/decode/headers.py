"""The header fields that decoding uses, and how to read them with `struct`.

Each reader is handed exactly the bytes of the fixed header; lengths are the caller's business.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

_U16 = struct.Struct("!H")
_TAG = struct.Struct("!HH")
_U32 = struct.Struct("!I")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_IPV4 = struct.Struct("!BBHHHBBHII")
_IPV6 = struct.Struct("!IHBBQQQQ")
_TCP = struct.Struct("!HHIIBBHHH")
_UDP = struct.Struct("!HHHH")


class Arp(NamedTuple):
    """RFC 826, for Ethernet and IPv4."""

    htype: int
    ptype: int
    hlen: int
    plen: int
    op: int
    sender: int
    target: int


class Ipv4(NamedTuple):
    """RFC 791. hlen in bytes; flags: the three flags and the offset."""

    version: int
    hlen: int
    tos: int
    total: int
    ident: int
    flags: int
    ttl: int
    proto: int
    src: int
    dst: int


class Ipv6(NamedTuple):
    """RFC 8200."""

    version: int
    traffic_class: int
    payload: int
    next_header: int
    hop_limit: int
    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int


class Tcp(NamedTuple):
    """RFC 9293. hlen in bytes."""

    sport: int
    dport: int
    seq: int
    ack: int
    hlen: int
    flags: int
    win: int
    urg: int


class HeaderReader(Protocol):
    """Reads fixed headers."""

    def ethernet(self, raw: bytes) -> int:
        """14 bytes: the type or length field."""

    def vlan(self, raw: bytes) -> tuple[int, int]:
        """4 bytes behind the TPID: VLAN id, ethertype."""

    def mpls(self, raw: bytes) -> tuple[int, bool]:
        """4 bytes: label, bottom of stack."""

    def arp(self, raw: bytes) -> Arp:
        """28 bytes."""

    def ipv4(self, raw: bytes) -> Ipv4:
        """20 bytes."""

    def ipv6(self, raw: bytes) -> Ipv6:
        """40 bytes."""

    def tcp(self, raw: bytes) -> Tcp:
        """20 bytes."""

    def udp(self, raw: bytes) -> tuple[int, int, int]:
        """8 bytes: ports and length."""

    def sctp(self, raw: bytes) -> tuple[int, int]:
        """12 bytes: ports."""

    def icmp(self, raw: bytes) -> tuple[int, int]:
        """4 bytes: type and code."""

    def gre(self, raw: bytes) -> tuple[int, int]:
        """4 bytes: flags and protocol."""


class StructReader:
    """The reference."""

    def ethernet(self, raw: bytes) -> int:
        """See HeaderReader."""
        return u16(raw, 12)

    def vlan(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        tci, ethertype = _TAG.unpack(raw)
        return tci & 0xFFF, ethertype

    def mpls(self, raw: bytes) -> tuple[int, bool]:
        """See HeaderReader."""
        entry = u32(raw, 0)
        return entry >> 12, bool(entry & 0x100)

    def arp(self, raw: bytes) -> Arp:
        """See HeaderReader."""
        htype, ptype, hlen, plen, op, _, sender, _, target = _ARP.unpack(raw)
        return Arp(htype, ptype, hlen, plen, op, int.from_bytes(sender), int.from_bytes(target))

    def ipv4(self, raw: bytes) -> Ipv4:
        """See HeaderReader."""
        first, tos, total, ident, flags, ttl, proto, _, src, dst = _IPV4.unpack(raw)
        return Ipv4(first >> 4, (first & 15) * 4, tos, total, ident, flags, ttl, proto, src, dst)

    def ipv6(self, raw: bytes) -> Ipv6:
        """See HeaderReader."""
        first, payload, next_header, hop_limit, *addresses = _IPV6.unpack(raw)
        return Ipv6(first >> 28, first >> 20 & 0xFF, payload, next_header, hop_limit, *addresses)

    def tcp(self, raw: bytes) -> Tcp:
        """See HeaderReader."""
        sport, dport, seq, ack, offset, flags, win, _, urg = _TCP.unpack(raw)
        return Tcp(sport, dport, seq, ack, (offset >> 4) * 4, flags, win, urg)

    def udp(self, raw: bytes) -> tuple[int, int, int]:
        """See HeaderReader."""
        sport, dport, length, _ = _UDP.unpack(raw)
        return sport, dport, length

    def sctp(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        return u16(raw, 0), u16(raw, 2)

    def icmp(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        return raw[0], raw[1]

    def gre(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        return u16(raw, 0), u16(raw, 2)


def u16(raw: bytes, at: int) -> int:
    """Big-endian 16 bits."""
    return int(_U16.unpack_from(raw, at)[0])


def u32(raw: bytes, at: int) -> int:
    """Big-endian 32 bits."""
    return int(_U32.unpack_from(raw, at)[0])
