"""What is made of the rules alone. Seconds of work for tens of thousands of rules, so a reload does it in advance."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.detect.headers.groups import Groups
from sensor.detect.planning.compiled import CompiledRules, compiled_rules
from sensor.detect.planning.plan import Plan, make_plan
from sensor.detect.state.threshold import Suppressor
from sensor.engine.framing.framedatagrams import FRAMED, FrameDatagrams
from sensor.engine.framing.frames import Frames
from sensor.engine.rulesets.bookstore import ReadyRules
from sensor.engine.select import Selector
from sensor.proto.framers import FRAMERS
from sensor.rules.ruleset import RuleSet
from sensor.rules.sides import sided


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules, ready to run. To be used by one pipeline."""

    plan: Plan
    selector: Selector
    compiled: CompiledRules
    suppressor: Suppressor


def make_rulebook(rules: RuleSet | ReadyRules, groups: Groups, inspect_window: int) -> Rulebook:
    """Plan and compile rules; touches nothing that runs. Raises RuleError where a rule cannot be compiled."""
    if isinstance(rules, ReadyRules):
        plan = rules.plan
    else:
        plan = make_plan([one for rule in rules.rules for one in sided(rule)], groups)
    compiled = compiled_rules(plan, rules.outside)
    frames = tuple(Frames(app, plan, tests, compiled) for app, tests in plan.frames.items() if app in FRAMERS)
    datagrams = tuple(FrameDatagrams(app, plan, tests) for app, tests in plan.frames.items() if app in FRAMED)
    selector = Selector(plan, groups, inspect_window, frames, datagrams)
    return Rulebook(plan, selector, compiled, Suppressor(rules.suppressions))


def renumbered(old: Plan, new: Plan) -> dict[int, int]:
    """Return old rule number → new, for rules whose ids are in both (whatever else about them has changed)."""
    numbers = {key: number for number, key in enumerate(new.table.keys())}
    return {number: numbers[key] for number, key in enumerate(old.table.keys()) if key in numbers}
