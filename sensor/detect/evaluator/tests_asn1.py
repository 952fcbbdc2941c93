"""The test "the BER elements here hold something malicious" (Suricata's asn1; X.690)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.detect.evaluator.chain import Step
    from sensor.detect.evaluator.context import Window
    from sensor.detect.state.budget import Meter
    from sensor.rules.nodes import Asn1

MAX_ELEMENTS = 256
"""Elements looked at from one place on, as in Suricata."""
_MAX_TAG, _MAX_LENGTH = 5, 8
"""Bytes of a long tag, and of a long length."""
_BIT_STRING, _REAL = 3, 9
_CONSTRUCTED, _CLASS = 0x20, 0xC0
_BASE = 0xC0
"""Bits of the first byte of a REAL that are 0 where it is text (X.690 section 8.5.8)."""
_LONGEST_REAL = 256
_OFFSETS = 65_535


class Element(NamedTuple):
    """A header, and where its contents begin."""

    tag: int
    """Number of a universal tag; -1: it is of another class."""
    constructed: bool
    length: int
    """As it says; -1: indefinite."""
    start: int


def elements(data: bytes, at: int) -> Iterator[Element]:
    """Yield the elements from a place on, those within others behind them, up to the first that cannot be read."""
    for _ in range(MAX_ELEMENTS):
        found = _header(data, at)
        if found is None:
            return
        yield found
        # What is in a constructed element follows its header, so there is no need to remember where it ends.
        inside = found.constructed or found.length < 0
        at = found.start if inside else found.start + found.length


def _header(data: bytes, at: int) -> Element | None:
    if at + 2 > len(data):
        return None
    first = data[at]
    at += 1
    tag = first & 0x1F
    if tag == 0x1F:
        end = next((n for n in range(at, min(at + _MAX_TAG, len(data))) if not data[n] & 0x80), -1)
        if end < 0 or end + 1 >= len(data):
            return None
        tag, at = 0x1F, end + 1
    length = data[at]
    at += 1
    if length & 0x80:
        wide = length & 0x7F
        if wide > _MAX_LENGTH or at + wide > len(data):
            return None
        length = int.from_bytes(data[at : at + wide], "big") if wide else -1
        at += wide
    return Element(-1 if first & _CLASS else tag, bool(first & _CONSTRUCTED), length, at)


def malicious(data: bytes, at: int, test: Asn1) -> tuple[bool, int]:
    """Tell whether an element fits the test, and how many were looked at."""
    seen = 0
    for seen, found in enumerate(elements(data, at), 1):
        if test.oversize and found.length > test.oversize:
            return True, seen
        if found.constructed or found.length < 1 or found.start >= len(data):
            continue
        first = data[found.start]
        if test.bitstring_overflow and found.tag == _BIT_STRING and (found.length - 1) * 8 < first:
            return True, seen
        if test.double_overflow and found.tag == _REAL and not first & _BASE and found.length > _LONGEST_REAL:
            return True, seen
    return False, seen


def asn1_step(test: Asn1, follow: Step) -> Step:
    """Return the step of asn1; the cursor stays. Raises RuleError."""
    if not -_OFFSETS <= test.offset <= _OFFSETS:
        raise RuleError(f"asn1: offset {test.offset} is out of range")
    if not (test.bitstring_overflow or test.double_overflow or test.oversize):
        raise RuleError("asn1: nothing is asked for")
    offset, relative = test.offset, test.relative

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        at = offset + (cursor if relative else -window.base)
        found, seen = malicious(window.data, at, test) if at >= 0 else (False, 0)
        meter.charge(1 + seen)
        return found and follow(window, cursor, meter)

    return step
