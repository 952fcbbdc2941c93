"""Text that the groups of regexes match: kept when the whole rule matches, and asked for by other rules."""

import pytest
from judgekit import FakeContext, body_holds, rule

from sensor.detect.evaluator.naive import RuleCompiler, apply_captures, judge
from sensor.detect.state.bits import MAX_TEXT, FlowVars
from sensor.detect.state.budget import Budget
from sensor.errors import RuleError
from sensor.rules.nodes import All, Any, Base64, BufferMatch, Content, FlowVar, Not, PacketVar, Regex


def kept(payload, *tests):
    """Return (matched, kept for the flow, kept for the packet)."""
    context, budget = FakeContext({"payload": payload}, flow_vars=FlowVars()), Budget()
    found = judge(RuleCompiler().compile(rule(BufferMatch("payload", tests))), context, budget)
    if found:
        apply_captures(budget.meter, context)
    return found, dict(context.flow_vars.texts), dict(context.packet_vars.texts)


CASES = [
    (Regex(r"user=(\w+)", captures=("flow:who",)), {"who": b"bob"}, {}),
    (Regex(r"(user)=(\w+)", captures=("flow:a", "pkt:b")), {"a": b"user"}, {"b": b"bob"}),
    (Regex(r"(user)=(\w+)", captures=("pkt:key", "pkt:value")), {}, {"user": b"bob"}),
    (Regex(r"(user)=(?P<flow_name>\w+)&(?P<pkt_rest>.*)"), {"name": b"bob"}, {"rest": b"id=7"}),
    (Regex(r"(\w+)=(?P<flow_name>\w+)", captures=("pkt:first",)), {"name": b"bob"}, {"first": b"user"}),
    (Regex(r"user=(x)?b", captures=("flow:none",)), {}, {}),
    (Regex(r"(?P<other>user)"), {}, {}),
    (Regex(r"(no)", captures=("flow:a",), negated=True), {}, {}),
]


@pytest.mark.parametrize(("test", "flow", "packet"), CASES)
def test_groups_are_kept(test, flow, packet):
    assert kept(b"user=bob&id=7", test) == (True, flow, packet)


def test_only_what_led_to_a_match_is_kept():
    first = Regex(r"(\w)=", captures=("flow:last",))
    assert kept(b"a=1 b=2", first, Content(b"2", distance=0, within=1)) == (True, {"last": b"b"}, {})
    assert kept(b"a=1 b=2", first, Content(b"none")) == (False, {}, {})


def test_of_a_regex_behind_the_cursor_and_of_decoded_bytes():
    relative = Content(b"user="), Regex(r"^(\w+)", relative=True, captures=("flow:who",))
    assert kept(b"user=bob&id=7", *relative) == (True, {"who": b"bob"}, {})
    inner = Base64((Regex("r(oo)t", captures=("flow:inner",)),))
    assert kept(b"cm9vdA==", inner) == (True, {"inner": b"oo"}, {})


def test_what_is_kept_can_be_asked_for():
    flow = FlowVars()
    flow.set_text("who", b"Robert")
    context = FakeContext(flow_vars=flow)
    context.packet_vars.set_text("num", b"77")
    held = [FlowVar("who", b"ob"), FlowVar("who", b""), PacketVar("num", b"7"), Not(FlowVar("else", b""))]
    failing = [FlowVar("who", b"OB"), FlowVar("num", b"7"), PacketVar("who", b"ob"), FlowVar("else", b"")]
    assert all(body_holds(node, context) for node in held)
    assert not any(body_holds(node, context) for node in failing)
    assert not body_holds(FlowVar("who", b"ob"), FakeContext())


@pytest.mark.parametrize(
    "body",
    [
        BufferMatch("payload", (Regex("(a)", captures=("flow:a", "flow:b")),)),
        Any((BufferMatch("payload", (Regex("(a)", captures=("flow:a",)),)), All(()))),
    ],
)
def test_what_cannot_be_kept(body):
    with pytest.raises(RuleError):
        RuleCompiler().compile(rule(body))


@pytest.mark.parametrize("subject", ["flow", "packet"])
def test_what_is_kept_is_bounded_and_counted(subject):
    context, budget = FakeContext({"payload": b"a" * (MAX_TEXT + 1)}, flow_vars=FlowVars()), Budget()
    word = {"flow": "flow:long", "packet": "pkt:long"}[subject]
    compiled = RuleCompiler().compile(rule(BufferMatch("payload", (Regex("(a+)", captures=(word,)),))))
    assert judge(compiled, context, budget)
    apply_captures(budget.meter, context)
    kept_of = {"flow": context.flow_vars, "packet": context.packet_vars}[subject]
    assert kept_of.texts == {"long": b"a" * MAX_TEXT}
    assert kept_of.counters.flow_names_dropped == 1
