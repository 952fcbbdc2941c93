"""The compiled rules by number."""

from __future__ import annotations

from collections.abc import Sequence

from sensor.detect.naive import CompiledRule, RuleCompiler
from sensor.rules.nodes import Rule


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
