"""The conditions that are no tests of a buffer: header fields, flow bits, flow counters; and transforms."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sensor.rules import fields
from sensor.rules.kinds import Flag, Kind, ListOf, LiteralBytes, Num, Plain, Text, Whole, Word, each, scalar
from sensor.rules.nodes import (
    Country,
    FlowBits,
    FlowInt,
    FlowVar,
    HeaderTest,
    HostBit,
    PacketVar,
    Reputation,
    Transform,
)
from sensor.rules.problems import one_of, suggest
from sensor.rules.record import Key, Record
from sensor.rules.reputation import MAX_SCORE
from sensor.rules.steps import Comparison
from sensor.rules.yamlio import Map, Seq, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.rules.context import Context

TRANSFORMS: Mapping[str, bool] = MappingProxyType(
    {
        "to_lowercase": False,
        "to_uppercase": False,
        "strip_whitespace": False,
        "compress_whitespace": False,
        "to_md5": False,
        "to_sha1": False,
        "to_sha256": False,
        "dotprefix": False,
        "url_decode": False,
        "header_lowercase": False,
        "strip_pseudo_headers": False,
        "xor": True,
        "pcrexform": True,
    }
)
"""Transforms of a buffer, and whether they need an argument."""


class TransformKind(Kind[Transform]):
    """`to_lowercase`, or `{xor: "0d0a"}`."""

    def read(self, node: Value, ctx: Context) -> Transform:
        """Return the transform."""
        if isinstance(node, Map) and len(node.items) == 1:
            name, (at, value) = next(iter(node.items.items()))
            args = scalar(value, ctx, "the transform's argument").text
        else:
            at, args = scalar(node, ctx, "a transform"), ""
            name = at.text
        if name not in TRANSFORMS:
            ctx.problems.fail(at, f"unknown transform '{name}'", suggest(name, TRANSFORMS))
        if TRANSFORMS[name] != bool(args):
            hint = f"{{{name}: …}}" if TRANSFORMS[name] else name
            ctx.problems.fail(at, f"{name} {'needs an' if TRANSFORMS[name] else 'takes no'} argument", hint)
        return Transform(name, args)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        plain = [name for name, argument in TRANSFORMS.items() if not argument]
        with_argument = {name: {"type": "string"} for name, argument in TRANSFORMS.items() if argument}
        mapping = {
            "type": "object",
            "properties": with_argument,
            "additionalProperties": False,
            "minProperties": 1,
        }
        return {"anyOf": [{"enum": plain}, mapping | {"maxProperties": 1}]}

    def write(self, value: Transform) -> Plain:
        """Return the name, or a mapping of it to its argument."""
        return {value.name: value.args} if value.args else value.name


class BitsKind(Kind[HeaderTest]):
    """`SA` (exactly these), or `{exact|all|any|none: SA, ignore: CE}`."""

    _OPS = ("exact", "all", "any", "none")

    def __init__(self, field: fields.HeaderField) -> None:
        self.field = field
        self.letters = "".join(field.names)

    def _bits(self, node: Value, ctx: Context) -> int:
        leaf = scalar(node, ctx, f"letters of {self.letters}")
        if leaf.text == "0":
            return 0
        wrong = [letter for letter in leaf.text if letter not in self.field.names]
        if wrong or not leaf.text:
            ctx.problems.fail(leaf, f"'{leaf.text[:40]}' is not made of {self.letters}", "0 for no bit at all")
        return sum(self.field.names[letter] for letter in set(leaf.text))

    def read(self, node: Value, ctx: Context) -> HeaderTest:
        """Return the test."""
        if not isinstance(node, Map):
            return HeaderTest(self.field.name, "exact", self._bits(node, ctx))
        ops = [name for name in node.items if name in self._OPS]
        for name, (at, _) in node.items.items():
            if name not in (*self._OPS, "ignore"):
                ctx.problems.fail(at, f"unknown key '{name}'", f"one of: {', '.join(self._OPS)}, ignore")
        if len(ops) != 1:
            ctx.problems.fail(node, f"{self.field.name} needs exactly one of {', '.join(self._OPS)}")
        ignored = node.get("ignore")
        mask = self._bits(ignored, ctx) if ignored else 0
        return HeaderTest(self.field.name, ops[0], self._bits(node.items[ops[0]][1], ctx), mask=mask)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        bits = {"anyOf": [{"type": "string", "pattern": f"^(?:[{self.letters}]+|0)$"}, {"const": 0}]}
        keys = (*self._OPS, "ignore")
        mapping = {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(keys, bits)}
        return {"anyOf": [*bits["anyOf"], mapping]}

    def _text(self, bits: int) -> str:
        return "".join(letter for letter, bit in self.field.names.items() if bits & bit) or "0"

    def write(self, value: HeaderTest) -> Plain:
        """Return letters, or the mapping."""
        if value.op == "exact" and not value.mask:
            return self._text(value.value)
        out: dict[str, Any] = {value.op: self._text(value.value)}
        return out | {"ignore": self._text(value.mask)} if value.mask else out


class FieldKind(Kind[HeaderTest]):
    """A comparison, a name, a list of values, or true and false, as the field's form demands."""

    def __init__(self, field: fields.HeaderField) -> None:
        self.field = field
        self.one = Comparison(field.high, field.names)

    def read(self, node: Value, ctx: Context) -> HeaderTest:
        """Return the test."""
        name = self.field.name
        if self.field.form == fields.FLAG:
            return HeaderTest(name, "=", int(Word({"true": True, "false": False}).read(node, ctx)))
        if isinstance(node, Seq):
            return HeaderTest(name, "in", values=self._values(node, ctx))
        op, low, high = self.one.read(node, ctx)
        if self.field.form == fields.NAME and op not in ("=", "!="):
            ctx.problems.fail(node, f"{name} can only be equal or not ('!=…')")
        return HeaderTest(name, op, int(low), high)

    def _values(self, node: Seq, ctx: Context) -> tuple[int, ...]:
        if not node.items:
            ctx.problems.fail(node, "the list is empty")
        found = each(node.items, lambda item: self.one.read(item, ctx))
        if any(op != "=" for op, _, _ in found):
            ctx.problems.fail(node, "a list holds values, no comparisons", "any: […] combines comparisons")
        return tuple(int(value) for _, value, _ in found)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        if self.field.form == fields.FLAG:
            return {"type": "boolean"}
        if self.field.form == fields.NAME:
            words = [f"{sign}{name}" for sign in ("", "!=") for name in self.field.names]
            return {
                "anyOf": [
                    {"enum": words},
                    {"type": "array", "items": {"enum": list(self.field.names)}, "minItems": 1},
                ]
            }
        one = self.one.schema()
        return {"anyOf": [*one["anyOf"], {"type": "array", "items": one, "minItems": 1}]}

    def _word(self, value: int) -> int | str:
        return next((name for name, number in self.field.names.items() if number == value), value)

    def write(self, value: HeaderTest) -> Plain:
        """Return the comparison or the list."""
        if self.field.form == fields.FLAG:
            return bool(value.value)
        if value.op == "in":
            return [self._word(number) for number in value.values]
        return self.one.write((value.op, self._word(value.value), value.high))


