import pytest
from rulekit import rule

from sensor.model.app import RAW_HEADERS, RAW_URI
from sensor.rules.compile import fast_literal, positive_literals, protocol, scope, stage, strength


def make(match, protocol="tcp", flow="[]"):
    return rule(f"- {{id: 1, protocol: {protocol}, flow: {flow}, match: {match}}}")


@pytest.mark.parametrize(
    ("protocol", "match", "expected"),
    [
        ("http", "[{http.uri: a}]", "tx"),
        ("tcp", "[{http.uri: a}, {content: b}]", "tx"),
        ("http", "[]", "packet"),
        ("http", "[{ttl: 5}]", "packet"),
        ("http", "[{content: a}]", "stream"),
        ("dns", "[{content: a}]", "both"),
        ("tcp", "[{content: a}]", "stream"),
        ("tcp", "[{content: a, offset: 4}]", "both"),
        ("tcp", "[{content: a, depth: 4}]", "both"),
        ("tcp", "[{content: a, startswith: true}]", "both"),
        ("tcp", "[{any: [{content: a, depth: 4}]}]", "both"),
        ("tcp", "[{content: a}, {dsize: '>5'}]", "packet"),
        ("tcp", "[{content: a}, {tcp.flags: S}]", "packet"),
        ("tcp", "[{content: a}, {flow.age: '>5'}]", "stream"),
        ("tcp", "[{payload: a}]", "packet"),
        ("tcp", "[{stream: a}]", "stream"),
        ("tcp", "[{tcp.hdr: a}]", "packet"),
        ("tcp", "[]", "packet"),
        ("tcp", "[{flowbits: {isset: a}}]", "packet"),
        ("tcp-pkt", "[{content: a}]", "packet"),
        ("tcp-stream", "[{content: a, depth: 4}]", "stream"),
        ("ip", "[{content: a}]", "both"),
        ("udp", "[{content: a}]", "packet"),
        ("udp", "[{payload_or_stream: a}]", "packet"),
        ("icmp", "[{content: a}]", "packet"),
    ],
)
def test_scope(protocol, match, expected):
    assert scope(make(match, protocol)) == expected


def test_stage_is_the_latest_of_all_buffers():
    request = make("[{http.uri: a}]", "http")
    both = make("[{http.uri: a}, {not: {http.header@to_client: b}}]", "http")
    assert stage(request) < stage(both)
    names = [spec.name for spec in protocol(both).stages]
    assert (names[stage(request)], names[stage(both)]) == ("request_headers", "response_headers")
    assert stage(make("[{content: a}]")) == 0
    assert protocol(make("[{content: a}]")) is None


def test_the_longest_literal_that_must_be_there():
    found = fast_literal(
        make("[{http.uri: [abc, {content: /abcdefgh, nocase: true}]}, {any: [{http.uri: /abcdefghijklm}]}]", "http")
    )
    assert (found.buffer, found.content.pattern, found.raw) == ("http.uri", b"/abcdefgh", RAW_URI)
    assert found.content.nocase


def test_a_dot_put_in_front_is_not_on_the_wire():
    match = "[{dns.query: {content: .evil.example, endswith: true}, transforms: [dotprefix]}]"
    found = fast_literal(make(match, "dns"))
    assert (found.content.pattern, found.content.nocase) == (b"evil.example", False)
    assert fast_literal(make("[{dns.query: {content: .}, transforms: [dotprefix]}]", "dns")) is None


def test_the_author_s_choice_wins_and_a_negated_one_is_none():
    found = fast_literal(make("[{http.uri: abcdefgh}, {http.user_agent: {content: xy, fast: true}}]", "http"))
    assert (found.content.pattern, found.raw) == (b"xy", RAW_HEADERS)
    found = fast_literal(
        make("[{http.uri: abcdefgh}, {http.user_agent: {content: xyxyxyxy, fast: true, not: true}}]", "http")
    )
    assert found.content.pattern == b"abcdefgh"


@pytest.mark.parametrize(
    "match",
    [
        "[{not: {content: abcd}}]",
        "[{any: [{content: abcd}]}]",
        "[{content: abcd, not: true}]",
        "[{regex: /abcd/}]",
        "[{ja3.hash: abcd}]",
        "[{tcp.hdr: abcd}]",
        "[{http.uri: abcd, transforms: url_decode}]",
        "[{absent: http.uri}]",
    ],
)
def test_no_literal_is_certain(match):
    assert fast_literal(make(match)) is None


def test_case_folding_on_the_way_makes_the_literal_nocase():
    for match in ("[{http.host: abcd}]", "[{http.uri: abcd, transforms: to_lowercase}]"):
        ((_, content),) = positive_literals(make(match, "http"))
        assert content.nocase, match


def test_common_text_tells_nothing():
    assert strength(b"Mozilla/5.0 (Windows NT 10.0; ") < strength(b"ab")
    assert strength(b"aaaaaaaaaaaa") < strength(b"abcd")
    assert strength(b"abcdefgh") < strength(b"abcdefghi")
