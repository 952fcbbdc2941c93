"""Literal bytes: offset, depth, distance, within, startswith, endswith, nocase, negation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sensor.detect.evaluator.chain import Step, accept, place, unsigned
from sensor.detect.evaluator.context import Window
from sensor.detect.state.budget import BudgetExceededError, Meter
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.rules.nodes import Content, Num

Region = Callable[[Window, int, Meter], tuple[int, int]]
"""Where the whole pattern must lie: [low, high) in indexes of the window; low >= 0, high may be below low."""

_SEARCHED = 8
"""2**8 bytes searched cost a step (bytes.find covers them in 10-50 ns)."""


def content_step(test: Content, follow: Step, retry: bool, fold: bool = False) -> Step:
    """Return the step of a content. fold: the buffer is lowercase already, patterns match as with nocase.

    Raises RuleError on an empty pattern.
    """
    if not test.pattern:
        raise RuleError("content is empty")
    pattern = test.pattern.lower() if test.nocase or fold else test.pattern
    region = _region(test, len(pattern))
    if test.endswith:
        return _at_end(test, pattern, region, follow)
    if test.negated:
        return _absent(test, pattern, region, follow)
    if retry:
        return _backtracking(test, pattern, region, follow)
    if region is None:
        return _anywhere(test, pattern, follow)
    return _first(test, pattern, region, follow)


def _folded(test: Content) -> bool:
    """Tell whether the lowered data is to be searched (a pattern without letters needs no folding)."""
    return test.nocase and test.pattern.lower() != test.pattern.upper()


def _region(test: Content, size: int) -> Region | None:
    """Return the search region's function; None: the whole window."""
    relative = test.distance is not None or test.within is not None
    offset: Num = 0 if test.offset is None else test.offset
    depth = size if test.startswith else test.depth
    if not relative:
        if offset == 0 and depth is None:
            return None
        if isinstance(offset, int) and not isinstance(depth, str):
            return _absolute(offset, depth)
    elif offset == 0 and depth is None:
        distance, within = test.distance or 0, test.within
        if isinstance(distance, int) and not isinstance(within, str):
            return _relative(distance, within)
    return _general(offset, depth, test.distance, test.within)


def _absolute(offset: int, depth: int | None) -> Region:
    end = None if depth is None else offset + depth

    def region(window: Window, _cursor: int, _meter: Meter) -> tuple[int, int]:
        base = window.base
        size = len(window.data)
        high = size if end is None or end - base > size else end - base
        return (offset - base if offset > base else 0), high

    return region


def _relative(distance: int, within: int | None) -> Region:
    end = None if within is None else distance + within

    def region(window: Window, cursor: int, _meter: Meter) -> tuple[int, int]:
        low = cursor + distance
        size = len(window.data)
        high = size if end is None or end + cursor > size else end + cursor
        return (low if low > 0 else 0), high  # noqa: FURB136 -- max() takes three times as long

    return region


def _general(offset: Num, depth: Num | None, distance: Num | None, within: Num | None) -> Region:
    """Return the intersection of [offset, offset+depth) and [cursor+distance, cursor+distance+within)."""
    absolute = offset != 0 or depth is not None
    relative = distance is not None or within is not None
    offset_of = place(offset, unsigned)
    depth_of = None if depth is None else place(depth, unsigned)
    distance_of = place(distance or 0)
    within_of = None if within is None else place(within)

    def region(window: Window, cursor: int, meter: Meter) -> tuple[int, int]:
        values = meter.values
        low, high = 0, len(window.data)
        if absolute:
            low = offset_of(values) - window.base
            if depth_of is not None:
                high = min(high, low + depth_of(values))
        if relative:
            start = cursor + distance_of(values)
            low = max(low, start)
            if within_of is not None:
                high = min(high, start + within_of(values))
        return max(low, 0), high

    return region


def _anywhere(test: Content, pattern: bytes, follow: Step) -> Step:
    """Return the step that takes the first occurrence in the window: the commonest of all."""
    size = len(pattern)
    lower = _folded(test)
    last = follow is accept

    def step(window: Window, _cursor: int, meter: Meter) -> bool:
        data = window.lower if lower else window.data
        at = data.find(pattern)
        meter.left -= 1 + ((at if at >= 0 else len(data)) >> _SEARCHED)
        if meter.left < 0:
            raise BudgetExceededError("content")
        if last or at < 0:
            return at >= 0
        return follow(window, at + size, meter)

    return step


def _first(test: Content, pattern: bytes, region: Region, follow: Step) -> Step:
    """Return the step that takes the first occurrence in the region; no later one could do better."""
    size = len(pattern)
    lower = _folded(test)

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        low, high = region(window, cursor, meter)
        if high - low < size:
            return False
        at = (window.lower if lower else window.data).find(pattern, low, high)
        meter.left -= 1 + ((at if at >= 0 else high) - low >> _SEARCHED)
        if meter.left < 0:
            raise BudgetExceededError("content")
        return at >= 0 and follow(window, at + size, meter)

    return step


def _backtracking(test: Content, pattern: bytes, region: Region | None, follow: Step) -> Step:
    """Return the step that tries each occurrence in turn until the rest holds."""
    size = len(pattern)
    lower = _folded(test)

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        data = window.lower if lower else window.data
        low, high = region(window, cursor, meter) if region is not None else (0, len(data))
        while high - low >= size:
            at = data.find(pattern, low, high)
            meter.left -= 1 + ((at if at >= 0 else high) - low >> _SEARCHED)
            if meter.left < 0:
                raise BudgetExceededError("content")
            if at < 0:
                return False
            if follow(window, at + size, meter):
                return True
            low = at + 1
        return False

    return step


def _absent(test: Content, pattern: bytes, region: Region | None, follow: Step) -> Step:
    """Return the step that wants no occurrence in the region; the cursor stays.

    A region wholly in front of a stream window is not to be seen: that fails (Suricata fails it too).
    """
    lower = _folded(test)

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        data = window.lower if lower else window.data
        low, high = region(window, cursor, meter) if region is not None else (0, len(data))
        if high <= 0 < window.base:
            return False
        if low <= high:
            meter.left -= 1 + (high - low >> _SEARCHED)
            if meter.left < 0:
                raise BudgetExceededError("content")
            if data.find(pattern, low, high) >= 0:
                return False
        return follow(window, cursor, meter)

    return step


def _at_end(test: Content, pattern: bytes, region: Region | None, follow: Step) -> Step:
    """Return the step of a content that ends with the window's data (negated: that does not)."""
    size = len(pattern)
    lower = _folded(test)
    negated = test.negated

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        data = window.lower if lower else window.data
        end = len(data)
        low, high = region(window, cursor, meter) if region is not None else (0, end)
        meter.charge(1)
        found = high >= end and end - size >= low and data.endswith(pattern)
        if found == negated or (negated and high <= 0 < window.base):
            return False
        return follow(window, cursor if negated else end, meter)

    return step
