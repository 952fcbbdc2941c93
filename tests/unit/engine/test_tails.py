"""The last bytes of sides that are parsed, within a bound."""

from sensor.engine.tails import Tails

APP, OTHER = 2, 3


def test_the_last_segment_and_some_bytes_in_front_of_it():
    tails = Tails([APP], 4)
    tails.add(APP, 7, 0, b"abcdef")
    tails.add(APP, 7, 0, b"gh")
    assert tails.of(APP, 7, 0, b"gh") == b"abcdefgh"
    tails.add(APP, 7, 0, b"ijkl")
    assert tails.of(APP, 7, 0, b"ijkl") == b"abcdefghijkl"
    tails.add(APP, 7, 0, b"mn")
    assert tails.of(APP, 7, 0, b"mn") == b"abcdijklmn"
    assert tails.of(APP, 7, 1, b"gh") == b""
    tails.add(APP, 7, 0, b"")
    assert tails.of(APP, 7, 0, b"") == b""


def test_a_message_does_not_see_the_one_before():
    tails = Tails([APP], 4)
    tails.add(APP, 7, 0, b"abcdef")
    tails.end(7, 0)
    assert tails.of(APP, 7, 0, b"") == b""
    tails.add(APP, 7, 0, b"gh")
    assert tails.of(APP, 7, 0, b"gh") == b"gh"


def test_what_no_rule_asks_for_is_not_kept():
    tails = Tails([APP], 4)
    tails.add(OTHER, 7, 0, b"abcdef")
    assert tails.of(OTHER, 7, 0, b"now") == b"now"


def test_sides_that_are_silent_keep_less_where_there_is_no_room():
    tails = Tails([APP], 4, most=100)
    for slot in range(10):
        tails.add(APP, slot, 0, bytes([slot]) * 30)
    assert [len(tails.of(APP, slot, 0, b"")) for slot in range(10)] == [4] * 7 + [30] * 3
    tails.add(APP, 0, 0, b"x" * 30)
    assert tails.of(APP, 0, 0, b"") == b"\0" * 4 + b"x" * 30
    assert len(tails.of(APP, 7, 0, b"")) == 4
    tails.add(APP, 20, 0, b"y" * 1000)
    assert len(tails.of(APP, 20, 0, b"")) == 1000


def test_ended_flows_leave_nothing():
    tails = Tails([APP], 4, most=100)
    for slot in range(10):
        tails.add(APP, slot, 0, b"x" * 30)
        tails.add(APP, slot, 1, b"x" * 30)
    after = Tails([APP], 4, most=100)
    after.adopt(tails)
    after.forget(range(10))
    assert [after.of(APP, slot, side, b"") for slot in range(10) for side in (0, 1)] == [b""] * 20
    after.add(APP, 1, 0, b"z" * 90)
    after.add(APP, 2, 0, b"z" * 5)
    assert len(after.of(APP, 1, 0, b"")) == 90
