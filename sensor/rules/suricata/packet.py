"""Numbers of the packet's headers: ttl, flags, itype, dsize and their like."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.model.anomaly import STREAM_OTHERWISE
from sensor.model.rows import CSUM_BAD
from sensor.rules import fields
from sensor.rules.check import NEVER
from sensor.rules.nodes import All, Any, HeaderTest, Not
from sensor.rules.suricata.icmpevents import EVENTS
from sensor.rules.suricata.numbers import comparison, integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensor.rules.nodes import AnyNode
    from sensor.rules.suricata.draft import Draft

_TCP = 6
_SYN = 0x02
_FLAGS = re.compile(
    r"(?P<before>[!*+]?)\s*(?P<bits>[A-Z0-9]+)\s*(?P<after>[!*+]?)(?:\s*,\s*(?P<ignored>[A-Z0-9]+))?", re.IGNORECASE
)
_FRAGBITS = re.compile(r"(?P<before>[!*+]?)\s*(?P<bits>[MDR]+)\s*(?P<after>[!*+]?)", re.IGNORECASE)
_LETTERS: Mapping[str, int] = MappingProxyType({**fields.TCP_FLAGS, "1": 128, "2": 64, "0": 0})
_KINDS = (0x07, 0xE0)
"""SYN, FIN, RST; URG, ECE, CWR. A rule that names one is about packets with one of the same kind, as in Suricata."""

NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "ttl": "ip.ttl",
        "id": "ip.id",
        "ip_proto": "ip.proto",
        "fragoffset": "ip.fragoffset",
        "seq": "tcp.seq",
        "tcp.seq": "tcp.seq",
        "ack": "tcp.ack",
        "tcp.ack": "tcp.ack",
        "window": "tcp.window",
        "tcp.window": "tcp.window",
        "tcp.mss": "tcp.mss",
        "itype": "icmp.type",
        "icode": "icmp.code",
        "icmp_id": "icmp.id",
        "icmp_seq": "icmp.seq",
        "icmpv6.mtu": "icmp.mtu",
        "dsize": "payload.size",
        "flow.age": "flow.age",
        "flow.pkts_toserver": "flow.pkts.to_server",
        "flow.pkts_toclient": "flow.pkts.to_client",
        "flow.bytes_toserver": "flow.bytes.to_server",
        "flow.bytes_toclient": "flow.bytes.to_client",
        "vlan.id": "vlan.id",
        "vlan.layers": "vlan.layers",
    }
)
"""Keyword → field of `HeaderTest`, where the value is a comparison."""


def number(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of a comparison with a field."""
    field = fields.BY_NAME[name]

    def handle(draft: Draft, value: str) -> None:
        found = comparison(value.strip('"'), field.high, field.names)
        draft.conditions.append(HeaderTest(field.name, found.op, found.low, found.high))
        if field.name == "payload.size" and found.op == "!=":
            draft.conditions.append(HeaderTest(field.name, ">", 0))  # a packet without payload has no size

    return handle


def tos(draft: Draft, value: str) -> None:
    """`tos:8`, `tos:!8`, `tos:x1f`."""
    negated = value.startswith("!")
    text = value.lstrip("! ")
    wanted = integer(f"0{text}" if text.startswith("x") else text, 0, 255)
    # The traffic class of IPv6 has another name there.
    draft.conditions += (HeaderTest("ip.version", "=", 4), HeaderTest("ip.tos", "!=" if negated else "=", wanted))


def _bits(text: str, letters: Mapping[str, int]) -> int:
    bits = 0
    for letter in text.upper():
        if letter not in letters:
            raise Refused(f"unknown bit '{letter}'", "".join(letters))
        bits |= letters[letter]
    return bits


def _bit_test(field: str, modifier: str, wanted: int, mask: int) -> AnyNode:
    """Return the test; `!` is "not all of these", as in Suricata, which is "none" for a single bit."""
    if modifier == "!":
        if wanted & (wanted - 1):
            there = HeaderTest(field, "any", 0xFF & ~mask), HeaderTest(field, "exact", 0, mask=mask)
            return All((Any(there), Not(HeaderTest(field, "all", wanted, mask=mask))))
        return HeaderTest(field, "none", wanted, mask=mask) if wanted else HeaderTest(field, "any", 0xFF & ~mask)
    return HeaderTest(field, {"+": "all", "*": "any", "": "exact"}[modifier], wanted, mask=mask)


