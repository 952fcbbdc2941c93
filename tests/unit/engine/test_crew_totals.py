"""What workers have counted, those that have died included; and what each is allowed of the whole."""

from types import SimpleNamespace

import pytest

from sensor.capture.ring import RingOptions
from sensor.config.settings import Settings
from sensor.engine.crew.divide import divided, ring_block
from sensor.engine.crew.members import Member
from sensor.engine.crew.totals import Totals
from sensor.engine.crew.wire import Beat, Part
from sensor.engine.records.evidence import EvidenceCounters

NOTHING = Part(stats={"capture": {"kernel_drops": 0, "orphaned": 0}, "flow": {"active": 0, "memuse": 0, "total": 0}})


def beat(packets, *, first=10, last=20, final=False):
    stats = {
        "capture": {"kernel_drops": 1, "orphaned": 2},
        "flow": {"active": packets, "memuse": 7 * packets, "total": packets},
    }
    figures = {
        "xensor_capture_packets_total": {("eth1",): packets},
        "xensor_flows_active": {(): packets},
        "xensor_last_packet_time_seconds": {(): last},
        "xensor_capture_interface_present": {("eth1",): 1},
        "xensor_checksums_total": {("bad",): 3},
    }
    part = Part(packets=packets, first=first, last=last, flows=packets, suspended=[(1, packets)], stats=stats)
    return Beat(figures, part, {"cut": 1, "evicted": 0, "shed": 0, "remembered": 100}, final)


def crew(*packets):
    members = [Member(number) for number in range(len(packets))]
    for member, n in zip(members, packets, strict=True):
        member.beat = beat(n) if n else None
    return members, Totals(members, NOTHING)


def test_workers_that_have_not_told_anything_count_nothing():
    _, totals = crew(0, 0)
    assert (totals.packets, totals.last, totals.drops, totals.orphaned) == (0, 0, 0, 0)
    assert totals.figures() == {"xensor_worker_packets_total": {("0",): 0, ("1",): 0}}


def test_counters_are_sums_and_some_figures_are_not():
    members, totals = crew(5, 7)
    members[1].beat = beat(7, last=30)
    members[1].beat.figures["xensor_capture_interface_present"]["eth1",] = 0
    found = totals.figures({"xensor_checksums_total": {("bad",): 1}})
    assert found["xensor_capture_packets_total"] == {("eth1",): 12}
    assert found["xensor_last_packet_time_seconds"] == {(): 30}
    assert found["xensor_capture_interface_present"] == {("eth1",): 0}
    assert found["xensor_checksums_total"] == {("bad",): 7}
    assert found["xensor_worker_packets_total"] == {("0",): 5, ("1",): 7}
    assert (totals.packets, totals.last, totals.drops, totals.orphaned) == (12, 30, 2, 4)


def test_counters_of_a_worker_that_died_stay_and_what_it_kept_is_gone():
    members, totals = crew(5, 7)
    totals.bury(members[0])
    assert members[0].beat is None
    members[0].beat = beat(2)
    totals.bury(members[0])
    totals.bury(members[0])
    members[0].beat = beat(1)
    found = totals.figures()
    assert found["xensor_capture_packets_total"] == {("eth1",): 5 + 2 + 1 + 7}
    assert found["xensor_flows_active"] == {(): 1 + 7}
    assert found["xensor_worker_packets_total"] == {("0",): 8, ("1",): 7}
    flow = totals.stats(SimpleNamespace(alerts=0))["flow"]
    assert flow == {"active": 8, "memuse": 56, "total": 15}
    assert len(totals.parts()) == 3
    assert totals.parts()[0].suspended == [(1, 2), (1, 5)]


def test_a_worker_that_has_ended_in_order_keeps_its_last_word():
    members, totals = crew(5, 7)
    members[0].beat = beat(6, final=True)
    totals.bury(members[0])
    assert totals.packets == 13


def test_evidence_is_told_as_one():
    members, totals = crew(5, 7)
    evidence = SimpleNamespace(counters=EvidenceCounters(), remembered=0)
    totals.tell(evidence)
    assert (evidence.counters.cut, evidence.remembered) == (2, 200)
    totals.bury(members[0])
    totals.tell(evidence)
    assert (evidence.counters.cut, evidence.remembered) == (2, 100)


def test_the_control_socket_is_told_of_interfaces():
    _, totals = crew(5, 7)
    sight = totals.sight(["eth1"], lambda: 9)
    assert sight.interfaces() == ["eth1"]
    assert sight.interface("eth2") is None
    found = sight.interface("eth1")
    assert (found["invalid-checksums"], found["present"]) == (6, True)
    assert (sight.rules(), sight.mode) == (9, "workers")


@pytest.mark.parametrize("workers", [1, 2, 3, 8, 64])
def test_workers_together_have_no_more_than_is_allowed(workers):
    whole = Settings()
    each = divided(whole, workers)
    assert each.flow.max_flows * workers <= max(whole.flow.max_flows, 1024 * workers)
    for part in ("flow", "defrag", "journal", "app"):
        assert getattr(each, part).memcap * workers <= getattr(whole, part).memcap
    assert each.file_store.memory * workers <= whole.file_store.memory
    assert each.evidence.before * workers <= whole.evidence.before
    assert each.eve == whole.eve
    if workers == 1:
        assert each is whole


@pytest.mark.parametrize(("workers", "kib"), [(1, 1024), (2, 512), (3, 512), (4, 512), (64, 512)])
def test_blocks_of_a_ring_are_halved_once(workers, kib):
    size = ring_block(RingOptions().block_size, workers)
    assert size == kib << 10
    assert RingOptions(block_size=size)
