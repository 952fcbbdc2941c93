"""The rule language says every rule, reads only what it says, and refuses the rest without an exception."""

import ipaddress
import itertools
import json

import jsonschema
import msgspec
import pytest
import rulegen
import yaml
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.rules import literal, ranges, schema
from sensor.rules.check import unmatchable
from sensor.rules.compile import fast_literal, positive_literals, scope, stage
from sensor.rules.context import Context
from sensor.rules.describe import describe
from sensor.rules.export import export
from sensor.rules.lint import lint
from sensor.rules.nodes import BufferMatch
from sensor.rules.parse import Unit, parse
from sensor.rules.problems import Problems
from sensor.rules.selftest import address, checks, holds
from sensor.rules.variables import VariableError, is_never
from sensor.rules.walk import required
from sensor.rules.yamlio import read

VALIDATOR = jsonschema.Draft202012Validator(schema.schema())


def load(text):
    return parse(text, Context(Problems("x.yaml"), rulegen.VARIABLES))


def bare(rule):
    return msgspec.structs.replace(rule, file="", line=0, text="")


@settings(max_examples=effort(300, 100), deadline=None)
@given(rulegen.rules)
def test_export_then_load_gives_the_same_rule(rule):
    unit = load(export([rule]))
    assert unit.problems == ()
    assert bare(unit.rules[0]) == msgspec.structs.replace(rule, unmatchable=unmatchable(rule))


@settings(max_examples=effort(40, 16), deadline=None)
@given(st.lists(rulegen.rules, min_size=1, max_size=2), st.lists(rulegen.suppressions, max_size=2))
def test_what_export_writes_satisfies_the_schema(rules, suppressions):
    text = export(rules, suppressions)
    VALIDATOR.validate(yaml.safe_load(text))
    assert load(text).suppressions == tuple(suppressions)


@settings(max_examples=effort(100, 30), deadline=None)
@given(rulegen.rules)
def test_a_rule_survives_the_cache_format(rule):
    unit = Unit((rule,))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(unit), type=Unit) == unit


@settings(max_examples=effort(100, 30), deadline=None)
@given(rulegen.rules)
def test_every_rule_has_a_plan_and_a_description(rule):
    assert scope(rule) in ("packet", "stream", "both", "tx", "event")
    assert stage(rule) >= 0
    assert str(rule.sid) in describe(rule)
    assert all(finding.sid == rule.sid for finding in lint((rule,)))
    fast = fast_literal(rule)
    literals = list(positive_literals(rule))
    assert (fast is None) == (not literals)
    if fast:
        needed = [leaf for leaf in required(rule.body) if isinstance(leaf, BufferMatch)]
        tests = [test for leaf in needed if leaf.buffer == fast.buffer for test in leaf.tests]
        assert any(fast.content.pattern == getattr(test, "pattern", None) for test in tests)
    assert len(checks(rule)) == len(rule.examples)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_literals_survive_writing(data):
    text = literal.write(data)
    assert text.isascii()
    assert literal.parse(text) == data


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab|\\ 0fé;"'), max_size=12))
def test_a_literal_is_read_or_refused_at_a_place_inside(text):
    try:
        literal.parse(text)
    except literal.LiteralError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017 - either outcome is right


WORDS = (
    "id", "rules", "match", "title", "http.uri", "content", "flow", "tcp.flags", "byte_test", "not", "any", "threshold",
    "examples", "severity", "source", "flowbits", "transforms", "5", "true", "to_server", "[", "$HOME_NET", "/a/i", "",
    "null", "defaults", "suppress", "<5", "isdataat", "metadata", "bsize", "present",
)  # fmt: skip
soup = st.recursive(
    st.sampled_from(WORDS) | st.integers(-3, 300) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=effort(300, 100), deadline=None)
@given(soup)
def test_wrong_shapes_are_problems_and_never_exceptions(data):
    unit = load(yaml.safe_dump(data))
    assert all(problem.file == "x.yaml" and problem.message for problem in unit.problems)
    if isinstance(data, list) and data:
        assert unit.problems or unit.rules


@settings(max_examples=effort(300, 100), deadline=None)
@given(st.text(st.sampled_from("-:[]{}#&*!|>'\"%@` \n\tabé1,?\x00\x07\ud800"), max_size=30))
def test_any_text_is_read_or_refused(text):
    problems = Problems("x")
    read(text, problems)
    for problem in problems.found():
        assert problem.line <= text.count("\n") + 2


@settings(max_examples=effort(200, 65), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=5),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=5),
)
def test_ranges_are_sets(first, second):
    one, two = ({n for low, high in part for n in range(low, high + 1)} for part in (first, second))
    a, b = ranges.union(map(tuple, first)), ranges.union(map(tuple, second))
    assert members(a) == one
    assert members(ranges.complement(a, 63)) == set(range(64)) - one
    assert members(ranges.minus(a, b, 63)) == one - two
    for found in (a, ranges.minus(a, b, 63), ranges.complement(b, 63)):
        assert all(x[1] + 1 < y[0] for x, y in itertools.pairwise(found))


def members(found):
    return {n for low, high in found for n in range(low, high + 1)}


networks = st.sampled_from(("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.168.0.0/16", "2001:db8::/32", "::1", "any"))
lists = st.recursive(
    networks | networks.map("!{}".format) | st.sampled_from(("$HOME_NET", "!$HOME_NET")),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"[{','.join(parts)}]"),
    max_leaves=6,
)
PROBES = ("10.0.0.1", "10.1.2.3", "10.1.9.9", "192.168.1.1", "8.8.8.8", "2001:db8::5", "::1", "fe80::1")


def meaning(text, probe):
    """Return whether a list holds an address, by the words of the documentation."""
    if text.startswith("!"):
        return not meaning(text[1:], probe)
    if text.startswith("["):
        parts = split(text[1:-1])
        wanted = [part for part in parts if not part.startswith("!")]
        unwanted = [part[1:] for part in parts if part.startswith("!")]
        inside = any(meaning(part, probe) for part in wanted) if wanted else True
        return inside and not any(meaning(part, probe) for part in unwanted)
    if text == "any":
        return True
    if text == "$HOME_NET":
        return meaning("[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", probe)
    ip, net = ipaddress.ip_address(probe), ipaddress.ip_network(text)
    return ip.version == net.version and ip in net


def split(text):
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text + ","):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
    return parts


@settings(max_examples=effort(200, 65), deadline=None)
@given(lists)
def test_address_lists_mean_what_the_documentation_says(text):
    group = rulegen.VARIABLES.addresses(text)
    for probe in PROBES:
        ip = ipaddress.ip_address(probe)
        packed = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
        assert holds(group, packed) == meaning(text, probe), probe
    found = address(group, "10.0.0.9")
    assert (found is None) == is_never(group)


@settings(max_examples=effort(200, 65), deadline=None)
@given(st.text(st.sampled_from("[]!,$:-/. 10anyHOME_NET"), max_size=12))
def test_a_header_text_resolves_or_says_why(text):
    for resolve in (rulegen.VARIABLES.addresses, rulegen.VARIABLES.ports):
        try:
            resolve(text)
        except VariableError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


def test_the_published_schema_is_current():
    remedy = "run: xensor rules schema > sensor/rules/rule.schema.json"
    assert json.loads(schema.PUBLISHED.read_text()) == schema.schema(), remedy


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 5000])
def test_deep_nesting_is_refused(text):
    assert load(text).problems
