"""Every stage of the packet loop is timed, and nothing outside of it."""

import time

from enginekit import TESTS, load

from sensor.capture.files import open_source
from sensor.config.settings import Settings
from sensor.engine.counts.stopwatch import STAGES, Stopwatch
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline

REPO = TESTS.parent


def test_laps_add_up():
    watch = Stopwatch()
    watch.start()
    before = time.perf_counter_ns()
    time.sleep(0.01)
    watch.lap("decode")
    watch.lap("walk")
    passed = time.perf_counter_ns() - before
    assert 9_000_000 <= watch.ns["decode"] <= passed + 1_000_000
    assert watch.ns["walk"] < watch.ns["decode"]


def test_stages_of_a_capture_make_up_its_time():
    pipeline = Pipeline(load(REPO / "rules"), EngineOptions(Settings()), lambda _: None)
    spent = 0
    for block in open_source([str(REPO / "pcaps/demo.pcap")]).blocks():
        before = time.perf_counter_ns()
        pipeline.process(block)
        spent += time.perf_counter_ns() - before
        time.sleep(0.02)  # what passes between blocks is not the pipeline's
    assert set(pipeline.stopwatch.ns) == set(STAGES)
    assert min(pipeline.stopwatch.ns.values()) > 0
    assert 0.9 * spent <= sum(pipeline.stopwatch.ns.values()) <= spent
