"""Flood control: repeated alerts of one (rule, source, destination) collapse into summaries, never into silence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sensor.model.counters import Counters
from sensor.model.scene import Match

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """Of the alerts of one (rule, source, destination) the first `burst` in a window are written; 0: all are."""

    burst: int = 1000
    window_ns: int = 60 * SECOND
    keys: int = 65_536
    """Triples remembered, about 0.4 KiB each; beyond, the oldest gets its summary early."""


class FloodCounters(Counters):
    """What flood control did."""

    __slots__ = ("evicted", "summaries", "summarized")
    evicted: int
    """Windows that ended early, because too many were open."""
    summaries: int
    """Summaries written."""
    summarized: int
    """Alerts that were held back and are counted in a summary."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """The alerts that one summary stands for."""

    count: int
    first: int
    """ns: the first of them."""


@dataclass(slots=True)
class _Window:
    since: int
    count: int = 0
    held: int = 0
    first: int = 0
    """ns: the first alert held back."""
    last: Match | None = None
    """The latest alert held back."""


class FloodControl:
    """One window per (rule, source, destination), on packet time; windows are in the order of their start."""

    def __init__(self, limits: FloodLimits | None = None) -> None:
        self.limits = limits or FloodLimits()
        self._windows: OrderedDict[tuple[int, int, bytes, bytes], _Window] = OrderedDict()
        self.counters = FloodCounters()

    def __len__(self) -> int:
        return len(self._windows)

    def admit(self, match: Match) -> Iterator[tuple[Match, Held | None]]:
        """Yield what is to be written when an alert comes: summaries that are due, then the alert itself or nothing.

        A summary is the latest alert held back, with the count of all that it stands for.
        """
        if self.limits.burst == 0:
            yield match, None
            return
        ts = match.scene.ts
        yield from self.due(ts)
        window = self._window(match)
        if len(self._windows) > self.limits.keys:
            self.counters.evicted += 1
            yield from self._summary(self._windows.popitem(last=False)[1])
        window.count += 1
        if window.count <= self.limits.burst:
            yield match, None
            return
        window.first = window.first if window.held else ts
        window.last = match
        window.held += 1
        self.counters.summarized += 1

    def due(self, now_ns: int) -> Iterator[tuple[Match, Held | None]]:
        """Yield the summaries of windows that are over."""
        while self._windows:
            name, window = next(iter(self._windows.items()))
            # A clock that was set back by more than a window must not hold alerts back until it has caught up.
            if abs(now_ns - window.since) < self.limits.window_ns:
                return
            del self._windows[name]
            yield from self._summary(window)

    def finish(self) -> Iterator[tuple[Match, Held | None]]:
        """Yield the summaries of everything that is still held back."""
        for window in self._windows.values():
            yield from self._summary(window)
        self._windows.clear()

    def _window(self, match: Match) -> _Window:
        scene, rule = match.scene, match.rule
        name = (rule.gid, rule.sid, scene.src, scene.dest)
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = _Window(scene.ts)
        return window

    def _summary(self, window: _Window) -> Iterator[tuple[Match, Held | None]]:
        if window.last is not None:
            self.counters.summaries += 1
            yield window.last, Held(window.held, window.first)