def _named_kinds(modifier: str, wanted: int) -> Iterator[AnyNode]:
    """Yield what Suricata asks of packets beside the test itself: see `_KINDS`; `*` with SYN among others wants SYN."""
    if modifier == "*" and wanted & _SYN and wanted != _SYN:
        yield HeaderTest("tcp.flags", "any", _SYN)
    for kind in _KINDS:
        if wanted & kind and (modifier == "!" or (modifier == "*" and wanted & ~kind)):
            yield HeaderTest("tcp.flags", "any", kind)


def flags(draft: Draft, value: str) -> None:
    """`flags:[!|*|+]FSRPAU120[,ignored]`: 1 and 2 are C and E, 0 is no flag at all."""
    found = _FLAGS.fullmatch(value)
    if found is None:
        raise Refused(f"'{value[:20]}' names no flags", "flags:S,12")
    modifier = found["before"] or found["after"]
    mask = _bits(found["ignored"] or "", _LETTERS)
    wanted = _bits(found["bits"], _LETTERS) & ~mask
    draft.conditions.append(_bit_test("tcp.flags", modifier, wanted, mask))
    draft.conditions += _named_kinds(modifier, wanted)
    if draft.proto in ("ip", "pkthdr"):
        draft.conditions.append(HeaderTest("ip.proto", "=", _TCP))


def fragbits(draft: Draft, value: str) -> None:
    """`fragbits:[!|*|+]MDR`: + is these and more; a sign behind the letters says nothing, as in Suricata."""
    found = _FRAGBITS.fullmatch(value)
    if found is None:
        raise Refused(f"'{value[:20]}' names no bits", "fragbits:M")
    wanted = _bits(found["bits"], fields.FRAG_BITS)
    draft.conditions.append(_bit_test("ip.fragbits", found["before"], wanted, 0))
    if found["before"] == "+":
        draft.conditions.append(HeaderTest("ip.fragbits", "any", 7 & ~wanted))


def same_ip(draft: Draft, value: str) -> None:
    """`sameip`."""
    if value:
        raise Refused("takes no value")
    draft.conditions.append(HeaderTest("same_ip", "=", 1))


def stream_size(draft: Draft, value: str) -> None:
    """`stream_size:client|server|both|either,op,size`: bytes of the client's or the server's stream."""
    words = [word.strip() for word in value.split(",")]
    if len(words) != 3 or words[1] not in ("<", ">", "=", "!=", "!", "<=", ">="):
        raise Refused("has the form side,operator,size", "stream_size:server,<,500")
    op, size = words[1].replace("!=", "!").replace("!", "!="), integer(words[2], 0, 0xFFFFFFFF)
    client, server = (HeaderTest(f"stream.size.{side}", op, size) for side in ("to_server", "to_client"))
    wanted: Mapping[str, tuple[AnyNode, ...]] = {
        "client": (client,),
        "server": (server,),
        "both": (client, server),
        "either": (Any((client, server)),),
    }
    if words[0] not in wanted:
        raise Refused(f"unknown side '{words[0][:20]}'", ", ".join(wanted))
    draft.conditions += wanted[words[0]]


_CHECKSUMS: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        "ipv4-csum": ("ip.checksum", 4, 0),
        "tcpv4-csum": ("l4.checksum", 4, 6),
        "tcpv6-csum": ("l4.checksum", 6, 6),
        "udpv4-csum": ("l4.checksum", 4, 17),
        "udpv6-csum": ("l4.checksum", 6, 17),
        "icmpv4-csum": ("l4.checksum", 4, 1),
        "icmpv6-csum": ("l4.checksum", 6, 58),
    }
)
"""Keyword → field, version of IP, protocol (0: any)."""
CHECKSUMS = tuple(_CHECKSUMS)


