"""The machine's clock is set while packets carry its time: by hours where a guest was paused.

Packet time is what events show, and stays as it is. What must not follow it: flows, which would all end at once as
after a long silence, quiet times, and the order of what several workers raise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

_SECOND: Final = 1_000_000_000
STEP_NS: Final = 10 * _SECOND
"""A clock that is set by less is taken for one that is slewed: flows live longer than that."""
SETTLE_NS: Final = 4 * _SECOND
"""Packets that were stamped before a step come at most so much later than others: what a ring holds, of some
interfaces."""


class PacketClock:
    """Packet time while no packet comes: the last packet's, and what a steady clock has counted since.

    Times are packet time, ns since the epoch; `steady` is a clock in seconds that is never set. behind: ns by which
    quiet time stays back.
    """

    def __init__(self, real: int, steady: float, behind: int) -> None:
        self._ts, self._steady, self._behind = real, steady, behind

    def seen(self, ts: int, steady: float) -> None:
        """Take note of the latest packet."""
        self._ts, self._steady = ts, steady

    def quiet(self, steady: float) -> int:
        """Return the time by which all packets have come."""
        return self._ts + int((steady - self._steady) * _SECOND) - self._behind


def told(step: int) -> str:
    """Return the news of a step (ns) for a log."""
    way = "forward" if step > 0 else "back"
    return f"the clock was set {way} by {abs(step) / _SECOND:.1f} s: flows go on as if it had not been"


class Part(NamedTuple):
    """Packets of a block that were stamped by one setting of the clock."""

    first: int
    last: int
    """Behind the last packet."""
    ahead: int
    """ns by which the clock was set forward (negative: back) since the packets before these."""


class ClockSteps:
    """Tells when the clock was set, and which packets were stamped before and after. Clocks in ns.

    Both clocks are looked at for each block: their difference moves by a step, whatever packets do, and how far packets
    are behind does not matter. Which packets came behind the step, their own time tells: before it they are on one
    side of the middle between the two settings, behind it on the other.
    """

    def __init__(self, real: int, steady: int) -> None:
        self._real, self._steady = real, steady
        self.count = 0
        """Steps so far."""
        self.ahead = 0
        """ns by which packets at hand are ahead of what they would have been without steps: whole seconds, so that
        processes that look for themselves find the same."""
        self.offset = real - steady
        """Of the packets at hand: their time less this is steady time."""
        self._other = self.offset
        """The setting that other packets may have been stamped by."""
        self._border = self._settled = 0
        """Packet time between the two settings; steady time from which on there is only the later one."""
        self._on_new = True
        """The packets at hand were stamped by the later setting."""

    def look(self, real: int, steady: int) -> int:
        """Take note of both clocks, after a block was taken; return how far the clock was set (ns), 0: it was not."""
        step = (real - self._real) - (steady - self._steady)
        self._real, self._steady = real, steady
        if abs(step) < STEP_NS:
            self._slew(step)
            if self._on_new and steady >= self._settled:
                self._other = self.offset
            return 0
        if self._on_new:
            self._other = self.offset
        self.count += 1
        whole = round(step / _SECOND) * _SECOND
        self._slew(step - whole)
        self._other += whole
        if abs(self._other - self.offset) < STEP_NS:  # to and fro, and no packet between
            self.offset = self._other
        self._on_new = self._other == self.offset
        self._border = steady + (self.offset + self._other) // 2
        self._settled = steady + SETTLE_NS
        return whole

    def unset(self) -> int:
        """Return what the clock would show now without steps."""
        return self._real - self.ahead - (0 if self._on_new else self._other - self.offset)

    def _slew(self, by: int) -> None:
        self.offset += by
        self._other += by
        self._border += by

    def parts(self, ts: np.ndarray) -> Iterator[Part]:
        """Yield the parts of a block; while one is at hand `offset` is its own. ts: int64[n]."""
        if self._other == self.offset or self._steady >= self._settled:
            yield Part(0, ts.size, 0 if self._on_new else self._turn())
            return
        above = ts > self._border
        cuts = [0, *(np.flatnonzero(above[1:] != above[:-1]) + 1).tolist(), ts.size]
        for first, last in pairwise(cuts):
            if first < last:
                other = bool(above[first]) is (self._other > self.offset)
                yield Part(first, last, self._turn() if other else 0)

    def _turn(self) -> int:
        """Go to the other setting; return how far that is (ns)."""
        ahead = self._other - self.offset
        self.ahead += ahead
        self.offset, self._other = self._other, self.offset
        self._on_new = not self._on_new
        return ahead
