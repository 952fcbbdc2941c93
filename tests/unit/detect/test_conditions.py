from dataclasses import replace

import pytest
from judgekit import FakeContext, body_holds

from sensor.detect.evaluator.naive import RuleCompiler, judge
from sensor.detect.headers.addresses import key16
from sensor.detect.state.bits import FlowVars
from sensor.detect.state.budget import Budget
from sensor.errors import RuleError
from sensor.rules.nodes import Country, FlowBits, FlowInt, HeaderTest, Reputation, Rule
from sensor.rules.outside import Outside
from sensor.rules.reputation import scores

OPS = [
    (HeaderTest("ip.ttl", "=", 64), True),
    (HeaderTest("ip.ttl", "!=", 64), False),
    (HeaderTest("ip.ttl", "<", 64), False),
    (HeaderTest("ip.ttl", "<=", 64), True),
    (HeaderTest("ip.ttl", ">", 63), True),
    (HeaderTest("ip.ttl", ">=", 65), False),
    (HeaderTest("ip.ttl", "<>", 63, 65), True),
    (HeaderTest("ip.ttl", "<>", 64, 70), False),
    (HeaderTest("ip.ttl", "in", values=(1, 64)), True),
    (HeaderTest("ip.ttl", "in", values=(1, 2)), False),
    (HeaderTest("absent", "!=", 1), False),
    (HeaderTest("absent", "none", 1), False),
    # tcp.flags is SYN+ACK (0x12) with ECE (0x40)
    (HeaderTest("tcp.flags", "exact", 0x12), False),
    (HeaderTest("tcp.flags", "exact", 0x12, mask=0xC0), True),
    (HeaderTest("tcp.flags", "all", 0x12), True),
    (HeaderTest("tcp.flags", "all", 0x13), False),
    (HeaderTest("tcp.flags", "any", 0x03), True),
    (HeaderTest("tcp.flags", "any", 0x05), False),
    (HeaderTest("tcp.flags", "none", 0x05), True),
    (HeaderTest("tcp.flags", "none", 0x02), False),
    # the packet has anomalies 3 and 5
    (HeaderTest("decode.event", "=", 3), True),
    (HeaderTest("decode.event", "=", 4), False),
    (HeaderTest("decode.event", "!=", 3), False),
    (HeaderTest("decode.event", "!=", 4), True),
    (HeaderTest("decode.event", "in", values=(4, 5)), True),
    (HeaderTest("decode.event", "in", values=(4, 6)), False),
    (HeaderTest("ip.options", "=", 131), True),
    (HeaderTest("ip.options", "=", 7), False),
    (HeaderTest("ip.options", "!=", 7), True),
]


@pytest.mark.parametrize(("test", "expected"), OPS)
def test_header(test, expected):
    ctx = FakeContext(header={"ip.ttl": 64, "tcp.flags": 0x52, "decode.event": 1 << 3 | 1 << 5, "ip.options": 1 << 131})
    assert body_holds(test, ctx) is expected


FLOW = [
    (FlowBits("isset", ("a",)), True),
    (FlowBits("isset", ("x",)), False),
    (FlowBits("isset", ("x", "a")), True),
    (FlowBits("isnotset", ("x",)), True),
    (FlowBits("isnotset", ("a",)), False),
    (FlowBits("isnotset", ("a", "x")), True),
    (FlowInt("n", "isset"), True),
    (FlowInt("m", "isset"), False),
    (FlowInt("m", "notset"), True),
    (FlowInt("n", "notset"), False),
    (FlowInt("n", "==", 5), True),
    (FlowInt("n", ">", 5), False),
    (FlowInt("n", "!=", 6), True),
    (FlowInt("m", "!=", 6), False),
    (FlowInt("n", "==", "same"), True),
    (FlowInt("n", "==", "m"), False),
    (FlowInt("n", "!=", "m"), True),
    (FlowInt("m", "==", "n"), False),
]


@pytest.mark.parametrize(("test", "expected"), FLOW)
def test_flow_variables(test, expected):
    flow = FlowVars()
    flow.set_bit("a")
    flow.set_int("n", 5)
    flow.set_int("same", 5)
    assert body_holds(test, FakeContext(flow_vars=flow)) is expected
    assert not body_holds(test, FakeContext(flow_vars=None))


@pytest.mark.parametrize(
    "test",
    [
        FlowBits("set", ("a",)),
        FlowBits("unset", ("a",)),
        FlowBits("toggle", ("a",)),
        FlowInt("n", "=", 1),
        FlowInt("n", "+", 1),
        FlowInt("n", "-", 1),
    ],
)
def test_effects_are_no_conditions(test):
    flow = FlowVars()
    assert body_holds(test, FakeContext(flow_vars=flow))
    assert not flow.bits
    assert not flow.ints


@pytest.mark.parametrize(
    "test",
    [
        HeaderTest("ip.ttl", "~", 1),
        HeaderTest("decode.event", "<", 1),
        FlowBits("is", ("a",)),
        FlowInt("n", "*", 1),
    ],
)
def test_unknown_operators_are_refused(test):
    with pytest.raises(RuleError):
        body_holds(test, FakeContext())


OUTSIDE = Outside(
    {"Bad": 1},
    scores([("10.0.0.1,1,50\n10.0.0.2,1,10\n", "a")], {"Bad": 1})[0],
    {key16(4, 0, 0x0A000001): "US", key16(4, 0, 0x0A000002): "NZ"}.get,
)


def _between(source, destination):
    made = FakeContext()
    made.src, made.dest = key16(4, 0, source), key16(4, 0, destination)
    return made


@pytest.mark.parametrize(
    ("node", "holds"),
    [
        (Reputation("src", "Bad", ">", 20), True),
        (Reputation("dst", "Bad", ">", 20), False),
        (Reputation("any", "Bad", "<", 20), True),
        (Reputation("both", "Bad", ">", 5), True),
        (Reputation("both", "Bad", "<>", 5, 20), False),
        (Country("src", ("US",)), True),
        (Country("dst", ("US",)), False),
        (Country("any", ("NZ",)), True),
        (Country("both", ("US", "NZ")), True),
        (Country("both", ("US",), negated=True), False),
        (Country("dst", ("US",), negated=True), True),
    ],
)
def test_files_of_the_operator_are_asked_for_ends(node, holds):
    compiled = RuleCompiler(outside=OUTSIDE).compile(Rule(sid=1, msg="", proto="ip", body=node))
    ends = _between(0x0A000001, 0x0A000002)
    assert judge(compiled, ends, Budget()) is holds
    strangers = _between(0x0B000001, 0x0B000001)
    unknown = RuleCompiler(outside=replace(OUTSIDE, country=lambda _address: ""))
    assert not judge(unknown.compile(Rule(sid=1, msg="", proto="ip", body=node)), strangers, Budget())


@pytest.mark.parametrize("node", [Reputation("src", "Ugly", ">", 20), Country("src", ("US",))])
def test_without_the_files_such_a_rule_does_not_compile(node):
    with pytest.raises(RuleError):
        RuleCompiler().compile(Rule(sid=1, msg="", proto="ip", body=node))