_NAMES = ListOf(Text(), least=1)
_FLOWBITS_KEYS = {
    action: Key(action, _NAMES, help_text)
    for action, help_text in {
        "set": "set these bits of the flow",
        "unset": "clear them",
        "toggle": "flip them",
        "isset": "one of these bits is set",
        "isnotset": "none of these bits is set",
    }.items()
}


class FlowBitsKind(Kind[FlowBits]):
    """`{isset: [a, b]}`: one action and the names it concerns."""

    def read(self, node: Value, ctx: Context) -> FlowBits:
        """Return the condition."""
        hint = f"one of: {', '.join(_FLOWBITS_KEYS)}"
        if not isinstance(node, Map) or len(node.items) != 1:
            ctx.problems.fail(node, "flowbits takes one action and its names", "flowbits: {isset: name}")
        action, (at, names) = next(iter(node.items.items()))
        if action not in _FLOWBITS_KEYS:
            ctx.problems.fail(at, f"unknown action '{action}'", suggest(action, _FLOWBITS_KEYS) or hint)
        return FlowBits(action, _NAMES.read(names, ctx))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        properties = {name: {"description": key.help, **key.kind.schema()} for name, key in _FLOWBITS_KEYS.items()}
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "minProperties": 1,
            "maxProperties": 1,
        }

    def write(self, value: FlowBits) -> Plain:
        """Return the mapping of one action."""
        return {value.action: value.names[0] if len(value.names) == 1 else list(value.names)}


