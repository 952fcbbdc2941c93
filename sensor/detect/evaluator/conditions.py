"""Conditions of a rule that look at no buffer: header numbers, flowbits, flowints, bits of hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sensor.detect.evaluator.context import Context
from sensor.detect.evaluator.operators import ORDER, Compare
from sensor.detect.state.budget import Meter
from sensor.errors import RuleError
from sensor.proto.registry import NUMBERS
from sensor.rules.fields import SEVERAL
from sensor.rules.nodes import FlowBits, FlowInt, FlowVar, HeaderTest, HostBit, PacketVar

if TYPE_CHECKING:
    from sensor.detect.state.bits import FlowVars
    from sensor.detect.state.hostbits import Key

Check = Callable[[Context, Meter], bool]
Holds = Callable[[int], bool]


def number_holds(test: HeaderTest) -> Holds:
    """Return the predicate on a number. Raises RuleError on an operator it does not know."""
    value, high, kept = test.value, test.high, ~test.mask
    values = frozenset(test.values)
    match test.op:
        case "<>":
            return lambda v: value < v < high
        case "in":
            return values.__contains__
        case "exact":
            return lambda v: v & kept == value
        case "all":
            return lambda v: v & kept & value == value
        case "any":
            return lambda v: v & kept & value != 0
        case "none":
            return lambda v: v & kept & value == 0
    compare = ORDER.get(test.op)
    if compare is None:
        raise RuleError(f"{test.field}: operator {test.op!r} is unknown")
    return lambda v: compare(v, value)


def _event_holds(test: HeaderTest) -> Holds:
    """Return the predicate on a set of bits (`fields.SEVERAL`): values are bit numbers."""
    match test.op:
        case "=" | "==":
            wanted, expect = 1 << test.value, True
        case "!=":
            wanted, expect = 1 << test.value, False
        case "in":
            wanted, expect = sum(1 << v for v in frozenset(test.values)), True
        case _:
            raise RuleError(f"{test.field}: operator {test.op!r} makes no sense")
    return lambda v: (v & wanted != 0) is expect


def header_check(test: HeaderTest) -> Check:
    """Return the check of a header test. Where there is no such field it fails, `!=` and `none` too.

    Of a number that a transaction has several times, one must hold.
    """
    field = test.field
    holds = _event_holds(test) if field in SEVERAL else number_holds(test)
    if field in NUMBERS:
        return lambda ctx, _meter: any(map(holds, ctx.numbers(field)))

    def check(ctx: Context, _meter: Meter) -> bool:
        value = ctx.header(field)
        return value is not None and holds(value)

    return check


def bits_check(test: FlowBits) -> Check | None:
    """Return the check of isset (any of the names is) and isnotset (any of them is not); None: an effect."""
    names = frozenset(test.names)
    if test.action in {"set", "unset", "toggle"}:
        return None
    if test.action == "isset":
        return lambda ctx, _meter: ctx.flow_vars is not None and not names.isdisjoint(ctx.flow_vars.bits)
    if test.action == "isnotset":
        return lambda ctx, _meter: ctx.flow_vars is not None and not names <= ctx.flow_vars.bits
    raise RuleError(f"flowbits: action {test.action!r} is unknown")


def int_check(test: FlowInt) -> Check | None:
    """Return the check of a flowint condition; None: an effect. A comparison of what is not set fails."""
    name = test.name
    match test.action:
        case "=" | "+" | "-":
            return None
        case "isset":
            return lambda ctx, _meter: ctx.flow_vars is not None and name in ctx.flow_vars.ints
        case "notset" | "isnotset":
            return lambda ctx, _meter: ctx.flow_vars is not None and name not in ctx.flow_vars.ints
    compare = ORDER.get(test.action)
    if compare is None:
        raise RuleError(f"flowint: action {test.action!r} is unknown")

    def check(ctx: Context, _meter: Meter) -> bool:
        return ctx.flow_vars is not None and _int_holds(ctx.flow_vars, test, compare)

    return check


def _int_holds(flow: FlowVars, test: FlowInt, compare: Compare) -> bool:
    mine = flow.ints.get(test.name)
    return mine is not None and compare(mine, flow.number(test.value) or 0)  # another that is not set counts as 0


def flow_var_check(test: FlowVar) -> Check:
    """Return the check of text that was kept for the flow."""
    return lambda ctx, _meter: _text_stands(ctx.flow_vars, test)


def packet_var_check(test: PacketVar) -> Check:
    """Return the check of text that was kept for the packet."""
    return lambda ctx, _meter: _text_stands(ctx.packet_vars, test)


def _text_stands(kept: FlowVars | None, test: FlowVar | PacketVar) -> bool:
    text = kept.texts.get(test.name) if kept is not None else None
    return text is not None and test.content in text


def bit_key(node: HostBit, ctx: Context) -> Key:
    """Return the key of a bit for the ends of the packet at hand."""
    if node.track == "by_src":
        return node.name, ctx.src, b""
    if node.track == "by_dst":
        return node.name, ctx.dest, b""
    low, high = sorted((ctx.src, ctx.dest))
    return node.name, low, high


def host_bit_check(node: HostBit) -> Check | None:
    """Return the check of isset and isnotset; None: an effect. Raises RuleError."""
    if node.action in ("set", "unset", "toggle"):
        return None
    if node.action not in ("isset", "isnotset"):
        raise RuleError(f"hostbits: action {node.action!r} is unknown")
    wanted = node.action == "isset"
    return lambda ctx, _meter: ctx.host_bits.is_set(bit_key(node, ctx), ctx.ts_ns) is wanted


def condition_check(node: HeaderTest | FlowBits | FlowInt | FlowVar | PacketVar | HostBit) -> Check | None:
    """Return the check of a condition; None: it is an effect. Raises RuleError."""
    match node:
        case HeaderTest():
            return header_check(node)
        case FlowBits():
            return bits_check(node)
        case FlowInt():
            return int_check(node)
        case FlowVar():
            return flow_var_check(node)
        case PacketVar():
            return packet_var_check(node)
        case HostBit():
            return host_bit_check(node)
