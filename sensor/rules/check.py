"""Why a rule can never match here: said at load, so that silence is no surprise."""

from __future__ import annotations

import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.model.magic import VOCABULARY
from sensor.proto.registry import BUFFERS, BY_WORD, NUMBERS
from sensor.rules.nodes import All, BufferMatch, BufferSize, Content, HeaderTest, Not, Rule
from sensor.rules.variables import is_never
from sensor.rules.walk import required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensor.model.app import ProtocolSpec
    from sensor.rules.walk import Leaf

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


_MAGIC = "file.magic"
_WORD = re.compile(r"[a-z]{3,64}")


def unmatchable(rule: Rule) -> str:
    """Return the first reason why no traffic can match the rule; empty: none is known."""
    return next(_reasons(rule), "")


@functools.cache
def transports(proto: str) -> frozenset[int] | None:
    """Return the IP protocols that a rule's protocol word allows; None: any."""
    if proto in _TRANSPORTS:
        return _TRANSPORTS[proto]
    specs = BY_WORD.get(proto)
    return frozenset(number for spec in specs for number in spec.transports) if specs else None


NEVER = Not(All(()))
"""The condition that is never met."""


def _reasons(rule: Rule) -> Iterator[str]:
    if NEVER in (rule.body.children if isinstance(rule.body, All) else (rule.body,)):
        yield "it asks for what never happens here"
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
    apps = BY_WORD.get(rule.proto)
    for leaf in required(rule.body):
        name, owners = _owners(leaf)
        if owners:
            if allowed is not None and not any(allowed.intersection(spec.transports) for spec in owners):
                yield f"{name} never exists in {rule.proto}"
            both = owners if apps is None else tuple(spec for spec in apps if spec in owners)
            if not both and apps:
                yield f"{name} and {apps[0].name} exclude each other"
            apps = both
        if isinstance(leaf, BufferMatch):
            yield from _sizes(leaf)
            if leaf.buffer.partition("@")[0] == _MAGIC and not leaf.absent:
                yield from _kinds(leaf)
        elif isinstance(leaf, HeaderTest):
            wanted = _FIELD_TRANSPORT.get(leaf.field.partition(".")[0])
            if allowed is not None and wanted and not allowed & wanted:
                yield f"{leaf.field} never exists in {rule.proto}"


def _owners(leaf: Leaf) -> tuple[str, tuple[ProtocolSpec, ...]]:
    """Return what a condition asks for, and the protocols that have it; none, if it is not theirs."""
    if isinstance(leaf, BufferMatch):
        return leaf.buffer, tuple(spec for spec, _ in BUFFERS.get(leaf.buffer, ()))
    if isinstance(leaf, HeaderTest):
        return leaf.field, tuple(spec for spec, _ in NUMBERS.get(leaf.field, ()))
    return "", ()


def _kinds(node: BufferMatch) -> Iterator[str]:
    """Look for words that no description of a file has here."""
    for test in node.tests:
        if isinstance(test, Content) and not test.negated:
            words = _WORD.findall(test.pattern.decode("latin-1").lower())
            yield from (f"no file is described with '{word}' here" for word in words if word not in VOCABULARY)


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
