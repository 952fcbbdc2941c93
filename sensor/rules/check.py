"""Why a rule can never match here: said at load, so that silence is no surprise."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules import buffers
from sensor.rules.nodes import BufferMatch, BufferSize, Content, HeaderTest, Rule
from sensor.rules.variables import is_never
from sensor.rules.walk import required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ICMP, _TCP, _UDP, _ICMPV6, _SCTP = 1, 6, 17, 58, 132
_TRANSPORTS: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "tcp": frozenset({_TCP}),
        "tcp-pkt": frozenset({_TCP}),
        "tcp-stream": frozenset({_TCP}),
        "udp": frozenset({_UDP}),
        "icmp": frozenset({_ICMP, _ICMPV6}),
        "sctp": frozenset({_SCTP}),
        "arp": frozenset(),
    }
)
_FIELD_TRANSPORT: Mapping[str, frozenset[int]] = MappingProxyType(
    {"tcp": frozenset({_TCP}), "udp": frozenset({_UDP}), "icmp": frozenset({_ICMP, _ICMPV6})}
)


def unmatchable(rule: Rule) -> str:
    """Return the first reason why no traffic can match the rule; empty: none is known."""
    return next(_reasons(rule), "")


def transports(proto: str) -> frozenset[int] | None:
    """Return the IP protocols that a rule's protocol word allows; None: any."""
    if proto in _TRANSPORTS:
        return _TRANSPORTS[proto]
    spec = buffers.application(proto)
    return frozenset(spec.transports) if spec else None


def _reasons(rule: Rule) -> Iterator[str]:
    sides = (
        ("source", rule.src),
        ("destination", rule.dst),
        ("source port", rule.sport),
        ("destination port", rule.dport),
    )
    for name, group in sides:
        if is_never(group):
            yield f"the {name} {group.text} is empty"
    allowed = transports(rule.proto)
    spec = buffers.application(rule.proto)
    app = spec.name if spec else ""
    for leaf in required(rule.body):
        if isinstance(leaf, BufferMatch):
            found = buffers.find(leaf.buffer)
            if found:
                name = found[0].name
                if allowed is not None and not allowed.intersection(found[0].transports):
                    yield f"{leaf.buffer} never exists in {rule.proto}"
                if app not in ("", name):
                    yield f"{leaf.buffer} and {app} exclude each other"
                app = name
            yield from _sizes(leaf)
        elif isinstance(leaf, HeaderTest):
            wanted = _FIELD_TRANSPORT.get(leaf.field.partition(".")[0])
            if allowed is not None and wanted and not allowed & wanted:
                yield f"{leaf.field} never exists in {rule.proto}"


def _sizes(node: BufferMatch) -> Iterator[str]:
    """Compare contents with the size that `bsize` allows."""
    tops = [top for test in node.tests if isinstance(test, BufferSize) if (top := _largest(test)) is not None]
    if not tops or node.absent:
        return
    for test in node.tests:
        if isinstance(test, Content) and not test.negated and len(test.pattern) > min(tops):
            yield f"{node.buffer} holds at most {min(tops)} bytes by bsize, a content has {len(test.pattern)}"


def _largest(test: BufferSize) -> int | None:
    if not isinstance(test.low, int):
        return None
    return {"=": test.low, "<=": test.low, "<": test.low - 1, "<>": test.high - 1}.get(test.op)
