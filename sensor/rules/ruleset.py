"""The rules that run together: unique, in the order in which they are judged, and frozen."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.flowwide import once
from sensor.rules.nodes import BufferMatch, FlowBits, FlowInt, FlowVar, HostBit, PacketVar, Rule, Suppression
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.problems import Problem
from sensor.rules.walk import captures, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sensor.rules.walk import Leaf

_ACTIONS: Mapping[str, int] = MappingProxyType(
    {"pass": 0, "drop": 1, **dict.fromkeys(("reject", "rejectsrc", "rejectdst", "rejectboth"), 2), "alert": 3}
)
_NO_USE, _READ, _WRITE = range(3)
_RANKS: Mapping[tuple[bool, bool], int] = MappingProxyType(
    {(False, True): 0, (True, True): 1, (True, False): 2, (False, False): 3}
)
"""(reads, writes) → how rules with flowbits, flowints and texts rank."""
_BITS, _INTS, _TEXTS, _HOST_BITS, _HOST_XBITS, _PAIR_XBITS = range(6)
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


def judged(rule: Rule) -> tuple[int, ...]:
    """Return the rank in which rules are judged on one event.

    As in Suricata: what addresses alone decide, then by action, then for each kind of variable of flows what sets
    before what sets and reads, before what reads, before all else, so that both can match the same event; of xbits what
    reads comes first, of hostbits what sets; then by severity and number. What passes comes before all.
    """
    found = {(kind, use) for kind, use in map(_use, leaves(rule.body)) if use}
    flow = (_RANKS[(kind, _READ) in found, (kind, _WRITE) in found] for kind in (_BITS, _INTS, _TEXTS))
    host = _RANKS[(_HOST_XBITS, _READ) in found, (_HOST_BITS, _WRITE) in found]
    pair = _RANKS[(_PAIR_XBITS, _READ) in found, False]
    action = _ACTIONS.get(rule.action, 3)
    return min(action, 1), not once(rule), action, *flow, host, pair, rule.severity, rule.sid


def _use(leaf: Leaf) -> tuple[int, int]:
    """Return a kind of variables and how a condition uses them."""
    match leaf:
        case FlowBits():
            return _BITS, _READ if leaf.action in _READS else _WRITE
        case FlowInt():
            return _INTS, _READ if leaf.action in _READS else _WRITE
        case FlowVar() | PacketVar():
            return _TEXTS, _READ
        case BufferMatch() if captures(leaf):
            return _TEXTS, _WRITE
        case HostBit():
            kind = _PAIR_XBITS if leaf.track == "by_both" else _HOST_XBITS if leaf.seconds else _HOST_BITS
            return kind, _READ if leaf.action in _READS else _WRITE
    return _BITS, _NO_USE

