"""Which rules may match a transaction, by the literals in its buffers: one search per buffer, whatever the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import hyperscan
import numpy as np

from sensor.detect.kept import Kept
from sensor.rules.buffers import is_application
from sensor.rules.compile import buffer_literal

if TYPE_CHECKING:
    from sensor.detect.evaluator.context import Window
    from sensor.detect.ruleplan import RulePlan

Groups = tuple[tuple[int, ...], ...]
"""Numbers of rules, by literal."""

FEW = 6
"""As many literals are quicker looked for one by one: a call of the matcher takes 1.1 us, `in` 0.1 us."""

_FLAGS = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH


class Matcher(Kept):
    """Literals to rules. Case is ignored."""

    __slots__ = ("_database", "_few", "_octets", "_rules")
    KEPT: ClassVar = {"_rules": Groups, "_few": tuple[tuple[bytes, tuple[int, ...]], ...], "_octets": bytes}

    def __init__(self, literals: Mapping[bytes, Sequence[int]]) -> None:
        """literals: lowercase → numbers of rules."""
        self._rules: Groups = tuple(tuple(rules) for rules in literals.values())
        self._few: tuple[tuple[bytes, tuple[int, ...]], ...] = ()
        self._octets = b""
        if len(literals) <= FEW:
            self._few = tuple(zip(literals, self._rules, strict=True))
            self.make_scratch()
            return
        made = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        patterns = [_escaped(pattern) for pattern in literals]
        made.compile(expressions=patterns, ids=list(range(len(patterns))), flags=[_FLAGS] * len(patterns))
        self._octets = hyperscan.dumpb(made)
        self.make_scratch()

    def make_scratch(self) -> None:
        """Note that Hyperscan has not been handed its tables."""
        self._database: hyperscan.Database | None = None

    def search(self, window: Window, found: set[int]) -> None:
        """Add the numbers of the rules whose literal stands in a buffer."""
        if not self._octets:
            lower = window.lower
            for pattern, rules in self._few:
                if pattern in lower:
                    found.update(rules)
            return
        if self._database is None:
            self._database = hyperscan.loadb(self._octets, hyperscan.HS_MODE_BLOCK)
            self._database.scratch = hyperscan.Scratch(self._database)
        rules_of = self._rules
        self._database.scan(window.data, match_event_handler=lambda number, *_: found.update(rules_of[number]))


def _escaped(pattern: bytes) -> bytes:
    """Return a literal as a regex: hex codes only, so that nothing in it means anything.

    The call for pure literals is quicker, but the binding hands each over as far as its first zero.
    """
    return b"".join(b"\\x%02x" % byte for byte in pattern)


@dataclass(frozen=True, slots=True)
class Stage:
    """The rules judged at a stage of a protocol."""

    every: tuple[int, ...]
    files: tuple[int, ...]
    """Those that ask for files."""
    always: tuple[int, ...]
    """Rules without a literal that must be there."""
    buffers: tuple[tuple[str, Matcher], ...]


class TransactionIndex(Kept):
    """The transaction rules by protocol and stage."""

    KEPT: ClassVar = {"_stages": dict[int, Stage], "_keys": np.ndarray, "_again": np.ndarray}

    def __init__(self, plans: Sequence[RulePlan], rules: int) -> None:
        """rules: how many there are of all kinds."""
        by_stage: dict[int, list[RulePlan]] = {}
        self._keys = np.full(rules, -1, np.int32)
        self._again = np.full(rules, -1, np.int32)
        """int32[rules]: where they are judged once more."""
        for plan in plans:
            for keys, stage in ((self._keys, plan.stage), (self._again, plan.again)):
                if stage >= 0:
                    keys[plan.number] = key = _key(plan.app, stage)
                    by_stage.setdefault(key, []).append(plan)
        self._stages = {key: _stage(members) for key, members in by_stage.items()}

    def everything(self, app: int, stage: int, *, file: bool) -> tuple[int, ...]:
        """Return all rules of a stage, in the order in which they are judged. file: only those that ask for files."""
        entry = self._stages.get(_key(app, stage))
        if entry is None:
            return ()
        return entry.files if file else entry.every

    def among(self, app: int, stage: int, rules: Iterable[int], *, file: bool) -> set[int]:
        """Return those of some rules that are judged at a stage. file: as in `everything`."""
        key = _key(app, stage)
        found = {number for number in rules if key in (self._keys[number], self._again[number])}
        return found.intersection(self._stages[key].files) if file and found else found

    def candidates(
        self, app: int, stage: int, instances: Callable[[str], Sequence[Window]], *, file: bool
    ) -> set[int]:
        """Return the rules of a stage that a transaction may match.

        instances: gives the windows of a buffer; file: as in `everything`.
        """
        entry = self._stages.get(_key(app, stage))
        if entry is None:
            return set()
        found = set(entry.always)
        for name, matcher in entry.buffers:
            for window in instances(name):
                matcher.search(window, found)
        return found.intersection(entry.files) if file else found


    def standing(self, app: int, buffer: str, windows: Sequence[Window]) -> set[int]:
        """Return the rules of a protocol, of whatever stage, that are found by a literal of a buffer, and it stands."""
        found: set[int] = set()
        for key, entry in self._stages.items():
            if key >> 8 == app:
                for name, matcher in entry.buffers:
                    for window in windows if name == buffer else ():
                        matcher.search(window, found)
        return found


def _key(app: int, stage: int) -> int:
    return app << 8 | stage


def _literal(plan: RulePlan) -> tuple[str, bytes] | None:
    """Return the literal that a rule is found by, and its buffer: that of the scan, if it has one.

    Where a buffer does not stand on the wire as it reads, the scan's literal is looked for in it (`standing`).
    """
    return plan.found if plan.found and is_application(plan.found[0]) else buffer_literal(plan.rule)


def _stage(plans: Sequence[RulePlan]) -> Stage:
    always: list[int] = []
    literals: dict[str, dict[bytes, list[int]]] = {}
    for plan in plans:
        best = _literal(plan)
        if best is None:
            always.append(plan.number)
        else:
            literals.setdefault(best[0], {}).setdefault(best[1].lower(), []).append(plan.number)
    return Stage(
        every=tuple(plan.number for plan in plans),
        files=tuple(plan.number for plan in plans if plan.files),
        always=tuple(always),
        buffers=tuple((name, Matcher(members)) for name, members in literals.items()),
    )
