import pytest
from judgekit import FakeContext, body_holds, holds, rule

from sensor.detect.evaluator.context import Window
from sensor.detect.evaluator.naive import MAX_NESTING, MAX_TESTS, RuleCompiler, apply_effects, compile_rule, judge
from sensor.detect.state.bits import FlowVars
from sensor.detect.state.budget import Budget, BudgetLimits
from sensor.errors import RuleError
from sensor.rules.nodes import (
    All,
    Any,
    Base64,
    BufferMatch,
    ByteExtract,
    ByteTest,
    Content,
    FlowBits,
    FlowInt,
    HeaderTest,
    Not,
    Regex,
    Transform,
)
from sensor.rules.walk import regexes_of


def has(buffer, *patterns):
    return BufferMatch(buffer, tuple(Content(p) for p in patterns))


CTX = FakeContext({"http.uri": b"/evil", "http.header": [b"A: 1", b"B: 2"], "empty": b""}, {"ip.ttl": 64})
YES, NO = HeaderTest("ip.ttl", "=", 64), HeaderTest("ip.ttl", "=", 1)

CASES = [
    (has("http.uri", b"evil"), True),
    (has("http.host", b"evil"), False),
    (BufferMatch("http.host", (Content(b"x", negated=True),)), False),  # an absent buffer has no instance
    (BufferMatch("http.host", (), absent=True), True),
    (BufferMatch("http.uri", (), absent=True), False),
    (BufferMatch("empty", (), absent=True), False),
    (BufferMatch("http.uri", ()), True),
    (BufferMatch("http.host", ()), False),
    (BufferMatch("empty", (Content(b"x", negated=True),)), True),
    # all tests on one instance
    (has("http.header", b"B", b"2"), True),
    (has("http.header", b"A", b"2"), False),
    (All((has("http.header", b"A"), has("http.header", b"2"))), True),
    (BufferMatch("http.header", (Content(b"A", negated=True),)), True),
    (Not(has("http.header", b"A")), False),
    # trees
    (All((YES, has("http.uri", b"evil"))), True),
    (All((NO, has("http.uri", b"evil"))), False),
    (All(()), True),
    (Any((NO, has("http.uri", b"evil"))), True),
    (Any((NO, NO)), False),
    (Any(()), False),
    (Not(NO), True),
    (Not(All((YES, YES))), False),
    (All((Any((NO, YES)), Not(Any((NO, NO))))), True),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_trees(body, expected):
    assert body_holds(body, CTX) is expected


def test_cheap_conditions_come_first():
    ctx = FakeContext({"payload": b"x"}, {"ip.ttl": 1})
    ctx.instances = lambda buffer: pytest.fail("the buffer was looked at")
    assert not body_holds(All((has("payload", b"x"), YES)), ctx)


def test_variables_of_a_branch_are_not_visible_outside():
    extract = BufferMatch("payload", (ByteExtract(1, "n"),))
    use = BufferMatch("payload", (ByteTest(1, "=", "n"),))
    compile_rule(rule(All((extract, use))))
    compile_rule(rule(Any((All((extract, use)), YES))))
    for body in (All((Any((extract, YES)), use)), All((Not(extract), use)), All((use, extract))):
        with pytest.raises(RuleError, match="before it is extracted"):
            compile_rule(rule(body))


def test_effects_in_the_order_written():
    flow = FlowVars()
    body = All(
        (
            FlowBits("set", ("a", "b")),
            FlowBits("unset", ("b",)),
            FlowBits("toggle", ("c",)),
            FlowInt("n", "=", 7),
            FlowInt("n", "+", 3),
            FlowInt("m", "-", 1),
            FlowBits("isnotset", ("z",)),
        )
    )
    compiled = compile_rule(rule(body))
    assert judge(compiled, FakeContext(flow_vars=flow), Budget())
    apply_effects(compiled, FakeContext(flow_vars=flow))
    assert flow.bits == {"a", "c"}
    assert flow.ints == {"n": 10}
    apply_effects(compiled, FakeContext())


def test_a_deferred_rule_judges_alike():
    compiler = RuleCompiler()
    body = All((has("http.uri", b"evil"), FlowBits("set", ("a",)), BufferMatch("http.uri", (Regex("e.il"),))))
    deferred = compiler.defer(rule(body), 3)
    assert judge(deferred, CTX, Budget())
    assert deferred.effects == (FlowBits("set", ("a",)),)
    assert judge(deferred, CTX, Budget())


def test_regexes_are_found_wherever_they_stand():
    coded = BufferMatch("payload", (Base64(tests=(Regex("b", "i"),)),))
    nested = Any((Not(BufferMatch("http.uri", (Regex("("),))), coded))
    assert list(regexes_of(nested)) == [("(", ""), ("b", "i")]
    with pytest.raises(RuleError):
        RuleCompiler().regex("(", "")


def test_a_deferred_rule_that_does_not_compile_says_so_once():
    deferred = RuleCompiler().defer(rule(has("http.uri", b"")))
    with pytest.raises(RuleError):
        judge(deferred, CTX, Budget())
    assert not judge(deferred, CTX, Budget())


@pytest.mark.parametrize(
    "body",
    [
        BufferMatch("payload", (Content(b"a"),) * (MAX_TESTS + 1)),
        BufferMatch("payload", (Content(b"a"),), absent=True),
        BufferMatch("payload", (Content(b"a"),), (Transform("nonsense"),)),
    ],
)
def test_senseless_bodies_are_refused(body):
    with pytest.raises(RuleError):
        compile_rule(rule(body))


def test_the_longest_chain_and_the_deepest_tree_run():
    assert holds(b"a" * MAX_TESTS, *(Content(b"a", within=1) for _ in range(MAX_TESTS)))
    body = YES
    for _ in range(MAX_NESTING):
        body = Not(body)
    assert body_holds(body, CTX)
    with pytest.raises(RuleError, match="nested"):
        compile_rule(rule(Not(body)))


HOSTILE = (*(Content(b"a", distance=0, within=5000) for _ in range(8)), Content(b"b", within=1))


def test_a_rule_that_costs_too_much_does_not_match_and_is_suspended():
    budget = Budget(BudgetLimits(steps=1000, tolerance=2))
    compiled = compile_rule(rule(BufferMatch("payload", HOSTILE)), index=7)
    match = FakeContext({"payload": b"aaaaaaaab"})
    assert judge(compiled, match, budget)
    for ts in (0, 1):
        assert not judge(compiled, FakeContext({"payload": b"a" * 5000}, ts_ns=ts), budget)
    assert budget.counters.snapshot() == {"budget_exceeded": 2, "judgements_skipped": 0, "suspended": 1}
    assert not judge(compiled, match, budget)
    assert budget.counters.judgements_skipped == 1
    assert budget.drain_suspensions() == [(7, 1 + budget.limits.suspend_ns)]
    match.ts_ns = 1 + budget.limits.suspend_ns
    assert judge(compiled, match, budget)


def test_a_chain_of_distances_needs_no_retries():
    budget = Budget(BudgetLimits(steps=100))
    assert not holds(
        b"a" * 5000, *(Content(b"a", distance=0) for _ in range(8)), Content(b"b", distance=0), budget=budget
    )
    assert budget.counters.budget_exceeded == 0


def test_a_regex_cut_off_counts_as_exceeded():
    budget = Budget()
    assert not holds(b"a" * 5000 + b"b!", Regex("(a+)+$"), budget=budget)
    assert budget.counters.budget_exceeded == 1


def test_nothing_a_window_holds_gives_another_answer_when_judged_twice():
    window = Window(b"ABC")
    ctx = FakeContext({"payload": [window]})
    node = BufferMatch("payload", (Content(b"abc", nocase=True),))
    assert body_holds(node, ctx)
    assert body_holds(node, ctx)
    assert window.lower is window.lower
