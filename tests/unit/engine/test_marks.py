"""Marks in streams: bounded, latest kept, and nothing counted twice."""

from sensor.engine.marks import SideMarks


def test_the_sides_noted_longest_ago_give_way_and_are_counted():
    marks = SideMarks(limit=4)
    marks.note(1, 10, 100)
    marks.note(1, 11, 100)
    marks.note(2, 10, 200)
    marks.note(3, 10, 300)
    marks.note(1, 10, 150)
    marks.note(4, 10, 400)
    assert not marks.of(2)
    assert dict(marks.of(1)) == {10: 150, 11: 100}
    assert (len(marks), marks.forgotten) == (4, 1)


def test_one_side_alone_may_exceed_the_bound():
    marks = SideMarks(limit=2)
    marks.note(1, 1, 0)
    for rule in range(5):
        marks.note(2, rule, rule)
    assert not marks.of(1)
    assert (len(marks), marks.forgotten) == (5, 1)


def test_flows_that_end_are_dropped():
    marks = SideMarks()
    for side in (4, 5, 6):
        marks.note(side, 1, 10)
        marks.note(side, 2, 20)
    marks.forget([2, 7])
    assert not marks.of(4)
    assert dict(marks.of(6)) == {1: 10, 2: 20}
    assert (len(marks), marks.forgotten) == (2, 0)


def test_a_reload_keeps_the_marks_of_rules_that_stay():
    old = SideMarks(limit=2)
    for side in (1, 2, 3):
        old.note(side, side, side)
    fresh = SideMarks()
    fresh.adopt(old, {3: 30})
    assert dict(fresh.of(3)) == {30: 3}
    assert (len(fresh), fresh.forgotten) == (1, 1)
