"""What of a literal stands in the raw bytes, whatever the normalisation made of them."""

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.ruleplan import EVENT, PACKET, STREAM, TX, RulePlan
from sensor.detect.scan.index import usable
from sensor.detect.scan.wire import in_question, on_the_wire, others, raw_kinds, raw_of, scanned
from sensor.model.app import (
    RAW_BODY,
    RAW_DERIVED,
    RAW_HEADERS,
    RAW_NAME,
    RAW_QUESTION,
    RAW_URI,
    RAW_VERBATIM,
)
from sensor.rules.compile import strength
from sensor.rules.nodes import All, Any, BufferMatch, BufferSize, Content, Rule

URI, HEADER, BODY, METHOD = "http.uri", "http.header", "http.request_body", "http.method"


def rule(*nodes, proto="http", **more):
    return Rule(1, "", proto, All(nodes), **more)


def has(buffer, pattern, **more):
    return BufferMatch(buffer, (Content(pattern, **more),))


def wire(buffer, pattern, proto="http", **more):
    node = has(buffer, pattern, **more)
    return on_the_wire(rule(node, proto=proto), buffer, node.tests[0])


def test_kinds_of_buffers():
    assert raw_of(URI, "http") == RAW_URI
    assert raw_of(HEADER, "http") == RAW_HEADERS
    assert raw_of(BODY, "http") == RAW_BODY
    assert raw_of("dns.query", "dns") == RAW_QUESTION
    assert raw_of("payload", "tcp") == RAW_VERBATIM
    assert raw_kinds(rule(has(URI, b"a"), Any((has(BODY, b"b"),)), has("payload", b"c"))) == {RAW_URI, RAW_BODY}
    assert raw_kinds(rule(has("payload", b"c"), proto="tcp")) == frozenset()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (b"CN=*.example.com", b"*.example.com"), (b"O=Widgits Pty Ltd, CN=x", b"Widgits Pty Ltd"),
        (b"Acme, Inc. Authority", b"Inc. Authority"), (b"Address=", b""), (b"OID(2.5.4.97)=NTR", b"NTR"),
        (b", O=CN", b"CN"), (b"H\xc3\xa9lo World", b"lo World"), (b"commonly", b"commonly"), (b"name", b""),
    ],
)  # fmt: skip
def test_of_distinguished_names_the_longest_part_that_no_label_holds(pattern, found):
    assert wire("tls.cert_subject", pattern, "tls") == found


def test_of_computed_buffers_nothing_is_on_the_wire():
    derived = next(name for name in ("ja3.hash", "tls.cert_serial") if raw_of(name, "tls") == RAW_DERIVED)
    assert wire(derived, b"abcdef", "tls") == b""
    assert scanned(rule(has(derived, b"abcdef"), proto="tls")) is None


@pytest.mark.parametrize(
    ("buffer", "pattern", "found"),
    [
        ("payload", b"a/b c:%d", b"a/b c:%d"),
        (URI, b"/cgi-bin/search.cgi?q=1", b"/cgi-bin/search.cgi?q=1"),
        (HEADER, b"User-Agent: evil bot\r\n", b"User-Agent: evil bot"),
        (HEADER, b"a: b\r\nConnection: x", b"Connection: x"),
        (HEADER, b"\r\n\r\n", b""),
        (BODY, b"user=root&x=/ %", b"user=root&x=/ %"),
    ],
)
def test_of_a_literal_the_longest_part_that_normalisation_leaves_alone(buffer, pattern, found):
    assert wire(buffer, pattern) == found


@settings(deadline=None)
@given(
    st.sampled_from((URI, HEADER, BODY, METHOD)), st.lists(st.sampled_from(b"ab/%+ :\r\n\\,\t"), min_size=1).map(bytes)
)  # fmt: skip
def test_it_is_a_part_of_the_literal(buffer, pattern):
    found = wire(buffer, pattern)
    assert found in pattern
    assert buffer != HEADER or b"\r\n" not in found


