"""Which stream unit of a block holds the new bytes of each side, in one table for all blocks."""

import numba
from numba.types import int32, void

from sensor.model.jit import kernel
from sensor.model.units import UNIT, UNIT_STREAM

NONE = -1
SEVERAL = -2

_UNITS = numba.from_dtype(UNIT)[::1]


@kernel(void(_UNITS, int32[::1]))
def mark(units, unit_of):  # pragma: no cover
    """Write the number of each stream unit at 2 * slot + side; SEVERAL where a side has more.

    unit_of: int32[2 * slots], NONE where nothing was marked.
    """
    kinds, slots, sides = units["kind"], units["flow"], units["side"]
    for i in range(units.size):
        if kinds[i] == UNIT_STREAM:
            side = 2 * slots[i] + sides[i]
            unit_of[side] = i if unit_of[side] == NONE else SEVERAL


@kernel(void(_UNITS, int32[::1]))
def clear(units, unit_of):  # pragma: no cover
    """Take back what `mark` wrote."""
    kinds, slots, sides = units["kind"], units["flow"], units["side"]
    for i in range(units.size):
        if kinds[i] == UNIT_STREAM:
            unit_of[2 * slots[i] + sides[i]] = NONE
