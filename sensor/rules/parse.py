"""A file of YAML rules to `Rule` nodes. Every problem is collected; good rules survive bad neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sensor.rules import header
from sensor.rules.body import read_body
from sensor.rules.check import unmatchable
from sensor.rules.nodes import All, AnyNode, Rule, Suppression, labels_of
from sensor.rules.problems import Invalid, Problem, one_of
from sensor.rules.record import read_keys
from sensor.rules.yamlio import Map, Scalar, Seq, Value, describe, read

if TYPE_CHECKING:
    from sensor.rules.context import Context

_RULE_KEYS = {key.name: key for key in header.RULE_KEYS}
_LOWEST = 3
"""Severity where neither the rule nor its class says one."""


class Unit(msgspec.Struct, frozen=True):
    """What one file holds."""

    rules: tuple[Rule, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    problems: tuple[Problem, ...] = ()
    lists: tuple[tuple[str, bytes], ...] = ()
    """Path and digest of every list file that the rules name."""


def parse(text: str, ctx: Context) -> Unit:
    """Read a file: a list of rules, or a mapping of `rules`, `defaults` and `suppress`."""
    root = read(text, ctx.problems)
    rules: list[Rule] = []
    suppressions: list[Suppression] = []
    if root is not None:
        defaults, rule_nodes, suppression_nodes = _sections(root, ctx)
        for node in rule_nodes:
            try:
                rules.append(_rule(node, defaults, text, ctx))
            except Invalid:
                continue
        for node in suppression_nodes:
            try:
                suppressions.append(header.SUPPRESSION.read(node, ctx))
            except Invalid:
                continue
    return Unit(tuple(rules), tuple(suppressions), ctx.problems.found(), tuple(ctx.lists.used.items()))


def _sections(root: Value, ctx: Context) -> tuple[Map | None, list[Value], list[Value]]:
    if isinstance(root, Seq):
        return None, root.items, []
    if isinstance(root, Scalar):
        if root.kind != "null":
            ctx.problems.add(root, f"expected rules, got {describe(root)}", "a list of rules: '- id: …'")
        return None, [], []
    if "id" in root.items and "rules" not in root.items:
        ctx.problems.add(root, "a file holds a list of rules", "put '- ' before the rule's first key")
        return None, [], []
    for name, (at, _) in root.items.items():
        if name not in header.FILE_KEYS:
            ctx.problems.add(at, f"unknown key '{name}' in a rule file", one_of(name, header.FILE_KEYS))
    return _defaults(root, ctx), _list(root, "rules", ctx), _list(root, "suppress", ctx)


def _list(root: Map, name: str, ctx: Context) -> list[Value]:
    node = root.get(name)
    if node is None or (isinstance(node, Scalar) and node.kind == "null"):
        return []
    if isinstance(node, Seq):
        return node.items
    ctx.problems.add(node, f"{name} takes a list, got {describe(node)}")
    return []


def _defaults(root: Map, ctx: Context) -> Map | None:
    node = root.get("defaults")
    if node is None:
        return None
    if not isinstance(node, Map):
        ctx.problems.add(node, f"defaults takes a mapping, got {describe(node)}")
        return None
    allowed = [name for name in _RULE_KEYS if name not in header.NOT_DEFAULTABLE]
    for name in list(node.items):
        if name not in allowed:
            ctx.problems.add(node.items[name][0], f"'{name}' cannot be a default", one_of(name, allowed))
            del node.items[name]
    return node


def _rule(node: Value, defaults: Map | None, text: str, ctx: Context) -> Rule:
    if not isinstance(node, Map):
        ctx.problems.fail(node, f"expected a rule, got {describe(node)}", "a mapping: '- id: …'")
    if defaults:
        node.items = defaults.items | node.items
    ctx.proto, ctx.direction = "ip", ""
    ctx.defined.clear()
    failed = False
    try:
        values = read_keys(node, _RULE_KEYS, ctx, "rule")
    except Invalid:
        failed, values = True, _best_effort(node, ctx)
    body = _body(values, ctx)
    if failed:
        raise Invalid
    values["established"], values["direction"] = values.pop("flow", (None, ""))
    values.pop("match", None)
    _classify(values, node, ctx)
    values["labels"] = labels_of(values.pop("references", ()), values.pop("metadata", ()))
    rule = Rule(**values, body=body, file=ctx.problems.file, line=node.line, text=_source(text, node))
    reason = unmatchable(rule)
    return msgspec.structs.replace(rule, unmatchable=reason) if reason else rule


def _best_effort(node: Map, ctx: Context) -> dict[str, Any]:
    """Return the values that decide how `match` is read, so that its problems show with the header's."""
    values: dict[str, Any] = {}
    for name in ("protocol", "flow", "match"):
        entry = node.get(name)
        if entry is not None:
            try:
                values[_RULE_KEYS[name].target] = _RULE_KEYS[name].kind.read(entry, ctx)
            except Invalid:
                continue
    return values


def _body(values: dict[str, Any], ctx: Context) -> AnyNode:
    ctx.proto = values.get("proto", "ip")
    values.setdefault("proto", ctx.proto)
    ctx.direction = values.get("flow", (None, ""))[1]
    node = values.get("match")
    return All(()) if node is None else read_body(node, ctx)


def _classify(values: dict[str, Any], node: Map, ctx: Context) -> None:
    """Fill severity and category from the class."""
    name = values.setdefault("classtype", "")
    values.setdefault("msg", "")
    known = ctx.classes.get(name)
    if known:
        values.setdefault("category", known.category)
        values.setdefault("severity", known.severity)
    elif name and not ("category" in values and "severity" in values):
        hint = one_of(name, ctx.classes) or "or give category and severity with it"
        ctx.problems.fail(node.items["classification"][1], f"unknown classification '{name[:40]}'", hint)
    values.setdefault("severity", _LOWEST)


def _source(text: str, node: Map) -> str:
    """Return the rule as written, moved to the margin, without blank and comment lines that follow it."""
    lines = text[node.start : node.end].rstrip().split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    margin = " " * (node.column - 1)
    return "\n".join(line.removeprefix(margin) for line in lines)
