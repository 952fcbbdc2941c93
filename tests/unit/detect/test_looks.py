"""A first look never refuses what the judge would find, and refuses what is plainly not there."""

import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st
from judgekit import FakeContext, body_holds

from sensor.detect.evaluator.context import Window
from sensor.detect.headers.heads import NO_HEADS
from sensor.detect.headers.kernels_headers import HEADER
from sensor.detect.prefilter.kernels_looks import look_rows, look_windows
from sensor.detect.prefilter.looks import Looks
from sensor.model.rows import FLOW, new_rows
from sensor.proto.kernels_probe import HEAD
from sensor.rules.nodes import (
    All,
    Any,
    BufferMatch,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    IsDataAt,
    Regex,
    Rule,
)

APP = 5
NOBODY = np.zeros(0, np.int32)


def rule_of(tests, buffer="payload_or_stream"):
    return Rule(1, "", "ip", All((BufferMatch(buffer, tuple(tests)),)))


def headers(apps=0):
    table = np.zeros(1, HEADER)
    table["protos"], table["side"], table["established"], table["number"] = 127, 2, 2, -1
    table["pay_high"], table["apps"] = 1 << 30, apps
    return table


def flows(app=APP):
    table = np.zeros(2, FLOW)
    table["app"] = app
    return table


def passes_windows(rule, data, windows, apps=0, turned=NOBODY):
    """Return for each (base, end) of the stream `data` whether the rule may match there."""
    looks, n = Looks([rule]), len(windows)
    out = np.zeros(n, np.bool_)
    bases = np.array([base for base, _ in windows], np.int64)
    sizes = np.array([end - base for base, end in windows], np.int32)
    raw = np.frombuffer(data + b"\0", np.uint8)
    count = look_windows(
        np.zeros(n, np.int32), np.zeros(n, np.int32), bases, np.zeros(n, np.int64), bases.copy(), sizes,
        flows(), turned, raw, headers(apps), looks.first, looks.table, looks.pool,
        *looks.automata.arrays, out, *NO_HEADS,
    )  # fmt: skip
    assert count == np.count_nonzero(out)
    return out.tolist()


def passes_row(rule, data, apps=0):
    rows = new_rows(1)
    rows["ipv"], rows["proto"], rows["paylen"], rows["flow"] = 4, 6, len(data), 0
    rows["pay"] = 0
    looks, out = Looks([rule]), np.zeros(1, np.bool_)
    raw = np.frombuffer(data + b"\0", np.uint8)
    first = np.zeros(1, np.int32)
    look_rows(
        first, first, rows, flows(), NOBODY, raw, headers(apps), looks.first, looks.table, looks.pool,
        *looks.automata.arrays, out,
    )  # fmt: skip
    return bool(out[0])


small = st.integers(0, 6)
near = st.integers(-3, 6)
patterns = st.binary(min_size=1, max_size=3).map(lambda raw: bytes(b"aAb\1"[c & 3] for c in raw))
texts = st.binary(max_size=24).map(lambda raw: bytes(b"aAb\1"[c & 3] for c in raw))
flag = st.booleans()
endian = st.sampled_from(("big", "little"))


@st.composite
def contents(draw):
    pattern = draw(patterns)
    limits = {name: draw(st.none() | small) for name in ("offset", "distance")}
    limits |= {name: draw(st.none() | st.integers(len(pattern), 9)) for name in ("depth", "within")}
    if draw(flag):
        limits["distance"] = draw(near)
    negated, startswith, endswith = (draw(st.sampled_from((False, False, True))) for _ in range(3))
    return Content(pattern, nocase=draw(flag), negated=negated, startswith=startswith, endswith=endswith, **limits)


