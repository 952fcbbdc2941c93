"""Flows that are left half-way, each with as much in the sensor's memory as it may hold."""

import sys
from pathlib import Path

import forgekit as forge
import pytest
from enginekit import run, settings_of
from forgekit import Flow, stamp

from sensor.engine.walk import Walk
from sensor.proto.limits_memory import AppLimits

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the parsers' tests

import hoards

LIMIT = 1 << 20
MSS = 8000
"""Segments of a guest's virtual card are larger than those of a wire."""
PORTS = {"http": 80, "http2": 80, "smb": 445, "smtp": 25, "pgsql": 5432, "nfs": 2049, "ftp": 21, "dcerpc": 135}
COUNTS = {
    "http body": 15, "http waiting": 3, "http bombs": 3, "http ranges": 8, "http2 bodies": 3, "http2 fields": 3,
    "smb files": 3, "smb names": 3, "smtp files": 4, "pgsql": 3, "nfs compounds": 3, "dcerpc calls": 6,
}  # fmt: skip
"""Hoard → flows, more than there is room for."""


def half_way(name, count):
    """Return flows that have said all of a hoard, and then nothing."""
    proto, make = hoards.TALKS[name]
    talk = make()
    flows = [Flow(sport=20_000 + n, dport=PORTS[proto]).open() for n in range(count)]
    for flow in flows:
        for side, data in talk:
            flow.send(side, data, mss=MSS)
    return flows


@pytest.fixture
def held(monkeypatch):
    """Return a list of what parsers held after each block."""
    found, run_block = [], Walk.run

    def watched(walk, work):
        run_block(walk, work)
        found.append(walk.apps.memory.held)

    monkeypatch.setattr(Walk, "run", watched)
    return found


def small(limit=LIMIT):
    return settings_of(app=AppLimits(memcap=limit))


@pytest.mark.parametrize("name", COUNTS)
def test_the_sum_over_flows_is_bounded_and_an_attack_behind_it_is_found(name, held):
    count = COUNTS[name]
    attack = Flow(sport=41_000).open().send(0, forge.request("/evil/path", headers=("X-Attack: yes",)))
    attack.send(0, b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 71\r\n\r\n" + b"x" * 60 + b"body-needle")
    frames = [frame for flow in (*half_way(name, count), attack) for _, frame in flow.frames()]
    outcome = run(stamp(frames), settings=small(), block=64)
    pipeline = outcome.pipeline
    assert max(held) <= LIMIT
    assert 0 < pipeline.walk.apps.counters.memcap <= count
    assert pipeline.app_memory.held == 0
    assert {60, 63, 65} <= set(outcome.sids)


def test_without_so_small_a_cap_none_gives_way():
    frames = [frame for flow in half_way("http waiting", 3) for _, frame in flow.frames()]
    pipeline = run(stamp(frames), settings=settings_of()).pipeline
    assert pipeline.walk.apps.counters.memcap == 0
    assert pipeline.app_memory.held == 0


def test_what_is_pending_in_a_flow_that_gives_way_is_judged():
    """The body of the first flow is never complete: it is judged when those of others come."""
    first = Flow(sport=19_999).open()
    first.send(0, b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nbody-needle" + bytes(50_000))
    frames = stamp([frame for flow in (first, *half_way("http body", 15)) for _, frame in flow.frames()])
    found = run(frames, settings=small(), block=64).of("alert")
    (alert,) = (one for one in found if one["alert"]["signature_id"] == 65)
    assert alert["src_port"] == 19_999
    assert found.index(alert) < len(found) - 1, "others that end with the capture are told behind it"


def test_those_that_go_on_speaking_stay():
    talker = Flow(sport=19_999).open()
    talker.send(0, b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 60011\r\n\r\n" + bytes(40_000), mss=MSS)
    turns = []
    for flow in half_way("http body", 20):
        turns += talker.packets + flow.packets
        talker.packets.clear()
        talker.send(0, bytes(1000))
    talker.send(0, b"body-needle").send(1, forge.response())
    frames = stamp([forge.ether(packet, back=side == 1) for side, packet in turns + talker.packets])
    outcome = run(frames, settings=small(), block=64)
    assert outcome.pipeline.walk.apps.counters.memcap > 0
    assert outcome.sids.count(65) == 1
