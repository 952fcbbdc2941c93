"""The test "the buffer is one of a list"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensor.detect.budget import Meter
    from sensor.detect.chain import Step
    from sensor.detect.context import Window
    from sensor.rules.nodes import InList


def list_step(test: InList, follow: Step) -> Step:
    """Return the step of in_list: one look-up, however long the list."""
    values, negated = frozenset(test.values), test.negated

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        return (window.data in values) is not negated and follow(window, cursor, meter)

    return step