steps = (
    contents()
    | contents()
    | st.builds(IsDataAt, small, relative=flag, negated=flag)
    | st.builds(Regex, st.sampled_from(("a.", "b", "^a", "aa?")), negated=flag, relative=flag)
    | st.builds(
        ByteTest, st.integers(1, 5), st.sampled_from(("<", ">", "=", "<=", ">=", "!=", "&", "^", "!&", "!<")),
        st.sampled_from((0, 1, 0x61, 0x6162)), offset=near, relative=flag, endian=endian,
        base=st.sampled_from(("", "", "hex")), bitmask=st.sampled_from((0, 0, 0xF0, 0x0FF0)), negated=flag,
    )
    | st.builds(
        ByteJump, st.integers(0, 2), offset=near, relative=flag, multiplier=st.integers(0, 2), endian=endian,
        align=flag, from_beginning=flag, from_end=flag, post_offset=st.sampled_from((0, -97, -96, -1)),
        bitmask=st.sampled_from((0, 3)),
    )
    | st.builds(
        ByteExtract, st.integers(1, 5), st.just("v"), offset=near, relative=flag, base=st.sampled_from(("", "hex"))
    )
    | st.builds(ByteMath, st.integers(1, 2), st.just("v"), st.just("-"), st.just(96), offset=near, relative=flag)
)  # fmt: skip
chains = st.lists(steps, min_size=1, max_size=4)


def judged(rule, data, base=0):
    return body_holds(rule.body, FakeContext({"payload_or_stream": Window(data, base)}))


@settings(max_examples=effort(500, 60), deadline=None)
@given(chains, texts)
def test_a_packet_that_matches_passes(tests, data):
    rule = rule_of(tests)
    assert passes_row(rule, data) or not judged(rule, data)


@settings(max_examples=effort(500, 60), deadline=None)
@given(chains, texts, st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6)), min_size=1, max_size=5), small)
def test_windows_that_match_pass_whatever_was_seen_before(tests, data, moves, later):
    """Windows slide over a stream; a rule that fired sees only the later part of one."""
    rule = rule_of(tests)
    windows, base, end = [], 0, 0
    for back, step in moves:
        end = min(end + step, len(data))
        base = max(base, end - back - step)
        windows.append((base, end))
    for (base, end), passed in zip(windows, passes_windows(rule, data, windows), strict=True):
        for seen in {base, min(base + later, end)}:
            assert passed or not judged(rule, data[seen:end], seen)


@settings(max_examples=effort(400, 60), deadline=None)
@given(chains, texts, st.integers(0, 12), st.integers(0, HEAD))
def test_a_window_that_is_not_at_hand_passes_if_its_bytes_could_match(tests, data, base, known):
    rule = rule_of(tests)
    assert passes_unseen(rule, base, data[:known]) or not judged(rule, data[base:], base)


def passes_unseen(rule, base, head):
    """Return whether the rule may match a window behind `base` of which only the stream's first bytes are known."""
    looks, out = Looks([rule]), np.zeros(1, np.bool_)
    octets, sizes = np.zeros(4 * HEAD, np.uint8), np.zeros(4, np.int64)
    octets[HEAD : HEAD + len(head)], sizes[1] = np.frombuffer(head, np.uint8), len(head)
    look_windows(
        np.ones(1, np.int32), np.zeros(1, np.int32), np.array([base]), np.zeros(1, np.int64), np.array([-1]),
        np.array([-1], np.int32), flows(), NOBODY, np.zeros(1, np.uint8), headers(), looks.first, looks.table,
        looks.pool, *looks.automata.arrays, out, octets, sizes,
    )  # fmt: skip
    return bool(out[0])


@pytest.mark.parametrize(
    ("tests", "head", "passed"),
    [
        ([Content(b"bc", offset=1, depth=2)], b"abcd", True),
        ([Content(b"cb", offset=1, depth=2)], b"abcd", False),
        ([Content(b"cb", offset=1, depth=2)], b"ab", True),  # the third byte is not known
        ([Content(b"cb")], b"abcd", True),
        ([Content(b"cb", offset=1, depth=2, negated=True)], b"abcd", True),
        ([Content(b"BC", offset=1, depth=2, nocase=True)], b"abcd", True),
        ([ByteTest(1, "=", ord("b"), 1)], b"abcd", True),
        ([ByteTest(1, "=", ord("c"), 1)], b"abcd", False),
        ([ByteTest(1, "=", ord("b"), 4)], b"abcd", True),
        ([Content(b"cb", offset=1, depth=2)], b"a" * (HEAD - 1), True),  # so looks a side that lost some of them
    ],
)
def test_of_a_window_that_is_not_at_hand_the_first_bytes_are_looked_at(tests, head, passed):
    assert passes_unseen(rule_of(tests), 0, head) is passed


