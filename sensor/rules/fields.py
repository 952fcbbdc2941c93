"""The numbers of a packet or flow that a rule may test: name, form, range.

One table: the loader checks by it, the JSON Schema is made from it, `docs/rules.md` lists it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from sensor.model.anomaly import AppAnomaly, DecodeAnomaly, StreamAnomaly
from sensor.model.details import Detail
from sensor.model.rows import (
    CSUM_NAMES,
    STREAM_IGNORED,
    STREAM_INORDER,
    STREAM_NONE,
    STREAM_OLD,
    STREAM_PARTIAL,
    STREAM_QUEUED,
    TUNNEL_NAMES,
)
from sensor.model.tcpevents import TcpEvent
from sensor.proto.registry import APP_ID, NUMBERS, PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER, NAME, BITS, FLAG = "number", "name", "bits", "flag"
"""Forms of a test: a comparison; equality with a name; bits wanted; true or false."""

_U8, _U16, _U32, _U63 = 0xFF, 0xFFFF, 0xFFFFFFFF, (1 << 63) - 1


class HeaderField(msgspec.Struct, frozen=True):
    """A field of `HeaderTest`."""

    name: str
    help: str
    high: int = _U8
    """Largest value."""
    form: str = NUMBER
    names: Mapping[str, int] = MappingProxyType({})
    """Words for values (NAME, NUMBER), or letters for bits (BITS)."""
    aliases: tuple[str, ...] = ()
    packet: bool = True
    """It belongs to one packet: a rule that tests it is judged on packets, not on the stream."""


TCP_FLAGS = MappingProxyType({"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128})
"""RFC 9293 section 3.1: the flag byte, FIN first."""
FRAG_BITS = MappingProxyType({"M": 1, "D": 2, "R": 4})
"""RFC 791 section 3.1: the three-bit field; more fragments, don't fragment, reserved."""
_PROTOCOLS = MappingProxyType(
    {
        "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
        "icmpv6": 58, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
        "ip": 0, "ggp": 3, "ipencap": 4, "st": 5, "egp": 8, "igp": 9, "pup": 12, "hmp": 20, "xns-idp": 22, "rdp": 27,
        "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6-route": 43, "ipv6-frag": 44,
        "idrp": 45, "rsvp": 46, "skip": 57, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "vmtp": 81,
        "eigrp": 88, "ax.25": 93, "etherip": 97, "encap": 98, "ipcomp": 108, "isis": 124, "fc": 133,
        "mobility-header": 135, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142,
    }
)  # fmt: skip
"""As protocols(5) has them; the first name of a number is the one that is shown."""
_OPCODES = MappingProxyType({"request": 1, "reply": 2})
_TUNNELS = MappingProxyType({name: number for number, name in enumerate(TUNNEL_NAMES)})
_SEGMENTS = MappingProxyType(
    {
        "none": STREAM_NONE,
        "in-order": STREAM_INORDER,
        "partial": STREAM_PARTIAL,
        "queued": STREAM_QUEUED,
        "old": STREAM_OLD,
        "ignored": STREAM_IGNORED,
    }
)
"""None: there is no payload, or it is not TCP; ignored: it is not in any stream."""
_EVENTS = MappingProxyType({one.event: int(one) for one in (*DecodeAnomaly, *Detail)})

_CHECKSUMS = MappingProxyType({name: number for number, name in enumerate(CSUM_NAMES)})
IP_OPTIONS = MappingProxyType(
    {
        "eol": 0, "nop": 1, "rr": 7, "ts": 68, "sec": 130, "lsrr": 131, "esec": 133, "satid": 136, "ssrr": 137,
    }
)  # fmt: skip
"""RFC 791 section 3.1, RFC 1108: the type byte of an option."""
SEVERAL = frozenset({"decode.event", "tcp.event", "ip.options"})
"""Fields of which a packet may have several values: the number is a set of bits, a test names one of them."""

APP_EVENT = "app.event"
"""What a parser of an application protocol found odd."""
APP_PROTOCOL = "app.protocol"
_APPS = MappingProxyType({**APP_ID, "failed": 255})
"""Numbers of protocols; failed: none that is known."""
APP_TOLD = "app.told"
"""The packet is the first of its side after its bytes have told the protocol."""
IP_PROTOCOL = "ip.proto"
TCP_EVENT = "tcp.event"
"""What is odd about single segments."""
_TCP_EVENTS = MappingProxyType({one.event: int(one) for one in TcpEvent})
STREAM_EVENT = "stream.event"
"""What the flow table finds odd in a TCP connection."""
_STREAM_EVENTS = MappingProxyType({anomaly.event: int(anomaly) for anomaly in StreamAnomaly})
_APP_EVENTS = MappingProxyType({
    **{one.event: int(one) for spec in PROTOCOLS for one in spec.events},
    **{one.event: int(one) for one in (
        AppAnomaly.PROTOCOL_MISMATCH, AppAnomaly.DETECT_PROTOCOL_ONLY_ONE_DIRECTION,
        AppAnomaly.WRONG_DIRECTION_FIRST_DATA, AppAnomaly.PROTO_DETECTION_SKIPPED, AppAnomaly.PARSER_ERROR,
    )},
})  # fmt: skip

