"""The rules of a run, from the store where they are as they were, else loaded, planned and stored."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sensor.cli import common
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.config.settings import Settings
    from sensor.engine.rulesets.bookstore import BookStore, ReadyRules
    from sensor.rules.problems import Problem
    from sensor.rules.ruleset import RuleSet


_LARGE: Final = 4 << 20
"""Bytes of rule files whose plan is made apart."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """Rules that can run, and what is wrong with others."""

    rules: RuleSet | ReadyRules
    problems: Sequence[Problem]


def rules_to_run(paths: Iterable[Path], made: Settings, *, fatal: bool) -> Runnable:
    """Return the rules; print what is wrong with others. Raises RuleError as `common.rules_to_run` does.

    With several workers they are those that workers judge (`assembly.for_crew` tells the rest), or all as loaded.
    """
    from sensor.engine.rulesets.bookstore import BookStore
    from sensor.rules.load import found_in

    files, how = common.rule_files(paths), common.given(made)
    crew = made.run.workers > 1
    unread: list[Problem] = []
    read = list(found_in(files, unread))
    store, key = BookStore(common.cache_dir()), how.key() + repr((files, crew, unread)).encode()
    found = store.find(key, read, how.outside)
    if found is None and store.damaged is not None:
        common.warn(f"{store.damaged}: the plan of the rules kept here is damaged, it is made anew")
    if (
        found is None
        and _is_large(read)
        and _made_apart(lambda: _planned(common.load_as(files, how), store, key, crew=crew))
    ):
        found = store.find(key, read, how.outside)
    if found is not None:
        common.tell(found.report.problems, found.report.unmatchable, len(found), fatal=fatal)
        return Runnable(found, found.report.problems)
    loaded = common.load_as(files, how)
    common.tell(loaded.problems, loaded.result.unmatchable(), len(loaded.rules), fatal=fatal)
    return Runnable(_planned(loaded, store, key, crew=crew), loaded.problems)


def _is_large(files: Iterable[str]) -> bool:
    total = 0
    for file in files:
        with suppress(OSError):
            total += Path(file).stat().st_size
    return total >= _LARGE


def _made_apart(work: Callable[[], object]) -> bool:
    """Do some work in a process of its own; tell whether it was done.

    What the making of a plan takes (ET Open: 150 MB) would stay with this process, as it lies between what is kept.
    Whatever goes wrong there shows again when the work is done here. Beside other threads nothing is done.
    """
    if threading.active_count() > 1:
        return False
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _planned(loaded: common.Loaded, store: BookStore, key: bytes, *, crew: bool) -> RuleSet | ReadyRules:
    """Return the rules with their plan, stored if they can be; as they are, if one turns out not to compile."""
    from sensor.detect.headers.groups import Groups
    from sensor.detect.planning.compiled import compiled_rules
    from sensor.detect.planning.plan import make_plan
    from sensor.engine.crew.hostbits import split
    from sensor.engine.rulesets.bookstore import ReadyRules, Report
    from sensor.rules.sides import sided

    divided = split(loaded.rules) if crew else None
    rules, result = loaded.rules if divided is None else divided.rules, loaded.result
    judged = [(n, one) for n, rule in enumerate(rules.rules) for one in sided(rule)]
    plan = make_plan([rule for _, rule in judged], Groups())
    try:
        compiled_rules(plan, rules.outside)
    except RuleError:
        return loaded.rules
    report = Report(result.files, len(rules), tuple(loaded.problems), result.unmatchable())
    aside = () if divided is None else divided.aside
    ready = ReadyRules(plan, rules.suppressions, rules.outside, report, aside)
    try:
        store.put(key, ready, rules.rules, [owner for owner, _ in judged], result.digests)
    except OSError as e:
        common.warn(f"{store.folder}: the plan of the rules cannot be kept here, each start makes it: {e.strerror}")
        found = None
    else:
        found = store.find(key, result.files, rules.outside)
    # A plan in memory would do for workers at the start, but those that run could not have it at a reload.
    return found or (loaded.rules if crew else ready)
