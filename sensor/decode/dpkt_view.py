"""Packets through dpkt: a third decoder, for comparison and for `--no-triage`.

dpkt reads every fixed header. The chain of headers is walked by the reference's steps, because dpkt 1.9.8 is
wrong or lacking there: IPv6 extension headers (AttributeError on Fragment before Destination Options; later
fragments behind Hop-by-Hop decoded as TCP; 1 ms for a long chain), MPLS without payload (IndexError), three
VLAN tags, ERSPAN, VXLAN and GENEVE (unknown), SCTP chunks of length 0.
"""

from typing import Any

import dpkt
import numpy as np

from sensor.decode.headers import Arp, Ipv4, Ipv6, Tcp
from sensor.decode.limits import DecodeOptions
from sensor.decode.reference import decode_block_with, decode_packet
from sensor.decode.walk import Decoded
from sensor.model.block import PacketBlock


def _fixed(kind: type, raw: bytes) -> Any:  # noqa: ANN401 - dpkt has no types
    """Read only the fixed header, as dpkt describes it; the classes' own `unpack` would go on."""
    packet = kind()
    dpkt.Packet.unpack(packet, raw)
    return packet


class DpktReader:
    """Fixed headers by dpkt."""

    def ethernet(self, raw: bytes) -> int:
        """See HeaderReader."""
        return int(_fixed(dpkt.ethernet.Ethernet, raw).type)

    def vlan(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        tag = dpkt.ethernet.VLANtag8021Q(raw)
        return tag.id, tag.type

    def mpls(self, raw: bytes) -> tuple[int, bool]:
        """See HeaderReader."""
        label = dpkt.ethernet.MPLSlabel(raw)
        return label.val, bool(label.s)

    def arp(self, raw: bytes) -> Arp:
        """See HeaderReader."""
        p = dpkt.arp.ARP(raw)
        return Arp(p.hrd, p.pro, p.hln, p.pln, p.op, int.from_bytes(p.spa), int.from_bytes(p.tpa))

    def ipv4(self, raw: bytes) -> Ipv4:
        """See HeaderReader."""
        p = _fixed(dpkt.ip.IP, raw)
        flags = (p.rf << 15) | (p.df << 14) | (p.mf << 13) | p.offset
        src, dst = int.from_bytes(p.src), int.from_bytes(p.dst)
        return Ipv4(p.v, p.hl * 4, p.tos, p.len, p.id, flags, p.ttl, p.p, src, dst)

    def ipv6(self, raw: bytes) -> Ipv6:
        """See HeaderReader."""
        p = _fixed(dpkt.ip6.IP6, raw)
        words = [int.from_bytes(a[i : i + 8]) for a in (p.src, p.dst) for i in (0, 8)]
        return Ipv6(p.v, p.fc, p.plen, p.nxt, p.hlim, *words)

    def tcp(self, raw: bytes) -> Tcp:
        """See HeaderReader."""
        p = _fixed(dpkt.tcp.TCP, raw)
        return Tcp(p.sport, p.dport, p.seq, p.ack, p.off * 4, p.flags & 0xFF, p.win, p.urp)

    def udp(self, raw: bytes) -> tuple[int, int, int]:
        """See HeaderReader."""
        p = dpkt.udp.UDP(raw)
        return p.sport, p.dport, p.ulen

    def sctp(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        p = _fixed(dpkt.sctp.SCTP, raw)
        return p.sport, p.dport

    def icmp(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        p = _fixed(dpkt.icmp.ICMP, raw)
        return p.type, p.code

    def gre(self, raw: bytes) -> tuple[int, int]:
        """See HeaderReader."""
        p = _fixed(dpkt.gre.GRE, raw)
        return p.flags, p.p


def decode_packet_dpkt(frame: bytes, linktype: int, **how: Any) -> list[Decoded]:  # noqa: ANN401 - passed through
    """`decode_packet` with dpkt's headers; where dpkt raises, the reference counts."""
    try:
        return decode_packet(frame, linktype, reader=DpktReader(), **how)
    except Exception:  # noqa: BLE001 - isolates one packet: dpkt raises IndexError, AttributeError and more
        return decode_packet(frame, linktype, **how)


def decode_block_dpkt(block: PacketBlock, *, verify_checksums: bool, options: DecodeOptions) -> np.ndarray:
    """Return the rows of a block, ROW[m], equal to those of `decode_block`."""
    return decode_block_with(decode_packet_dpkt, block, verify_checksums=verify_checksums, options=options)
