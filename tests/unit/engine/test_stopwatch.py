"""Every stage of the packet loop is timed, and nothing outside of it."""

import time

from enginekit import TESTS, load

from sensor.capture.files import open_source
from sensor.config.settings import Settings
from sensor.engine.counts import stopwatch
from sensor.engine.counts.stopwatch import STAGES, Stopwatch
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline

REPO = TESTS.parent


def test_laps_add_up(monkeypatch):
    times = iter([5, 12, 13, 50, 54])
    monkeypatch.setattr(stopwatch, "perf_counter_ns", lambda: next(times))
    watch = Stopwatch()
    watch.start()
    watch.lap("decode")
    watch.lap("walk")
    watch.start()
    watch.lap("decode")
    assert watch.ns == dict.fromkeys(STAGES, 0) | {"decode": 7 + 4, "walk": 1}


def test_stages_of_a_capture_make_up_its_time(monkeypatch):
    """Of the CPU's time: that of another process between two stages would be none's."""
    monkeypatch.setattr(stopwatch, "perf_counter_ns", time.process_time_ns)
    pipeline = Pipeline(load(REPO / "rules"), EngineOptions(Settings()), lambda _: None)
    spent = between = 0
    for block in open_source([str(REPO / "pcaps/demo.pcap")], block_packets=100).blocks():
        before = time.process_time_ns()
        pipeline.process(block)
        after = time.process_time_ns()
        spent += after - before
        while time.process_time_ns() - after < 5_000_000:
            between += 1  # what passes between blocks is not the pipeline's
    assert between
    assert set(pipeline.stopwatch.ns) == set(STAGES)
    assert min(pipeline.stopwatch.ns.values()) > 0
    assert 0.9 * spent <= sum(pipeline.stopwatch.ns.values()) <= spent