FLOWINT = Record(
    FlowInt,
    "flowint",
    Key("name", Text(), "counter of the flow", required=True),
    Key(
        "action",
        Word(("=", "+", "-", "<", ">", "<=", ">=", "==", "!=", "isset", "notset")),
        "what to do",
        required=True,
    ),
    Key("value", Num(0, 0xFFFFFFFF, known=False), "number to store, add or compare with"),
)
_KEPT = (
    Key("name", Text(), "name under which a regex has kept text (`captures`)", required=True),
    Key("content", LiteralBytes(), "literal bytes that it holds", required=True),
)
FLOWVAR = Record(FlowVar, "flowvar", *_KEPT)
PKTVAR = Record(PacketVar, "pktvar", *_KEPT)
HOSTBIT = Record(
    HostBit,
    "hostbit",
    Key("action", Word(("set", "unset", "toggle", "isset", "isnotset")), "what to do", required=True),
    Key("name", Text(), "the bit", required=True),
    Key("track", Word(("by_src", "by_dst", "by_both")), "whose bit: either end's, or the pair's", required=True),
    Key("seconds", Whole(0, 0xFFFFFFFF), "how long set lasts; 0: until it is unset"),
)
_END = Key("end", Word(("src", "dst", "any", "both")), "source, destination, either of them, both", required=True)


def _check_category(values: dict[str, Any], node: Map, ctx: Context) -> None:
    if values.get("category", "") not in ctx.outside.categories:
        hint = one_of(values.get("category", ""), ctx.outside.categories) or "reputation-categories-file names them"
        ctx.problems.fail(node, "there is no such category of reputations", hint)


def _check_countries(_values: dict[str, Any], node: Map, ctx: Context) -> None:
    if ctx.outside.country is None:
        ctx.problems.fail(node, "there is no database of countries", "geoip-database: FILE.mmdb in the configuration")


def _scored(values: dict[str, Any]) -> dict[str, Any]:
    op, value, high = values.pop("score")
    return {**values, "op": op, "value": int(value), "high": high}


REPUTATION = Record(
    Reputation,
    "reputation",
    _END,
    Key("category", Text(), "one of the reputation-categories-file", required=True),
    Key("score", Comparison(MAX_SCORE), "what its score must be", required=True),
    check=_check_category,
    to_fields=_scored,
    from_fields=lambda node: {"end": node.end, "category": node.category, "score": (node.op, node.value, node.high)},
)
COUNTRY = Record(
    Country,
    "country",
    _END,
    Key("in", ListOf(Text(r"[A-Z]{2}", "US"), least=1), "ISO 3166 codes", "countries", required=True),
    Key("not", Flag(), "any other country that is known", "negated"),
    check=_check_countries,
)
FLOWBITS = FlowBitsKind()
BY_KEY: Mapping[str, tuple[type, Kind[Any]]] = MappingProxyType(
    {
        "flowbits": (FlowBits, FLOWBITS),
        "flowint": (FlowInt, FLOWINT),
        "flowvar": (FlowVar, FLOWVAR),
        "pktvar": (PacketVar, PKTVAR),
        "hostbit": (HostBit, HOSTBIT),
        "reputation": (Reputation, REPUTATION),
        "country": (Country, COUNTRY),
    }
)
"""Conditions that name neither a buffer nor a field: key → node, and how it is read."""
TRANSFORM_LIST = ListOf(TransformKind(), least=1)
FIELD_KINDS: Mapping[str, Kind[HeaderTest]] = MappingProxyType(
    {f.name: BitsKind(f) if f.form == fields.BITS else FieldKind(f) for f in fields.FIELDS}
)
