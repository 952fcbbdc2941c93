"""Floods collapse into summaries; nothing vanishes."""

import pytest

from sensor.alert.flood import SECOND, FloodControl, FloodLimits
from sensor.model.scene import Match, Scene
from sensor.rules.nodes import All, Rule


def match(ts, src=b"aaaa", sid=1):
    scene = Scene(
        ts=ts, number=1, source="", ipv=4, src_ip="", dest_ip="", proto=6, src_port=1, dest_port=2, src=src,
        dest=b"bbbb",
    )  # fmt: skip
    return Match(rule=Rule(sid=sid, msg="m", proto="tcp", body=All(())), scene=scene)


def run(control, matches):
    """Return what each line stands for: 1 for an alert of its own, the count for a summary."""
    return [held.count if held else 1 for m in matches for _, held in control.admit(m)]


def test_burst_then_summary_at_the_end():
    control = FloodControl(FloodLimits(burst=3, window_ns=60 * SECOND))
    assert run(control, [match(i) for i in range(10)]) == [1, 1, 1]
    [(last, held)] = control.finish()
    assert (last.scene.ts, held.count, held.first) == (9, 7, 3)
    assert control.counters.snapshot() == {"evicted": 0, "summaries": 1, "summarized": 7}
    assert list(control.finish()) == []


def test_window_that_is_over_gets_its_summary_before_the_next_alert():
    control = FloodControl(FloodLimits(burst=1, window_ns=SECOND))
    assert run(control, [match(0), match(1), match(2), match(2 * SECOND)]) == [1, 2, 1]


def test_any_alert_brings_summaries_that_are_due():
    control = FloodControl(FloodLimits(burst=1, window_ns=SECOND))
    flood = [match(0), match(1), match(2, sid=2), match(3, sid=2)]
    assert run(control, flood) == [1, 1]
    got = list(control.admit(match(9 * SECOND, sid=3)))
    assert [(m.rule.sid, held.count if held else 1) for m, held in got] == [(1, 1), (2, 1), (3, 1)]


def test_time_alone_brings_them_too():
    control = FloodControl(FloodLimits(burst=1, window_ns=SECOND))
    run(control, [match(0), match(1)])
    assert list(control.due(SECOND - 1)) == []
    assert [held.count for _, held in control.due(SECOND)] == [1]


def test_keys_are_rule_source_destination():
    control = FloodControl(FloodLimits(burst=1, window_ns=SECOND))
    assert run(control, [match(0), match(0, src=b"cccc"), match(0, sid=2), match(0)]) == [1, 1, 1]


def test_cap_evicts_the_oldest_with_its_summary():
    control = FloodControl(FloodLimits(burst=1, window_ns=SECOND, keys=2))
    flood = [match(0, src=b"1111"), match(0, src=b"1111"), match(0, src=b"1111"), match(0, src=b"2222")]
    assert run(control, [*flood, match(0, src=b"3333")]) == [1, 1, 2, 1]
    assert control.counters.evicted == 1


def test_time_that_runs_back_loses_nothing():
    control = FloodControl(FloodLimits(burst=2, window_ns=SECOND))
    times = [5 * SECOND, 0, 0, 0, 5 * SECOND, 9 * SECOND, 1]
    lines = run(control, [match(ts) for ts in times])
    assert sum(lines) + sum(held.count for _, held in control.finish()) == len(times)


@pytest.mark.parametrize("burst", [1, 3, 1000])
def test_lines_account_for_every_alert(burst):
    control = FloodControl(FloodLimits(burst=burst, window_ns=SECOND, keys=3))
    alerts = [match(i * SECOND // 7, src=bytes([i * i % 5] * 4), sid=i % 2) for i in range(200)]
    lines = run(control, alerts)
    assert sum(lines) + sum(held.count for _, held in control.finish()) == 200


def test_off():
    control = FloodControl(FloodLimits(burst=0))
    assert run(control, [match(0)] * 50) == [1] * 50


def test_a_clock_that_was_set_back_holds_no_alert_back():
    control = FloodControl(FloodLimits(burst=1, window_ns=SECOND))
    late = [match(99 * SECOND), match(99 * SECOND), match(98.5 * SECOND)]
    assert run(control, [*late, match(9 * SECOND), match(9.5 * SECOND), match(10 * SECOND)]) == [1, 2, 1, 1, 1]
