"""What must be there before a rule is judged: never more than the rule asks for."""

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st
from judgekit import FakeContext, body_holds

from sensor.detect.evaluator.quick import needs
from sensor.detect.state.bits import FlowVars
from sensor.rules.nodes import All, Any, BufferMatch, Content, FlowBits, HeaderTest, Not, Rule, Transform


def needs_of(*nodes, proto="ip"):
    return needs(Rule(1, "", proto, All(nodes)))


def flow(*bits):
    made = FlowVars()
    for bit in bits:
        made.set_bit(bit)
    return made


def may_match(needed, ctx):
    lower = b"".join(window.lower for window in ctx.instances("payload"))
    return needed.bits_set(ctx.flow_vars) and needed.stands_in(lower) and needed.stands_in_fields(ctx.instances)


PATTERNS = st.lists(st.sampled_from(b"aAb."), min_size=1, max_size=3).map(bytes)
TEXTS = st.lists(st.sampled_from(b"aAb.\0"), max_size=8).map(bytes)
CONTENTS = st.builds(
    lambda pattern, nocase, negated, place: Content(pattern, nocase=nocase, negated=negated, **place),
    PATTERNS, st.booleans(), st.booleans(),
    st.sampled_from(({}, {"startswith": True}, {"endswith": True}, {"offset": 1}, {"depth": 4})),
)  # fmt: skip
LEAVES = st.one_of(
    st.builds(lambda buffer, tests: BufferMatch(buffer, tuple(tests)),
              st.sampled_from(("payload", "http.uri", "http.host")), st.lists(CONTENTS, min_size=1, max_size=2)),
    st.builds(lambda action, names: FlowBits(action, tuple(names)), st.sampled_from(("isset", "isnotset")),
              st.lists(st.sampled_from("xyz"), min_size=1, max_size=2)),
)  # fmt: skip
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: All(tuple(nodes))),
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: Any(tuple(nodes))),
        inner.map(Not),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=effort(300, 100))
@given(
    BODIES, TEXTS, st.lists(TEXTS, max_size=2), st.lists(TEXTS, max_size=2), st.none() | st.sets(st.sampled_from("xyz"))
)  # fmt: skip
def test_whatever_matches_has_what_is_needed(body, payload, uris, hosts, bits):
    variables = None if bits is None else flow(*bits)
    ctx = FakeContext({"payload": payload, "http.uri": uris, "http.host": hosts}, flow_vars=variables)
    if body_holds(body, ctx):
        assert may_match(needs(Rule(1, "", "http", body)), ctx)


def test_bits():
    needed = needs_of(FlowBits("isset", ("a", "b")), FlowBits("isset", ("c",)), FlowBits("isnotset", ("d",)))
    assert needed.bits_set(flow("a", "c"))
    assert needed.bits_set(flow("b", "c", "d"))
    assert not needed.bits_set(flow("a", "b"))
    assert not needed.bits_set(flow("c"))
    assert not needed.bits_set(None)
    assert needs_of(FlowBits("set", ("a",))).bits_set(None)


def test_of_the_payload_the_most_telling_literal_is_looked_for_first():
    needed = needs_of(BufferMatch("payload", (Content(b"ab"), Content(b"ABCdef"), Content(b"zz", negated=True))))
    assert needed.raw == (b"abcdef", b"ab")
    assert needed.stands_in(b"..abcdef ab")
    assert not needed.stands_in(b"..abcdeg ab")
    assert not needed.stands_in(b"..abcde")


@pytest.mark.parametrize(
    ("content", "found", "missing"),
    [
        (Content(b"Abc"), b"xxabcxx", b"xxabxcx"),
        (Content(b"abc", startswith=True), b"abcxx", b"xabcx"),
        (Content(b"abc", endswith=True), b"xxabc", b"xabcx"),
    ],
)
def test_fields_are_looked_at_where_the_literal_stands(content, found, missing):
    needed = needs_of(BufferMatch("http.uri", (content,)), proto="http")
    for texts, wanted in (([found], True), ([missing], False), ([missing, found], True), ([], False)):
        ctx = FakeContext({"http.uri": texts})
        assert needed.stands_in_fields(ctx.instances) is wanted


def test_nothing_is_needed_of_what_need_not_hold():
    content = BufferMatch("payload", (Content(b"abc"),))
    for node in (
        Not(content), Any((content, HeaderTest("ttl", "=", 1))), Any((FlowBits("isset", ("a",)),)),
        BufferMatch("payload", (Content(b"abc"),), (Transform("strip_whitespace"),)),
        BufferMatch("http.uri", (), absent=True),
    ):  # fmt: skip
        assert needs_of(node) == ((), (), ())
