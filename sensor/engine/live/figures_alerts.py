"""Alerts in figures: by severity, by category, and by rule where that is wanted. All of them bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sensor.detect.planning.plan import Plan
from sensor.engine.live import mirror
from sensor.xen.faults import SIDS

RuleKey = tuple[int, int]
"""gid, sid"""

SEVERITIES: Final = ("1", "2", "3", "4")
MAX_CATEGORIES: Final = 64
MAX_RULES: Final = 1000
OTHER: Final = "other"


class AlertFigures:
    """Knows the rules, also those that a reload took out. A label once given stays: counters never go back."""

    def __init__(self, *, per_rule: bool) -> None:
        self._per_rule = per_rule
        self._plan: Plan | None = None
        self._severities = {(mirror.GID, sid): str(mirror.SEVERITY) for _, sid in SIDS}
        self._categories = {(mirror.GID, sid): mirror.CATEGORY for _, sid in SIDS}
        self._known = {mirror.CATEGORY: None}
        self.rules = 0
        """That run; a rule may have several plans."""

    def learn(self, plan: Plan) -> None:
        """Take note of the rules that run; costs nothing while they stay the same."""
        if plan is self._plan:
            return
        self._plan = plan
        table = plan.table
        columns = table.ids.tolist(), table.severities.tolist(), table.categories.tolist()
        for (gid, sid), severity, number in zip(*columns, strict=True):
            category = table.category_names[number]
            self._severities[gid, sid] = str(severity)
            if len(self._known) < MAX_CATEGORIES:
                self._known[category] = None
            self._categories[gid, sid] = category if category in self._known else OTHER
        self.rules = table.loaded()

    def values(self, by_rule: Mapping[RuleKey, int]) -> dict[str, Mapping[tuple[str, ...], float]]:
        """Return the values of the metrics. by_rule: alerts, rules in the order of their first."""
        # A series that begins with its first alert never shows an increase by it: all begin at 0.
        severities = Counter(dict.fromkeys(SEVERITIES, 0))
        categories = Counter(dict.fromkeys(self._known, 0))
        for key, n in by_rule.items():
            severities[self._severities.get(key, "0")] += n
            categories[self._categories.get(key, OTHER)] += n
        found: dict[str, Mapping[tuple[str, ...], float]] = {
            "xensor_alerts_total": {(name,): n for name, n in severities.items()},
            "xensor_alerts_by_category_total": {(name,): n for name, n in categories.items()},
        }
        if self._per_rule:
            found["xensor_rule_alerts_total"] = _by_rule(by_rule)
        return found


def _by_rule(by_rule: Mapping[RuleKey, int]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for at, ((gid, sid), n) in enumerate(by_rule.items()):
        name = f"{gid}:{sid}" if at < MAX_RULES else OTHER
        found[name,] = found.get((name,), 0) + n
    return found
