"""Which rules may match a transaction, by the literals in its buffers: one search per buffer, whatever the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import hyperscan

from sensor.rules.compile import buffer_literal

if TYPE_CHECKING:
    from sensor.detect.context import Window
    from sensor.detect.ruleplan import RulePlan

FEW = 6
"""As many literals are quicker looked for one by one: a call of the matcher takes 1.1 us, `in` 0.1 us."""

_FLAGS = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH


class Matcher:
    """Literals to rules. Case is ignored. Immutable after the first search, which compiles it."""

    __slots__ = ("_database", "_few", "_rules")

    def __init__(self, literals: Mapping[bytes, Sequence[int]]) -> None:
        """literals: lowercase → numbers of rules."""
        self._rules = tuple(tuple(rules) for rules in literals.values())
        self._few: tuple[tuple[bytes, tuple[int, ...]], ...] = ()
        self._database: hyperscan.Database | None = None
        if len(literals) <= FEW:
            self._few = tuple(zip(literals, self._rules, strict=True))
            return
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        patterns = [_escaped(pattern) for pattern in literals]
        self._database.compile(expressions=patterns, ids=list(range(len(patterns))), flags=[_FLAGS] * len(patterns))

    def search(self, window: Window, found: set[int]) -> None:
        """Add the numbers of the rules whose literal stands in a buffer."""
        if self._database is None:
            lower = window.lower
            for pattern, rules in self._few:
                if pattern in lower:
                    found.update(rules)
            return
        rules_of = self._rules
        self._database.scan(window.data, match_event_handler=lambda number, *_: found.update(rules_of[number]))


def _escaped(pattern: bytes) -> bytes:
    """Return a literal as a regex: hex codes only, so that nothing in it means anything."""
    return b"".join(b"\\x%02x" % byte for byte in pattern)


class _Stage(NamedTuple):
    always: tuple[int, ...]
    """Rules without a literal that must be there."""
    buffers: tuple[tuple[str, Matcher], ...]


class TransactionIndex:
    """The transaction rules by protocol and stage."""

    def __init__(self, plans: Iterable[RulePlan]) -> None:
        by_stage: dict[tuple[int, int], list[RulePlan]] = {}
        for plan in plans:
            by_stage.setdefault((plan.app, plan.stage), []).append(plan)
        self._all = {key: tuple(plan.number for plan in members) for key, members in by_stage.items()}
        self._files = {key: tuple(plan.number for plan in members if plan.files) for key, members in by_stage.items()}
        self._plans = by_stage
        self._stages: dict[tuple[int, int], _Stage] = {}

    def prepare(self) -> None:
        """Compile all matchers now: a process that gave up executable memory loses nothing, but time."""
        for key in self._plans:
            self._stage(key)

    def everything(self, app: int, stage: int, *, file: bool) -> tuple[int, ...]:
        """Return all rules of a stage, in the order in which they are judged. file: only those that ask for files."""
        return (self._files if file else self._all).get((app, stage), ())

    def candidates(
        self, app: int, stage: int, instances: Callable[[str], Sequence[Window]], *, file: bool
    ) -> Sequence[int]:
        """Return the rules of a stage that a transaction may match, in the order in which they are judged.

        instances: gives the windows of a buffer; file: as in `everything`.
        """
        key = app, stage
        if key not in self._plans:
            return ()
        entry = self._stages.get(key) or self._stage(key)
        found = set(entry.always)
        for name, matcher in entry.buffers:
            for window in instances(name):
                matcher.search(window, found)
        return sorted(found.intersection(self._files[key]) if file else found)

    def _stage(self, key: tuple[int, int]) -> _Stage:
        always: list[int] = []
        literals: dict[str, dict[bytes, list[int]]] = {}
        for plan in self._plans[key]:
            best = buffer_literal(plan.rule)
            if best is None:
                always.append(plan.number)
            else:
                literals.setdefault(best[0], {}).setdefault(best[1].lower(), []).append(plan.number)
        made = _Stage(tuple(always), tuple((name, Matcher(members)) for name, members in literals.items()))
        self._stages[key] = made
        return made
