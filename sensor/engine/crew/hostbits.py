"""Bits of single hosts with several workers: what concerns them is taken out of the rules and judged where all meet.

Bits of a pair never leave the worker that sees the pair. A bit of a host may be set by what one worker sees and asked
for by what another does, so workers judge the rest of such a rule, and whether the bit is set is decided on the merged
records, in packet order. That takes a rule
- with its bits among the conditions that all must hold (imported rules have no others),
- with a buffer condition, or each packet would be sent,
- that changes nothing else on a condition that the worker does not know, and does not keep other rules from matching.
Other rules with such bits see those that their own worker has set: `local` tells how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from sensor.detect.addresses import widen
from sensor.detect.hostbits import HostBits
from sensor.model.scene import Scene
from sensor.rules.nodes import All, AnyNode, BufferMatch, FlowBits, FlowInt, HostBit, Rule
from sensor.rules.ruleset import RuleSet
from sensor.rules.walk import leaves, required

_ASKS: Final = ("isset", "isnotset")
_ASKS_FLOW: Final = frozenset({"isset", "isnotset", "notset", "<", ">", "<=", ">=", "==", "!="})

Ids = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Deferred:
    """What is judged of a rule where all meet."""

    bits: tuple[HostBit, ...]
    """In the order of the rule."""
    silent: bool
    """The rule itself never alerts."""

    def holds(self, known: HostBits, scene: Scene) -> bool:
        """Tell whether the bits are as the rule asks, and if so, change those that it changes."""
        for bit in self.bits:
            if bit.action in _ASKS and known.is_set(_key(bit, scene), scene.ts) is not (bit.action == "isset"):
                return False
        for bit in self.bits:
            known.change(bit, _key(bit, scene), scene.ts)
        return True


@dataclass(frozen=True, slots=True)
class Split:
    """A rule set for workers, and what is judged elsewhere."""

    rules: RuleSet
    deferred: Mapping[Ids, Deferred]
    local: int
    """Rules with bits of hosts that each worker judges by those that it has set itself."""
    aside: tuple[Rule, ...]
    """The rules with such bits, as they were: all that `split` must see to find the same again."""


def split(rules: RuleSet) -> Split:
    """Take bits of single hosts out of the rules."""
    deferred: dict[Ids, Deferred] = {}
    found, aside, local = [], [], 0
    for rule in rules.rules:
        bits = _of_hosts(leaves(rule.body))
        if not bits:
            found.append(rule)
            continue
        aside.append(rule)
        if _deferrable(rule, bits):
            deferred[rule.gid, rule.sid] = Deferred(bits, rule.noalert)
            found.append(replace(rule, body=_without(rule.body), noalert=False))
        else:
            local += 1
            found.append(rule)
    return Split(RuleSet(found, rules.suppressions, rules.outside), deferred, local, tuple(aside))


def _of_hosts(nodes: Iterable[AnyNode]) -> tuple[HostBit, ...]:
    """Return the bits of single hosts among nodes."""
    return tuple(node for node in nodes if isinstance(node, HostBit) and node.track != "by_both")


def _deferrable(rule: Rule, bits: Sequence[HostBit]) -> bool:
    plain = list(required(rule.body))
    asks = any(bit.action in _ASKS for bit in bits)
    return (
        rule.action != "pass"
        and len(_of_hosts(plain)) == len(bits)
        and any(isinstance(leaf, BufferMatch) for leaf in plain)
        and not (asks and any(map(_changes_more, leaves(rule.body))))
    )


def _changes_more(leaf: AnyNode) -> bool:
    """Tell whether a leaf changes what workers keep."""
    if isinstance(leaf, FlowBits | FlowInt):
        return leaf.action not in _ASKS_FLOW
    return isinstance(leaf, HostBit) and leaf.track == "by_both" and leaf.action not in _ASKS


def _without(node: AnyNode) -> AnyNode:
    """Return a body without bits of hosts; all of them stand under nothing but `All`."""
    if isinstance(node, All):
        return All(tuple(_without(child) for child in node.children if not _of_hosts([child])))
    return node


def _key(bit: HostBit, scene: Scene) -> tuple[str, bytes, bytes]:
    return bit.name, widen(scene.src if bit.track == "by_src" else scene.dest), b""
