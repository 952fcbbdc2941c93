"""What transaction rules ask of the parts of a framed message, as arrays for the kernel.

A message that fails one test of a rule cannot match it. Parts that tell nothing certain have no tests: of buffers that
are computed, of literals that a transform may change, of what stands somewhere behind another literal only that it is
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from sensor.detect.evaluator.chain import sets_cursor
from sensor.detect.evaluator.operators import COMPARE
from sensor.detect.headers.shorts import place
from sensor.detect.kept import Kept
from sensor.detect.prefilter.kernels_frametests import AUTOMATIC, BEHIND, END, FOLD, KEY, LOOSE, NEGATED, SIZED, TEST
from sensor.detect.regex.automata import Automata, Made, automaton
from sensor.detect.regex.kernels_automata import BEGINS
from sensor.detect.ruleplan import RulePlan
from sensor.rules import buffers
from sensor.rules.compile import keeps_literals, positive_literals
from sensor.rules.nodes import BufferMatch, BufferSize, ByteTest, Content, HeaderTest, Regex, Rule, Test
from sensor.rules.walk import buffers_of, required

if TYPE_CHECKING:
    from sensor.model.app import Framing, ProtocolSpec

_NO_LIMIT = 2**31 - 1
_RAW = frozenset({buffers.PAYLOAD, buffers.STREAM, buffers.EITHER})
_LONGEST = 255
_JOINED = 24
"""Bytes of a literal that the automaton of a regex behind it may begin with."""
HEAD_ALONE, DEEP, ELSEWHERE = 0, 1, 2
"""Of a rule: it asks for the head of a message only; for more; its literal may stand in another message."""


class _Test(NamedTuple):
    pattern: bytes
    low: int
    high: int
    part: int
    flags: int
    automaton: Made | None = None

    @property
    def telling(self) -> bool:
        """Whether it says what must be there."""
        return not self.flags & NEGATED

    def floats(self, framing: Framing) -> bool:
        """Whether what comes later of a message may meet it, wherever."""
        return self.part >= framing.goes_on and self.high < 0 and not self.flags & (NEGATED | SIZED | AUTOMATIC)


class FrameTests(Kept):
    """The tests of a protocol's transaction rules."""

    KEPT: ClassVar = {
        **dict.fromkeys(
            ("first", "table", "pool", "hit_side", "deep", "always", "always_first", "floats", "any_float"), np.ndarray
        ),
        "longest": int,
        "complete": bool,
        "automata": Automata,
    }  # fmt: skip

    def __init__(self, plans: Sequence[RulePlan], spec: ProtocolSpec, app: int) -> None:
        """plans: of all rules, in their order; those about other protocols have no tests."""
        framing = spec.framing
        if framing is None:
            raise ValueError(f"{spec.name} has no frames")
        mine = {p.number: p for p in plans if p.app == app and not p.rule.unmatchable}
        tests = {n: _by_side(p.rule, spec, framing) for n, p in mine.items()}
        rows = [test for n in range(len(plans)) for side in tests.get(n, ((), ())) for test in side]
        sizes = [len(side) for n in range(len(plans)) for side in tests.get(n, ((), ()))]
        self.first = np.cumsum([0, *sizes]).astype(np.int32)
        """int32[2 * rules + 1]: where the tests of each rule and side begin."""
        made = {automaton: n for n, automaton in enumerate(dict.fromkeys(t.automaton for t in rows if t.automaton))}
        self.table, self.pool = _arrays(rows, made)
        """TEST[k], and the literals end to end: uint8."""
        self.automata = Automata(tuple(made))
        """Those of regular expressions."""
        self.hit_side = np.full(len(plans), 2, np.uint8)
        """uint8[rules]: the side in whose bytes the scan finds a rule's literal; 2: either."""
        self.deep = np.zeros(len(plans), np.uint8)
        """uint8[rules]: `HEAD_ALONE`, `DEEP`, `ELSEWHERE`."""
        self.floats = np.zeros(len(plans), np.uint8)
        """uint8[rules]: a rule without a literal for the scan has one that may be anywhere in what goes on."""
        for n, plan in mine.items():
            self.deep[n] = _reach(plan, framing)
            self.hit_side[n] = side_of_literal(plan, spec)
        bare = {n: _chosen(tests[n], p.rule, spec) for n, p in mine.items() if not p.literal}
        self.complete = all(bare.values())
        """Each rule without a literal for the scan asks something of a message."""
        by_side = [[n for n, sides in bare.items() if wanted in sides] for wanted in (0, 1)]
        self.always = np.array([n for numbers in by_side for n in numbers], np.int32)
        """int32[k]: those rules, by the side whose tests they are found by."""
        self.always_first = np.array([0, len(by_side[0]), self.always.size], np.int32)
        floating = [[t for n in numbers for t in tests[n][side] if t.floats(framing)]
                    for side, numbers in enumerate(by_side)]  # fmt: skip
        for side, numbers in enumerate(by_side):
            for n in numbers:
                self.floats[n] = any(t.floats(framing) for t in tests[n][side])
        self.any_float = np.array([bool(found) for found in floating], np.uint8)
        """uint8[2]: some such rule of a side has such a literal."""
        self.longest = max((len(t.pattern) for found in floating for t in found), default=0)
        """Bytes of the longest of these: as many but one must be seen again in the next block."""
        self.make_scratch()

    @property
    def asked(self) -> frozenset[int]:
        """The parts that have tests."""
        return frozenset(self.table["part"].tolist())

    def make_scratch(self) -> None:
        """Make room for what the kernels note."""
        self.seen = np.empty(self.hit_side.size, np.int32)
        self.stamps = np.zeros(1 << 16, np.uint8)