REFUSED = (
    (b"abcd", [Content(b"x")]),
    (b"abcd", [Content(b"b", depth=1)]),
    (b"abcd", [Content(b"a", offset=1)]),
    (b"abcd", [Content(b"A")]),
    (b"abcd", [Content(b"b", startswith=True)]),
    (b"abcd", [Content(b"c", endswith=True)]),
    (b"abcd", [Content(b"b", negated=True)]),
    (b"abcd", [Content(b"b"), Content(b"c", distance=1)]),
    (b"abcd", [Content(b"b"), Content(b"d", distance=0, within=1)]),
    (b"abcd", [Content(b"b"), Content(b"c", negated=True, within=1)]),
    (b"a\0\0\7", [Content(b"a"), ByteTest(2, ">", 0, 0, relative=True)]),
    (b"a\0\0\7", [ByteTest(2, "=", 6, 2)]),
    (b"a\0\0\7", [ByteTest(2, "&", 8, 2)]),
    (b"a\0\0\7", [ByteTest(1, "=", 7, 4)]),
    (b"\2\0xyz", [ByteJump(1), Content(b"x", distance=0)]),
    (b"\x09\0xyz", [ByteJump(1)]),
    (b"abcd", [IsDataAt(4)]),
    (b"abcd", [Content(b"d"), IsDataAt(1, relative=True)]),
    (b"abcd", [Content(b"b"), IsDataAt(1, relative=True, negated=True)]),
    (b"abcd", [ByteExtract(2, "v"), Content(b"b", distance=0)]),
)


@pytest.mark.parametrize(("data", "tests"), REFUSED)
def test_what_is_not_there_is_refused(data, tests):
    rule = rule_of(tests)
    assert not judged(rule, data)
    assert not passes_row(rule, data)


@pytest.mark.parametrize(
    "body",
    [Any((BufferMatch("payload", (Content(b"x"),)),)), BufferMatch("http.uri", (Content(b"x"),))],
    ids=["not required", "not raw"],
)
def test_only_what_must_hold_on_raw_bytes_is_looked_at(body):
    assert passes_row(Rule(1, "", "ip", body), b"abcd")


def test_a_literal_behind_the_window_of_now_is_found_once_it_comes():
    """What a former window showed is not asked again, and what it did not show yet is."""
    rule = rule_of([Content(b"bb")])
    windows = [(0, 2), (0, 4), (1, 5), (3, 6), (4, 8)]
    assert passes_windows(rule, b"aabbaaaa", windows) == [False, True, True, False, False]
    assert passes_windows(rule, b"aaaaaabb", windows) == [False, False, False, False, True]
    assert passes_windows(rule, b"abbabbab", [(0, 3), (2, 5), (2, 6), (5, 8)]) == [True, False, True, False]


def test_a_flow_must_speak_a_protocol_of_the_rule():
    rule = rule_of([Content(b"a")])
    other = 1 << APP + 1
    assert passes_row(rule, b"a", apps=other | 1 << APP)
    assert not passes_row(rule, b"a", apps=other)
    assert passes_windows(rule, b"a", [(0, 1)], apps=1 << APP) == [True]
    assert passes_windows(rule, b"a", [(0, 1)], apps=other) == [False]
    spoke_another_before = np.zeros(1, np.int32)
    assert passes_windows(rule, b"a", [(0, 1)], apps=other, turned=spoke_another_before) == [True]
