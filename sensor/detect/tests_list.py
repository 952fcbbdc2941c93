"""The test "the buffer is one of a list"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.rules.lists import HEX_DIGITS

if TYPE_CHECKING:
    from sensor.detect.budget import Meter
    from sensor.detect.chain import Step
    from sensor.detect.context import Window
    from sensor.rules.nodes import InList


def list_step(test: InList, follow: Step) -> Step:
    """Return the step of in_list: one look-up, however long the list. Digests in bytes are hashes as well."""
    values, negated = frozenset(test.values), test.negated
    digest = HEX_DIGITS.get(test.kind, 0) // 2

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        data = window.data.hex().encode() if digest and len(window.data) == digest else window.data
        return (data in values) is not negated and follow(window, cursor, meter)

    return step
