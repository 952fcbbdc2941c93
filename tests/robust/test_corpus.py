"""Every capture there is, with triage and without: the same EVE, no escape, no packet that costs out of all measure."""

import time
import traceback
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from statistics import median

import pytest
from enginekit import SHARED, TESTS, difference, load, oracle_rules, run

from sensor.rules.ruleset import RuleSet

CAPTURES = sorted(
    path
    for folder in (SHARED / "conformance", SHARED / "captures")
    for path in folder.rglob("*")
    if path.is_file() and path.suffix not in {".json", ".md", ".rules", ".zst", ".txt"} and path.name != "LICENSE"
)
BENCH = SHARED / "captures" / "bench.pcap.zst"
PROCESSES = 2
FEW = 20
"""A capture of fewer packets is charged as if it had so many: its fixed costs (first look at a protocol, growing of
buffers) are no packet's."""
MANY = 100
TIMES_MEDIAN = 50

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.skipif(not CAPTURES, reason="no captures in ../shared"),
]


@dataclass
class Result:
    name: str
    packets: int = 0
    lines: int = 0
    alerts: int = 0
    cpu: float = 0.0
    """Seconds of the run with triage."""
    difference: str = ""
    """... to the run without triage."""
    cut: str = ""
    """... to the run in small blocks: of 7 packets, or of 997 where there are many."""
    damaged: bool = False
    escaped: str = ""


@cache
def rules():
    """Return the oracle's rules and those that are shipped."""
    shipped = load(TESTS.parent / "rules").rules if any((TESTS.parent / "rules").rglob("*.yaml")) else ()
    return RuleSet([*oracle_rules().rules, *shipped], oracle_rules().suppressions)


def compare(path):
    result = Result(str(path.relative_to(SHARED)))
    try:
        start = time.process_time()
        with_triage = run(path, rules())
        result.cpu = time.process_time() - start
        without = run(path, rules(), triage=False)
        small = run(path, rules(), block=7 if with_triage.pipeline.tally.decode.pkts < MANY else 997)
    except Exception:  # noqa: BLE001 - what escapes is what the test is about
        result.escaped = traceback.format_exc()[-2000:]
        return result
    result.packets = with_triage.pipeline.tally.decode.pkts
    result.lines, result.alerts = len(with_triage.lines), len(with_triage.sids)
    result.damaged = with_triage.error is not None
    result.difference, result.cut = difference(with_triage, without), difference(with_triage, small)
    return result


def warm():
    """Load kernels and touch buffers, so that the first capture of a process does not pay for them."""
    for name in ("attacks", "robust"):
        for path in [p for p in CAPTURES if name in p.parts][:3]:
            compare(path)


def overhead():
    """Return the CPU seconds of a run without packets."""
    costs = []
    for _ in range(5):
        start = time.process_time()
        run([], rules())
        costs.append(time.process_time() - start)
    return median(costs)


@pytest.fixture(scope="module")
def results():
    rules()  # the pool inherits them
    with get_context("fork").Pool(PROCESSES, warm) as pool:
        return pool.map(compare, CAPTURES, chunksize=8)


def test_nothing_escapes(results):
    assert [r for r in results if r.escaped] == []


def test_triage_leaves_out_nothing(results):
    assert [(r.name, r.difference) for r in results if r.difference][:3] == []


def test_where_blocks_end_does_not_show(results):
    assert [(r.name, r.cut) for r in results if r.cut][:3] == []


def test_the_corpus_says_something(results):
    assert len(results) > 1000
    assert sum(r.packets for r in results) > 100_000
    assert sum(r.alerts for r in results) > 2000
    assert sum(r.lines for r in results) > 50_000


def test_no_capture_costs_out_of_all_measure(results):
    warm()
    base = overhead()
    cost = {r.name: max(0.0, r.cpu - base) / max(r.packets, FEW) for r in results if r.packets}
    typical = median(cost[r.name] for r in results if r.packets >= MANY)
    over = {}
    for result in results:
        if cost.get(result.name, 0.0) > TIMES_MEDIAN * typical:
            # Two cores and many processes: what is dear once may have waited for memory. Dear is what stays dear.
            again = min(compare(SHARED / result.name).cpu for _ in range(3))
            over[result.name] = max(0.0, again - base) / max(result.packets, FEW) / typical
    assert {name: c for name, c in over.items() if c > TIMES_MEDIAN} == {}, f"median {typical * 1e6:.1f} us a packet"


@pytest.mark.skipif(not BENCH.exists(), reason="bench.pcap.zst is not there")
def test_a_part_of_the_benchmark_capture():
    """Judging all of it by every rule takes minutes."""
    with_triage, without = (run(BENCH, rules(), packets=30_000, triage=triage) for triage in (True, False))
    assert not difference(with_triage, without)
    assert len(with_triage.lines) > 1000
