import pytest

from sensor.detect.state.budget import SECOND
from sensor.detect.state.threshold import Suppressor, ThresholdLimits, Thresholds
from sensor.errors import RuleError
from sensor.rules.nodes import AddressSet, All, Rule, Suppression, Threshold

A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"


def rule(*thresholds, sid=1, gid=1):
    return Rule(sid=sid, gid=gid, msg="", proto="ip", body=All(()), thresholds=thresholds)


def alerts(thresholds, the_rule, seconds, src=A, dst=B, flow=1):
    return [bool(thresholds.verdict(the_rule, int(s * SECOND), src, dst, flow)) for s in seconds]


# matches at these seconds; with count 3 in 10 seconds these alert
SECONDS = [0, 1, 2, 3, 4, 5, 10, 10.5, 11, 12, 13]
KINDS = {
    "limit": [1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0],
    "threshold": [0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0],
    "both": [0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
    "detection_filter": [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind):
    got = alerts(Thresholds(), rule(Threshold(kind, "by_src", 3, 10)), SECONDS)
    assert got == [bool(x) for x in KINDS[kind]]


@pytest.mark.parametrize(
    ("kind", "expected"), [("threshold", [1, 1, 1]), ("both", [1, 0, 1]), ("limit", [1, 0, 1])]
)
def test_a_count_of_one(kind, expected):
    assert alerts(Thresholds(), rule(Threshold(kind, "by_src", 1, 10)), [0, 1, 11]) == [
        bool(x) for x in expected
    ]


@pytest.mark.parametrize(
    ("kind", "count", "seconds", "expected"),
    [
        ("limit", 0, 10, [1, 0, 0, 1]),
        ("both", 0, 10, [0, 0, 0, 0]),
        ("threshold", 0, 10, [0, 1, 1, 0]),
        ("limit", 1, 0, [1, 0, 1, 1]),
        ("both", 2, 0, [0, 1, 0, 0]),
    ],
)
def test_counts_and_windows_of_nothing(kind, count, seconds, expected):
    limit = rule(Threshold(kind, "by_src", count, seconds))
    assert alerts(Thresholds(), limit, [1, 1, 2, 12]) == [bool(each) for each in expected]


TRACKS = {
    # (src, dst, flow) that count together with (A, B, 1)
    "by_src": [(A, C, 2)],
    "by_dst": [(C, B, 2)],
    "by_both": [(A, B, 2), (B, A, 2)],
    "by_flow": [(C, C, 1)],
    "by_rule": [(C, C, 3)],
}


@pytest.mark.parametrize("track", TRACKS)
def test_tracks(track):
    same = TRACKS[track]
    others = [e for ends in TRACKS.values() for e in ends if e not in same]
    if track == "by_src":
        others = [e for e in others if e[0] != A]
    if track == "by_dst":
        others = [e for e in others if e[1] != B]
    for end in [*same, *others]:
        thresholds = Thresholds()
        limit = rule(Threshold("limit", track, 1, 60))
        assert thresholds.verdict(limit, 0, A, B, 1)
        alerted = bool(thresholds.verdict(limit, 1, *end))
        assert alerted is (end in others and track != "by_rule"), end


def test_rules_and_their_thresholds_count_apart():
    thresholds = Thresholds()
    limit = Threshold("limit", "by_src", 1, 60)
    assert all(thresholds.verdict(rule(limit, sid=s, gid=g), 0, A, B, 1) for s, g in ((1, 1), (2, 1), (1, 2)))
    assert thresholds.verdict(rule(), 0, A, B, 1)


def test_a_filter_is_asked_before_a_limit():
    both = rule(Threshold("limit", "by_src", 1, 60), Threshold("detection_filter", "by_src", 2, 60))
    thresholds = Thresholds()
    assert alerts(thresholds, both, [0, 1, 2, 3]) == [False, False, True, False]
    assert thresholds.counters.threshold_suppressed == 3


def test_the_table_is_capped_expired_first():
    thresholds = Thresholds(ThresholdLimits(entries=2))
    limit = rule(Threshold("limit", "by_src", 1, 10))
    assert alerts(thresholds, limit, [0], A) == [True]
    assert alerts(thresholds, limit, [1], B) == [True]
    assert alerts(thresholds, limit, [2], C) == [True]  # A, the oldest, had to go
    assert len(thresholds) == 2
    assert thresholds.counters.threshold_evictions == 1
    assert alerts(thresholds, limit, [3], B) == [False]
    assert alerts(thresholds, limit, [11.5], A) == [True]  # B has expired
    assert alerts(thresholds, limit, [11.5], C) == [False]
    assert thresholds.counters.threshold_evictions == 1


@pytest.mark.parametrize("bad", [Threshold("often", "by_src", 1, 1), Threshold("limit", "by_name", 1, 1)])
def test_unknown_words(bad):
    with pytest.raises(RuleError):
        Thresholds().verdict(rule(bad), 0, A, B, 1)


def only(packed):
    key = b"\0" * 10 + b"\xff\xff" + packed
    return AddressSet(include=((key, key),))


def test_suppressions():
    suppressor = Suppressor(
        [
            Suppression(1),
            Suppression(2, track="by_src", addresses=only(A)),
            Suppression(3, track="by_dst", addresses=only(A)),
            Suppression(4, track="by_either", addresses=only(A)),
            Suppression(5, gid=9),
        ]
    )
    table = {(1, B, C): True, (2, A, B): True, (2, B, A): False, (3, A, B): False, (3, B, A): True}
    table |= {(4, A, B): True, (4, B, A): True, (4, B, C): False, (5, A, B): False, (6, A, A): False}
    for (sid, src, dst), expected in table.items():
        assert suppressor.suppressed(rule(sid=sid), src, dst) is expected, (sid, src, dst)
    assert suppressor.suppressed(rule(sid=5, gid=9), A, B)


def test_suppression_of_all_rules():
    suppressor = Suppressor([Suppression(0, track="by_src", addresses=only(A))])
    assert suppressor.suppressed(rule(sid=77), A, B)
    assert suppressor.suppressed(rule(sid=78), b"\0" * 10 + b"\xff\xff" + A, B)
    assert not suppressor.suppressed(rule(sid=77), B, A)
    with pytest.raises(RuleError):
        Suppressor([Suppression(1, track="by_name")])


@pytest.mark.parametrize("kind", ["limit", "both"])
def test_a_clock_that_was_set_back_silences_no_rule(kind):
    got = alerts(Thresholds(), rule(Threshold(kind, "by_src", 1, 10)), [1000, 1001, 999, 900, 901, 911])
    assert got == [True, False, False, True, False, True]


@pytest.mark.parametrize(
    ("count", "seconds", "timeout", "times", "actions"),
    [
        (3, 60, 30, range(6), "aaappp"),
        (3, 1, 2, [0, 0.1, 0.2, 0.3, 2, 2.4, 2.5, 2.6, 2.7], "aaapp" + "pppp"),
        (1, 60, 2, [0.9, 1.9, 3.99, 4, 4.1], "appap"),
        (1, 60, 3, [0, 1, 2, 5, 6], "appap"),
        (2, 1, 9, [0, 1.5, 3, 4.5], "aaaa"),
        (1, 60, 0, [0, 1, 2, 3], "apap"),
    ],
)
def test_a_rate_filter_changes_the_action_for_a_time(count, seconds, timeout, times, actions):
    made = rule(Threshold("rate_filter", "by_src", count, seconds, "pass", timeout))
    thresholds = Thresholds()
    found = [thresholds.verdict(made, int(when * SECOND), A, B, 1) for when in times]
    assert "".join(action[0] for action in found) == actions
    assert thresholds.counters.threshold_suppressed == 0


def test_a_rate_filter_counts_what_other_limits_let_through():
    limits = Threshold("limit", "by_src", 2, 60), Threshold("rate_filter", "by_src", 1, 60, "drop", 60)
    thresholds = Thresholds()
    assert [thresholds.verdict(rule(*limits), SECOND, A, B, 1) for _ in range(3)] == ["alert", "drop", None]