def test_names_have_lengths_for_dots():
    name = next((n for n in ("dns.answer.name", "dns.answers.rrname") if raw_of(n, "dns") == RAW_NAME), None)
    assert name is not None
    assert wire(name, b"www.example.com", "dns") == b"example"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, b"ab.example"),
        ({"startswith": True}, b"\0ab.example"),
        ({"endswith": True}, b"ab.example\0"),
        ({"startswith": True, "endswith": True}, b"\0ab.example\0"),
        ({"depth": 10}, b"\0ab.example"),
        ({"depth": 11}, b"ab.example"),
        ({"depth": 10, "offset": 1}, b"ab.example"),
    ],
)
def test_questions_have_edges(more, found):
    assert wire("dns.query", b"ab.example", "dns", **more) == found


@pytest.mark.parametrize(
    ("size", "found"),
    [
        (BufferSize("=", 10), b"\0ab.example\0"), (BufferSize("=", 11), b"ab.example"),
        (BufferSize(">", 10), b"ab.example"),
    ],
)  # fmt: skip
def test_a_question_as_long_as_its_literal_is_the_literal(size, found):
    content = Content(b"ab.example")
    made = rule(BufferMatch("dns.query", (content, size)), proto="dns")
    assert on_the_wire(made, "dns.query", content) == found


def test_short_literals_of_questions():
    both = has("dns.query", b"ab"), has("dns.query", b"xyz"), has("dns.opcode", b"longer")
    assert in_question(rule(*both, proto="dns")) == b"xyz"
    assert in_question(rule(has("dns.query", b"ab", negated=True), proto="dns")) == b""
    assert in_question(rule(Any(both), proto="dns")) == b""


# ---- which literal is scanned

PATTERNS = st.sampled_from((b"abc", b"aaaa", b"abcd", b"/abcdefgh", b"host: ", b"x-evil: 1", b"zz%41yyyy"))


@settings(deadline=None, max_examples=effort(200, 65))
@given(st.lists(st.tuples(st.sampled_from((URI, HEADER, BODY, "payload")), PATTERNS, st.booleans()), max_size=4))
def test_the_authors_choice_else_the_most_telling(members):
    made = rule(*(has(buffer, pattern, fast=fast) for buffer, pattern, fast in members))
    fit = [(buffer, pattern, fast) for buffer, pattern, fast in members if usable(wire(buffer, pattern))]
    got = scanned(made)
    if not fit:
        assert got is None
        return
    fast = [(buffer, pattern) for buffer, pattern, wanted in fit if wanted]
    if fast:
        assert (got[0], got[1].pattern) == fast[0]
    else:
        assert strength(got[2]) == max(strength(wire(buffer, pattern)) for buffer, pattern, _ in fit)
    assert got[2] == wire(got[0], got[1].pattern)


def test_literals_that_need_not_stand_are_never_scanned():
    assert scanned(rule(has(URI, b"abcdef", negated=True))) is None
    assert scanned(rule(Any((has(URI, b"abcdef"), has(URI, b"uvwxyz"))))) is None
    assert scanned(rule(has(URI, b"abc"))) is None


def test_others_are_of_the_same_side_and_stand_as_they_are():
    made = rule(
        has(URI, b"/abcdefgh"), has(HEADER, b"X-Evil: 1"), has(METHOD, b"POST", nocase=True), has(BODY, b"body"),
        has("http.stat_msg", b"Not Found"), has(URI, b"CDE"), has(URI, b"/q"),
    )  # fmt: skip
    chosen = scanned(made)
    assert chosen[2] == b"/abcdefgh"
    assert list(others(made, chosen)) == [(b"X-Evil: 1", True), (b"post", False), (b"/q", True)]


def test_others_of_one_payload():
    tests = Content(b"abcdefgh"), Content(b"Xy"), Content(b"Q"), Content(b"CDE"), Content(b"No", negated=True)
    made = rule(BufferMatch("payload", tests))
    assert list(others(made, scanned(made))) == [(b"Xy", True)]


def test_plans_say_what_is_judged():
    assert (PACKET, STREAM, TX, EVENT) == (1, 2, 4, 8)
    made = RulePlan(3, rule(), TX, 2, 0)
    assert (made.literal, made.last, made.files, made.question, made.others) == (b"", -1, False, False, ())
