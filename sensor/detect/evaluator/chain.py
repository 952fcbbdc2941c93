"""How the tests of one buffer follow each other: steps in continuation-passing style.

A step is a function (window, cursor, meter) that holds if its test *and all that follow* hold. A step that
can succeed at several places (content, regex) tries the rest at each: that is the backtracking of Suricata's
recursive content inspection, and it gives "there are positions under which all tests hold".

Cursors are indexes into the window's data. Before the first match the cursor is the start of the buffer,
which in a stream window lies `base` bytes before index 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sensor.detect.evaluator.context import Window
from sensor.detect.state.budget import Meter
from sensor.rules.nodes import (
    AnyTest,
    ByteExtract,
    ByteJump,
    ByteMath,
    Content,
    IsDataAt,
    Num,
    Regex,
)

Step = Callable[[Window, int, Meter], bool]
Number = Callable[[dict[str, int]], int]


def accept(_window: Window, _cursor: int, _meter: Meter) -> bool:
    """End of a chain."""
    return True


def constant(value: Num | None) -> int | None:
    """Return the number where it is one, None where it is a variable or absent."""
    return value if isinstance(value, int) else None


def number(value: Num) -> Number:
    """Return a function from the variables to the number (compile made sure that the variable is bound)."""
    if isinstance(value, int):
        fixed = value
        return lambda _values: fixed
    name = value
    return lambda values: values[name]


def signed(value: int, bits: int) -> int:
    """Return the number that the lowest bits of a value say, with a sign."""
    half = 1 << bits - 1
    return (value + half) % (half << 1) - half


def place(value: Num, wrap: Callable[[int], int] = lambda value: signed(value, 32)) -> Number:
    """Return a function from the variables to a place or a size: of a variable what 32 bits hold of it.

    byte_math may have gone below zero, or far beyond. Suricata keeps distances with a sign, and offsets without.
    """
    if isinstance(value, int):
        return number(value)
    name = value
    return lambda values: wrap(values[name])


def unsigned(value: int) -> int:
    """Return the lowest 32 bits."""
    return value & 0xFFFFFFFF


def uses_cursor(test: AnyTest) -> bool:
    """Tell whether the outcome of the test depends on where the cursor is."""
    if isinstance(test, Content):
        return test.distance is not None or test.within is not None
    return bool(getattr(test, "relative", False))


def sets_cursor(test: AnyTest) -> bool:
    """Tell whether the cursor behind the test is the test's own."""
    if isinstance(test, Content | Regex):
        return not test.negated
    return isinstance(test, ByteJump | ByteExtract | ByteMath)


def retry_helps(rest: Sequence[AnyTest]) -> bool:
    """Tell whether a later occurrence in front of `rest` can succeed where the first one failed.

    Not if nothing in `rest` looks at the cursor before it is set anew; and not if the first test that does is
    one that only a *smaller* cursor can help: content with a distance but no `within` (from the first
    occurrence it sees all that it sees from a later one), or `isdataat`. Nor, as in Suricata, if another content
    or regex stands between, be it one that may not be there.
    """
    for test in rest:
        if uses_cursor(test):
            if isinstance(test, Content) and not test.negated and test.within is None:
                return False
            if not (isinstance(test, IsDataAt) and not test.negated):
                return True
        elif sets_cursor(test) or isinstance(test, Content | Regex):
            return False
    return False
