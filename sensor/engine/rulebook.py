"""What is made of the rules alone. Seconds of work for tens of thousands of rules, so a reload does it in advance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sensor.detect.groups import Groups
from sensor.detect.naive import CompiledRule, RuleCompiler
from sensor.detect.plan import Plan, make_plan
from sensor.detect.threshold import Suppressor
from sensor.engine.select import Selector
from sensor.proto.registry import FOLDED
from sensor.rules.ruleset import RuleSet
from sensor.rules.sides import sided


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules, ready to run. To be used by one pipeline."""

    plan: Plan
    selector: Selector
    compiled: Sequence[CompiledRule]
    suppressor: Suppressor


def make_rulebook(rules: RuleSet, groups: Groups, inspect_window: int) -> Rulebook:
    """Plan and compile rules; touches nothing that runs. Raises RuleError where a rule cannot be compiled."""
    judged = [one for rule in rules.rules for one in sided(rule)]
    plan = make_plan(judged, groups)
    plan.transactions.prepare()  # or the first transactions would wait: 1 s for 34,000 rules
    compiler = RuleCompiler(FOLDED)
    compiled = [compiler.defer(rule, number) for number, rule in enumerate(judged)]
    return Rulebook(plan, Selector(plan, groups, inspect_window), compiled, Suppressor(rules.suppressions))


def renumbered(old: Plan, new: Plan) -> dict[int, int]:
    """Return old rule number → new, for rules whose ids are in both (whatever else about them has changed)."""
    numbers = {key: number for number, key in _keys(new)}
    return {number: numbers[key] for number, key in _keys(old) if key in numbers}


def _keys(plan: Plan) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield (rule number, (gid, sid, which of the rules that this one is judged as))."""
    seen: Counter[tuple[int, int]] = Counter()
    for one in plan.rules:
        ids = one.rule.gid, one.rule.sid
        yield one.number, (*ids, seen[ids])
        seen[ids] += 1
