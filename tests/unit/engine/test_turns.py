"""Protocols of questions and answers: what rules look for in the stream counts from the beginning of a message."""

import random

import numpy as np
import pytest
from enginekit import difference, load, run
from forgekit import Flow

from sensor.engine.block.history import AppChanges
from sensor.engine.block.turns import Turns
from sensor.model.rows import APP_UNDECIDED, FLOW, SEG, SEG_DATA
from sensor.proto.ids import DCERPC, DNS, HTTP, SSH

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NOTHING = AppChanges()


def taken(parts, app=HTTP, turns=None, changes=NOTHING):
    """Return (origins, messages) of segments: (side, offset, bytes); one flow."""
    turns = turns or Turns()
    segs, flows = np.zeros(len(parts), SEG), np.zeros(1, FLOW)
    flows["app"], segs["kind"] = app, SEG_DATA
    segs["side"], segs["pos"] = [side for side, _, _ in parts], [pos for _, pos, _ in parts]
    segs["len"], segs["row"] = [len(data) for _, _, data in parts], np.arange(len(parts))
    data = b"".join(data for _, _, data in parts)
    at = np.cumsum([0, *segs["len"]])[:-1].astype(np.int64)
    messages = turns.take(segs, at, np.frombuffer(data, np.uint8), flows, changes)
    return messages.origins.tolist(), messages


def test_a_message_begins_where_the_other_side_has_spoken():
    origins, messages = taken(
        [(0, 0, b"GET /"), (0, 5, b"more"), (1, 0, ANSWER), (0, 9, b"POST"), (0, 13, b"body"), (1, 40, ANSWER)]
    )
    assert origins == [0, 0, 0, 9, 9, 40]
    assert messages.several
    assert messages.latest.tolist() == [9, 40]


@pytest.mark.parametrize(("app", "question", "begins"), [
    (HTTP, b"get /x", 9), (HTTP, b"\x16\x03\x01", 0), (DNS, b"\0\x20", 9), (DCERPC, b"\5\0\0", 9),
    (DCERPC, b"\1\2", 0), (SSH, b"GET /", 0), (APP_UNDECIDED, b"GET /", 0),
])  # fmt: skip
def test_only_what_begins_as_one_is_a_message(app, question, begins):
    parts = [(0, 0, b"123456789"), (1, 0, ANSWER if app == HTTP else question), (0, 9, question)]
    assert taken(parts, app)[0] == [0, 0, begins]


@pytest.mark.parametrize(("said", "begins"), [
    (b"HTTP/1.1 100 Continue\r\n\r\n", 0), (b"HTTP/1.1 200", 9), (b"HTTP/1.1 ", 9), (b"HT", 9), (b"<html>", 0),
])  # fmt: skip
def test_behind_an_interim_response_a_request_goes_on(said, begins):
    assert taken([(0, 0, b"POST / ..."), (1, 0, said), (0, 9, b"a=b")])[0] == [0, 0, begins]


@pytest.mark.parametrize(("kind", "begins"), [
    *((kind, [0, 0, 16, 16, 32]) for kind in (0, 2, 11, 12, 14, 15)),
    *((kind, [0, 0, 0, 0, 0]) for kind in (3, 9, 13, 16, 17, 18, 19, 20)),
])  # fmt: skip
@pytest.mark.parametrize("side", [0, 1])
def test_dcerpc_has_no_messages_behind_what_ends_its_reading(kind, begins, side):
    call, odd = (b"\5\0" + bytes([kind]) + b"\3\x10\0\0\0\x10\0\0\0\1\0\0\0" for kind in (0, kind))
    asked, answered = (odd, call) if side == 0 else (call, odd)
    parts = [(0, 0, asked), (1, 0, answered), (0, 16, call), (1, 16, call), (0, 32, call)]
    turns = Turns()
    assert taken(parts, DCERPC, turns)[0] == begins
    turns.forget(np.zeros(1, np.int32))
    assert taken([(0, 0, call), (1, 0, call), (0, 16, call)], DCERPC, turns)[0] == [0, 0, 16]


def test_a_stretch_ends_with_the_segment_that_makes_it_long_enough():
    sizes = (1400, 1160, 10, 2000, 2000, 5000, 1)
    places = np.cumsum([0, *sizes])[:-1].tolist()
    parts = [(0, pos, bytes(size)) for pos, size in zip(places, sizes, strict=True)]
    turns = Turns()
    _, first = taken(parts[:4], SSH, turns)
    _, second = taken(parts[4:], SSH, turns)
    assert first.stretches.tolist() + second.stretches.tolist() == [0, 0, 2560, 2560, 2560, 6570, 11570]


def test_a_message_begins_a_stretch():
    _, messages = taken([(0, 0, b"GET /"), (1, 0, ANSWER), (0, 5, b"GET /" + bytes(3000)), (0, 3010, b"more")])
    assert messages.stretches.tolist() == [0, 0, 5, 3010]


def test_what_a_flow_speaks_counts_when_a_segment_comes():
    parts = [(0, 0, b"GET /"), (1, 0, ANSWER), (0, 5, b"GET /"), (1, 40, ANSWER)]
    told = AppChanges(np.zeros(1, np.int32), np.array([3], np.int32), np.zeros(1, np.uint8))
    assert taken(parts, changes=told)[0] == [0, 0, 0, 40]


