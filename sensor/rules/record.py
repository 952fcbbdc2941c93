"""Mappings with known keys: one table of keys reads them, checks them, describes and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from sensor.rules.kinds import Kind, Plain
from sensor.rules.problems import Invalid, one_of
from sensor.rules.yamlio import Map, Value, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sensor.rules.context import Context

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping."""

    name: str
    kind: Kind[Any]
    help: str
    field: str = ""
    """Name of the value; empty: the key with `_` for `-`."""
    required: bool = False

    @property
    def target(self) -> str:
        """Name of the value in Python."""
        return self.field or self.name.replace("-", "_")


def read_keys(node: Map, keys: Mapping[str, Key], ctx: Context, what: str) -> dict[str, Any]:
    """Read all keys of a mapping. Reports every problem, then raises Invalid if there were any."""
    values: dict[str, Any] = {}
    failed = False
    for name, (at, _) in node.items.items():
        if name not in keys:
            ctx.problems.add(at, f"unknown key '{name}' in {what}", one_of(name, keys))
            failed = True
    for name, key in keys.items():
        value = node.get(name)
        if value is None:
            if key.required:
                ctx.problems.add(node, f"{what} needs the key '{name}'", key.help)
                failed = True
            continue
        try:
            values[key.target] = key.kind.read(value, ctx)
        except Invalid:
            failed = True
    if failed:
        raise Invalid
    return values


def object_schema(keys: Sequence[Key]) -> dict[str, Any]:
    """Return the JSON Schema of a mapping with these keys."""
    out: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: {"description": key.help, **key.kind.schema()} for key in keys},
    }
    required = [key.name for key in keys if key.required]
    return out | {"required": required} if required else out


class Record(Kind[S], Generic[S]):
    """A mapping that becomes a struct.

    `check` reports what no single key can know. `to_fields` and `from_fields` serve where keys and fields of
    the struct differ.
    """

    def __init__(
        self,
        struct: type[S],
        what: str,
        *keys: Key,
        check: Callable[[dict[str, Any], Map, Context], None] | None = None,
        to_fields: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        from_fields: Callable[[S], dict[str, Any]] | None = None,
    ) -> None:
        self.struct = struct
        self.what = what
        self.keys = keys
        self._by_name = {key.name: key for key in keys}
        self._check = check
        self._to_fields = to_fields
        self._from_fields = from_fields
        self._defaults = {field.name: field.default for field in msgspec.structs.fields(struct)}

    def read(self, node: Value, ctx: Context) -> S:
        """Return the struct."""
        if not isinstance(node, Map):
            ctx.problems.fail(node, f"expected a mapping for {self.what}, got {describe(node)}", self._example())
        values = read_keys(node, self._by_name, ctx, self.what)
        if self._check:
            self._check(values, node, ctx)
        return self.struct(**(self._to_fields(values) if self._to_fields else values))

    def _example(self) -> str:
        return f"{{{', '.join(f'{key.name}: …' for key in self.keys if key.required)}}}"

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return object_schema(self.keys)

    def write(self, value: S) -> Plain:
        """Return a mapping without what has its default."""
        source = self._from_fields(value) if self._from_fields else msgspec.structs.asdict(value)
        out: dict[str, Any] = {}
        for key in self.keys:
            if key.target in source and (key.required or source[key.target] != self._defaults.get(key.target)):
                out[key.name] = key.kind.write(source[key.target])
        return out


class Boxed(Kind[S], Generic[S]):
    """A record inside a mapping of one key, the keyword: `byte_test: {…}`."""

    def __init__(self, keyword: str, inner: Record[S]) -> None:
        self.keyword = keyword
        self.inner = inner

    def read(self, node: Value, ctx: Context) -> S:
        """Return the struct of the inner mapping."""
        if not isinstance(node, Map):
            ctx.problems.fail(node, f"expected {{{self.keyword}: …}}, got {describe(node)}")
        for name, (at, _) in node.items.items():
            if name != self.keyword:
                ctx.problems.add(at, f"'{name}' is out of place", f"it belongs into {self.keyword}: {{…}}")
        if len(node.items) != 1:
            raise Invalid
        return self.inner.read(node.items[self.keyword][1], ctx)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [self.keyword],
            "properties": {self.keyword: self.inner.schema()},
        }

    def write(self, value: S) -> Plain:
        """Return the mapping of one key."""
        return {self.keyword: self.inner.write(value)}
