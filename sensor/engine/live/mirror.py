"""The mirror's health in the running sensor: reports become metrics, and faults become alerts.

A mirror that sees half is the most common failure of a sensor beside guests, and the sensor itself cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sensor.metrics.names import Snapshot
from sensor.model.records import Event
from sensor.model.timestamps import eve as timestamp
from sensor.xen.faults import FAILED, LOST, SIDS, SILENT, faults, growth
from sensor.xen.report import Report, ReportError, parse
from sensor.xen.sources import Source

GID: Final = 200
"""Generator of alerts about the sensor's own sight; rules have 1."""
SEVERITY: Final = 1
CATEGORY: Final = "Not all traffic is seen"
SID_OF: Final[Mapping[str, int]] = MappingProxyType(dict(SIDS))
HOLD: Final = 60.0
"""Seconds without losses after which they count as over: one alert for a stretch of losses, not one a report."""
_NONE: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A fault that began or ended."""

    event: str
    begun: bool
    text: str

    def __str__(self) -> str:
        return f"{self.event}: {self.text}" if self.begun else f"{self.event}: over"


class MirrorWatch:
    """Looks at the source about once a second. max_age: seconds without a report that are a fault.

    `now` is a steady clock in seconds, all of them of the same.
    """

    def __init__(self, source: Source, max_age: float, now: float) -> None:
        self._source = source
        self.named: Callable[[str], str] = str
        """Says more of a vif than its name."""
        self._max_age = max_age
        self._heard = now
        self._report: Report | None = None
        self._wrong: dict[str, str] = {}
        """Standing faults, of the last report."""
        self._unread = ""
        self._lossy: dict[str, tuple[float, str]] = {}
        """Losses: event → when they were last seen, and what."""
        self._told: dict[str, str] = {}
        self._lost = self._failed = self._copied = self._repaired = 0

    def look(self, now: float) -> list[Change]:
        """Take a report if there is one; return the faults that began and ended."""
        try:
            text = self._source.poll()
            if text is not None:
                self._take(parse(text), now)
                self._unread = ""
        except ReportError as e:
            self._unread = str(e)
        return self._changes(self._current(now))

    def _take(self, report: Report, now: float) -> None:
        grown = growth(self._report, report)
        self._lost += grown.lost
        self._failed += grown.failed
        self._copied += grown.copied
        self._repaired += grown.repaired
        found = faults(report, grown, self.named)
        self._lossy |= {name: (now, found.pop(name)) for name in (LOST, FAILED) if name in found}
        self._wrong, self._report, self._heard = found, report, now

    def _current(self, now: float) -> dict[str, str]:
        self._lossy = {name: seen for name, seen in self._lossy.items() if now - seen[0] < HOLD}
        found = self._wrong | {name: text for name, (_, text) in self._lossy.items()}
        if now - self._heard > self._max_age:
            why = f" ({self._unread})" if self._unread else ""
            found[SILENT] = f"dom0 has not told about the mirror for {now - self._heard:.0f} s{why}"
        return found

    def _changes(self, found: dict[str, str]) -> list[Change]:
        before, self._told = self._told, found
        ended = [Change(name, False, "") for name in before if name not in found]
        return ended + [Change(name, True, text) for name, text in found.items() if name not in before]

    def snapshot(self, now: float) -> Snapshot:
        """Return the values of the mirror's metrics."""
        bridges = self._report.bridges if self._report else ()
        return {
            "xensor_mirror_fault": {(name,): int(name in self._told) for name in SID_OF},
            "xensor_mirror_report_age_seconds": {_NONE: now - self._heard},
            "xensor_mirror_ports": {(bridge.name,): bridge.ports for bridge in bridges},
            "xensor_mirror_ports_missing": {(bridge.name,): bridge.missing for bridge in bridges},
            "xensor_mirror_frames_total": {_NONE: self._copied},
            "xensor_mirror_frames_lost_total": {("to_sensor",): self._lost, ("to_hub",): self._failed},
            "xensor_mirror_repairs_total": {_NONE: self._repaired},
        }

    def close(self) -> None:
        """Give the source back."""
        self._source.close()


def alert(change: Change, ns: int) -> Event:
    """Return the alert of a fault that began. ns: since the epoch."""
    about: dict[str, Any] = {
        "action": "allowed", "gid": GID, "signature_id": SID_OF[change.event], "rev": 1,
        "signature": f"XENSOR {change.event}: {change.text}", "category": CATEGORY,
        "severity": SEVERITY,
    }  # fmt: skip
    return Event("alert", {"timestamp": timestamp(ns), "event_type": "alert", "alert": about})
