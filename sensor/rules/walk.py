"""Ways through a rule's body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.rules.nodes import (
    All,
    Any,
    AnyNode,
    Base64,
    BufferMatch,
    Country,
    FlowBits,
    FlowInt,
    FlowVar,
    HeaderTest,
    HostBit,
    InList,
    Not,
    PacketVar,
    Regex,
    Reputation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED_GROUP = re.compile(r"\(\?P<(?P<kind>flow|pkt)_(?P<name>[A-Za-z0-9_]+)>")
"""A group of a regex whose name says where its text is kept, as in Suricata."""

Leaf = BufferMatch | HeaderTest | FlowBits | FlowInt | FlowVar | PacketVar | HostBit | Reputation | Country


def leaves(node: AnyNode) -> Iterator[Leaf]:
    """Yield every condition, in order.

    Most stand right under the top: a generator for each would take twice the time.
    """
    if isinstance(node, (All, Any)):
        for child in node.children:
            if isinstance(child, (All, Any, Not)):
                yield from leaves(child)
            else:
                yield child
    elif isinstance(node, Not):
        yield from leaves(node.child)
    else:
        yield node


def required(node: AnyNode) -> Iterator[Leaf]:
    """Yield the conditions without which the body cannot hold: those under nothing but `All`."""
    if isinstance(node, All):
        for child in node.children:
            if isinstance(child, All):
                yield from required(child)
            elif not isinstance(child, (Any, Not)):
                yield child
    elif not isinstance(node, (Any, Not)):
        yield node


def buffers_of(node: AnyNode) -> Iterator[BufferMatch]:
    """Yield every buffer condition, in order."""
    return (leaf for leaf in leaves(node) if isinstance(leaf, BufferMatch))


def regexes_of(node: AnyNode) -> Iterator[tuple[str, str]]:
    """Yield (pattern, flags) of every regex."""
    for leaf in buffers_of(node):
        for test in leaf.tests:
            inner = test.tests if isinstance(test, Base64) else (test,)
            yield from ((each.pattern, each.flags) for each in inner if isinstance(each, Regex))


def captures(node: AnyNode) -> bool:
    """Tell whether a match keeps text of regexes."""
    for leaf in buffers_of(node):
        for test in leaf.tests:
            inner = test.tests if isinstance(test, Base64) else (test,)
            if any(isinstance(each, Regex) and keeps(each) for each in inner):
                return True
    return False


def keeps(test: Regex) -> bool:
    """Tell whether a regex has groups whose text is kept: listed, or by their own names."""
    return not test.negated and bool(test.captures or NAMED_GROUP.search(test.pattern))


def sets_of(node: AnyNode) -> Iterator[InList]:
    """Yield every test that names a set of values."""
    for leaf in buffers_of(node):
        for test in leaf.tests:
            inner = test.tests if isinstance(test, Base64) else (test,)
            yield from (each for each in inner if isinstance(each, InList) and each.name)
