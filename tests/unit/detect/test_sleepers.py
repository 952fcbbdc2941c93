"""Rules that need flowbits sleep until one is there or could be set first; nobody who might match is left out."""

import pytest
from effort import effort
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st

from sensor.detect.evaluator.quick import bits_needed
from sensor.detect.evaluator.sleepers import Sleepers, given, needed
from sensor.detect.state.bits import FlowVarCounters, FlowVars, change_bits
from sensor.rules.nodes import All, Any, FlowBits, Not, Rule


def rule(*nodes):
    return Rule(1, "", "tcp", All(nodes))


def sets(*names):
    return FlowBits("set", names)


def asks(*names):
    return FlowBits("isset", names)


def of(*rules):
    return Sleepers(needed(rules), given(rules))


def known(*names):
    made = FlowVars(FlowVarCounters())
    change_bits(sets(*names), made)
    return made


FREE, WAITS, GIVES, CHAIN, BOTH = rule(), rule(asks("a")), rule(sets("a")), rule(asks("a"), sets("b")), rule(asks("b"))
ALL = of(FREE, WAITS, GIVES, CHAIN, BOTH)


@pytest.mark.parametrize(
    ("rules", "bits", "wanted"),
    [
        ({0, 1}, (), {0}),
        ({0, 1}, ("other",), {0}),
        ({0, 1}, ("a",), {0, 1}),
        ({1, 2}, (), {1, 2}),  # 2 may match first
        ({2, 3, 4}, (), {2, 3, 4}),  # and 3 then, and so 4
        ({3, 4}, (), set()),
        ({3, 4}, ("b",), {4}),
        ({3, 4}, ("a",), {3, 4}),
        ({0}, (), {0}),
        (set(), (), set()),
    ],
)
def test_who_is_awake(rules, bits, wanted):
    assert ALL.awake(rules, known(*bits)) == wanted
    if not bits:
        assert ALL.awake(rules, None) == wanted


def test_what_rules_need_and_give():
    rules = [
        rule(asks("x", "y"), asks("z")),
        rule(FlowBits("isnotset", ("x",)), FlowBits("unset", ("y",)), FlowBits("toggle", ("t",))),
        rule(Any((asks("x"), asks("y"))), Not(asks("z"))),
        rule(All((sets("deep"),))),
    ]
    assert needed(rules) == {"x": (0,), "y": (0,), "z": (0,)}
    assert given(rules) == {1: ("t",), 3: ("deep",)}


NAMES = st.sampled_from("abcd")
NODES = st.builds(FlowBits, st.sampled_from(["set", "unset", "toggle", "isset", "isnotset"]), st.tuples(NAMES))


@settings(max_examples=effort(200, 65))
@cases(st.lists(st.lists(NODES, max_size=3), max_size=6), st.sets(NAMES))
def test_whoever_could_match_in_turn_is_awake(bodies, bits):
    """Judged one after the other, each rule that finds its bits does what it does to them."""
    rules = [rule(*nodes) for nodes in bodies]
    awake = of(*rules).awake(set(range(len(rules))), known(*bits))
    now = known(*bits)
    for number, one in enumerate(rules):
        if all(not names.isdisjoint(now.bits) for names in bits_needed(one)):
            assert number in awake
            for node in bodies[number]:
                change_bits(node, now)
