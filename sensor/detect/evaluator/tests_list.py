"""The test "the buffer is one of a list", and of sets that rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.errors import RuleError
from sensor.rules.lists import HEX_DIGITS, IPV4, MAPPED

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.detect.evaluator.chain import Step
    from sensor.detect.evaluator.context import Window
    from sensor.detect.state.budget import Meter
    from sensor.rules.nodes import InList


def list_step(test: InList, follow: Step) -> Step:
    """Return the step of in_list: one look-up, however long the list. Raises RuleError."""
    value_of = _value_of(test.kind)
    if test.told >= 0:
        return _telling_step(test.told, value_of, follow)
    if test.action:
        return _change_step(test, value_of, follow)
    if test.name:
        return _set_step(test, value_of, follow)
    values, negated = frozenset(test.values), test.negated

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        return (value_of(window.data) in values) is not negated and follow(window, cursor, meter)

    return step


def _set_step(test: InList, value_of: Callable[[bytes], bytes], follow: Step) -> Step:
    negated = test.negated

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        there = value_of(window.data) in meter.sets.of(test)
        return there is not negated and follow(window, cursor, meter)

    return step


def _change_step(test: InList, value_of: Callable[[bytes], bytes], follow: Step) -> Step:
    """Return the step of a change: it holds where there is something to change, which waits for the match."""
    if test.action not in ("set", "unset") or test.negated or not test.name:
        raise RuleError(f"in_list: action {test.action!r} makes no sense here")
    adds = test.action == "set"

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        value, found = value_of(window.data), meter.sets.of(test)
        if not value or (value in found) is adds or (adds and not meter.sets.has_room(found, value)):
            return False
        meter.pending.append((found, value, adds))
        if follow(window, cursor, meter):
            return True
        meter.pending.pop()
        return False

    return step


def _telling_step(number: int, value_of: Callable[[bytes], bytes], follow: Step) -> Step:
    """Return the step of a test that is decided elsewhere: of each value with which the rest holds it tells.

    It fails, so that all of them are tried; the condition holds if something was told (`naive`).
    """

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        if follow(window, cursor, meter):
            meter.told.setdefault(number, {})[value_of(window.data)] = None
        return False

    return step


def _value_of(kind: str) -> Callable[[bytes], bytes]:
    """Return what makes a value of a list of a buffer. Digests in bytes are hashes as well."""
    digest = HEX_DIGITS.get(kind, 0) // 2
    if digest:
        return lambda data: data.hex().encode() if len(data) == digest else data.lower()
    return _address if kind in (IPV4, "ip") else bytes


def _address(data: bytes) -> bytes:
    return data[len(MAPPED) :] if len(data) == 16 and data.startswith(MAPPED) else data
