"""Steps of the machine's clock: found by two clocks, told apart packet by packet."""

import numpy as np
import pytest
from enginekit import settings_of
from forgekit import START, Flow

from sensor.capture.memory import MemorySource
from sensor.engine.options import EngineOptions
from sensor.engine.packetclock import ClockSteps, told
from sensor.engine.pipeline import Pipeline
from sensor.rules.ruleset import RuleSet

SECOND = 10**9
HOUR = 3600 * SECOND
STEADY = 5000 * SECOND


def at(*seconds):
    return np.array([START + int(s * SECOND) for s in seconds], np.int64)


def parts(steps, ts):
    """Return (first, last, ahead, offset while it is at hand)."""
    return [(*part, steps.offset - (START - STEADY)) for part in steps.parts(ts)]


def looked(*looks):
    """Return what has seen (seconds of steady time, ns by which the clock was set in all)."""
    steps = ClockSteps(START, STEADY)
    news = [steps.look(START + int(s * SECOND) + step, STEADY + int(s * SECOND)) for s, step in looks]
    return steps, news


def test_packets_that_are_late_or_a_clock_that_is_slewed_are_no_step():
    steps, news = looked((1, 0), (2, 9 * SECOND), (3, 18 * SECOND))
    assert news == [0, 0, 0]
    assert parts(steps, at(-900, 900)) == [(0, 2, 0, 18 * SECOND)]


@pytest.mark.parametrize("step", [-HOUR, -30 * SECOND, 30 * SECOND, HOUR])
def test_packets_of_both_settings_in_any_order(step):
    steps, news = looked((1, 0), (1.5, step))
    assert news == [0, step]
    new = step / SECOND
    ts = at(1.1, 1.2, 1.3 + new, 1.2, 1.4 + new, 1.45 + new)  # of two interfaces
    assert parts(steps, ts) == [(0, 2, 0, 0), (2, 3, step, step), (3, 4, -step, 0), (4, 6, step, step)]
    assert steps.ahead == step
    assert parts(steps, at(1.3, 1.5 + new)) == [(0, 1, -step, 0), (1, 2, step, step)]


@pytest.mark.parametrize("step", [-HOUR, HOUR])
@pytest.mark.parametrize("quiet", [6, 2400, 9000])
def test_a_quiet_time_behind_a_step(step, quiet):
    steps, _ = looked((1, 0), (1.5, step), (quiet, step))
    assert steps.unset() == START + quiet * SECOND
    ts = at(quiet + step / SECOND, quiet + step / SECOND + 1)
    assert parts(steps, ts) == [(0, 2, step, step)]
    steps.look(START + (quiet + 2) * SECOND + step, STEADY + (quiet + 2) * SECOND)
    assert steps.unset() == START + (quiet + 2) * SECOND
    assert parts(steps, ts) == [(0, 2, 0, step)]


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_to_and_fro_while_no_packet_comes(step):
    steps, news = looked((1, 0), (1.5, step), (2, 100))
    assert news == [0, step, -step]
    assert parts(steps, at(1.2, 2.1, 2400)) == [(0, 3, 0, 100)]


def test_a_second_step_before_the_first_has_settled():
    steps, _ = looked((1, 0), (1.5, HOUR))
    assert parts(steps, at(1.2, 3601.6)) == [(0, 1, 0, 0), (1, 2, HOUR, HOUR)]
    steps.look(START + 2 * SECOND + 3 * HOUR, STEADY + 2 * SECOND)
    assert parts(steps, at(3601.7, 10_802)) == [(0, 1, 0, HOUR), (1, 2, 2 * HOUR, 3 * HOUR)]


@pytest.mark.parametrize("step", [-HOUR, HOUR, 24 * HOUR])
def test_a_flow_goes_on_within_one_block(step):
    frames = [frame for _, frame in Flow(dport=80).open().send(0, b"one").send(1, b"two").send(0, b"three").frames()]
    half = len(frames) // 2
    timed = [(START + n * 1000 + (step if n >= half else 0), frame) for n, frame in enumerate(frames)]
    block = next(MemorySource(timed).blocks())
    pipeline = Pipeline(RuleSet(), EngineOptions(settings_of(("flow",))), lambda _record: None)
    steps, _ = looked((1, step))
    steps.look(START + 2 * SECOND + step, STEADY + 2 * SECOND)
    pipeline.process_parts(block, steps)
    counters = pipeline.table.counters
    assert (counters.active, counters.timeouts, counters.clock_jumps, pipeline.clock_steps) == (1, 0, 0, 1)
    flow = pipeline.table.flows[0]
    assert int(flow["last"]) == max(ts for ts, _ in timed)
    assert int(flow["pkts"].sum()) == len(frames)
    assert pipeline.tally.decode.pkts == len(frames)


def test_what_is_told():
    assert told(-HOUR).startswith("the clock was set back by 3600.0 s")
    assert told(11 * SECOND).startswith("the clock was set forward by 11.0 s")
