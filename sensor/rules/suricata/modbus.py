"""The keyword `modbus`: function, access and unit of requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.proto.modbus.fields import CATEGORIES, TABLES
from sensor.proto.modbus.parse import READ, WRITE
from sensor.rules.nodes import AnyNode, HeaderTest
from sensor.rules.suricata.numbers import integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.rules.suricata.draft import Draft

_RANGE = r"([<>]?\s*[0-9]{1,5})(?:<>([0-9]{1,5}))?"
_UNIT = re.compile(rf"unit\s+{_RANGE}(?:,\s*(.*))?")
_FUNCTION = re.compile(r"function\s+(!?[A-Za-z0-9]+)(?:,\s*subfunction\s+([0-9]+))?")
_ACCESS = re.compile(
    rf"access\s+(read|write)(?:\s+(discretes|coils|input|holding))?"
    rf"(?:,\s*address\s+{_RANGE}(?:,\s*value\s+{_RANGE})?)?"
)
_TOP = 0xFFFF


def modbus(draft: Draft, value: str) -> None:
    """`modbus:function 21`, `modbus:access write holding, address 9, value >2`, `modbus:unit 10, function !user`."""
    text = value.strip('" ').lower()
    found = _UNIT.fullmatch(text)
    if found:
        draft.conditions.append(_compared("modbus.unit", found[1], found[2]))
        text = found[3] or ""
        if not text:
            return
    if function := _FUNCTION.fullmatch(text):
        draft.conditions.extend(_function(function[1], function[2]))
    elif access := _ACCESS.fullmatch(text):
        draft.conditions.extend(_access(*access.groups()))
    else:
        raise Refused(f"'{text[:40]}' is not understood", "function …, access …, unit …")


def _function(word: str, subfunction: str | None) -> Iterator[AnyNode]:
    if word.isdigit():
        yield HeaderTest("modbus.function", "=", integer(word, 1, 255))
        if subfunction is not None:
            yield HeaderTest("modbus.subfunction", "=", integer(subfunction, 0, _TOP))
        return
    bits = CATEGORIES.get(word.removeprefix("!"))
    if bits is None:
        raise Refused(f"unknown category '{word[:20]}'", ", ".join(CATEGORIES))
    yield HeaderTest("modbus.category", "none" if word.startswith("!") else "any", bits)


def _access(
    kind: str, table: str | None, low: str | None, high: str | None, value: str | None, value_high: str | None
) -> Iterator[AnyNode]:
    if kind == "write" and table in ("discretes", "input"):
        raise Refused(f"{table} can only be read")
    yield HeaderTest("modbus.access", "any", READ if kind == "read" else WRITE)
    if table is not None:
        yield HeaderTest("modbus.access", "any", TABLES[table])
    if low is None:
        return
    yield from _touched(low, high)
    if value is not None:
        if kind == "read" or high is not None or not low.isdigit():
            raise Refused("a value is that of one address which is written")
        base = integer(low, 0, _TOP) << 16
        yield _shifted(_compared("modbus.written", value, value_high), base)


def _touched(low: str, high: str | None) -> Iterator[AnyNode]:
    """Yield tests that hold where a request's addresses reach into a range, whose ends do not belong to it."""
    test = _compared("modbus.first", low, high)
    if test.op == "=":
        yield HeaderTest("modbus.first", "<=", test.value)
        yield HeaderTest("modbus.last", ">=", test.value)
        return
    if test.op in (">", "<>"):
        yield HeaderTest("modbus.last", ">", test.value)
    if test.op in ("<", "<>"):
        yield HeaderTest("modbus.first", "<", test.high or test.value)


def _compared(field: str, low: str, high: str | None) -> HeaderTest:
    if high is not None:
        return HeaderTest(field, "<>", integer(low, 0, _TOP), integer(high, 0, _TOP))
    op = low[0] if low[0] in "<>" else "="
    return HeaderTest(field, op, integer(low.lstrip("<> "), 0, _TOP))


def _shifted(test: HeaderTest, base: int) -> HeaderTest:
    """Return a test of a value as one of values at an address: `base` stands for it."""
    if test.op == "=":
        return HeaderTest(test.field, "=", base + test.value)
    low = base + test.value if test.op in (">", "<>") else base - 1
    high = {"<": base + test.value, "<>": base + test.high}.get(test.op, base + _TOP + 1)
    return HeaderTest(test.field, "<>", low, high)
