"""The tree under `match`: buffers with their tests, conditions, and their combination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensor.rules import buffers, fields
from sensor.rules.conditions import BY_KEY, FIELD_KINDS, TRANSFORM_LIST
from sensor.rules.kinds import Plain, each, scalar
from sensor.rules.nodes import (
    All,
    AnyNode,
    AnyTest,
    BufferMatch,
    HeaderTest,
    Not,
    Transform,
)
from sensor.rules.nodes import Any as AnyOf
from sensor.rules.problems import suggest
from sensor.rules.steps import STEP_LIST, STEPS, Step, keyword
from sensor.rules.yamlio import Map, Scalar, Seq, Value, describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensor.rules.context import Context

_TCP = 6

COMBINERS = ("all", "any", "not")
SUBJECTS = (*COMBINERS, *BY_KEY, "present", "absent")


def default_buffer(proto: str) -> str:
    """Return the buffer that a `content` outside any buffer means, by the rule's protocol."""
    if proto == "tcp-stream":
        return buffers.STREAM
    if proto in ("ip", "tcp"):
        return buffers.EITHER
    spec = buffers.application(proto)
    return buffers.EITHER if spec and _TCP in spec.transports else buffers.PAYLOAD


def read_body(node: Value, ctx: Context) -> AnyNode:
    """Read what is under `match`, `not`: a list is `All`, a mapping of one condition that condition."""
    if isinstance(node, Seq):
        return All(read_list(node, ctx))
    nodes = _join(_read_item(node, ctx), ctx)
    return nodes[0] if len(nodes) == 1 else All(tuple(nodes))


def read_list(node: Seq, ctx: Context) -> tuple[AnyNode, ...]:
    """Read a list of conditions; adjoining tests without a buffer share the default buffer."""
    items = each(node.items, lambda item: _read_item(item, ctx))
    return tuple(_join([part for item in items for part in _as_one(item)], ctx))


def _as_one(parts: list[AnyNode | AnyTest]) -> list[AnyNode | AnyTest]:
    conditions = [part for part in parts if isinstance(part, AnyNode)]
    return [All(tuple(conditions))] if len(conditions) > 1 else parts


def _join(parts: Iterable[AnyNode | AnyTest], ctx: Context) -> list[AnyNode]:
    out: list[AnyNode] = []
    tests: list[AnyTest] = []

    def flush() -> None:
        if tests:
            out.append(BufferMatch(default_buffer(ctx.proto), tuple(tests)))
            tests.clear()

    for part in parts:
        if isinstance(part, AnyNode):
            flush()
            out.append(part)
        else:
            tests.append(part)
    flush()
    return out


def _read_item(node: Value, ctx: Context) -> list[AnyNode | AnyTest]:
    """Read one item: a test of the default buffer, or a mapping of conditions that must all hold."""
    if not isinstance(node, Map):
        hint = "content: …" if isinstance(node, Scalar) else "all: […]"
        ctx.problems.fail(node, f"expected a condition, got {describe(node)}", hint)
    if not node.items:
        ctx.problems.fail(node, "the condition is empty")
    if keyword(node):
        return [Step().read(node, ctx)]
    transforms = _transforms(node, ctx)
    subjects = [entry for entry in node.items.values() if entry[0].text != "transforms"]
    keys = iter(subjects)
    return list(
        each(
            [value for _, value in subjects],
            lambda value: _read_subject(next(keys)[0], value, transforms, ctx),
        )
    )


def _transforms(node: Map, ctx: Context) -> tuple[Transform, ...]:
    entry = node.items.get("transforms")
    if entry is None:
        return ()
    others = [name for name in node.items if name != "transforms"]
    if len(others) != 1 or (others[0] in SUBJECTS and others[0] not in ("present", "absent")):
        ctx.problems.fail(entry[0], "transforms stand beside exactly one buffer", "put each buffer into its own item")
    return TRANSFORM_LIST.read(entry[1], ctx)


def _read_subject(key: Scalar, value: Value, transforms: tuple[Transform, ...], ctx: Context) -> AnyNode:
    name = key.text
    if name in ("all", "any"):
        if not isinstance(value, Seq):
            ctx.problems.fail(value, f"{name} takes a list of conditions, got {describe(value)}")
        if name == "any" and not value.items:
            ctx.problems.fail(value, "any: [] never holds")
        children = read_list(value, ctx)
        return All(children) if name == "all" else AnyOf(children)
    if name == "not":
        return Not(read_body(value, ctx))
    if name in BY_KEY:
        found: AnyNode = BY_KEY[name][1].read(value, ctx)
        return found
    if name in ("present", "absent"):
        leaf = scalar(value, ctx, "the name of a buffer")
        buffer, either = _buffer(leaf, ctx)
        return BufferMatch(buffer, (), transforms, absent=name == "absent", either=either)
    field = fields.BY_NAME.get(name)
    if field:
        return FIELD_KINDS[field.name].read(value, ctx)
    buffer, either = _buffer(key, ctx)
    return BufferMatch(buffer, STEP_LIST.read(value, ctx), transforms, either=either)


def _buffer(key: Scalar, ctx: Context) -> tuple[str, bool]:
    """Return the final name, and whether the buffer of either side is meant."""
    either = key.text.endswith(buffers.EITHER_SIDE)
    found = buffers.resolve(buffers.base(key.text) if either else key.text, ctx.direction)
    if either and (ctx.direction or not found or not buffers.has_twin(found)):
        why = f"flow says {ctx.direction} already" if ctx.direction else "the buffer does not exist on both sides"
        ctx.problems.fail(key, f"'{key.text}': {why}", f"write {buffers.base(key.text)}")
    if found is None:
        known = (*buffers.names(), *fields.BY_NAME, *SUBJECTS, *STEPS, "transforms")
        ctx.problems.fail(key, f"unknown buffer or field '{key.text}'", suggest(key.text, known))
    return found, either


def write_body(node: AnyNode, direction: str) -> Plain:
    """Return the value of `match`: a list for `All`, else the mapping of the one condition."""
    return _write_list(node.children, direction) if isinstance(node, All) else write_node(node, direction)


def _write_list(nodes: tuple[AnyNode, ...], direction: str) -> list[Any]:
    return [write_node(node, direction) for node in nodes]


def write_node(node: AnyNode, direction: str) -> dict[str, Any]:
    """Return a condition as a mapping."""
    if isinstance(node, BufferMatch):
        return _write_buffer(node, direction)
    if isinstance(node, HeaderTest):
        return {node.field: FIELD_KINDS[node.field].write(node)}
    if isinstance(node, Not):
        return {"not": write_body(node.child, direction)}
    if isinstance(node, All | AnyOf):
        return {"all" if isinstance(node, All) else "any": _write_list(node.children, direction)}
    name, kind = next((name, kind) for name, (struct, kind) in BY_KEY.items() if isinstance(node, struct))
    return {name: kind.write(node)}


def _write_buffer(node: BufferMatch, direction: str) -> dict[str, Any]:
    name = buffers.written(node.buffer, direction) + (buffers.EITHER_SIDE if node.either else "")
    out: dict[str, Any]
    if node.tests:
        tests = STEP_LIST.write(node.tests)
        out = {name: tests[0] if isinstance(tests, list) and len(tests) == 1 else tests}
    else:
        out = {"absent" if node.absent else "present": name}
    return out | {"transforms": TRANSFORM_LIST.write(node.transforms)} if node.transforms else out
