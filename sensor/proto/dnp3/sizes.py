"""How much room an object of DNP3 takes (IEEE 1815 annex A)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_COUNTERS = MappingProxyType({1: 5, 2: 3, 3: 11, 4: 9, 5: 5, 6: 9, 7: 11, 8: 15})
_BYTES: Mapping[int, Mapping[int, int]] = MappingProxyType(
    {
        1: {2: 1},
        2: {1: 1, 2: 7, 3: 3},
        3: {2: 1},
        4: {1: 1, 2: 7, 3: 3},
        10: {2: 1},
        11: {1: 1, 2: 7},
        12: {1: 11, 2: 11},
        13: {1: 1, 2: 7},
        20: {1: 5, 2: 3, 3: 5, 4: 3, 5: 4, 6: 2, 7: 4, 8: 2},
        21: {1: 5, 2: 3, 3: 5, 4: 3, 5: 11, 6: 9, 7: 11, 8: 9, 9: 4, 10: 2, 11: 4, 12: 2},
        22: {1: 5, 2: 3, 3: 5, 4: 3, 5: 11, 6: 9, 7: 11, 8: 9},
        23: {1: 5, 2: 3, 3: 5, 4: 3, 5: 11, 6: 9, 7: 11, 8: 9},
        30: {1: 5, 2: 3, 3: 4, 4: 2, 5: 5, 6: 9},
        31: {1: 5, 2: 3, 3: 11, 4: 9, 5: 4, 6: 2, 7: 5, 8: 9},
        32: _COUNTERS,
        33: _COUNTERS,
        34: {1: 2, 2: 4, 3: 4},
        40: {1: 5, 2: 3, 3: 5, 4: 9},
        41: {1: 5, 2: 3, 3: 5, 4: 9},
        42: _COUNTERS,
        43: _COUNTERS,
        50: {1: 6, 2: 10, 3: 6, 4: 11},
        51: {1: 6, 2: 6},
        52: {1: 2, 2: 2},
    }
)
"""Group → variation → bytes: inputs, outputs, counters, analogs, times."""

_BITS: Mapping[tuple[int, int], int] = MappingProxyType({(1, 1): 1, (3, 1): 2, (10, 1): 1, (12, 3): 1, (80, 1): 1})
"""Packed objects."""

_NOTHING = frozenset({60})
"""Classes: they have no content."""
_STRINGS = frozenset({110, 111, 112, 113})
"""Octet strings and virtual terminals: the variation is their size."""


def sizes(group: int, variation: int) -> int:
    """Return the bits of an object; -1: not known."""
    if group in _NOTHING or variation == 0:
        return 0
    if group in _STRINGS:
        return 8 * variation
    if (group, variation) in _BITS:
        return _BITS[group, variation]
    found = _BYTES.get(group, {}).get(variation, -1)
    return 8 * found if found >= 0 else -1