def _arrays(rows: Sequence[_Test], made: Mapping[Made, int]) -> tuple[np.ndarray, np.ndarray]:
    pool, places = bytearray(b"\0"), dict[bytes, int]()
    table = np.zeros(len(rows), TEST)
    for n, test in enumerate(rows):
        if test.pattern not in places:
            places[test.pattern] = len(pool)
            pool += test.pattern
        at = places[test.pattern] if test.automaton is None else made[test.automaton]
        table[n] = at, len(test.pattern), test.low, test.high, test.part, test.flags
    return table, np.frombuffer(bytes(pool), np.uint8).copy()


def _chosen(tests: tuple[Sequence[_Test], Sequence[_Test]], rule: Rule, spec: ProtocolSpec) -> tuple[int, ...]:
    """Return the side with more tests that say what must be there.

    Without tests: a side of whose head something is asked, whatever it is, or either; nothing: there is none.
    """
    counts = [(sum(test.telling for test in side), len(side)) for side in tests]
    best = int(counts[1] > counts[0])
    if counts[best][1]:
        return (best,)
    heads = spec.framing.heads if spec.framing is not None else ()
    nodes = (node for node in required(rule.body) if isinstance(node, BufferMatch))
    found = (buffers.find(node.buffer, rule.proto) for node in nodes)
    stages = [one[1].stage for one in found if one is not None and one[0] is spec and one[1].stage in heads]
    if stages:
        return (spec.stages[stages[0]].side,)
    return (0, 1) if spec.framing is not None and spec.framing.each else ()


def side_of_literal(plan: RulePlan, spec: ProtocolSpec) -> int:
    """Return the side of the buffers that hold the literal of a transaction rule, 2: not those of one side alone.

    Payload and stream are of the side whose message completes what the rule asks for.
    """
    sides = {
        spec.stages[plan.stage].side if name in _RAW else _side(spec, name)
        for name, content in positive_literals(plan.rule) if _holds(content, plan.literal)
    }  # fmt: skip
    return sides.pop() if len(sides) == 1 else 2


def _holds(content: Content, literal: bytes) -> bool:
    return literal in content.pattern.lower()


def _side(spec: ProtocolSpec, name: str) -> int:
    found = buffers.find(name, spec.name)
    return spec.stages[found[1].stage].side if found is not None and found[0] is spec else 2


