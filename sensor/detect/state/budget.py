"""What a rule may cost: in steps, not in seconds, so that the same capture always gives the same alerts."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.detect.state.datasets import Dataset, Datasets
from sensor.errors import SensorError
from sensor.model.counters import Counters

SECOND = 1_000_000_000


class BudgetExceededError(SensorError):
    """One judgement cost more than it may. Caught by `judge`; never reaches a user."""


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What is allowed; the suspension is that of Snort 3 (5 times, 30 s).

    20,000 steps take 10-20 ms of hostile content or byte tests, up to 0.2 s where a regex backtracks.
    """

    steps: int = 20_000
    """One a test tried, one per 256 bytes searched, one per 32 given to a regex (per 4 if it backtracks)."""
    tolerance: int = 5
    """Excesses within `window_ns` that suspend the rule."""
    window_ns: int = 60 * SECOND
    suspend_ns: int = 30 * SECOND


class BudgetCounters(Counters):
    """What the budget cost."""

    __slots__ = ("budget_exceeded", "judgements_skipped", "suspended")
    budget_exceeded: int
    judgements_skipped: int
    suspended: int


class Meter:
    """State of one judgement: steps left and the variables of byte_extract and byte_math."""

    __slots__ = ("captured", "left", "pending", "sets", "told", "values")

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.values: dict[str, int] = {}
        self.sets = Datasets()
        """Sets of values that rules share."""
        self.pending: list[tuple[Dataset, bytes, bool]] = []
        """Changes of sets (set, value, added) that a match would carry out."""
        self.captured: list[tuple[bool, str, bytes]] = []
        """Texts (of the packet, name, value) that a match would keep."""
        self.told: dict[int, dict[bytes, None]] = {}
        """Values of tests that are decided elsewhere, by their numbers (`InList.told`)."""

    def charge(self, steps: int) -> None:
        """Take steps. Raises BudgetExceededError when none is left."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExceededError("rule exceeds its step budget")


class Budget:
    """Steps per judgement, and the rules suspended for exceeding them. Memory: three entries a rule."""

    __slots__ = ("_excesses", "_news", "_until", "counters", "limits", "meter")

    def __init__(self, limits: BudgetLimits | None = None) -> None:
        self.limits = limits or BudgetLimits()
        self.meter = Meter(self.limits.steps)
        self.counters = BudgetCounters()
        self._until: dict[int, int] = {}
        self._excesses: dict[int, tuple[int, int]] = {}
        self._news: dict[int, int] = {}

    def exceeded(self, rule_index: int, ts_ns: int) -> None:
        """Note that a judgement was cut off at packet time `ts_ns`; suspend the rule if that is a habit."""
        self.counters.budget_exceeded += 1
        since, count = self._excesses.get(rule_index, (ts_ns, 0))
        if abs(ts_ns - since) > self.limits.window_ns:
            since, count = ts_ns, 0
        count += 1
        if count < self.limits.tolerance:
            self._excesses[rule_index] = since, count
            return
        self._excesses.pop(rule_index, None)
        self._until[rule_index] = self._news[rule_index] = ts_ns + self.limits.suspend_ns
        self.counters.suspended += 1

    def suspended(self, rule_index: int, ts_ns: int) -> bool:
        """Tell whether the rule is not to be judged now; a term that is over is forgotten."""
        if not self._until:
            return False
        until = self._until.get(rule_index)
        if until is None:
            return False
        if not 0 < until - ts_ns <= 2 * self.limits.suspend_ns:  # over, or the clock was set back
            del self._until[rule_index]
            return False
        self.counters.judgements_skipped += 1
        return True

    def suspended_at(self, ts_ns: int) -> int:
        """Return how many rules are suspended."""
        return sum(0 < until - ts_ns <= 2 * self.limits.suspend_ns for until in self._until.values())

    def drain_suspensions(self) -> list[tuple[int, int]]:
        """Return and forget (rule index, until ns) of rules suspended since the last call, for the log."""
        news, self._news = list(self._news.items()), {}
        return news
