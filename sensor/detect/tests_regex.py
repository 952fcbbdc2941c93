"""Regular expressions in a chain of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.detect import pcre
from sensor.detect.budget import BudgetExceededError, Meter

if TYPE_CHECKING:
    from sensor.detect.chain import Step
    from sensor.detect.context import Window

_SUBJECT = 5
"""2**5 bytes given to an unanchored regex cost a step: 0.1 us a byte at most, unless it backtracks much."""
_COPIED = 12
"""2**12 bytes cut out for an anchored regex cost a step."""


def regex_step(regex: pcre.Regex, relative: bool, negated: bool, follow: Step, retry: bool) -> Step:
    """Return the step of a regex.

    A relative one sees only what is behind the cursor (`^` is the cursor, look-behind ends there). The start
    of a stream window that is not the start of the stream is not a beginning of line.
    """
    cheap = regex.anchored
    search = regex.search

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        subject, origin, options = window.data, 0, 0
        if relative and cursor > 0:
            origin = cursor
            subject = subject[origin:]
        elif window.base and (not relative or cursor < 0):
            options = pcre.NOTBOL
        at, size = 0, len(subject)
        while at <= size:
            meter.left -= 2 + (size - at >> (_COPIED if cheap else _SUBJECT))
            if meter.left < 0:
                raise BudgetExceededError("regex")
            found = search(subject, at, options, meter)
            if negated:
                return found is None and follow(window, cursor, meter)
            if found is None:
                return False
            start, end = found
            if follow(window, origin + end, meter):
                return True
            if not retry:
                return False
            at = max(at, start) + 1
        return False

    return step
