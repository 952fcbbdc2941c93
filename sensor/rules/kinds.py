"""Kinds of values of the rule language. Each reads a YAML value, describes itself as JSON Schema, and writes.

`read` reports what is wrong and raises Invalid; `write` returns plain data that `read` takes back as the same
value.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sensor.rules import literal
from sensor.rules.problems import Invalid, one_of, suggest
from sensor.rules.variables import VariableError, listed
from sensor.rules.yamlio import Map, Scalar, Seq, Value, describe

if TYPE_CHECKING:
    from sensor.rules.context import Context

T = TypeVar("T")
Plain = str | int | bool | list[Any] | dict[str, Any]
"""What a YAML or JSON writer takes."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*$")


class Kind(ABC, Generic[T]):
    """A kind of value."""

    @abstractmethod
    def read(self, node: Value, ctx: Context) -> T:
        """Return the value. Raises Invalid after reporting."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""

    @abstractmethod
    def write(self, value: T) -> Plain:
        """Return plain data for YAML."""


def scalar(node: Value, ctx: Context, wanted: str) -> Scalar:
    """Return the node as a scalar with something in it. Raises Invalid."""
    if not isinstance(node, Scalar) or node.kind == "null":
        ctx.problems.fail(node, f"expected {wanted}, got {describe(node)}")
    return node


def integer(node: Value, ctx: Context, low: int, high: int, wanted: str = "a whole number") -> int:
    """Return the number (decimal, 0x hex or 0o octal) within bounds. Raises Invalid."""
    leaf = scalar(node, ctx, wanted)
    number = number_of(leaf.text)
    if number is None:
        ctx.problems.fail(leaf, f"expected {wanted}, got {describe(leaf)}")
    if not low <= number <= high:
        ctx.problems.fail(leaf, f"{number} is out of range", f"{low} to {high}")
    return number


def number_of(text: str) -> int | None:
    """Return the number that a text is, or None."""
    if len(text) > 24 or not re.match(r"[-+]?(?:0x[0-9A-Fa-f]+|0o[0-7]+|0|[1-9][0-9_]*)$", text):
        return None
    try:
        return int(text, 0)
    except ValueError:
        return None


class Text(Kind[str]):
    """Any text; numbers and `yes` are taken as written."""

    def __init__(self, pattern: str = "", hint: str = "") -> None:
        self.pattern = pattern
        self.hint = hint

    def read(self, node: Value, ctx: Context) -> str:
        """Return the text."""
        leaf = scalar(node, ctx, "text")
        if not leaf.text:
            ctx.problems.fail(leaf, "the text is empty")
        if self.pattern and not re.fullmatch(self.pattern, leaf.text):
            ctx.problems.fail(leaf, f"'{leaf.text[:60]}' does not have the form wanted here", self.hint)
        return leaf.text

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        if self.pattern:
            return {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"type": ["string", "number", "boolean"], "minLength": 1}

    def write(self, value: str) -> Plain:
        """Return the text."""
        return value


class Whole(Kind[int]):
    """A whole number."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def read(self, node: Value, ctx: Context) -> int:
        """Return the number."""
        return integer(node, ctx, self.low, self.high)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def write(self, value: int) -> Plain:
        """Return the number."""
        return value


class Num(Kind[int | str]):
    """A whole number, or a name; `known`: one that byte_extract or byte_math of the rule defines before."""

    def __init__(self, low: int, high: int, *, known: bool = True) -> None:
        self.low = low
        self.high = high
        self.known = known

    def read(self, node: Value, ctx: Context) -> int | str:
        """Return the number or the name."""
        leaf = scalar(node, ctx, "a number or a name")
        if number_of(leaf.text) is not None or not _IDENTIFIER.match(leaf.text):
            return integer(leaf, ctx, self.low, self.high)
        if self.known and leaf.text not in ctx.defined:
            hint = suggest(leaf.text, ctx.defined) or "byte_extract or byte_math must define it before"
            ctx.problems.fail(leaf, f"nothing defines '{leaf.text}'", hint)
        return leaf.text

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"type": "string", "pattern": _IDENTIFIER.pattern.join(("^", ""))}]}

    def write(self, value: int | str) -> Plain:
        """Return the number or the name."""
        return value


class NewName(Kind[str]):
    """The name of a variable that this test defines."""

    def read(self, node: Value, ctx: Context) -> str:
        """Return the name and let later tests use it."""
        leaf = scalar(node, ctx, "a name")
        if number_of(leaf.text) is not None or not _IDENTIFIER.match(leaf.text):
            ctx.problems.fail(leaf, f"'{leaf.text[:40]}' is no name", "a letter, then letters, digits, _ . -")
        ctx.defined.add(leaf.text)
        return leaf.text

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "string", "pattern": f"^{_IDENTIFIER.pattern}"}

    def write(self, value: str) -> Plain:
        """Return the name."""
        return value


class Flag(Kind[bool]):
    """`true` or `false`."""

    def read(self, node: Value, ctx: Context) -> bool:
        """Return the truth value."""
        leaf = scalar(node, ctx, "true or false")
        word = leaf.text.lower()
        if word not in ("true", "false"):
            hint = {"yes": "write true", "on": "write true", "no": "write false", "off": "write false"}.get(word, "")
            ctx.problems.fail(leaf, f"expected true or false, got {describe(leaf)}", hint)
        return word == "true"

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "boolean"}

    def write(self, value: bool) -> Plain:
        """Return the truth value."""
        return value


