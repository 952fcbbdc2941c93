"""What is odd on one side of a flow and waits until the other side has acknowledged it: rules then see it once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sensor.model.app import TO_SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from sensor.model.anomaly import AppAnomaly
    from sensor.model.app import ProtocolSpec

_RST = 4
_ECHOED = frozenset({"tls"})
"""Protocols of which Suricata judges what is odd on the packet that acknowledges it, and on the next of its own side:
a connection that breaks off there has one alert."""


LIMIT: Final = 8 << 20
"""Bytes that wait, of all flows: a segment of 64 KB may be odd in each of thousands."""
_ECHO = 1000
"""Bytes of one besides the segment."""


class Echo(NamedTuple):
    """What `Judge.event` was told."""

    spec: ProtocolSpec
    anomaly: AppAnomaly
    side: int
    rules: Sequence[int]
    data: bytes
    carriers: Sequence[object]


class Echoes:
    """By flow slot. Of a flow no more wait than its parser tells between two segments.

    Beyond `limit` bytes those of the flow go that has waited longest, and are counted.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: dict[int, list[Echo]] = {}
        self._bytes = 0
        self.forgotten = 0

    def __contains__(self, slot: int) -> bool:
        return slot in self._waiting

    def add(self, slot: int, echo: Echo) -> None:
        """Keep one, if its protocol is of those."""
        if slot >= 0 and echo.spec.name in _ECHOED and echo.anomaly in echo.spec.events:
            self._waiting.setdefault(slot, []).append(echo)
            self._bytes += _size(echo)
            while self._bytes > self._limit:
                self.forgotten += len(self.take(next(iter(self._waiting))))

    def take(self, slot: int) -> list[Echo]:
        """Return and forget those of a flow over which more is said."""
        found = self._waiting.pop(slot, None) if self._waiting else None
        if found is None:
            return []
        self._bytes -= sum(map(_size, found))
        return found

    def take_last(self, slot: int, flow: np.void) -> list[Echo]:
        """Return and forget those of a flow at its end (FLOW)."""
        return [echo for echo in self.take(slot) if _is_answered(flow, echo.side)]

    def forget(self, slots: Iterable[int]) -> None:
        """Drop those of ended flows."""
        if self._waiting:
            for slot in self._waiting.keys() & slots:
                self.take(slot)

    def adopt(self, old: Echoes) -> None:
        """Count on behind a reload: what waits then is about rules that may be no more."""
        self.forgotten = old.forgotten + sum(map(len, old._waiting.values()))


def _size(echo: Echo) -> int:
    return _ECHO + len(echo.data)


def _is_answered(flow: np.void, side: int) -> bool:
    """Tell whether all that a side has said was acknowledged, or would have been: nothing says that it was refused."""
    said = int(flow["isn"][side]) + int(flow["pos"][side])
    behind = (int(flow["acked"][side]) - said) & 0xFFFFFFFF
    if behind < 1 << 31:
        return True
    return side == TO_SERVER and not flow["tcpflags"][1 - side] & _RST