def test_an_ended_flow_leaves_nothing():
    turns = Turns()
    taken([(0, 0, b"GET /"), (1, 0, ANSWER), (0, 5, b"GET /")], turns=turns)
    turns.forget(np.zeros(1, np.int32))
    assert taken([(0, 0, b"GET /")], turns=turns)[0] == [0]


def test_reach_is_of_a_message():
    turns = Turns()
    taken([(0, 0, b"GET /"), (1, 0, ANSWER), (0, 100, b"GET /")], turns=turns)
    _, messages = taken([(0, 105, bytes(50)), (1, 40, ANSWER), (0, 900, b"GET /")], turns=turns)

    def reached(side, pos, last):
        return messages.reached(np.array([side]), np.array([pos]), np.array([last]), 10).tolist()[0]

    assert [reached(0, pos, 4) for pos in (105, 889, 890, 900, 904, 905)] == [False, False, True, True, True, False]
    assert reached(0, 105, 5)
    assert reached(0, 880, -1)
    assert [reached(1, pos, 0) for pos in (40, 41)] == [True, False]


def alerts(tmp_path, frames, *options):
    """Return (rule, packet) of all alerts, the same with triage and without, in any blocks."""
    path = tmp_path / "some.rules"
    head = 'alert tcp any any -> any any (msg:"x"; flow:only_stream;'
    path.write_text("".join(f"{head} {one} sid:{n};)\n" for n, one in enumerate(options, 1)))
    rules = load(path)
    outcome = run(frames, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}, {"block": 7}):
        assert not difference(outcome, run(frames, rules, types=("alert",), **other))
    return [(event["alert"]["signature_id"], event.get("pcap_cnt")) for event in outcome.of("alert")]


def test_places_count_from_the_request_at_hand(tmp_path):
    flow = Flow().open()
    for n in range(3):
        flow.send(0, b"GET /a%d HTTP/1.1\r\nHost: x\r\n\r\n" % n, cuts=(10,)).send(1, ANSWER, cuts=(10,))
    found = alerts(
        tmp_path, flow.frames(), 'content:"GET /a1 HTTP"; depth:12;', 'content:"/a2 HTTP"; offset:4; depth:8;',
        'pcre:"/^GET .a2 HTTP/";', 'content:"200"; offset:9; depth:3;', 'content:"GET"; content:"a1"; distance:0;',
        'content:"G"; depth:1; content:"2"; offset:6; depth:1;', 'content:"/a0"; content:"/a1";',
        'content:"hello"; isdataat:1,relative;',
    )  # fmt: skip
    assert sorted(found) == [(1, 11), (2, 17), (3, 17), (4, 8), (4, 14), (4, 20), (5, 10), (6, 16)]


def test_a_rule_alerts_once_a_stretch(tmp_path):
    """Calls of 2,060 bytes behind the end of a logon: of two of them one alerts, in Suricata as well."""
    logon, call = b"\5\0\x10\3\x10\0\0\0\x10\0\0\0\1\0\0\0", b"\5\0\0\3" + bytes(996) + b"needle" + bytes(1054)
    flow = Flow(dport=135).open()
    flow.send(0, b"\5\0\x0b\3\x10\0\0\0\x10\0\0\0\1\0\0\0").send(1, b"\5\0\x0c\3" + bytes(60)).send(0, logon)
    for _ in range(6):
        flow.send(0, call, mss=3000).send(1, b"\5\0\2\3" + bytes(60))
    assert [number for _, number in alerts(tmp_path, flow.frames(), 'content:"needle";')] == [10, 18, 26]


def test_triage_finds_what_is_there_in_any_traffic(tmp_path):
    rng = random.Random(7)
    flow = Flow().open()
    for n in range(12):
        flow.lose(1, 3 if n == 9 else 0)
        target = rng.choice([b"/secret", b"/other", b"/x?secret=1", b"/" + b"y" * 300 + b"secret"])
        flow.send(0, rng.choice([b"GET ", b"POST "]) + target + b" HTTP/1.1\r\nHost: secret\r\n\r\n",
                  cuts=(rng.randrange(1, 30), rng.randrange(30, 60)))  # fmt: skip
        flow.send(1, ANSWER if rng.random() < 0.8 else b"HTTP/1.1 100 Continue\r\n\r\n", cuts=(rng.randrange(1, 30),))
    found = alerts(
        tmp_path, flow.frames(), 'content:"secret"; offset:5; depth:8;', 'content:"GET"; depth:3; content:"x?secret";',
        'content:"/se"; depth:8;', 'pcre:"/^POST .other/";', 'content:"secret"; content:!"POST"; depth:4;',
        'content:"|20|"; offset:3; depth:1; content:"Host: secret"; distance:0;',
        'byte_test:1,=,80,0; content:"secret";', 'content:"secret"; isdataat:!40;',
    )  # fmt: skip
    assert {sid for sid, _ in found} >= {1, 2, 3, 4, 6, 7}
