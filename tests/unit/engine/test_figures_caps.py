"""Tables and their caps in figures: what is full says so, and by how much."""

from pathlib import Path

from enginekit import run, settings_of
from forgekit import ether
from scapy.layers.inet import IP, UDP

from sensor.detect.state.budget import Budget
from sensor.engine.live.figures_caps import caps, given_way
from sensor.flow.limits import FlowLimits

PCAPS = Path(__file__).resolve().parents[3] / "pcaps"


def test_each_table_is_within_its_cap():
    done = run(PCAPS / "lateral.pcap")
    found = caps(done.pipeline)
    used, limits = found["xensor_table_entries"], found["xensor_table_limit"]
    assert set(used) == set(limits)
    assert all(0 <= used[table] <= limits[table] for table in used)
    assert {table for (table,) in used} <= {table for (table,) in found["xensor_given_way_total"]}
    assert sum(found["xensor_given_way_total"].values()) == 0


def test_what_gives_way_is_counted_by_its_table():
    frames = [
        (10**18 + n * 1000, ether(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1000 + n, dport=9) / b"x")))
        for n in range(400)
    ]
    settings = settings_of(flow=FlowLimits(max_flows=64))
    done = run(frames, settings=settings)
    assert given_way(done.pipeline)["flows"] == 400 - 64
    assert caps(done.pipeline)["xensor_table_limit"]["flows",] == 64


def test_bits_that_found_no_room_are_told():
    done = run(PCAPS / "web.pcap")
    judge = done.pipeline.judge
    judge.var_counters.flow_names_dropped += 3
    judge.host_bits.counters.host_bits_dropped += 2
    found = given_way(done.pipeline)
    assert (found["flow_names"], found["host_bits"]) == (3, 2)


def test_rules_are_suspended_for_a_time():
    budget = Budget()
    for _ in range(budget.limits.tolerance):
        budget.exceeded(7, 1000)
    assert budget.suspended_at(2000) == 1
    assert budget.suspended_at(2000 + budget.limits.suspend_ns) == 0
