"""New rules for all workers at once: planned here, opened by each beside the old ones, then used by all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sensor.detect.planning.plan import Plan
from sensor.engine.crew.hostbits import Deferred, Ids, split
from sensor.engine.crew.members import Members
from sensor.engine.crew.verdicts import Verdicts
from sensor.engine.crew.wire import Prepare, Ready, Rules, Swap
from sensor.engine.live.asks import Answer, Ask
from sensor.engine.live.daemon import Surroundings
from sensor.engine.live.figures import Figures
from sensor.engine.live.reload import Reloader, implausible
from sensor.engine.pipeline import Pipeline
from sensor.engine.rulesets.bookstore import Image, ReadyRules
from sensor.errors import RuleError
from sensor.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Force:
    """Rules as workers get them: by a file that holds their plan, or, where none could be kept, as they are."""

    rules: Rules | None = None
    file: int = -1
    """Descriptor of the file; with neither they are those that workers are born with."""

    def close(self) -> None:
        """Give the file back."""
        if self.file >= 0:
            os.close(self.file)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the thread that loads leaves for the loop."""

    force: Force
    deferred: Mapping[Ids, Deferred]


@dataclass(slots=True)
class _Pending:
    """A reload that workers are getting ready for."""

    number: int
    plan: Plan
    force: Force
    deferred: Mapping[Ids, Deferred]
    missing: set[int]
    """Workers that are not ready."""
    error: str = ""
    interpreted: int = 0


class Reloads:
    """One at a time. `force` is what a worker that starts now is to use."""

    def __init__(self, pipeline: Pipeline, around: Surroundings, figures: Figures, members: Members,
                 verdicts: Verdicts) -> None:  # fmt: skip
        self._around, self._figures, self._members, self._verdicts = around, figures, members, verdicts
        self._loaded: _Loaded | None = None
        self._reloader = Reloader(self._load, pipeline.prepare)
        self._ask: Ask | None = None
        self._forced = False
        self._pending: _Pending | None = None
        self._number = 0
        self.plan = pipeline.plan
        """Of the rules in force."""
        self.force = Force()

    @property
    def loaded(self) -> int:
        """Rules in force."""
        return self.plan.table.loaded()

    def start(self, ask: Ask | None, forced: bool) -> bool:
        """Begin a reload; `ask` is answered when it is done. False: one is under way already."""
        if self._pending is not None or not self._reloader.start():
            return False
        self._ask, self._forced = ask, forced
        return True

    def look(self) -> None:
        """Go on with a reload whose rules are loaded."""
        done = self._reloader.take()
        if done is None:
            return
        loaded, self._loaded = self._loaded, None
        error = done.error
        if done.book is not None and not self._forced:
            error = implausible(self.plan.table.loaded(), done.book.plan.table.loaded())
        if done.book is None or loaded is None or error:
            if loaded is not None:
                loaded.force.close()
            self._end(error)
            return
        self._number += 1
        there = {member.number for member in self._members.all if member.channel is not None}
        self._pending = _Pending(
            self._number, done.book.plan, loaded.force, loaded.deferred, there, interpreted=done.interpreted
        )
        self._members.tell_all(Prepare(self._number, loaded.force.rules), loaded.force.file)
        self._swap_if_ready()

    def ready(self, worker: int, told: Ready) -> None:
        """Take the word of a worker that it is ready, or cannot be."""
        if self._pending is None or told.number != self._pending.number:
            return
        self._pending.error = self._pending.error or told.error
        self._pending.missing.discard(worker)
        self._swap_if_ready()

    def died(self, worker: int) -> None:
        """Wait no longer for a worker."""
        if self._pending is not None:
            self._pending.missing.discard(worker)
            self._swap_if_ready()

    def _load(self) -> RuleSet | ReadyRules:
        rules = self._around.load_rules()
        if isinstance(rules, ReadyRules) and rules.image is not None:
            file = self._opened(rules.image)
            self._loaded = _Loaded(Force(file=file), split(RuleSet(rules.aside)).deferred)
            return rules
        if isinstance(rules, ReadyRules):
            raise TypeError("a plan that no worker can map")
        found = split(rules)
        self._loaded = _Loaded(Force(Rules(found.rules.rules, found.rules.suppressions)), found.deferred)
        return found.rules

    @staticmethod
    def _opened(image: Image) -> int:
        """Return the descriptor of a plan. Raises RuleError."""
        try:
            return image.open()
        except OSError as e:
            raise RuleError(f"the plan of the rules cannot be opened: {e.strerror}") from e

    def _swap_if_ready(self) -> None:
        pending = self._pending
        if pending is None or pending.missing:
            return
        self._pending = None
        if pending.error:
            pending.force.close()
            self._members.tell_all(Swap(-1))
            self._end(pending.error)
            return
        self._verdicts.learn(pending.plan, pending.deferred)
        self.force.close()
        self.plan, self.force = pending.plan, pending.force
        self._members.tell_all(Swap(pending.number))
        self._around.failed_rules.clear()
        self._figures.rules_failed = 0  # with one that failed there would be no reload
        self._figures.last_reload = time.time()
        self._around.log(f"rules reloaded: {self.plan.table.loaded()}")
        if pending.interpreted:
            self._around.log(f"{pending.interpreted} regexes are interpreted until a restart")
        self._end("")

    def _end(self, error: str) -> None:
        self._figures.reloads["failed" if error else "done"] += 1
        if error:
            self._around.log(f"reload failed, the rules in force stay: {error}")
        ask, self._ask = self._ask, None
        if ask is not None:
            ask.reply(Answer(not error, error or "done"))
