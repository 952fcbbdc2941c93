"""Bits of hosts where all workers meet: which rules give them up, and what is decided of them there."""

import pytest

from sensor.detect.state.datasets import Datasets
from sensor.detect.state.hostbits import HostBits
from sensor.engine.crew.hostbits import split
from sensor.model.scene import Scene
from sensor.rules.nodes import All, Any, BufferMatch, Content, FlowBits, HostBit, Not, Rule
from sensor.rules.ruleset import RuleSet

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"
WORD = BufferMatch("payload", (Content(b"word"),))
SET, ASK = HostBit("set", "bad", "by_src", 60), HostBit("isset", "bad", "by_dst")
S = 10**9


def rule(*children, sid=1, **more):
    return Rule(sid=sid, msg="m", proto="tcp", body=All(children), **more)


def scene(ts, src, dest):
    return Scene(ts=ts, number=1, source="", ipv=4, src_ip="", dest_ip="", proto=6, src_port=0, dest_port=0, src=src,
                 dest=dest)  # fmt: skip


def test_bits_of_hosts_are_taken_out_and_all_else_stays():
    pair = HostBit("isset", "pair", "by_both")
    found = split(RuleSet([rule(WORD, SET, pair, noalert=True), rule(All((WORD, ASK)), sid=2), rule(WORD, sid=3)]))
    assert [one.body for one in found.rules.rules] == [All((WORD, pair)), All((All((WORD,)),)), All((WORD,))]
    assert [one.noalert for one in found.rules.rules] == [False, False, False]
    assert {ids: (one.bits, one.silent) for ids, one in found.deferred.items()} == {
        (1, 1): ((SET,), True), (1, 2): ((ASK,), False),
    }  # fmt: skip
    assert found.local == 0


@pytest.mark.parametrize("stays", [
    rule(ASK), rule(WORD, Any((ASK, WORD))), rule(WORD, Not(ASK)), rule(WORD, ASK, action="pass"),
    rule(WORD, ASK, FlowBits("set", ("x",))), rule(WORD, ASK, HostBit("set", "y", "by_both")),
], ids=["no buffer", "any", "not", "pass", "changes flowbits", "changes a pair"])  # fmt: skip
def test_rules_that_one_worker_must_judge_whole_are_counted(stays):
    found = split(RuleSet([stays]))
    assert found.rules.rules == (stays,)
    assert found.deferred == {}
    assert found.local == 1


def test_rules_that_only_set_may_change_flowbits_too():
    assert split(RuleSet([rule(WORD, SET, FlowBits("set", ("x",)))])).local == 0


def test_a_bit_holds_for_its_host_and_its_time():
    found = split(RuleSet([rule(WORD, SET), rule(WORD, ASK, sid=2)])).deferred
    sets, asks, known = found[1, 1], found[1, 2], HostBits()
    assert not asks.holds(known, Datasets(), scene(1 * S, B, A))
    assert sets.holds(known, Datasets(), scene(2 * S, A, B))
    assert asks.holds(known, Datasets(), scene(3 * S, B, A))
    assert not asks.holds(known, Datasets(), scene(3 * S, A, B))
    assert not asks.holds(known, Datasets(), scene(63 * S, B, A))


def test_what_a_rule_changes_it_changes_only_if_its_bits_are_as_it_asks():
    both = split(RuleSet([rule(WORD, HostBit("isnotset", "bad", "by_src"), SET)])).deferred[1, 1]
    known = HostBits()
    assert both.holds(known, Datasets(), scene(1 * S, A, B))
    assert not both.holds(known, Datasets(), scene(2 * S, A, B))
    assert both.holds(known, Datasets(), scene(62 * S, A, B))
