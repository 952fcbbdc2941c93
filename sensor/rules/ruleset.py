"""The rules that run together: unique, in the order in which they are judged, and frozen."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.nodes import BufferMatch, FlowBits, FlowInt, FlowVar, HostBit, PacketVar, Rule, Suppression
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.problems import Problem
from sensor.rules.walk import captures, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_READS = frozenset({"isset", "isnotset", "notset", "<", ">", "<=", ">=", "==", "!="})


class RuleSet:
    """Rules and suppressions of one run. Do not construct with duplicates: `build` removes them."""

    __slots__ = ("_by_id", "outside", "rules", "suppressions")

    def __init__(
        self, rules: Iterable[Rule] = (), suppressions: Iterable[Suppression] = (), outside: Outside = NOTHING
    ) -> None:
        self.outside = outside
        """The operator's files that rules ask."""
        self.rules: tuple[Rule, ...] = tuple(rules)
        self.suppressions: tuple[Suppression, ...] = tuple(suppressions)
        self._by_id: Mapping[tuple[int, int], Rule] = MappingProxyType({(r.gid, r.sid): r for r in self.rules})

    def __len__(self) -> int:
        return len(self.rules)

    def get(self, sid: int, gid: int = 1) -> Rule | None:
        """Return a rule by its ids."""
        return self._by_id.get((gid, sid))

    def unmatchable(self) -> tuple[Rule, ...]:
        """Return the rules that can never match here; `Rule.unmatchable` says why."""
        return tuple(rule for rule in self.rules if rule.unmatchable)


def build(
    rules: Iterable[Rule], suppressions: Iterable[Suppression] = (), outside: Outside = NOTHING
) -> tuple[RuleSet, tuple[Problem, ...]]:
    """Return the rules in the order in which they are judged, and a problem for each left out."""
    kept, dropped = unique(rules)
    return RuleSet(sorted(kept, key=judged), suppressions, outside), tuple(problem for problem, _ in dropped)


def unique(rules: Iterable[Rule]) -> tuple[list[Rule], list[tuple[Problem, Rule]]]:
    """Return the rules without those whose ids are taken, and those with the problem to report.

    Of rules with the same (gid, sid) the highest revision stays, at its own place; of equal ones the first.
    """
    chosen: dict[tuple[int, int], Rule] = {}
    dropped: list[tuple[Problem, Rule]] = []
    for rule in rules:
        key = rule.gid, rule.sid
        other = chosen.get(key)
        if other is None:
            chosen[key] = rule
        elif rule.rev > other.rev:
            del chosen[key]
            chosen[key] = rule
            dropped.append((_taken(other, rule), other))
        else:
            dropped.append((_taken(rule, other), rule))
    return list(chosen.values()), dropped


def _taken(left: Rule, kept: Rule) -> Problem:
    message = f"rule {left.gid}:{left.sid} revision {left.rev} is left out: its id is taken"
    return Problem(left.file, left.line, 1, message, f"by revision {kept.rev} at {kept.file}:{kept.line}")


def judged(rule: Rule) -> int:
    """Return the rank in which rules are judged on one event; rules of equal rank keep their order.

    `pass` comes before all; then rules that set what others read, so that both can match the same event.
    """
    if rule.action == "pass":
        return 0
    reads = writes = False
    for leaf in leaves(rule.body):
        if isinstance(leaf, (FlowBits, FlowInt, HostBit)):
            reading = leaf.action in _READS
            reads, writes = reads or reading, writes or not reading
        elif isinstance(leaf, (FlowVar, PacketVar)):
            reads = True
        elif isinstance(leaf, BufferMatch) and captures(leaf):
            writes = True
    return 3 if not writes else 2 if reads else 1
