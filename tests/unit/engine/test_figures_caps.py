"""Tables and their caps in figures: what is full says so, and by how much."""

from pathlib import Path

from enginekit import run, settings_of
from forgekit import Flow, ether
from scapy.layers.inet import IP, UDP

from sensor.capture.counters import CaptureCounters
from sensor.capture.files import open_source
from sensor.detect.state.budget import Budget
from sensor.engine.counts.stats import stats
from sensor.engine.live.figures_caps import caps, given_way
from sensor.engine.offline.replay import not_inspected
from sensor.flow.limits import FlowLimits
from sensor.model.losses import Losses
from sensor.proto.limits_memory import AppLimits

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


def test_what_parsers_forget_is_told():
    flow = Flow(dport=8080).open().send(0, b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n")
    flow.send(1, b"HTTP/1.1 200 OK\r\n\r\n").send(0, b"\1\2\3" * 20).send(1, b"\4\5\6" * 20)
    pipeline = run(flow.frames()).pipeline
    assert caps(pipeline)["xensor_app_not_kept_total"]["tunnels",] == 1
    assert stats(pipeline, CaptureCounters())["app_layer"]["not_kept"]["tunnels"] == 1
    assert not_inspected(pipeline, open_source([str(PCAPS / "web.pcap")])) == {
        "connections that went on as a protocol that is not known": 1
    }


def test_each_loss_has_its_words_in_the_summary():
    pipeline = run(PCAPS / "web.pcap").pipeline
    for name in Losses.names():
        setattr(pipeline.walk.apps.losses, name, 3)
    assert list(not_inspected(pipeline, open_source([str(PCAPS / "web.pcap")])).values()).count(3) == 5


def test_the_memory_of_parsers_stands_beside_its_limit():
    pipeline = run(PCAPS / "web.pcap", settings=settings_of(app=AppLimits(memcap=1 << 20))).pipeline
    found = caps(pipeline)
    assert (found["xensor_app_memory_bytes"][()], found["xensor_app_memory_limit_bytes"][()]) == (0, 1 << 20)
    pipeline.walk.apps.counters.memcap += 2
    assert given_way(pipeline)["app_memory"] == 2
    assert stats(pipeline, CaptureCounters())["app_layer"]["memcap"] == 2
    source = open_source([str(PCAPS / "web.pcap")])
    assert "flows whose parser gave way at the memory cap" in not_inspected(pipeline, source)
