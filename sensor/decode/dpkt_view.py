"""Packets through dpkt: a third decoder for comparison, and the object tree of one packet for people.

dpkt reads every fixed header. The chain of headers is walked by the reference's steps, because dpkt 1.9.8 is
wrong or lacking there: IPv6 extension headers (AttributeError on Fragment before Destination Options; later
fragments behind Hop-by-Hop decoded as TCP; 1 ms for a long chain), MPLS without payload (IndexError), three
VLAN tags, ERSPAN, VXLAN and GENEVE (unknown), SCTP chunks of length 0.
"""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import dpkt
import numpy as np

from sensor.decode.headers import Arp, Ipv4, Ipv6, Tcp
from sensor.decode.limits import DecodeOptions
from sensor.decode.reference import decode_block_with, decode_packet
from sensor.decode.transport import GRE, ICMP, ICMPV6, TCP, UDP
from sensor.decode.walk import ETH_ARP, Decoded
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock


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


class PacketView:
    """One row's packet as dpkt objects, each parsed when first asked for; None where row or dpkt has none.

    Offsets come from the row: what dpkt is wrong about (extension headers, tunnels) misleads nobody.
    """

    def __init__(self, buf: np.ndarray, row: np.void, linktype: int) -> None:
        self._buf = buf
        self._row = row
        self._linktype = linktype

    def _bytes(self, start: str, length: int) -> bytes:
        at = int(self._row[start])
        return self._buf[at : at + length].tobytes() if at >= 0 else b""

    def _message(self) -> bytes:
        return self._bytes("l4", int(self._row["pay"]) + int(self._row["paylen"]) - int(self._row["l4"]))

    def _parsed(self, kind: Callable[[bytes], Any], proto: int, ipv: int = 0) -> Any:  # noqa: ANN401 - dpkt has no types
        row = self._row
        wanted = row["ipv"] and row["proto"] == proto and row["l4"] >= 0 and ipv in {0, int(row["ipv"])}
        return _try(kind, self._message()) if wanted else None

    @cached_property
    def payload(self) -> bytes:
        """Bytes behind the innermost decoded header."""
        return self._bytes("pay", int(self._row["paylen"]))

    @cached_property
    def ethernet(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """The Ethernet header of the row's frame (`dpkt.ethernet.Ethernet`, header only)."""
        row = self._row
        framed = self._linktype == LINKTYPE_ETHERNET if row["tunnel"] == 0 else row["l3"] - row["l2"] >= 14
        return _try(partial(_fixed, dpkt.ethernet.Ethernet), self._bytes("l2", 14)) if framed else None

    @cached_property
    def arp(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.arp.ARP`."""
        return _try(dpkt.arp.ARP, self._bytes("l3", 28)) if self._row["ethertype"] == ETH_ARP else None

    @cached_property
    def ip(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.ip.IP` or `dpkt.ip6.IP6` with the transport object, or the payload, as its data."""
        if self._row["ipv"] == 0:
            return None
        four = self._row["ipv"] == 4
        header = _try(
            partial(_fixed, dpkt.ip.IP if four else dpkt.ip6.IP6), self._bytes("l3", 20 if four else 40)
        )
        if header is not None:
            header.p = int(self._row["proto"])
            header.data = next((part for part in self._transports() if part is not None), self.payload)
        return header

    def _transports(self) -> Iterator[Any]:
        yield self.tcp
        yield self.udp
        yield self.icmp
        yield self.icmp6
        yield self.gre

    @cached_property
    def tcp(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.tcp.TCP`."""
        return self._parsed(dpkt.tcp.TCP, TCP)

    @cached_property
    def udp(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.udp.UDP`."""
        return self._parsed(dpkt.udp.UDP, UDP)

    @cached_property
    def icmp(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.icmp.ICMP`, quoted packets included."""
        return self._parsed(dpkt.icmp.ICMP, ICMP, ipv=4)

    @cached_property
    def icmp6(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.icmp6.ICMP6`."""
        return self._parsed(dpkt.icmp6.ICMP6, ICMPV6, ipv=6)

    @cached_property
    def gre(self) -> Any:  # noqa: ANN401 - dpkt has no types
        """`dpkt.gre.GRE`, header only."""
        return self._parsed(partial(_fixed, dpkt.gre.GRE), GRE)


def _try(parse: Callable[[bytes], Any], raw: bytes) -> Any:  # noqa: ANN401 - dpkt has no types
    try:
        return parse(raw)
    except Exception:  # noqa: BLE001 - isolates one packet: dpkt raises IndexError, AttributeError and more
        return None


def packet_view(buf: np.ndarray, row: np.void, linktype: int = LINKTYPE_ETHERNET) -> PacketView:
    """Return the view of one row (an element of ROW[n]) whose offsets are in `buf`; borrows both."""
    return PacketView(buf, row, linktype)
