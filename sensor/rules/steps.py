"""The tests on a buffer: one record per keyword (`content`, `regex`, `byte_test`, …)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from sensor.rules.kinds import (
    Flag,
    Kind,
    ListOf,
    LiteralBytes,
    NewName,
    Num,
    Plain,
    Text,
    Whole,
    Word,
    scalar,
)
from sensor.rules.lists import KINDS, MAX_SCORE, below, read_or_fail
from sensor.rules.nodes import (
    AnyTest,
    Asn1,
    Base64,
    BufferSize,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    InList,
    IsDataAt,
    Regex,
)
from sensor.rules.problems import suggest
from sensor.rules.record import Boxed, Key, Record
from sensor.rules.yamlio import Map, Scalar, Value, describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.rules.context import Context

_MAX = 1 << 31
_AT, _DISTANCE, _VALUE = Num(0, _MAX), Num(-_MAX, _MAX), Num(0, (1 << 64) - 1)

_KEPT_AS = r"(?:flow|pkt):[\w.:-]+"
REGEX_FLAGS = "imsxAEGU"
_REGEX = re.compile(r"/(?P<pattern>.*)/(?P<flags>[A-Za-z]*)", re.DOTALL)
_COMPARISON = re.compile(
    r"\s*(?:(?P<op><=|>=|!=|<|>|=|!)?\s*(?P<value>[A-Za-z0-9_.:-]+)"
    r"|(?P<low>[A-Za-z0-9_.:-]+)\s*<>\s*(?P<high>[A-Za-z0-9_.:-]+))\s*"
)


class RegexText(Kind[tuple[str, str]]):
    """`/pattern/flags`: what lies between the first and the last slash, and letters."""

    def read(self, node: Value, ctx: Context) -> tuple[str, str]:
        """Return (pattern, flags)."""
        leaf = scalar(node, ctx, "a regex")
        found = _REGEX.fullmatch(leaf.text)
        if found is None:
            ctx.problems.fail(leaf, "a regex is written between slashes", "'/pattern/flags'")
        wrong = sorted(set(found["flags"]) - set(REGEX_FLAGS + "R"))
        if wrong:
            ctx.problems.fail(leaf, f"unknown regex flag '{wrong[0]}'", f"flags: {REGEX_FLAGS}, R for relative")
        if not found["pattern"]:
            ctx.problems.fail(leaf, "the regex is empty")
        return found["pattern"], found["flags"]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "string", "pattern": f"^/[\\s\\S]+/[{REGEX_FLAGS}R]*$"}

    def write(self, value: tuple[str, str]) -> Plain:
        """Return `/pattern/flags`."""
        return f"/{value[0]}/{value[1]}"


def _regex_fields(values: dict[str, Any]) -> dict[str, Any]:
    pattern, flags = values.pop("regex")
    relative = values.pop("relative", False) or "R" in flags
    return values | {"pattern": pattern, "flags": flags.replace("R", ""), "relative": relative}


def _regex_values(test: Regex) -> dict[str, Any]:
    return {
        "regex": (test.pattern, test.flags),
        "negated": test.negated,
        "relative": test.relative,
        "captures": test.captures,
    }


class Comparison(Kind[tuple[str, int | str, int]]):
    """`8`, `"<8"`, `">=8"`, `"!=8"` or `"8<>16"` (strictly between): (op, low, high)."""

    def __init__(self, top: int, names: Mapping[str, int] | None = None, *, variables: bool = False) -> None:
        self.top = top
        self.names = names or {}
        self.variables = variables

    def read(self, node: Value, ctx: Context) -> tuple[str, int | str, int]:
        """Return the comparison."""
        leaf = scalar(node, ctx, "a comparison")
        found = _COMPARISON.fullmatch(leaf.text)
        if found is None:
            ctx.problems.fail(leaf, f"'{leaf.text[:40]}' is no comparison", "8, '<8', '>=8', '!=8', '8<>16'")
        if found["low"] is None:
            op = found["op"] or "="
            return ("!=" if op == "!" else op), self._number(found["value"], leaf, ctx), 0
        low, high = self._number(found["low"], leaf, ctx), self._number(found["high"], leaf, ctx)
        if not isinstance(low, int) or not isinstance(high, int) or high - low < 2:
            ctx.problems.fail(leaf, f"nothing lies strictly between {low} and {high}")
        return "<>", low, high

    def _number(self, text: str, leaf: Scalar, ctx: Context) -> int | str:
        if text in self.names:
            return self.names[text]
        word = Scalar(leaf.line, leaf.column, text, plain=True)
        if self.names and not text[0].isdigit():
            ctx.problems.fail(leaf, f"unknown name '{text[:60]}'", suggest(text, self.names))
        return Num(0, self.top).read(word, ctx) if self.variables else Whole(0, self.top).read(word, ctx)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        number = {"type": "integer", "minimum": 0, "maximum": self.top}
        return {
            "anyOf": [
                number,
                {"type": "string", "pattern": f"^(?:{re.sub('[?]P<[a-z]+>', '?:', _COMPARISON.pattern)})$"},
            ]
        }

    def write(self, value: tuple[str, int | str, int]) -> Plain:
        """Return the number or the text."""
        op, low, high = value
        if op == "<>":
            return f"{low}<>{high}"
        return low if op == "=" else f"{op}{low}"


def _check_content(values: dict[str, Any], node: Map, ctx: Context) -> None:
    size = len(values["pattern"])
    if not size:
        ctx.problems.fail(node, "the content is empty", "bsize: 0 tests for an empty buffer")
    for key in ("depth", "within"):
        limit = values.get(key)
        if isinstance(limit, int) and limit < size:
            ctx.problems.fail(node.items[key][0], f"{key} {limit} is less than the {size} bytes of the content")
    if values.get("startswith"):
        for key in ("offset", "depth", "distance", "within"):
            if key in values:
                ctx.problems.fail(node.items[key][0], f"{key} cannot be combined with startswith")


NOT = Key("not", Flag(), "the test must fail", "negated")
_RELATIVE = Key("relative", Flag(), "count from the end of the last match instead of the buffer's start")
_OFFSET = Key("offset", _DISTANCE, "bytes to skip first")
_ENDIAN = Key("endian", Word(("big", "little")), "byte order; default big")
_BASE = Key("base", Word(("hex", "dec", "oct", "auto")), "the number is text of this base; without it, binary")
_BITMASK = Key(
    "bitmask",
    Whole(0, 0xFFFFFFFFFFFFFFFF),
    "and-ed to the number, which then moves right by the mask's zeros",
)
_MULTIPLIER = Key("multiplier", Whole(1, 65535), "the number is multiplied by this")
_BYTES = Key("bytes", Num(0, 23), "size of the number: 1-8 bytes, up to 23 digits", "nbytes", required=True)
_BYTES_FIXED = Key("bytes", Whole(1, 23), "size of the number: 1-8 bytes, up to 23 digits", "nbytes", required=True)

CONTENT = Record(
    Content,
    "content",
    Key("content", LiteralBytes(), "literal bytes; `|0d 0a|` is hex", "pattern", required=True),
    Key("nocase", Flag(), "ASCII letters match in either case"),
    NOT,
    Key("offset", _AT, "skip this many bytes of the buffer"),
    Key("depth", _AT, "look only at this many bytes (from the offset)"),
    Key("distance", _DISTANCE, "begin this many bytes behind the last match"),
    Key("within", _DISTANCE, "end at most this many bytes behind the last match (plus distance)"),
    Key("startswith", Flag(), "at the start of the buffer"),
    Key("endswith", Flag(), "at the end of the buffer"),
    Key("fast", Flag(), "use this literal to choose what the rule is tried on"),
    check=_check_content,
)
REGEX = Record(
    Regex,
    "regex",
    Key("regex", RegexText(), "PCRE2 between slashes, then flags", "regex", required=True),
    NOT,
    Key("relative", Flag(), "search from the end of the last match (flag R)"),
    Key("captures", ListOf(Text(_KEPT_AS, "flow:user")), "names of what the groups match: flow:NAME, pkt:NAME"),
    to_fields=_regex_fields,
    from_fields=_regex_values,
)
BYTE_TEST = Record(
    ByteTest,
    "byte_test",
    _BYTES,
    Key(
        "op",
        Word(("<", ">", "=", "<=", ">=", "!=", "&", "^", "!<", "!>", "!<=", "!>=", "!&", "!^")),
        "comparison",
        required=True,
    ),
    Key("value", _VALUE, "number to compare with", required=True),
    _OFFSET,
    _RELATIVE,
    _ENDIAN,
    _BASE,
    _BITMASK,
    NOT,
)
BYTE_JUMP = Record(
    ByteJump,
    "byte_jump",
    _BYTES,
    _OFFSET,
    _RELATIVE,
    _MULTIPLIER,
    _ENDIAN,
    _BASE,
    Key("align", Flag(), "round up to a multiple of four"),
    Key("from-beginning", Flag(), "jump from the start of the buffer"),
    Key("from-end", Flag(), "jump from the end of the buffer"),
    Key("post-offset", _DISTANCE, "bytes to go on after the jump"),
    _BITMASK,
)
BYTE_EXTRACT = Record(
    ByteExtract,
    "byte_extract",
    _BYTES_FIXED,
    _OFFSET,
    _RELATIVE,
    _MULTIPLIER,
    _ENDIAN,
    _BASE,
    Key("align", Word({"0": 0, "2": 2, "4": 4}), "round up to a multiple of this"),
    Key("name", NewName(), "variable that takes the number", required=True),
)
BYTE_MATH = Record(
    ByteMath,
    "byte_math",
    _BYTES,
    Key("op", Word(("+", "-", "*", "/", "<<", ">>")), "operation", required=True),
    Key("value", _VALUE, "right side of the operation", required=True),
    _OFFSET,
    _RELATIVE,
    _ENDIAN,
    _BASE,
    _BITMASK,
    Key("name", NewName(), "variable that takes the result", required=True),
)
ISDATAAT = Record(
    IsDataAt,
    "isdataat",
    Key("isdataat", _AT, "there is a byte at this distance", "length", required=True),
    _RELATIVE,
    NOT,
)
EQUALS = Record(
    Content,
    "equals",
    Key("equals", LiteralBytes(), "the whole buffer, as a literal", "pattern", required=True),
    Key("nocase", Flag(), "ASCII letters match in either case"),
    NOT,
    check=_check_content,
    to_fields=lambda values: values | {"startswith": True, "endswith": True},
)
BSIZE = Record(
    BufferSize,
    "bsize",
    Key("bsize", Comparison(_MAX, variables=True), "size of the buffer", "size", required=True),
    to_fields=lambda values: dict(zip(("op", "low", "high"), values["size"], strict=True)),
    from_fields=lambda test: {"size": (test.op, test.low, test.high)},
)


def _read_list(values: dict[str, Any], node: Map, ctx: Context) -> None:
    file, name = values.setdefault("file", ""), values.get("name", "")
    if not file and not name:
        ctx.problems.fail(node, "in_list needs a file, or the name of a set", "{in_list: {file: bad.txt, type: md5}}")
    if name and "score" in values:
        ctx.problems.fail(node, "a list with scores is no set", "leave out name")
    if not name and values.keys() & {"action", "state", "save", "memory"}:
        ctx.problems.fail(node, "only a set has an action, a state, a file to save to, and memory", "name: …")
    if "action" in values and "negated" in values:
        ctx.problems.fail(node, "an action cannot be negated", "set: not in the set yet; unset: in the set")
    for key in ("state", "save"):
        if not below(values.get(key, "")):
            ctx.problems.fail(node, f"{key}: '{values[key][:40]}' leaves the folder of the datasets", "a relative name")
    values["values"] = (
        read_or_fail(ctx.lists, file, values["kind"], values.get("score"), node, ctx.problems) if file else ()
    )


def _list_values(test: InList) -> dict[str, Any]:
    return {key: value for key, value in msgspec.structs.asdict(test).items() if key != "file" or value}


ASN1 = Record(
    Asn1,
    "asn1",
    Key("bitstring-overflow", Flag(), "a bit string that leaves out more bits than it has"),
    Key("double-overflow", Flag(), "a real number as text of more than 256 bytes"),
    Key("oversize", Whole(1, 0xFFFFFFFF), "an element that says it has more bytes"),
    Key("offset", Whole(-65_535, 65_535), "where the first element begins"),
    _RELATIVE,
    check=lambda values, node, ctx: (
        None
        if values.keys() - {"offset", "relative"}
        else ctx.problems.fail(node, "asn1 asks for nothing", "asn1: {bitstring-overflow: true}")
    ),
)
IN_LIST = Record(
    InList,
    "in_list",
    Key("file", Text(), "file of the values, beside the rule file"),
    Key("type", Word(KINDS), "what its lines hold", "kind", required=True),
    Key("score", Comparison(MAX_SCORE), "the list has scores; only values whose score compares so count"),
    NOT,
    Key("name", Text(), "name of a set that rules share; its values are those of all its files"),
    Key("action", Word(("set", "unset")), "set: not in the set, and added by a match; unset: in it, and taken away"),
    Key("state", Text(), "file in which the set is kept from run to run"),
    Key("save", Text(), "file to which the set is written at the end"),
    Key("memory", Whole(1, 1 << 30), "bytes that added values may take"),
    check=_read_list,
    from_fields=_list_values,
)


class Decoded(Kind[tuple[AnyTest, ...]]):
    """The tests on decoded bytes: any but another decoding."""

    def read(self, node: Value, ctx: Context) -> tuple[AnyTest, ...]:
        """Return the tests."""
        tests = STEP_LIST.read(node, ctx)
        if any(isinstance(test, Base64) for test in tests):
            ctx.problems.fail(node, "base64 inside base64 is not decoded")
        return tests

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"$ref": "#/$defs/tests"}

    def write(self, value: tuple[AnyTest, ...]) -> Plain:
        """Return the list."""
        return STEP_LIST.write(value)


BASE64 = Record(
    Base64,
    "base64",
    Key("match", Decoded(), "tests on the decoded bytes", "tests", required=True),
    Key("bytes", Whole(0, 65535), "most bytes of text to decode; default: all there are", "nbytes"),
    Key("offset", Whole(0, 65535), "bytes to skip first"),
    _RELATIVE,
)

STEPS: Mapping[str, Kind[Any]] = MappingProxyType(
    {
        "content": CONTENT,
        "equals": EQUALS,
        "regex": REGEX,
        "byte_test": Boxed("byte_test", BYTE_TEST),
        "byte_jump": Boxed("byte_jump", BYTE_JUMP),
        "byte_extract": Boxed("byte_extract", BYTE_EXTRACT),
        "byte_math": Boxed("byte_math", BYTE_MATH),
        "isdataat": ISDATAAT,
        "bsize": BSIZE,
        "base64": Boxed("base64", BASE64),
        "in_list": Boxed("in_list", IN_LIST),
        "asn1": Boxed("asn1", ASN1),
    }
)
"""Keyword → how the mapping that holds it is read."""

_KEYWORD_OF: Mapping[type, str] = MappingProxyType(
    {
        Content: "content",
        Regex: "regex",
        ByteTest: "byte_test",
        ByteJump: "byte_jump",
        ByteExtract: "byte_extract",
        ByteMath: "byte_math",
        IsDataAt: "isdataat",
        BufferSize: "bsize",
        Base64: "base64",
        InList: "in_list",
        Asn1: "asn1",
    }
)

_MODIFIERS = frozenset(
    key.name for record in (CONTENT, REGEX, ISDATAAT, BSIZE) for key in record.keys if key.name not in STEPS
)


def keyword(node: Map) -> str:
    """Return the test keyword that a mapping holds, or an empty string."""
    return next((name for name in STEPS if name in node.items), "")


class Step(Kind[AnyTest]):
    """Any test; a bare text is a `content`."""

    def read(self, node: Value, ctx: Context) -> AnyTest:
        """Return the test."""
        if isinstance(node, Scalar):
            node = _bare(node)
        if not isinstance(node, Map):
            ctx.problems.fail(node, f"expected a test, got {describe(node)}", "content: …, regex: …")
        name = keyword(node)
        if not name:
            self._unknown(node, ctx)
        test: AnyTest = STEPS[name].read(node, ctx)
        return test

    def _unknown(self, node: Map, ctx: Context) -> None:
        for name, (at, _) in node.items.items():
            if name not in _MODIFIERS:
                ctx.problems.fail(at, f"unknown test '{name}'", suggest(name, STEPS) or f"one of: {', '.join(STEPS)}")
        ctx.problems.fail(node, "the test has no keyword", f"one of: {', '.join(STEPS)}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"anyOf": [LiteralBytes().schema(), *({"$ref": f"#/$defs/{name}"} for name in STEPS)]}

    def write(self, value: AnyTest) -> Plain:
        """Return the mapping."""
        name = "equals" if isinstance(value, Content) and _is_equals(value) else _KEYWORD_OF[type(value)]
        return STEPS[name].write(value)


def _is_equals(test: Content) -> bool:
    return test == Content(test.pattern, test.nocase, test.negated, startswith=True, endswith=True)


def _bare(node: Scalar) -> Map:
    out = Map(node.line, node.column, 0)
    key = Scalar(node.line, node.column, "content", plain=True)
    out.items["content"] = (key, node)
    return out


STEP_LIST = ListOf(Step(), least=1)
