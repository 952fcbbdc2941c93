"""Numbers in a buffer (byte_test, byte_jump, byte_extract, byte_math) and its size (isdataat, bsize)."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.detect.evaluator.chain import Step, number, place, signed
from sensor.detect.evaluator.context import Window
from sensor.detect.evaluator.operators import COMPARE
from sensor.detect.state.budget import Meter
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.rules.nodes import BufferSize, ByteExtract, ByteJump, ByteMath, ByteTest, IsDataAt, Num

Read = Callable[[Window, int, Meter], "tuple[int, int, int] | None"]
"""(window, cursor, meter) → (value, index of its first byte, index behind it), or None: not there."""

_U64 = 1 << 64
_MAX_BINARY, _MAX_TEXT = 8, 23
"""Bytes of a binary number, and of a number in text (23 octal digits hold 64 bits)."""
_SHIFT_LIMIT = 64
_BACK = -(1 << 46)
"""How far byte_jump goes back: beyond, Suricata's addresses are those of large numbers."""

_TEXT = MappingProxyType(
    {
        "hex": (16, re.compile(rb"[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9A-Fa-f]))?([0-9A-Fa-f]+)")),
        "dec": (10, re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")),
        "oct": (8, re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-7]+)")),
        "auto": (0, re.compile(rb"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)")),
    }
)

def text_number(data: bytes, base: str) -> tuple[int, int] | None:
    """Read a number in text as strtoull(3) does: (value, bytes used), or None: no digits, or over 64 bits."""
    radix, form = _TEXT[base]
    found = form.match(data)
    if found is None:
        return None
    value = int(found[2], radix or (8 if found[2].isdigit() and found[2].startswith(b"0") else 0))
    if value >= _U64:
        return None
    return (_U64 - value if found[1] == b"-" and value else value), found.end()


def _reader(nbytes: Num, offset: Num, relative: bool, endian: str, base: str, keyword: str) -> Read:
    """Return the reader of a number. Raises RuleError on an endianness, base or size it does not know.

    A text number of no size in byte_test is as long as its digits go.
    """
    if endian not in {"big", "little"}:
        raise RuleError(f"{keyword}: endianness {endian!r} is not big or little")
    if base and base not in _TEXT:
        raise RuleError(f"{keyword}: base {base!r} is not hex, dec, oct or auto")
    most = _MAX_TEXT if base else _MAX_BINARY
    open_end = bool(base) and keyword == "byte_test"
    least = int(keyword not in {"byte_jump", "byte_test"})
    if nbytes == 0 and not base and keyword == "byte_test":
        raise RuleError(f"{keyword}: a number has 1 to {most} bytes here, not 0")
    if isinstance(nbytes, int) and not least <= nbytes <= most:
        raise RuleError(f"{keyword}: a number has {least} to {most} bytes here, not {nbytes}")
    size_of, offset_of = place(nbytes), place(offset)
    order: str = endian

    def read(window: Window, cursor: int, meter: Meter) -> tuple[int, int, int] | None:
        values = meter.values
        at = offset_of(values) + (cursor if relative else -window.base)
        size = size_of(values)
        if at < 0 or not least <= size <= most or at + size > len(window.data):
            return None
        raw = window.data[at : at + (_MAX_TEXT if open_end and not size else size)]
        if not base:
            return int.from_bytes(raw, "little" if order == "little" else "big"), at, at + size
        found = text_number(raw, base)
        return None if found is None else (found[0], at, at + found[1])

    return read


def _masked(value: int, bitmask: int) -> int:
    """Return the bits of the mask, moved down by its trailing zeros (bitmask 0: no mask)."""
    return (value & bitmask) >> (bitmask & -bitmask).bit_length() - 1 if bitmask else value


