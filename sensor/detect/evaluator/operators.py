"""The operators that rules compare numbers with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import MappingProxyType

Compare = Callable[[int, int], bool]

ORDER: MappingProxyType[str, Compare] = MappingProxyType(
    {
        "=": operator.eq,
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        ">": operator.gt,
        "<=": operator.le,
        ">=": operator.ge,
    }
)
COMPARE: MappingProxyType[str, Compare] = MappingProxyType(
    {**ORDER, "&": lambda a, b: a & b != 0, "^": lambda a, b: a ^ b != 0}
)
"""Those of numbers in a buffer."""