_OF_PACKETS: tuple[HeaderField, ...] = (
    HeaderField("ip.ttl", "time to live, or hop limit", aliases=("ttl",)),
    HeaderField("ip.tos", "type of service, or traffic class", aliases=("tos",)),
    HeaderField("ip.id", "IPv4 identification, or the IPv6 fragment's", _U32, aliases=("id",)),
    HeaderField(
        IP_PROTOCOL, "protocol of the innermost decoded header, of fragments of IPv6 44", names=_PROTOCOLS,
        aliases=("ip_proto",),
    ),
    HeaderField("ip.version", "4 or 6", 15),
    HeaderField("ip.len", "bytes of the IP packet", _U32),
    HeaderField("ip.fragbits", "IPv4 flag bits: M, D, R", 7, BITS, FRAG_BITS, ("fragbits",)),
    HeaderField("ip.fragoffset", "fragment offset in units of 8 bytes", 8191, aliases=("fragoffset",)),
    HeaderField("ip.options", "each option of the IPv4 header", _U8, NAME, IP_OPTIONS),
    HeaderField("ip.checksum", "state of the IPv4 header's checksum", 3, NAME, _CHECKSUMS),
    HeaderField("l4.checksum", "state of the checksum of TCP, UDP or ICMP", 3, NAME, _CHECKSUMS),
    HeaderField("ip.reassembled", "the packet was put together from fragments", 1, FLAG, packet=False),
    HeaderField("same_ip", "source and destination address are equal", 1, FLAG, aliases=("sameip",)),
    HeaderField("tcp.flags", "flag bits: F S R P A U E C", _U8, BITS, TCP_FLAGS, ("flags",)),
    HeaderField("tcp.seq", "sequence number", _U32, aliases=("seq",)),
    HeaderField("tcp.ack", "acknowledgment number", _U32, aliases=("ack",)),
    HeaderField("tcp.window", "window as sent, not scaled", _U16, aliases=("window",)),
    HeaderField("tcp.mss", "maximum segment size option", _U16),
    HeaderField("tcp.segment", "what became of the payload", names=_SEGMENTS, form=NAME),
    HeaderField("udp.len", "length field of the UDP header", _U16),
    HeaderField("icmp.type", "ICMP or ICMPv6 type", aliases=("itype",)),
    HeaderField("icmp.code", "ICMP or ICMPv6 code", aliases=("icode",)),
    HeaderField("icmp.id", "identifier of an echo", _U16, aliases=("icmp_id",)),
    HeaderField("icmp.seq", "sequence number of an echo", _U16, aliases=("icmp_seq",)),
    HeaderField("icmp.mtu", "MTU that an ICMPv6 Packet Too Big names", _U32),
    HeaderField("payload.size", "bytes of the packet's payload", _U32, aliases=("dsize",)),
    HeaderField("vlan.id", "id of the outermost VLAN tag", 4095, packet=False),
    HeaderField("vlan.layers", "number of VLAN tags", packet=False),
    HeaderField("arp.opcode", "ARP operation", _U16, names=_OPCODES),
    HeaderField("stream.size.to_server", "bytes of the client's stream so far", _U63, packet=False),
    HeaderField("stream.size.to_client", "bytes of the server's stream so far", _U63, packet=False),
    HeaderField("flow.age", "seconds since the flow's first packet", _U32, packet=False),
    HeaderField("flow.pkts.to_server", "packets of the client so far", _U32, packet=False),
    HeaderField("flow.pkts.to_client", "packets of the server so far", _U32, packet=False),
    HeaderField("flow.bytes.to_server", "bytes of the client's packets so far", _U63, packet=False),
    HeaderField("flow.bytes.to_client", "bytes of the server's packets so far", _U63, packet=False),
    HeaderField("decode.event", "what is odd in a packet, by its name", 255, NAME, _EVENTS, ("decode-event",)),
    HeaderField(TCP_EVENT, "what is odd about a TCP segment in its connection, by its name", 63, NAME, _TCP_EVENTS),
    HeaderField(APP_PROTOCOL, "protocol that the side speaks, once it is known", 255, NAME, _APPS, (), False),
    HeaderField(APP_TOLD, "the side's first packet after its bytes have told the protocol", 1, FLAG),
    HeaderField(STREAM_EVENT, "what is odd in a TCP connection, by its name", 63, NAME, _STREAM_EVENTS, (), False),
    HeaderField(APP_EVENT, "what the parser of a protocol finds odd, by its name", _U16, NAME, _APP_EVENTS, (), False),
    HeaderField("tunnel.kind", "tunnel that the packet came out of", names=_TUNNELS, form=NAME, packet=False),
)

FIELDS: tuple[HeaderField, ...] = (
    *_OF_PACKETS,
    *(HeaderField(n.name, n.help, n.high, NUMBER, n.names, n.aliases, False) for ((_, n), *_) in NUMBERS.values()),
)
"""Fields of packets and flows, then numbers of transactions."""

BY_NAME: Mapping[str, HeaderField] = MappingProxyType(
    {name: field for field in FIELDS for name in (field.name, *field.aliases)}
)
"""Names and aliases."""