def _reach(plan: RulePlan, framing: Framing) -> int:
    rule = plan.rule
    if any(name in _RAW and _holds(content, plan.literal) for name, content in positive_literals(rule)):
        return ELSEWHERE
    names = {_final(node.buffer, rule.proto) for node in buffers_of(rule.body)}
    return int(any(framing.parts.get(name, framing.goes_on) >= framing.goes_on for name in names))


def _final(name: str, proto: str) -> str:
    found = buffers.find(name, proto)
    return found[1].name if found is not None else name


def _by_side(rule: Rule, spec: ProtocolSpec, framing: Framing) -> tuple[list[_Test], list[_Test]]:
    """Return the tests of a rule on the messages of either side."""
    out: tuple[list[_Test], list[_Test]] = ([], [])
    for number in spec.numbers:
        if number.name in framing.implied and _asks_for(rule, number.name):
            out[spec.stages[number.stage].side].append(_there(framing.implied[number.name]))
    for node in required(rule.body):
        if not isinstance(node, BufferMatch) or node.absent:
            continue
        found = buffers.find(node.buffer, rule.proto)
        if found is None or found[0] is not spec or found[1].name not in framing.parts:
            continue
        if found[1].name in framing.implied:
            out[spec.stages[found[1].stage].side].extend(_implied(node, found[1].name, framing))
            continue
        side = spec.stages[found[1].stage].side
        part = framing.parts[found[1].name]
        if part in framing.several:
            tests = _anywhere(node, part)
        elif node.transforms:
            tests = _computed(rule, node, part)
        else:
            tests = _plain(node, part, framing, found[1].lowercase)
        out[side].extend(tests)
    for side_tests in out:
        side_tests.sort(key=_cost)
    return _keyed(out[0], framing), _keyed(out[1], framing)


def _cost(test: _Test) -> int:
    """Return what a test costs beside others, roughly: the cheap ones refuse most."""
    if test.flags & AUTOMATIC:
        return 4 if test.automaton is not None and test.automaton.flags & BEGINS else 5
    if test.flags & SIZED:
        return 0
    return (1 if test.flags & END or test.high >= 0 else 2) + bool(test.flags & NEGATED)


def _asks_for(rule: Rule, number: str) -> bool:
    return any(isinstance(node, HeaderTest) and node.field == number for node in required(rule.body))


def _there(part: int) -> _Test:
    """Return the test that a part is there, and is not empty."""
    return _Test(b"", 1, _NO_LIMIT, part, SIZED)


def _implied(node: BufferMatch, name: str, framing: Framing) -> Iterator[_Test]:
    """Yield what follows from tests on a buffer that is known by another part."""
    without = framing.without.get(name)
    if without is None or any(_refuses(test, without) for test in node.tests if not node.transforms):
        yield _there(framing.implied[name])


def _refuses(test: Test, octets: bytes) -> bool:
    """Tell whether a test on a number fails on bytes for certain."""
    if not isinstance(test, ByteTest) or test.relative or test.base or test.bitmask or test.negated:
        return False
    if not (isinstance(test.offset, int) and isinstance(test.value, int) and test.offset == 0):
        return False
    if test.op not in COMPARE or test.nbytes != len(octets) or test.endian != "big":
        return False
    return not COMPARE[test.op](int.from_bytes(octets, "big"), test.value)


def _keyed(tests: list[_Test], framing: Framing) -> list[_Test]:
    """Mark the longest of the literals that may be anywhere in what goes on."""
    key = max((test for test in tests if test.floats(framing)), key=lambda test: len(test.pattern), default=None)
    return [test._replace(flags=test.flags | KEY) if test is key else test for test in tests]


def _anywhere(node: BufferMatch, part: int) -> Iterator[_Test]:
    """Yield the literals that are there, in whichever instance."""
    for test in node.tests if not node.transforms else ():
        if isinstance(test, Content) and not test.negated:
            pattern = test.pattern.lower() if test.nocase else test.pattern
            yield _Test(pattern[:_LONGEST], 0, -1, part, FOLD if test.nocase else 0)


