"""Regular expressions in a chain of tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sensor.detect.regex import pcre
from sensor.detect.state.budget import BudgetExceededError, Meter
from sensor.errors import RuleError
from sensor.rules.walk import NAMED_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensor.detect.evaluator.chain import Step
    from sensor.detect.evaluator.context import Window
    from sensor.rules.nodes import Regex

_Search = Callable[[bytes, int, int, Meter], tuple[int, int] | None]
_Wanted = tuple[bool, str | int, int]
"""Kept for the packet and not for the flow; the name, or the number of the group that holds it; number of the group."""
VALUE = "pkt:value"
"""A group behind one called `pkt:key`: the text of that one is the name of what this one holds, as in Suricata."""

_SUBJECT = 5
"""2**5 bytes given to an unanchored regex cost a step: 0.1 us a byte at most, unless it backtracks much."""
_COPIED = 12
"""2**12 bytes cut out for an anchored regex cost a step."""

_NAME = 64
"""Bytes of a name that traffic gives."""


def regex_step(regex: pcre.Regex, relative: bool, negated: bool, follow: Step, retry: bool,
               search: _Search | None = None) -> Step:  # fmt: skip
    """Return the step of a regex. search: how it is looked for, if not by the regex itself.

    A relative one sees only what is behind the cursor (`^` is the cursor, look-behind ends there). The start
    of a stream window that is not the start of the stream is not a beginning of line.
    """
    cheap = regex.anchored
    search = search or regex.search

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


def capturing_step(regex: pcre.Regex, test: Regex, follow: Step, retry: bool) -> Step:
    """Return the step of a regex that notes what its groups have matched. Raises RuleError."""
    wanted = _wanted(regex, test)
    subject = b""

    def search(data: bytes, start: int, options: int, meter: Meter) -> tuple[int, int] | None:
        nonlocal subject
        subject = data
        return regex.search(data, start, options, meter)

    def note(window: Window, cursor: int, meter: Meter) -> bool:
        before = len(meter.captured)
        meter.captured += _captured(regex, wanted, subject)  # other steps may use the same regex
        if follow(window, cursor, meter):
            return True
        del meter.captured[before:]
        return False

    return regex_step(regex, test.relative, False, note, retry, search)


def _captured(regex: pcre.Regex, wanted: Iterable[_Wanted], subject: bytes) -> Iterator[tuple[bool, str, bytes]]:
    """Yield what the groups of the last match hold; those that took no part are left out."""
    for of_packet, name, number in wanted:
        span = regex.group(number)
        named = regex.group(name) if isinstance(name, int) else (0, 0)
        if span and named:
            text = name if isinstance(name, str) else subject[named[0] : named[1]][:_NAME].decode("ascii", "replace")
            yield of_packet, text, subject[span[0] : span[1]]


def _wanted(regex: pcre.Regex, test: Regex) -> list[_Wanted]:
    """Return what is to be kept. Raises RuleError where there are more names than groups."""
    if len(test.captures) > regex.groups:
        raise RuleError(f"the regex has {regex.groups} groups, fewer than names for them")
    found: list[_Wanted] = []
    for number, text in enumerate(test.captures, 1):
        kind, _, name = text.partition(":")
        if text == VALUE:
            found[-1] = True, number - 1, number
        else:
            found.append((kind == "pkt", name, number))
    named = ((one["kind"], one["name"]) for one in NAMED_GROUP.finditer(test.pattern))
    return found + [(kind == "pkt", name, regex.number(f"{kind}_{name}")) for kind, name in named]