def checksum(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of `tcpv4-csum:valid|invalid`. Valid is all that is not known to be wrong."""
    field, version, proto = _CHECKSUMS[name]

    def handle(draft: Draft, value: str) -> None:
        word = value.strip('" ').lower()
        if word not in ("valid", "invalid"):
            raise Refused(f"unknown state '{word[:20]}'", "valid, invalid")
        draft.conditions.append(HeaderTest("ip.version", "=", version))
        if proto:
            draft.conditions.append(HeaderTest("ip.proto", "=", proto))
        draft.conditions.append(HeaderTest(field, "=" if word == "invalid" else "!=", CSUM_BAD))

    return handle


def ip_options(draft: Draft, value: str) -> None:
    """`ipopts:lsrr`. `any` is no option of any packet, as in Suricata."""
    word = value.strip('" ').lower()
    if word == "any":
        draft.conditions.append(NEVER)
    elif word in fields.IP_OPTIONS:
        draft.conditions.append(HeaderTest("ip.options", "=", fields.IP_OPTIONS[word]))
    else:
        raise Refused(f"unknown option '{word[:20]}'", ", ".join((*fields.IP_OPTIONS, "any")))


_VERSIONS: Mapping[str, int] = MappingProxyType({"ipv4": 4, "ipv6": 6})


_STREAM_EVENTS: Mapping[str, str] = MappingProxyType(
    {theirs.removeprefix("stream."): ours for ours, theirs in STREAM_OTHERWISE.items()}
)
"""Suricata's names of what is noticed here as well; names of `stream.event` are understood, too."""


_NEVER = frozenset({
    "ipv4.opt_unknown", "ipv6.pkt_too_small", "erspan.too_many_vlan_layers", "afpacket.trunc_pkt",
    "ipv6.exthdr_dupl_eh", "gre.version1_malformed_sre_hdr", "stream.wrong_thread",
    "stream.3whs_ack_in_wrong_dir", "stream.3whs_ack_data_inject", "stream.3whs_async_wrong_seq",
    "stream.3whs_synack_resend_with_diff_seq", "stream.reassembly_segment_before_base_seq", "udp.hlen_invalid",
    "stream.est_ack_zwp_data", "stream.reassembly_insert_invalid",
    "stream.reassembly_insert_limit", "stream.reassembly_no_segment", "stream.reassembly_urgent_oob_limit_reached",
})  # fmt: skip
"""Events that Suricata knows and never raises, unless it is in the way of packets, hears one side alone (what it
calls async), is short of memory or leaves urgent bytes out, and that of its threads: nothing is lost where they are
missing."""


def stream_event(draft: Draft, value: str) -> None:
    """`stream-event:reassembly_seq_gap`."""
    names = fields.BY_NAME[fields.STREAM_EVENT].names
    word = value.strip('" ').removeprefix("stream.").replace("_different_ack", "_diff_ack")
    of_segment = fields.BY_NAME[fields.TCP_EVENT].names.get(f"stream.{word}")
    if of_segment is not None:
        draft.conditions.append(HeaderTest(fields.TCP_EVENT, "=", of_segment))
        return
    if f"stream.{word}" in _NEVER:
        draft.conditions.append(NEVER)
        return
    number = names.get(f"stream.{word}", names.get(_STREAM_EVENTS.get(word, "")))
    if number is None:
        raise Refused(f"the event '{word[:60]}' is not among those that are noticed")
    draft.conditions.append(HeaderTest(fields.STREAM_EVENT, "=", number))


def engine_event(draft: Draft, value: str) -> None:
    """`engine-event:stream.reassembly_seq_gap`, `engine-event:ipv4.trunc_pkt`."""
    (stream_event if value.strip('" ').startswith("stream.") else decode_event)(draft, value)


_IP_VERSIONS: Mapping[str, int] = MappingProxyType({"ipv4": 4, "ip4": 4, "ipv6": 6, "ip6": 6})


def network_protocol(draft: Draft, value: str) -> None:
    """`l3_proto:ipv4`."""
    version = _IP_VERSIONS.get(value.strip('" ').lower())
    if version is None:
        raise Refused(f"unknown protocol '{value[:20]}'", ", ".join(_IP_VERSIONS))
    draft.conditions.append(HeaderTest("ip.version", "=", version))


def decode_event(draft: Draft, value: str) -> None:
    """`decode-event:ipv4.trunc_pkt`. Events of fragments have one name here, whatever the version of IP."""
    if value in EVENTS:
        draft.conditions += EVENTS[value]
        return
    if value in _NEVER:
        draft.conditions.append(NEVER)
        return
    events = fields.BY_NAME["decode.event"].names
    layer, _, rest = value.partition(".")
    if layer in _VERSIONS and rest == "trunc_pkt":
        numbers = tuple(sorted((events[f"decoder.{value}"], events["decoder.snaplen_cut"])))
        draft.conditions.append(HeaderTest("ip.version", "=", _VERSIONS[layer]))
        draft.conditions.append(HeaderTest("decode.event", "in", values=numbers))
        return
    wanted = f"decoder.{value}"
    if layer in _VERSIONS and rest.startswith("frag_") and f"decoder.ipv4.{rest}" in events:
        wanted = f"decoder.ipv4.{rest}"
        draft.conditions.append(HeaderTest("ip.version", "=", _VERSIONS[layer]))
    if wanted not in events:
        raise Refused(f"the event '{value[:60]}' is not among those that are noticed")
    draft.conditions.append(HeaderTest("decode.event", "=", events[wanted]))