def _computed(rule: Rule, node: BufferMatch, part: int) -> Iterator[_Test]:
    """Yield the literals that are there before a transform as well."""
    if keeps_literals(node):
        for name, content in positive_literals(rule, computed=True):
            if name == node.buffer:
                yield _Test(content.pattern.lower()[:_LONGEST], 0, -1, part, FOLD)


def _plain(node: BufferMatch, part: int, framing: Framing, folded: bool) -> Iterator[_Test]:
    loose, ends = part in framing.without_cookie, part < framing.goes_on
    behind: _Test | None = None
    for n, test in enumerate(node.tests):
        made = None
        if isinstance(test, Content):
            made = _of_content(test, part, folded, first=n == 0, loose=loose, ends=ends)
        elif isinstance(test, BufferSize):
            made = _of_size(test, part, loose) if ends else None
        elif isinstance(test, Regex) and ends and not test.negated:
            made = _of_regex(test, part, folded, behind, loose=loose)
        if made is not None:
            yield made
            yield from _in_a_line(made)
        if sets_cursor(test):
            behind = made if isinstance(test, Content) else None


def _in_a_line(test: _Test) -> Iterator[_Test]:
    """Yield what of a literal stands in single lines: there it is, whatever lines are left out."""
    if test.flags & LOOSE and not test.flags & (NEGATED | AUTOMATIC):
        for line in test.pattern.split(b"\r\n"):
            if line:
                yield _Test(line, 0, -1, test.part, test.flags & FOLD)


def _of_regex(test: Regex, part: int, folded: bool, behind: _Test | None, *, loose: bool) -> _Test | None:
    """Return the automaton of a regex; None: it has none. behind: the content that has set the cursor."""
    flags = AUTOMATIC | (LOOSE if loose else 0)
    if test.relative and behind is not None and not behind.flags & END and len(behind.pattern) <= _JOINED:
        nocase = bool(behind.flags & FOLD)
        joined = automaton(test, folded=folded, behind=behind.pattern, nocase=nocase)
        if joined is not None:
            return _Test(behind.pattern, behind.low, behind.high, part, flags | BEHIND, joined)
    made = automaton(test, folded=folded)
    if made is not None and test.relative:
        made = made._replace(flags=0)  # where the cursor is, nobody knows
    return _Test(b"", 0, -1, part, flags, made) if made is not None else None


def _of_content(test: Content, part: int, folded: bool, *, first: bool, loose: bool, ends: bool) -> _Test | None:
    """Return the test of a content; None: nothing certain follows from it.

    first: it is the first on its buffer, where the cursor stands at the start; ends: its part is all there.
    """
    relative = test.distance is not None or test.within is not None
    low, high = place(test)
    if relative and first and test.offset is None and test.depth is None and isinstance(test.within, int):
        distance = test.distance or 0
        if isinstance(distance, int):
            low, high = max(distance, 0), max(distance + test.within, 0)
    if test.negated and (relative or not ends or not _fixed(test)):
        return None
    nocase = test.nocase or folded
    flags = (FOLD if nocase else 0) | (NEGATED if test.negated else 0) | (END if test.endswith else 0)
    pattern = test.pattern.lower() if nocase else test.pattern
    if len(pattern) > _LONGEST:
        if test.negated or test.endswith:
            return None
        pattern = pattern[:_LONGEST]
    if loose and (test.negated or high >= 0 or low or b"\r\n" in pattern[1:-1]):
        flags |= LOOSE
    return _Test(pattern, low, high, part, flags)


def _fixed(test: Content) -> bool:
    """Tell whether a content is bound to places that are numbers."""
    return not isinstance(test.offset, str) and not isinstance(test.depth, str)


def _of_size(test: BufferSize, part: int, loose: bool) -> _Test | None:
    if not isinstance(test.low, int):
        return None
    n = test.low
    bounds = {
        "=": (n, n), "<": (0, n - 1), ">": (n + 1, _NO_LIMIT), "<=": (0, n), ">=": (n, _NO_LIMIT),
        "<>": (n + 1, test.high - 1),
    }.get(test.op)  # fmt: skip
    return _Test(b"", *bounds, part, SIZED | (LOOSE if loose else 0)) if bounds is not None else None
