"""Packets behind alerts with several workers: each remembers its own, and one process writes all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sensor.engine.crew.wire import Packets
from sensor.engine.records.evidence import Evidence


class Relay:
    """Stands for the captures in a worker: what is to be written is sent. send: takes messages."""

    def __init__(self, send: Callable[[Packets], None]) -> None:
        self._send = send

    def write(self, records: Iterable[bytes], ts: int) -> None:
        """Send records."""
        self._send(Packets(ts, list(records)))

    def name(self, _ts: int) -> str:
        """Return nothing: alerts get the name where they are written."""
        return ""

    def close(self) -> None:
        """Do nothing: there is no file here."""


def counters_of(evidence: Evidence | None) -> dict[str, int]:
    """Return what a worker tells of the packets that it remembers."""
    if evidence is None:
        return {}
    return {**evidence.counters.snapshot(), "remembered": evidence.remembered}