def compare_step(test: ByteTest, follow: Step) -> Step:
    """Return the step of byte_test. A number that is not in the buffer fails it, negated or not."""
    negated = test.negated
    op = test.op
    if op == "!":
        op = "!="
    if op not in COMPARE and op.startswith("!"):
        op, negated = op[1:], not negated
    if op not in COMPARE:
        raise RuleError(f"byte_test: operator {test.op!r} is unknown")
    compare = COMPARE[op]
    read = _reader(test.nbytes, test.offset, test.relative, test.endian, test.base, "byte_test")
    value_of, bitmask = number(test.value), test.bitmask

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        found = read(window, cursor, meter)
        if found is None or compare(_masked(found[0], bitmask), value_of(meter.values)) == negated:
            return False
        return follow(window, cursor, meter)

    return step


def jump_step(test: ByteJump, follow: Step) -> Step:
    """Return the step of byte_jump. Before the buffer means its start; its end can be reached, nothing behind it.

    The number has 64 bits, and a sign: text may say how far to go back.
    """
    read = _reader(test.nbytes, test.offset, test.relative, test.endian, test.base, "byte_jump")
    post_of = number(test.post_offset)

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        found = read(window, cursor, meter)
        if found is None:
            return False
        value, _, end = found
        value = _masked(value, test.bitmask) * test.multiplier
        if test.align:
            value += -value % 4
        value = signed(value + post_of(meter.values), 64)
        size = len(window.data)
        if test.from_beginning:
            value -= window.base
        else:
            value += size if test.from_end else end
        if not _BACK <= value <= size:
            return False
        return follow(window, max(value, -window.base), meter)

    return step


def extract_step(test: ByteExtract, follow: Step) -> Step:
    """Return the step of byte_extract. The cursor moves behind the number."""
    read = _reader(test.nbytes, test.offset, test.relative, test.endian, test.base, "byte_extract")

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        found = read(window, cursor, meter)
        if found is None:
            return False
        value = found[0] * test.multiplier
        if test.align:
            value += -value % test.align
        meter.values[test.name] = value
        return follow(window, found[2], meter)

    return step


def math_step(test: ByteMath, follow: Step) -> Step:
    """Return the step of byte_math: 64 bits without sign; division by zero fails; the mask comes last."""
    read = _reader(test.nbytes, test.offset, test.relative, test.endian, test.base, "byte_math")
    if test.op not in {"+", "-", "*", "/", "<<", ">>"}:
        raise RuleError(f"byte_math: operator {test.op!r} is unknown")
    value_of = number(test.value)

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        found = read(window, cursor, meter)
        if found is None:
            return False
        value = _compute(found[0], test.op, value_of(meter.values))
        if value is None:
            return False
        meter.values[test.name] = _masked(value % _U64, test.bitmask)
        return follow(window, found[2], meter)

    return step


def _compute(left: int, op: str, right: int) -> int | None:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left // right if right else None
        case "<<":
            return left << right if 0 <= right < _SHIFT_LIMIT else 0
        case _:
            return left >> right if 0 <= right < _SHIFT_LIMIT else 0


def isdataat_step(test: IsDataAt, follow: Step) -> Step:
    """Return the step of isdataat.

    Relative: at least `length` bytes follow the cursor. Absolute: there is a byte at offset `length`. (So
    Suricata; Snort counts a relative one as the absolute.)
    """
    length_of, relative, negated = number(test.length), test.relative, test.negated

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        length, size = length_of(meter.values), len(window.data)
        there = cursor + length <= size if relative else length - window.base < size
        return there != negated and follow(window, cursor, meter)

    return step


def size_step(test: BufferSize, follow: Step) -> Step:
    """Return the step of bsize."""
    low, high = test.low, test.high
    if test.op == "<>":
        if not isinstance(low, int):
            raise RuleError("bsize: a range has fixed ends")
        fits: Callable[[int, int], bool] = lambda size, low: low < size < high  # noqa: E731 -- one of a family
    elif test.op in {"&", "^"} or test.op not in COMPARE:
        raise RuleError(f"bsize: operator {test.op!r} is unknown")
    else:
        fits = COMPARE[test.op]
    low_of = number(low)

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        meter.charge(1)
        return fits(len(window.data), low_of(meter.values)) and follow(window, cursor, meter)

    return step
