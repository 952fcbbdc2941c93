"""Sets that rules fill, where all workers meet: which are left to that place, and what is decided there."""

import pytest

from sensor.detect.state.datasets import Datasets
from sensor.detect.state.hostbits import HostBits
from sensor.engine.crew.hostbits import split
from sensor.engine.crew.sharedsets import Asked
from sensor.rules.nodes import All, Any, BufferMatch, Content, FlowBits, HostBit, InList, Rule
from sensor.rules.ruleset import RuleSet

SET, ASK = InList("", "string", name="seen", action="set"), InList("", "string", name="seen")
MISS, UNSET = InList("", "string", negated=True, name="seen"), InList("", "string", name="seen", action="unset")
LIST = InList("known.lst", "string", (b"a",), name="known")


def host(*tests):
    return BufferMatch("http.host", tests)


def rule(*children, sid=1, **more):
    return Rule(sid=sid, msg="m", proto="http", body=All(children), **more)


def told(test, number):
    return InList(test.file, test.kind, test.values, name=test.name, told=number)


def test_tests_of_sets_that_rules_fill_are_taken_out():
    rules = [
        rule(host(Content(b"evil"), SET), noalert=True), rule(host(ASK), host(MISS), sid=2), rule(host(LIST), sid=3),
    ]  # fmt: skip
    found = split(RuleSet(rules))
    assert [one.body for one in found.rules.rules] == [
        All((host(Content(b"evil"), told(SET, 0)),)), All((host(told(ASK, 0)), host(told(ASK, 1)))), All((host(LIST),)),
    ]  # fmt: skip
    assert [one.noalert for one in found.rules.rules] == [False, False, False]
    assert {ids: (one.asked.tests, one.silent) for ids, one in found.deferred.items()} == {
        (1, 1): ((SET,), True), (1, 2): ((ASK, MISS), False),
    }  # fmt: skip
    assert found.aside == tuple(rules[:2])
    assert found.local == 0
    assert split(RuleSet(found.aside)).deferred == found.deferred


@pytest.mark.parametrize("other", [
    rule(Any((host(ASK), host(MISS))), sid=2), rule(host(ASK), sid=2, action="pass"), rule(host(ASK, MISS), sid=2),
    rule(host(ASK), FlowBits("set", ("x",)), sid=2), rule(host(ASK), sid=2, store="both"),
    Rule(sid=2, msg="m", proto="tcp-stream", body=All((BufferMatch("stream", (ASK,)),))),
    rule(host(ASK), Any((HostBit("isset", "b", "by_src"), host(Content(b"a")))), sid=2),
], ids=["any", "pass", "two in one", "changes flowbits", "stores", "stream", "bits of hosts that stay"])  # fmt: skip
def test_a_set_that_one_rule_must_judge_itself_stays_with_all(other):
    rules = (rule(host(SET)), other, rule(host(InList("", "string", name="more", action="set")), sid=3))
    found = split(RuleSet(rules))
    assert found.rules.rules[:2] == rules[:2]
    assert list(found.deferred) == [(1, 3)]
    assert found.local == 2


def test_what_one_rule_adds_another_finds():
    sets = Datasets([SET])
    asks, adds, takes = Asked((ASK,)), Asked((SET,)), Asked((UNSET,))
    assert not asks.holds(sets, ((b"a",),))
    assert adds.holds(sets, ((b"", b"a"),))
    assert not adds.holds(sets, ((b"a",),))
    assert asks.holds(sets, ((b"b", b"a"),))
    assert not Asked((MISS,)).holds(sets, ((b"a",),))
    assert takes.holds(sets, ((b"a",),))
    assert not takes.holds(sets, ((b"a",),))
    assert not asks.holds(sets, ())


def test_nothing_changes_unless_all_tests_hold():
    sets, both = Datasets([SET]), Asked((SET, ASK))
    assert not both.holds(sets, ((b"a",), (b"b",)))
    assert b"a" not in sets.of(SET)
    bit = HostBit("isset", "bad", "by_src", 60)
    deferred = split(RuleSet([rule(host(SET), bit)])).deferred[1, 1]
    assert deferred.bits == (bit,)
    assert deferred.asked.tests == (SET,)


def test_a_full_set_takes_no_more():
    small = InList("", "string", name="seen", action="set", memory=200)
    sets = Datasets([small])
    assert Asked((small,)).holds(sets, ((b"a",),))
    assert not Asked((small,)).holds(sets, ((b"b",),))
    assert sets.counters.dataset_values_dropped == 1
    assert HostBits().counters.host_bits_dropped == 0
