"""Packet time while no packet comes: the last packet's, and what a steady clock has counted since.

The machine's clock may be set meanwhile, by hours where a guest was paused: asking it, all flows would end at once, or
none for as long as it was set back.
"""

from __future__ import annotations

from typing import Final

_SECOND: Final = 1_000_000_000


class PacketClock:
    """Times are packet time, ns since the epoch; `steady` is a clock in seconds that is never set.

    behind: ns by which quiet time stays back.
    """

    def __init__(self, real: int, steady: float, behind: int) -> None:
        self._ts, self._steady, self._behind = real, steady, behind

    def seen(self, ts: int, steady: float) -> None:
        """Take note of the latest packet."""
        self._ts, self._steady = ts, steady

    def quiet(self, steady: float) -> int:
        """Return the time by which all packets have come."""
        return self._ts + int((steady - self._steady) * _SECOND) - self._behind
