"""Who is who, in the running sensor: the inventory is looked at once a second, and each new one holds from then on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from sensor.metrics.names import Snapshot
from sensor.xen.directory import Directory
from sensor.xen.inventory import Inventory, parse
from sensor.xen.report import ReportError
from sensor.xen.sources import Source

GUESTS_MAX: Final = 256
"""Guests that alerts are counted by; guests may come and go for years."""
OTHER: Final = "other"
_NONE: tuple[str, ...] = ()


class GuestWatch:
    """Looks at a source of inventories. log: told what changes; use: given each new directory.

    `now` is a steady clock in seconds, all of them of the same; `ts` is packet time, ns.
    """

    def __init__(self, source: Source, log: Callable[[str], None], use: Callable[[Directory], None]) -> None:
        self._source = source
        self._log = log
        self._use = use
        self._wrong = ""
        self._heard = 0.0
        self.directory = Directory()
        self.errors = 0

    def look(self, now: float, ts: int) -> None:
        """Take an inventory if there is a new one; one that cannot be read leaves the last in force."""
        try:
            text = self._source.poll()
            fresh = None if text is None else parse(text)
        except ReportError as e:
            self._failed(str(e))
            return
        if fresh is not None:
            self._take(fresh, now, ts)

    def _take(self, fresh: Inventory, now: float, ts: int) -> None:
        self._heard, self._wrong = now, ""
        if fresh == self.directory.inventory:
            return
        before = len(self.directory.guests)
        self.directory = self.directory.renewed(fresh, ts)
        self._use(self.directory)
        if len(fresh.guests) != before:
            self._log(f"{len(fresh.guests)} guests are known")

    def _failed(self, why: str) -> None:
        """Count an inventory that cannot be used; say so once."""
        if why != self._wrong:
            self.errors += 1
            self._log(f"the inventory of guests cannot be read: {why}")
        self._wrong = why

    def named(self, vif: str) -> str:
        """Return a vif with the name of its guest, where that is known."""
        vifs = self.directory.inventory.vifs
        return next((f"{vif} of {one.guest.name}" for one in vifs if one.name == vif), vif)

    def snapshot(self, now: float) -> Snapshot:
        """Return the values of the metrics about the inventory."""
        found: dict[str, dict[tuple[str, ...], float]] = {
            "xensor_guests_known": {_NONE: len(self.directory.guests)},
            "xensor_inventory_errors_total": {_NONE: self.errors},
        }
        if self._heard:
            found["xensor_inventory_age_seconds"] = {_NONE: now - self._heard}
        return found

    def close(self) -> None:
        """Give the source back."""
        self._source.close()


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