class Word(Kind[T]):
    """One of a few words, each standing for a value."""

    def __init__(self, words: Mapping[str, T] | Sequence[str]) -> None:
        self.words: Mapping[str, Any] = words if isinstance(words, Mapping) else {word: word for word in words}

    def read(self, node: Value, ctx: Context) -> T:
        """Return the value of the word."""
        leaf = scalar(node, ctx, "a word")
        if leaf.text not in self.words:
            ctx.problems.fail(leaf, f"unknown word '{leaf.text[:40]}'", one_of(leaf.text, self.words))
        value: T = self.words[leaf.text]
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"enum": [*self.words, *(value for value in self.words.values() if type(value) is int)]}

    def write(self, value: T) -> Plain:
        """Return the first word that stands for the value."""
        return next(word for word, meaning in self.words.items() if meaning == value)


class Severity(Kind[int]):
    """A severity word, or EVE's number."""

    words: Mapping[str, int] = {"critical": 1, "high": 1, "medium": 2, "low": 3, "info": 4}
    names: Mapping[int, str] = {1: "high", 2: "medium", 3: "low", 4: "info"}

    def read(self, node: Value, ctx: Context) -> int:
        """Return EVE's number, 1 is worst."""
        leaf = scalar(node, ctx, "a severity")
        if leaf.text in self.words:
            return self.words[leaf.text]
        if number_of(leaf.text) is None:
            ctx.problems.fail(leaf, f"unknown severity '{leaf.text[:40]}'", one_of(leaf.text, self.words))
        return integer(leaf, ctx, 0, 0xFFFFFFFF)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"anyOf": [{"enum": list(self.words)}, {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF}]}

    def write(self, value: int) -> Plain:
        """Return the word, or the number where none fits."""
        return self.names.get(value, value)


class LiteralBytes(Kind[bytes]):
    """Bytes in literal syntax (`GET|20|/`)."""

    def read(self, node: Value, ctx: Context) -> bytes:
        """Return the bytes."""
        if isinstance(node, Scalar) and not node.text and not node.plain:
            return b""
        leaf = scalar(node, ctx, "text")
        try:
            return literal.parse(leaf.text)
        except literal.LiteralError as error:
            ctx.problems.fail(leaf, f"{error}, at character {error.position + 1} of the text", error.hint)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": ["string", "number", "boolean"]}

    def write(self, value: bytes) -> Plain:
        """Return the text."""
        return literal.write(value)


class ListOf(Kind[tuple[T, ...]]):
    """Several values, or one written without a list."""

    def __init__(self, item: Kind[T], *, lone: bool = True, least: int = 0) -> None:
        self.item = item
        self.lone = lone
        self.least = least

    def read(self, node: Value, ctx: Context) -> tuple[T, ...]:
        """Return all values; problems of each are reported."""
        if not isinstance(node, Seq):
            if not self.lone:
                ctx.problems.fail(node, f"expected a list, got {describe(node)}")
            return (self.item.read(node, ctx),)
        if len(node.items) < self.least:
            ctx.problems.fail(node, "the list is empty")
        return tuple(each(node.items, lambda item: self.item.read(item, ctx)))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        several: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        if self.least:
            several["minItems"] = self.least
        return {"anyOf": [self.item.schema(), several]} if self.lone else several

    def write(self, value: tuple[T, ...]) -> Plain:
        """Return a list."""
        return [self.item.write(item) for item in value]


def each(nodes: Sequence[Value], read: Callable[[Value], T]) -> list[T]:
    """Read all nodes; raises Invalid at the end if any could not be read."""
    out: list[T] = []
    failed = False
    for node in nodes:
        try:
            out.append(read(node))
        except Invalid:
            failed = True
    if failed:
        raise Invalid
    return out


class Group(Kind[T]):
    """Addresses or ports: one text in Suricata's list syntax, or a list of such texts."""

    def __init__(self, resolve: Callable[[Context], Callable[[str], T]]) -> None:
        self.resolve = resolve

    def read(self, node: Value, ctx: Context) -> T:
        """Return the set."""
        if isinstance(node, Seq) and node.items:
            text = listed(each(node.items, lambda item: scalar(item, ctx, "text").text))
        else:
            text = scalar(node, ctx, "an address, a port, a $VARIABLE or a list").text.strip()
        try:
            return self.resolve(ctx)(text)
        except VariableError as error:
            ctx.problems.fail(node, str(error), error.hint)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        one = {"type": ["string", "integer"]}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}

    def write(self, value: T) -> Plain:
        """Return the text as the author wrote it."""
        text: str = value.text  # type: ignore[attr-defined]
        return text


class Labels(Kind[tuple[tuple[str, tuple[str, ...]], ...]]):
    """A mapping of free keys to one or several texts."""

    _values = ListOf(Text())

    def read(self, node: Value, ctx: Context) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return (key, values) pairs in the order of the file."""
        if not isinstance(node, Map):
            ctx.problems.fail(node, f"expected a mapping, got {describe(node)}", "key: value")
        values = each([value for _, value in node.items.values()], lambda value: self._values.read(value, ctx))
        return tuple(zip(node.items, values, strict=True))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "object", "additionalProperties": self._values.schema()}

    def write(self, value: tuple[tuple[str, tuple[str, ...]], ...]) -> Plain:
        """Return the mapping."""
        return {key: values[0] if len(values) == 1 else list(values) for key, values in value}
