"""Who is who, in the running sensor: the inventory is looked at once a second, and each new one holds from then on."""

from __future__ import annotations

from collections.abc import Callable

from sensor.metrics.names import Snapshot
from sensor.xen.directory import Directory
from sensor.xen.inventory import Inventory, parse
from sensor.xen.report import ReportError
from sensor.xen.sources import Source

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
