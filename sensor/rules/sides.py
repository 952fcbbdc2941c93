"""Rules that are judged as several: for each protocol, on either side, on streams and on packets without a stream.

A transaction is judged at the stage at which all buffers of a rule are known, seen from the side that completed it:
one judgement cannot be about the request and the response both. And bytes that went into a stream are judged there,
so a rule about any protocol is judged on packets only where there is no stream.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from sensor.model.rows import STREAM_IGNORED, STREAM_NONE
from sensor.proto.registry import BY_WORD, NUMBERS
from sensor.rules import buffers
from sensor.rules.check import transports
from sensor.rules.compile import anchored, has_reply, protocols, scope
from sensor.rules.fields import IP_PROTOCOL
from sensor.rules.nodes import All, Any, AnyNode, BufferMatch, HeaderTest, Not, Rule
from sensor.rules.walk import leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensor.model.app import ProtocolSpec
    from sensor.rules.walk import Leaf

SIDES = ("to_server", "to_client")
_NO_STREAM = HeaderTest("tcp.segment", "in", values=(STREAM_NONE, STREAM_IGNORED))


def sided(rule: Rule) -> tuple[Rule, ...]:
    """Return the rules to judge, all with the ids of this one.

    A protocol may have a buffer on one side only (a file in mail): there is no rule for its other side.
    """
    parts = tuple(part for about in _by_protocol(rule) for one in _by_side(about) for part in _by_place(one))
    return tuple(part for part in parts if len(parts) == 1 or scope(part) != "tx" or protocols(part))


def _by_protocol(rule: Rule) -> Iterator[Rule]:
    """Yield a rule for each protocol whose transactions it may be about: stages and literals are a protocol's own."""
    found = protocols(rule) if scope(rule) == "tx" else None
    if not found or (len(found) == 1 and len(BY_WORD.get(rule.proto, found)) == 1):
        yield rule
        return
    for spec in found:
        yield msgspec.structs.replace(rule, proto=_word(spec), body=_carried(rule, spec))


def _carried(rule: Rule, spec: ProtocolSpec) -> AnyNode:
    """Return the body; of a `tcp` rule about a protocol that datagrams carry, too, it asks for the former."""
    allowed = transports(rule.proto)
    if allowed is None or allowed.issuperset(spec.transports):
        return rule.body
    return All((HeaderTest(IP_PROTOCOL, "in", values=tuple(sorted(allowed))), rule.body))


def _word(spec: ProtocolSpec) -> str:
    """Return a protocol word that means this protocol alone."""
    return next((word for word in (spec.name, *spec.rule_names) if len(BY_WORD[word]) == 1), spec.name)


def _by_side(rule: Rule) -> Iterator[Rule]:
    if rule.direction or not any(map(_is_of_both, leaves(rule.body))):
        yield rule
        return
    for side in SIDES:
        body = _changed(rule.body, functools.partial(_of_side, side=side))
        yield msgspec.structs.replace(rule, direction=side, body=body)


def _is_of_both(leaf: Leaf) -> bool:
    if isinstance(leaf, BufferMatch):
        return leaf.either
    return isinstance(leaf, HeaderTest) and any(has_reply(number) for _, number in NUMBERS.get(leaf.field, ()))


def _of_side(node: BufferMatch, side: str) -> BufferMatch:
    if not node.either:
        return node
    return msgspec.structs.replace(node, buffer=buffers.resolve(node.buffer, side) or node.buffer, either=False)


def _by_place(rule: Rule) -> Iterator[Rule]:
    if scope(rule) != "both" or anchored(rule):
        yield rule
        return
    packet = _changed(rule.body, lambda node: _renamed(node, buffers.PAYLOAD))
    yield msgspec.structs.replace(rule, body=All((_NO_STREAM, packet)))
    yield msgspec.structs.replace(rule, body=_changed(rule.body, lambda node: _renamed(node, buffers.STREAM)))


def _renamed(node: BufferMatch, name: str) -> BufferMatch:
    return msgspec.structs.replace(node, buffer=name) if node.buffer == buffers.EITHER else node


def _changed(node: AnyNode, change: Callable[[BufferMatch], BufferMatch]) -> AnyNode:
    """Return a body with each buffer condition changed."""
    if isinstance(node, All):
        return All(tuple(_changed(child, change) for child in node.children))
    if isinstance(node, Any):
        return Any(tuple(_changed(child, change) for child in node.children))
    if isinstance(node, Not):
        return Not(_changed(node.child, change))
    return change(node) if isinstance(node, BufferMatch) else node
