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

from sensor.detect.headers.addresses import widen
from sensor.detect.state.datasets import Datasets
from sensor.detect.state.hostbits import HostBits
from sensor.engine.crew import sharedsets
from sensor.engine.crew.sharedsets import Asked, Values
from sensor.model.scene import Scene
from sensor.rules.nodes import All, AnyNode, BufferMatch, HostBit, Rule
from sensor.rules.ruleset import RuleSet
from sensor.rules.walk import leaves, required

_ASKS: Final = ("isset", "isnotset")

Ids = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Deferred:
    """What is judged of a rule where all meet."""

    bits: tuple[HostBit, ...]
    """In the order of the rule."""
    silent: bool
    """The rule itself never alerts."""
    asked: Asked
    """Of sets that rules fill."""

    def holds(self, known: HostBits, sets: Datasets, scene: Scene, values: Values = ()) -> bool:
        """Tell whether bits and sets are as the rule asks, and if so, change those that it changes.

        values: of its tests of sets.
        """
        for bit in self.bits:
            if bit.action in _ASKS and known.is_set(_key(bit, scene), scene.ts) is not (bit.action == "isset"):
                return False
        if not self.asked.holds(sets, values):
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
    """Rules with bits of hosts, or with sets, that each worker judges by what it has set itself."""
    aside: tuple[Rule, ...]
    """The rules with such bits or sets, as they were: all that `split` must see to find the same again."""


def split(rules: RuleSet) -> Split:
    """Take bits of single hosts, and sets that rules fill, out of the rules."""
    deferred: dict[Ids, Deferred] = {}
    found, aside, local = [], [], 0
    filled, shared = sharedsets.changed(rules.rules), sharedsets.shared(rules.rules, _bits_are_free)
    for rule in rules.rules:
        bits = _of_hosts(leaves(rule.body))
        sets = sharedsets.names(rule, filled)
        if not (bits or sets):
            found.append(rule)
            continue
        aside.append(rule)
        if sharedsets.names(rule, shared) if sets else _deferrable(rule, bits):
            body, tests = sharedsets.taken_out(rule, shared)
            deferred[rule.gid, rule.sid] = Deferred(bits, rule.noalert, Asked(tests))
            found.append(replace(rule, body=_without(body), noalert=False))
        else:
            local += 1
            found.append(rule)
    return Split(RuleSet(found, rules.suppressions, rules.outside), deferred, local, tuple(aside))


def _bits_are_free(rule: Rule) -> bool:
    """Tell whether the bits of hosts of a rule, if it has any, can be judged elsewhere."""
    bits = _of_hosts(leaves(rule.body))
    return not bits or _deferrable(rule, bits)


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
        and not (asks and any(map(sharedsets.changes, leaves(rule.body))))
    )


def _without(node: AnyNode) -> AnyNode:
    """Return a body without bits of hosts; all of them stand under nothing but `All`."""
    if isinstance(node, All):
        return All(tuple(_without(child) for child in node.children if not _of_hosts([child])))
    return node


def _key(bit: HostBit, scene: Scene) -> tuple[str, bytes, bytes]:
    return bit.name, widen(scene.src if bit.track == "by_src" else scene.dest), b""
