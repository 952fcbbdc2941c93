"""The tests of rules on raw bytes as arrays, for a first look before anything is judged (`kernels_looks`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from sensor.detect.evaluator.chain import constant, sets_cursor, uses_cursor
from sensor.detect.kept import Kept
from sensor.detect.prefilter.kernels_looks import (
    AND,
    ANYWHERE,
    AT_LEAST,
    AT_MOST,
    CONTENT,
    EQUAL,
    EXTRACT,
    FROM_END,
    FROM_NUMBER,
    FROM_START,
    GREATER,
    JUMP,
    LESS,
    LOOK,
    NEVER,
    NO_LESS,
    NUMBER,
    REGEX,
    START,
    UNEQUAL,
)
from sensor.detect.regex.automata import Automata, Made, automaton
from sensor.detect.regex.regexliterals import literals
from sensor.rules import buffers
from sensor.rules.nodes import (
    AnyTest,
    BufferMatch,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    IsDataAt,
    Num,
    Regex,
    Rule,
)
from sensor.rules.walk import required

_RAW = frozenset({buffers.PAYLOAD, buffers.STREAM, buffers.EITHER})
MOST = 24
"""Looks of a rule; further tests wait for the judge."""
_WIDE = 4
"""Bytes of a number that a look can read: an int64 holds all that it may be multiplied by."""
_JOINED = 16
"""Bytes of a literal that the automaton of a regex behind it begins with."""
_MULTIPLIER, _MASK = 1 << 20, (1 << 32) - 1
_OPERATORS = MappingProxyType(
    {
        "=": EQUAL, "==": EQUAL, "!=": UNEQUAL, "!": UNEQUAL, "^": UNEQUAL, "<": LESS, ">": GREATER, "<=": AT_MOST,
        ">=": NO_LESS, "&": AND,
    }
)  # fmt: skip
_Fields = dict[str, int]
_OPEN: MappingProxyType[str, int] = MappingProxyType({"high": NEVER, "after": -NEVER, "until": NEVER})


class Looks(Kept):
    """LOOK records of rules, in their order."""

    KEPT: ClassVar = {**dict.fromkeys(("first", "table", "pool"), np.ndarray), "automata": Automata}

    def __init__(self, rules: Sequence[Rule | None]) -> None:
        """rules: None has no looks."""
        pool = bytearray(b"\0")
        places: dict[bytes, int] = {}
        made: dict[Made, int] = {}
        members = [[] if rule is None else list(_looks(rule, made))[:MOST] for rule in rules]
        self.first = np.cumsum([0, *map(len, members)]).astype(np.int32)
        """int32[rules + 1]"""
        self.table = np.zeros(int(self.first[-1]), LOOK)
        for n, (pattern, look) in enumerate(one for member in members for one in member):
            record = self.table[n]
            for name, value in look.items():
                record[name] = value
            if pattern:
                if pattern not in places:
                    places[pattern] = len(pool)
                    pool += pattern
                record["at"] = places[pattern]
        self.pool = np.frombuffer(bytes(pool), np.uint8).copy()
        """uint8: the literals end to end."""
        self.automata = Automata(tuple(made))
        """Those of regular expressions."""


def _looks(rule: Rule, made: dict[Made, int]) -> Iterator[tuple[bytes, _Fields]]:
    """Yield (literal, fields of LOOK) of the tests on raw bytes that must all hold. made: automata to their numbers."""
    for node in required(rule.body):
        if isinstance(node, BufferMatch) and node.buffer in _RAW and not (node.absent or node.transforms):
            yield b"", {"kind": START}
            behind: Content | None = None
            for n, test in enumerate(node.tests):
                if isinstance(test, Regex):
                    yield from _regex(test, behind, made)
                else:
                    yield from _look(test, followed=_followed(node.tests[n + 1 :]))
                if sets_cursor(test):
                    behind = test if isinstance(test, Content) and not test.endswith else None


def _followed(rest: Sequence[AnyTest]) -> bool:
    """Tell whether what follows looks at the cursor."""
    for test in rest:
        if uses_cursor(test):
            return True
        if sets_cursor(test):
            return False
    return False


def _look(test: AnyTest, *, followed: bool) -> Iterator[tuple[bytes, _Fields]]:
    """Yield the look of a test, if there is one. What has none and is not named here leaves the cursor alone."""
    match test:
        case Content():
            if not (test.negated and _varies(test)):
                yield test.pattern.lower() if test.nocase else test.pattern, _content(test, followed=followed)
        case ByteTest():
            yield from ((b"", look) for look in _number(test))
        case ByteExtract() | ByteMath():
            yield b"", _extract(test)
        case ByteJump():
            yield b"", _jump(test)
        case IsDataAt():
            if isinstance(test.length, int):
                yield b"", _at_least(test.length, relative=test.relative, negated=test.negated)


def _varies(test: Content) -> bool:
    return any(isinstance(each, str) for each in (test.offset, test.depth, test.distance, test.within))


def _content(test: Content, *, followed: bool) -> _Fields:
    """Return a content; where a bound is a variable, there is none."""
    size = len(test.pattern)
    depth = size if test.startswith else test.depth
    offset, distance = test.offset or 0, test.distance or 0
    look = {
        "kind": CONTENT, "size": size, "nocase": test.nocase, "negated": test.negated, "last": test.endswith,
        "op": followed, "relative": uses_cursor(test), **_OPEN,
    }  # fmt: skip
    if isinstance(offset, int):
        look["low"] = offset
        look["high"] = offset + depth if isinstance(depth, int) else NEVER
    if look["relative"] and isinstance(distance, int):
        look["after"] = distance
        look["until"] = distance + test.within if isinstance(test.within, int) else NEVER
    return look


def _regex(test: Regex, behind: Content | None, made: dict[Made, int]) -> Iterator[tuple[bytes, _Fields]]:
    """Yield the looks of a regex: its automaton, and its literals. behind: the content that has set the cursor."""
    if test.negated:
        return
    # What is relative needs the cursor before another look moves it; else literals are found the quicker.
    looks = (_automaton(test, behind, made), _literals(test))
    for part in looks if test.relative else reversed(looks):
        yield from part
    yield b"", {"kind": ANYWHERE}


def _automaton(test: Regex, behind: Content | None, made: dict[Made, int]) -> Iterator[tuple[bytes, _Fields]]:
    """Yield the automaton of a regex, joined with the literal that it must follow."""
    joined = found = None
    if test.relative and behind is not None:
        found = joined = automaton(test, behind=behind.pattern[-_JOINED:], nocase=behind.nocase)
    if found is None:
        found = automaton(test)
    if found is not None:
        left = max(len(behind.pattern) - _JOINED, 0) if behind is not None and joined is not None else 0
        number = made.setdefault(found, len(made))
        yield b"", {
            "kind": REGEX, "value": number, "relative": test.relative, "op": joined is not None, "size": left,
        }  # fmt: skip


def _literals(test: Regex) -> Iterator[tuple[bytes, _Fields]]:
    """Yield the literals of a regex, each behind the one before."""
    nocase, behind = "i" in test.flags, test.relative
    for text in () if "x" in test.flags else literals(test.pattern.encode("utf-8", "surrogateescape")):
        place = {"relative": behind, "after": 0 if behind else -NEVER, "until": NEVER, "high": NEVER}
        yield text.lower() if nocase else text, {"kind": CONTENT, "size": len(text), "nocase": nocase, **place}
        behind = True


def _at_least(length: int, *, relative: bool, negated: bool = False) -> _Fields:
    return {"kind": AT_LEAST, "value": length, "relative": relative, "negated": negated}


def _place(offset: Num, *, relative: bool) -> _Fields:
    return {"relative": relative, "after" if relative else "low": constant(offset) or 0}


def _is_odd(test: ByteTest | ByteJump, size: int) -> bool:
    """Tell whether a look cannot read a number."""
    return bool(test.base) or size > _WIDE or test.bitmask > _MASK


def _number(test: ByteTest) -> Iterator[_Fields]:
    """Yield a comparison of a number, or that it is there at all."""
    size, value = constant(test.nbytes), constant(test.value)
    if not size or not isinstance(test.offset, int):
        return
    op, negated = test.op, test.negated
    if op not in _OPERATORS:
        op, negated = op.removeprefix("!"), not negated
    if _is_odd(test, size) or value is None or op not in _OPERATORS or not 0 <= value < NEVER:
        yield _at_least(test.offset + size - (not test.relative), relative=test.relative)
        return
    yield {
        "kind": NUMBER, "size": size, "op": _OPERATORS[op], "value": value, "negated": negated,
        "mask": test.bitmask, "little": test.endian == "little",
        **_place(test.offset, relative=test.relative),
    }  # fmt: skip


def _extract(test: ByteExtract | ByteMath) -> _Fields:
    """Return that there is a number, with the cursor behind it."""
    size = constant(test.nbytes)
    if not size or not isinstance(test.offset, int):
        return {"kind": ANYWHERE}
    place = _place(test.offset, relative=test.relative)
    return {"kind": EXTRACT, "size": size, "op": bool(test.base), **place}


def _jump(test: ByteJump) -> _Fields:
    size, after = constant(test.nbytes), constant(test.post_offset)
    fixed = isinstance(test.offset, int) and 0 <= test.multiplier < _MULTIPLIER
    if size is None or after is None or not fixed or _is_odd(test, size):
        return {"kind": ANYWHERE}
    origin = FROM_START if test.from_beginning else FROM_END if test.from_end else FROM_NUMBER
    return {
        "kind": JUMP, "size": size, "op": origin, "value": test.multiplier, "until": after, "align": test.align,
        "mask": test.bitmask, "little": test.endian == "little",
        **_place(test.offset, relative=test.relative),
    }  # fmt: skip
