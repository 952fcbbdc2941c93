"""The compiled rules by number."""

from __future__ import annotations

from collections.abc import Sequence

from sensor.detect.naive import CompiledRule, RuleCompiler
from sensor.detect.plan import Plan
from sensor.proto.registry import FOLDED
from sensor.rules.nodes import Rule
from sensor.rules.outside import Outside


class CompiledRules:
    """Each is compiled when it is first judged."""

    def __init__(self, rules: Sequence[Rule], compiler: RuleCompiler) -> None:
        self._rules, self._compiler = rules, compiler
        self._made: dict[int, CompiledRule] = {}

    def __getitem__(self, number: int) -> CompiledRule:
        found = self._made.get(number)
        if found is None:
            found = self._made[number] = self._compiler.defer(self._rules[number], number)
        return found


def compiled_rules(plan: Plan, outside: Outside) -> CompiledRules:
    """Return the rules of a plan with all regexes compiled: without executable memory they could only be interpreted.

    Raises RuleError where a regex does not compile.
    """
    compiler = RuleCompiler(FOLDED, outside=outside)
    for pattern, flags in plan.regexes:
        compiler.regex(pattern, flags)
    return CompiledRules(plan.rules, compiler)
