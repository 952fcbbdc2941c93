"""Sets of values that rules share and change."""

import pytest
from judgekit import FakeContext

from sensor.detect.evaluator.naive import RuleCompiler, apply_sets, judge
from sensor.detect.state import datasets as module
from sensor.detect.state.budget import Budget
from sensor.detect.state.datasets import EACH, Datasets
from sensor.errors import RuleError
from sensor.rules.nodes import All, Any, BufferMatch, Content, InList, Not, Rule

ASK = InList("", "string", name="s")
ADD = InList("", "string", name="s", action="set")
DROP = InList("", "string", name="s", action="unset")


def rule(*tests, body=None):
    return Rule(sid=1, msg="", proto="ip", body=body or BufferMatch("b", tests))


class Desk:
    """Judges one rule after the other, and carries out what matches mean."""

    def __init__(self, *declared):
        self.budget = Budget()
        self.sets = self.budget.meter.sets = Datasets(declared)

    def holds(self, data, *tests, body=None, **others):
        context = FakeContext({"b": data, **others})
        found = judge(RuleCompiler().compile(rule(*tests, body=body)), context, self.budget)
        if found:
            apply_sets(self.budget.meter)
        return found


def test_a_value_is_new_once_and_known_after_that():
    desk = Desk()
    assert not desk.holds(b"x", ASK)
    assert desk.holds(b"x", ADD)
    assert desk.holds(b"x", ASK)
    assert not desk.holds(b"x", ADD)
    assert desk.holds(b"y", InList("", "string", name="s", negated=True))
    assert desk.sets.counters.dataset_values_added == 1


def test_a_value_is_taken_away_and_can_come_back():
    desk = Desk(InList("f", "string", (b"x",), name="s"))
    assert desk.holds(b"x", DROP)
    assert not desk.holds(b"x", ASK)
    assert not desk.holds(b"x", DROP)
    assert desk.holds(b"x", ADD)
    assert desk.holds(b"x", ASK)
    assert next(iter(desk.sets.sets.values())).size == 0


def test_nothing_changes_unless_the_whole_rule_holds():
    desk = Desk()
    assert not desk.holds(b"x", ADD, Content(b"y"))
    both = All((BufferMatch("b", (ADD,)), BufferMatch("c", (Content(b"y"),))))
    assert not desk.holds(b"x", body=both, c=b"n")
    assert not desk.holds(b"x", ASK)
    assert desk.holds(b"x", body=both, c=b"y")
    assert desk.holds(b"x", ASK)


def test_the_first_instance_that_is_new_is_added():
    desk = Desk(InList("f", "string", (b"x",), name="s"))
    assert desk.holds([b"x", b"y", b"z"], ADD)
    assert [desk.holds(value, ASK) for value in (b"x", b"y", b"z")] == [True, True, False]


def test_nothing_is_never_added():
    assert not Desk().holds(b"", ADD)


def test_sets_of_another_name_or_kind_are_others():
    desk = Desk()
    assert desk.holds(b"x" * 16, ADD)
    assert not desk.holds(b"x" * 16, InList("", "string", name="t"))
    assert not desk.holds(b"x" * 16, InList("", "md5", name="s"))


@pytest.mark.parametrize(
    ("kind", "data", "same"),
    [
        ("md5", b"\x00\xff" * 8, b"00ff" * 8),
        ("ip", bytes([10, 0, 0, 1]), bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1])),
        ("ipv4", bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1]), bytes([10, 0, 0, 1])),
    ],
)
def test_forms_of_one_value(kind, data, same):
    desk = Desk()
    assert desk.holds(data, InList("", kind, name="s", action="set"))
    assert desk.holds(same, InList("", kind, name="s"))


def test_the_memory_is_bounded_and_what_finds_no_room_is_counted():
    desk = Desk(InList("", "string", name="s", memory=2 * (EACH + 1)))
    assert [desk.holds(bytes([n]), ADD) for n in range(4)] == [True, True, False, False]
    assert desk.sets.counters.dataset_values_dropped == 2
    assert desk.holds(b"\x00", DROP)
    assert desk.holds(b"\x07", ADD)


def test_all_sets_together_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "TOTAL", EACH + 1)
    desk = Desk()
    assert desk.holds(b"x", ADD)
    assert not desk.holds(b"y", InList("", "string", name="t", action="set"))


@pytest.mark.parametrize("body", [Not(BufferMatch("b", (ADD,))), Any((BufferMatch("b", (ADD,)),))])
def test_changes_stand_where_they_must_hold(body):
    with pytest.raises(RuleError):
        RuleCompiler().compile(rule(body=body))


@pytest.mark.parametrize(
    "test", [InList("", "string", action="set"), InList("", "string", name="s", action="toggle"),
             InList("", "string", (), True, None, "s", "set")]
)  # fmt: skip
def test_actions_that_make_no_sense(test):
    with pytest.raises(RuleError):
        RuleCompiler().compile(rule(test))


def test_a_reload_keeps_what_rules_have_changed():
    old, new = Desk(ASK), Datasets((InList("f", "string", (b"z",), name="s"),))
    old.holds(b"x", ADD)
    new.adopt(old.sets)
    (found,) = new.sets.values()
    assert b"x" in found
    assert b"z" in found
    assert sorted(found.values()) == [b"x", b"z"]
    new.change(found, b"x", there=False)
    assert found.size == 0
