"""Rules about whole flows: what they look at is the same in each packet of a flow, or of one side of it.

A rule that addresses, ports and protocol decide alone is judged once for each side of a flow, as Suricata does
("IP-only"): on the first packet, not on each. What a `pass` rule passes follows from the same.
"""

from __future__ import annotations

from sensor.rules import buffers
from sensor.rules.header import CORE_PROTOCOLS
from sensor.rules.nodes import AddressSet, All, Any, AnyNode, FlowBits, HeaderTest, HostBit, Not, Reputation, Rule
from sensor.rules.walk import leaves

_OF_FLOWS = frozenset({"ip.proto", "ip.version"})
_PACKETS = frozenset({
    "tcp.flags", "tcp.seq", "tcp.ack", "tcp.window", "tcp.segment", "tcp.mss", "payload.size", "ip.id", "ip.len",
    "ip.fragbits", "ip.fragoffset", "ip.options", "ip.checksum", "l4.checksum", "ip.reassembled", "udp.len",
    "icmp.type", "icmp.code", "icmp.id", "icmp.seq", "icmp.mtu", "same_ip",
    "decode.event", "tcp.event", "app.told",
})  # fmt: skip
"""What differs from packet to packet."""
_IPV4 = (bytes(10) + b"\xff\xff" + bytes(4), bytes(10) + b"\xff" * 6)


def by_ends(rule: Rule) -> bool:
    """Tell whether the ends of a flow decide: no direction, no state, no buffer, no number that changes."""
    if rule.proto not in CORE_PROTOCOLS or rule.proto == "arp" or rule.direction or rule.established is not None:
        return False
    children = rule.body.children if isinstance(rule.body, All) else (rule.body,)
    return all(map(_same, children))


def once(rule: Rule) -> bool:
    """Tell whether the rule is judged once for each side of a flow: `by_ends`, without negated addresses."""
    return by_ends(rule) and not _negated(rule.src) and not _negated(rule.dst)


def of_packets(rule: Rule) -> bool:
    """Tell whether the rule asks for something that differs from packet to packet."""
    found = list(leaves(rule.body))
    if any(isinstance(leaf, HeaderTest) and leaf.field in _PACKETS for leaf in found):
        return True
    named = {getattr(leaf, "buffer", "") for leaf in found} - {""}
    return any(not buffers.is_application(name) for name in named)


def of_protocol(rule: Rule) -> bool:
    """Tell whether the rule asks for a protocol and nothing of a single packet."""
    return rule.proto not in CORE_PROTOCOLS and not of_packets(rule)


def _same(node: AnyNode) -> bool:
    if isinstance(node, HeaderTest):
        return node.field in _OF_FLOWS
    if isinstance(node, Not | All | Any):
        return all(isinstance(leaf, Reputation) for leaf in leaves(node))
    return isinstance(node, HostBit | Reputation) or (isinstance(node, FlowBits) and node.action == "set")


def _negated(addresses: AddressSet) -> bool:
    """Tell whether a set leaves addresses out, as written; one IP version without the other is no such thing.

    `[10.0.0.0/8,!10.0.0.1]` is kept as the ranges that are left.
    """
    return "!" in addresses.text or (bool(addresses.exclude) and addresses.exclude != (_IPV4,))
