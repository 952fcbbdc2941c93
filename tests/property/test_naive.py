"""The judge against a brute-force reading of the rule: enumerate every assignment of positions."""

from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.evaluator.context import Window
from sensor.detect.evaluator.naive import compile_rule, judge
from sensor.detect.state.budget import Budget, BudgetLimits
from sensor.rules.nodes import BufferMatch, ByteExtract, ByteTest, Content, IsDataAt, Rule


class OneBuffer:
    flow_vars = None
    ts_ns = 0

    def __init__(self, window):
        self.window = window

    def instances(self, buffer):
        return [self.window]

    def header(self, field):
        return None


def number(value, variables):
    return variables[value] if isinstance(value, str) else value


def allowed(test, at, data, base, cursor, variables):
    """May the content lie at index `at`, its limits alone considered?"""
    end = at + len(test.pattern)
    start = number(test.offset or 0, variables)
    depth = len(test.pattern) if test.startswith else test.depth
    if at + base < start or (depth is not None and end + base > start + number(depth, variables)):
        return False
    if test.endswith and end != len(data):
        return False
    if test.distance is None and test.within is None:
        return True
    origin = cursor + number(test.distance or 0, variables)
    return at >= origin and (test.within is None or end <= origin + number(test.within, variables))


def out_of_sight(test, data, base, cursor, variables):
    """Does the region of a negated content hold none of the stream window's bytes, ending in front of it?"""
    ends = [len(data)]
    depth = len(test.pattern) if test.startswith else test.depth
    if depth is not None:
        ends.append(number(test.offset or 0, variables) + number(depth, variables) - base)
    if test.within is not None:
        ends.append(cursor + number(test.distance or 0, variables) + number(test.within, variables))
    return base > 0 and min(ends) <= 0


def brute(tests, data, base, cursor, variables):
    if not tests:
        return True
    test, rest = tests[0], tests[1:]
    if isinstance(test, Content):
        haystack = data.lower() if test.nocase else data
        pattern = test.pattern.lower() if test.nocase else test.pattern
        places = [
            at
            for at in range(len(data) - len(pattern) + 1)
            if haystack[at : at + len(pattern)] == pattern
            and allowed(test, at, data, base, cursor, variables)
        ]
        if test.negated:
            visible = not out_of_sight(test, data, base, cursor, variables)
            return not places and visible and brute(rest, data, base, cursor, variables)
        return any(brute(rest, data, base, at + len(pattern), variables) for at in places)
    if isinstance(test, IsDataAt):
        there = cursor + test.length <= len(data) if test.relative else test.length < len(data) + base
        return there is not test.negated and brute(rest, data, base, cursor, variables)
    at = test.offset + (cursor if test.relative else -base)
    if at < 0 or at + 1 > len(data):
        return False
    if isinstance(test, ByteTest):
        return (data[at] > test.value) is not test.negated and brute(rest, data, base, cursor, variables)
    return brute(rest, data, base, at + 1, variables | {test.name: data[at]})


small = st.integers(0, 8)
near = st.integers(-7, 5)
pattern = st.binary(min_size=1, max_size=3).map(lambda b: bytes(97 + c % 3 for c in b))
flag = st.booleans()


@st.composite
def content(draw, variable=False):
    fields = {
        "pattern": draw(pattern),
        "nocase": draw(flag),
        "negated": draw(st.sampled_from([False, False, True])),
    }
    value = st.one_of(small, st.just("v")) if variable else small
    optional = {"offset": value, "depth": value, "distance": near, "within": value}
    names = draw(st.sets(st.sampled_from([*optional, "startswith", "endswith"]), max_size=3))
    for name in names:
        fields[name] = draw(optional[name]) if name in optional else True
    if draw(flag):
        fields["pattern"] = fields["pattern"].upper()
    return Content(**fields)


other = st.one_of(
    st.builds(IsDataAt, length=small, relative=flag, negated=flag),
    st.builds(
        ByteTest,
        nbytes=st.just(1),
        op=st.just(">"),
        value=st.integers(0, 120),
        offset=near,
        relative=flag,
        negated=flag,
    ),
)


@st.composite
def chain(draw):
    first = draw(st.lists(st.one_of(content(), content(), other), max_size=3))
    extract = draw(st.one_of(st.none(), st.builds(ByteExtract, st.just(1), st.just("w"), near, flag)))
    rest = draw(st.lists(st.one_of(content(), other), max_size=2))
    return (*first, *([extract] if extract else []), *rest)


text = st.lists(st.sampled_from(b"aabbcABC\x01\x05"), max_size=14).map(bytes)
LIMITS = BudgetLimits(steps=10**7)


def agree(tests, data, base):
    rule = compile_rule(Rule(sid=1, msg="", proto="ip", body=BufferMatch("payload", tests)))
    got = judge(rule, OneBuffer(Window(data, base)), Budget(LIMITS))
    assert got is brute(tests, data, base, -base, {})


@settings(max_examples=effort(400, 70), deadline=None)
@given(chain(), text, st.sampled_from([0, 0, 1, 4]))
def test_judge_is_brute_force(tests, data, base):
    agree(tests, data, base)


@settings(max_examples=effort(200, 40), deadline=None)
@given(st.lists(content(), min_size=2, max_size=5).map(tuple), text)
def test_contents_alone(tests, data):
    agree(tests, data, 0)


@settings(max_examples=effort(200, 40), deadline=None)
@given(
    st.lists(content(), max_size=2),
    near,
    flag,
    st.lists(content(variable=True), min_size=1, max_size=2),
    text,
)
def test_variables(before, offset, relative, after, data):
    agree((*before, ByteExtract(1, "v", offset, relative), *after), data, 0)
