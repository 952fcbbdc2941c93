"""Alerts counted by guest: the metric that tells which guest is attacked, or attacks."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sensor.metrics.names import Snapshot
from sensor.xen.directory import Directory

GUESTS_MAX: Final = 256
"""Guests that alerts are counted by; guests may come and go for years."""
OTHER: Final = "other"


class GuestAlerts:
    """Alerts by guest. A guest once counted stays counted by its name: counters never go back."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def learn(self, directory: Directory) -> None:
        """Let the guests of an inventory have counters of their own, as many as there is room for."""
        for guest in directory.guests:
            if guest.name not in self._counts and len(self._counts) < GUESTS_MAX:
                self._counts[guest.name] = 0

    def count(self, names: set[str]) -> None:
        """Count an alert for each guest at its ends, for `other` where neither end is one."""
        for name in {name if name in self._counts else OTHER for name in names} or {OTHER}:
            self._counts[name] += 1

    def snapshot(self) -> Snapshot:
        """Return the value of the metric."""
        counts = {OTHER: self._counts[OTHER], **self._counts}
        return {"xensor_alerts_by_guest_total": {(name,): n for name, n in counts.items()}}
