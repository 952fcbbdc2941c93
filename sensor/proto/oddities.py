"""What parsers find odd, until the sensor asks for it: what all of them have in common."""

from __future__ import annotations

from typing import Final

from sensor.model.anomaly import AppAnomaly

MAX_ANOMALIES: Final = 64
"""Kept of a flow between two questions."""


class Oddities:
    """Base of parsers. All that is odd is told, as often as it comes."""

    __slots__ = ("_odd",)

    def __init__(self) -> None:
        self._odd: list[tuple[AppAnomaly, int]] = []

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget what was odd, and on which side."""
        found, self._odd = self._odd, []
        return found

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if len(self._odd) < MAX_ANOMALIES:
            self._odd.append((anomaly, side))


class OdditiesOnce(Oddities):
    """Base of parsers. What is odd is told once for each side of a flow."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[AppAnomaly, int]] = set()

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if (anomaly, side) not in self._seen:
            self._seen.add((anomaly, side))
            self._odd.append((anomaly, side))
