"""YAML text to values that know their line and column.

Built from the events of libyaml's parser with a stack of our own: composing recursively overflows the C stack
on text such as 100,000 times `[`, and events cost a quarter of composed nodes (0.08 s against 0.36 s for
800 kB).
Duplicate keys, anchors, aliases, tags, merge keys and further documents are errors.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from sensor.rules.problems import Invalid, Problems

MAX_DEPTH = 64
"""Nested collections. Rules need about ten."""

_Untyped = Any
"""Events and marks of PyYAML's C parser have no public types."""

_NULL = ("", "~", "null", "Null", "NULL")
_PLAIN_KIND = re.compile(
    r"(?P<int>[-+]?(?:0|[1-9][0-9_]*|0x[0-9A-Fa-f]+|0o[0-7]+)$)|(?P<bool>(?:true|True|TRUE|false|False|FALSE)$)"
)


class Scalar:
    """A leaf: its text as written. Plain ones have the kinds of YAML 1.2 core: `yes` and `on` are text."""

    __slots__ = ("column", "line", "plain", "text")

    def __init__(self, line: int, column: int, text: str, plain: bool) -> None:
        self.line = line
        self.column = column
        self.text = text
        self.plain = plain

    @property
    def kind(self) -> str:
        """`str`, `int`, `bool` or `null`."""
        if not self.plain:
            return "str"
        if self.text in _NULL:
            return "null"
        found = _PLAIN_KIND.match(self.text)
        return (found.lastgroup or "str") if found else "str"


class Seq:
    """A list."""

    __slots__ = ("column", "end", "items", "line", "start")

    def __init__(self, line: int, column: int, start: int) -> None:
        self.line = line
        self.column = column
        self.start = start
        self.end = start
        self.items: list[Value] = []


class Map:
    """A mapping with text keys, in the order of the file; start and end are offsets in characters."""

    __slots__ = ("column", "end", "items", "line", "pending", "start")

    def __init__(self, line: int, column: int, start: int) -> None:
        self.line = line
        self.column = column
        self.start = start
        self.end = start
        self.items: dict[str, tuple[Scalar, Value]] = {}
        self.pending: Scalar | None = None
        """The key whose value comes next."""

    def get(self, key: str) -> Value | None:
        """Return the value of a key, or None."""
        entry = self.items.get(key)
        return entry[1] if entry else None


Value = Scalar | Seq | Map


def describe(value: Value) -> str:
    """Name the kind of a value for messages."""
    if isinstance(value, Scalar):
        return {"null": "nothing", "int": f"the number {value.text}", "bool": value.text}.get(
            value.kind, f"'{value.text[:40]}'"
        )
    return "a list" if isinstance(value, Seq) else "a mapping"


class _Place:
    __slots__ = ("column", "line")

    def __init__(self, mark: _Untyped) -> None:
        self.line = mark.line + 1 if mark else 0
        self.column = mark.column + 1 if mark else 0


class _Builder:
    """Turns events into one tree."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.root: Value | None = None
        self.stack: list[Seq | Map] = []
        self.documents = 0

    def put(self, value: Value) -> None:
        """Add a value to the open collection."""
        if not self.stack:
            if self.root is None:
                self.root = value
            return
        top = self.stack[-1]
        if isinstance(top, Seq):
            top.items.append(value)
        elif top.pending is None:
            self.key(top, value)
        else:
            self.pair(top, top.pending, value)

    def key(self, top: Map, value: Value) -> None:
        if not isinstance(value, Scalar):
            self.problems.add(value, "a key must be text", "quote the key")
            value = Scalar(value.line, value.column, "", plain=False)
        elif value.text == "<<" and value.plain:
            self.problems.add(value, "merge keys are not supported", "use `defaults:` of the file")
        top.pending = value

    def pair(self, top: Map, key: Scalar, value: Value) -> None:
        top.pending = None
        if isinstance(value, Scalar) and value.plain and not value.text:
            value.line, value.column = key.line, key.column  # libyaml says: the next token
        first = top.items.get(key.text)
        if first:
            self.problems.add(key, f"key '{key.text}' is given twice", f"first at line {first[0].line}")
        else:
            top.items[key.text] = (key, value)

    def open(self, event: _Untyped) -> None:
        mark = event.start_mark
        kind = Seq if isinstance(event, yaml.SequenceStartEvent) else Map
        value = kind(mark.line + 1, mark.column + 1, mark.index)
        self.refuse_extras(event, value)
        if len(self.stack) >= MAX_DEPTH:
            self.problems.fail(value, f"nested deeper than {MAX_DEPTH} levels")
        self.put(value)
        self.stack.append(value)

    def refuse_extras(self, event: _Untyped, where: Value) -> None:
        if event.anchor is not None:
            self.problems.add(where, "anchors are not supported", "use `defaults:` of the file")
        if event.tag is not None and event.tag != "!":
            self.problems.add(where, f"tags are not supported: {event.tag}")

    def scalar(self, event: _Untyped) -> None:
        mark = event.start_mark
        value = Scalar(mark.line + 1, mark.column + 1, event.value, event.implicit[0])
        if event.anchor is not None or event.tag is not None:
            self.refuse_extras(event, value)
        self.put(value)

    def close(self, event: _Untyped) -> None:
        self.stack.pop().end = event.end_mark.index

    def alias(self, event: _Untyped) -> None:
        where = _Place(event.start_mark)
        self.problems.add(where, "aliases are not supported", "use `defaults:` of the file")
        self.put(Scalar(where.line, where.column, "", plain=False))

    def document(self, event: _Untyped) -> None:
        self.documents += 1
        if self.documents == 2:
            self.problems.add(_Place(event.start_mark), "a file holds one document", "remove the `---`")

    def run(self, loader: yaml.CSafeLoader) -> None:
        """Take events until the stream ends."""
        act = {
            yaml.ScalarEvent: self.scalar,
            yaml.MappingStartEvent: self.open,
            yaml.SequenceStartEvent: self.open,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.document,
        }
        while (event := loader.get_event()).__class__ is not yaml.StreamEndEvent:
            if method := act.get(event.__class__):
                method(event)


def read(text: str, problems: Problems) -> Value | None:
    """Parse YAML text. Returns None for an empty document and where the text is not YAML at all.

    All problems are added to `problems`; nothing is raised.
    """
    builder = _Builder(problems)
    try:
        builder.run(yaml.CSafeLoader(text))
    except yaml.MarkedYAMLError as error:
        what = ", ".join(part for part in (error.context, error.problem) if part)
        problems.add(_Place(error.problem_mark or error.context_mark), f"not YAML: {what}", _yaml_hint(what))
    except yaml.YAMLError as error:
        problems.add(_reader_place(text, error), f"not YAML: {str(error).splitlines()[0]}")
    except UnicodeEncodeError:
        problems.add(None, "not YAML: the text holds lone surrogates")
    except Invalid:
        pass
    else:
        return builder.root
    return None


def _yaml_hint(what: str) -> str:
    if "cannot start any token" in what:
        return "quote the text: it begins with a character that YAML reserves (% @ ` or a tab)"
    if "mapping values are not allowed" in what:
        return "quote text that holds ': '"
    if "escape" in what:
        return "in double quotes a backslash must be doubled; or use single quotes"
    return ""


def _reader_place(text: str, error: yaml.YAMLError) -> _Place:
    place = _Place(None)
    position = getattr(error, "position", None)
    if isinstance(position, int):
        before = text.encode()[:position].decode(errors="ignore")  # libyaml counts bytes
        place.line = before.count("\n") + 1
        place.column = len(before) - (before.rfind("\n") + 1) + 1
    return place
