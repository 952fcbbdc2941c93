"""The compiled rules by number."""

from __future__ import annotations

from collections.abc import Sequence

from sensor.detect.evaluator.conditions import Check
from sensor.detect.evaluator.naive import CompiledRule, RuleCompiler
from sensor.detect.planning.plan import Plan
from sensor.errors import RuleError
from sensor.proto.registry import FOLDED
from sensor.rules.nodes import BufferMatch, Rule
from sensor.rules.outside import Outside
from sensor.rules.walk import required, sets_of


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

    def on(self, number: int, names: frozenset[str]) -> tuple[Check, ...]:
        """Return the conditions on some buffers without which a rule cannot match, each to be judged alone."""
        nodes = (node for node in required(self._rules[number].body) if isinstance(node, BufferMatch))
        return tuple(filter(None, (self._alone(node) for node in nodes if node.buffer in names)))

    def _alone(self, node: BufferMatch) -> Check | None:
        """Compile one condition; None: it needs what another one finds, or a set that matches change."""
        if next(sets_of(node), None) is not None:
            return None
        try:
            return self._compiler.buffer(node, set())
        except RuleError:
            return None


def compiled_rules(plan: Plan, outside: Outside) -> CompiledRules:
    """Return the rules of a plan with all regexes compiled: without executable memory they could only be interpreted.

    Raises RuleError where a regex does not compile.
    """
    compiler = RuleCompiler(FOLDED, outside=outside)
    for pattern, flags in plan.regexes:
        compiler.regex(pattern, flags)
    return CompiledRules(plan.rules, compiler)
