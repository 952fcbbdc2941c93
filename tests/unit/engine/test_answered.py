"""Rules on packets of a protocol: they hold once the other side has answered to the bytes that tell it."""

from collections import Counter

import numpy as np
import pytest
from enginekit import difference, rules_of, run
from forgekit import ACK, FIN, RST, SYN, Flow

from sensor.engine.block.history import AppChanges
from sensor.engine.protodetect.answered import Answers
from sensor.model.rows import APP_UNDECIDED, FLOW, new_rows

REQUEST = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"


def numbers(tmp_path, traffic, rule="protocol: http"):
    """Return the packets at which a rule alerts, the same with triage and without, in any blocks."""
    rules = rules_of(f"- {{id: 1, title: x, {rule}}}\n", tmp_path)
    outcome = run(traffic, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(traffic, rules, types=("alert",), **other))
    return [event["pcap_cnt"] for event in outcome.of("alert") if "pcap_cnt" in event]


def test_from_the_answer_on(tmp_path):
    frames = Flow().open().send(0, REQUEST, cuts=(10, 20)).send(1, ANSWER).frames()
    assert numbers(tmp_path, frames) == [7, 8, 9]
    assert numbers(tmp_path, frames, "protocol: http, flow: to_server") == [9]
    assert numbers(tmp_path, frames, "protocol: http, match: [{payload.size: 10}]") == []


def test_what_a_greeting_tells_waits_for_the_client_and_its_answer(tmp_path):
    flow = Flow(dport=25).open().send(1, b"220 mail ESMTP\r\n").send(0, b"EHLO x\r\n").send(1, b"250 ok\r\n")
    assert numbers(tmp_path, flow.close().frames(), "protocol: smtp, match: [{payload.size: '>0'}]") == [8]
    assert numbers(tmp_path, flow.frames(), "protocol: smtp")[:3] == [7, 8, 9]


def test_streams_and_transactions_do_not_wait(tmp_path):
    frames = Flow().open().send(0, REQUEST).frames()
    assert numbers(tmp_path, frames, "protocol: http, match: [{http.uri: /page}]") == [4]
    assert numbers(tmp_path, frames, "protocol: http, match: [{stream: {content: /page}}]") == [4]


def test_data_with_the_syn_are_answered_behind_the_handshake(tmp_path):
    flow = Flow().segment(0, SYN, REQUEST).segment(1, SYN | ACK).segment(0).send(1, ANSWER)
    assert numbers(tmp_path, flow.frames()) == [4, 5]


def test_half_of_a_connection_does_not_wait(tmp_path):
    flow = Flow().open().send(0, REQUEST).send(1, ANSWER).send(0, REQUEST)
    half = [frame for frame, (side, _) in zip(flow.frames(), flow.packets, strict=True) if side == 0]
    assert numbers(tmp_path, half) == [3, 4, 5]


def test_a_connection_whose_start_is_missing(tmp_path):
    flow = Flow().segment(1).send(0, REQUEST).send(1, ANSWER)
    assert numbers(tmp_path, flow.frames()) == [3, 4, 5]


def test_datagrams_do_not_wait(tmp_path):
    question = bytes.fromhex("000101000001000000000000") + b"\x04good\x00\x00\x01\x00\x01"
    flow = Flow(dport=53).datagram(0, question).datagram(0, question)
    assert numbers(tmp_path, flow.frames(), "protocol: dns, match: [{payload.size: '>0'}]") == [1, 2]


def rows_of(*packets):
    """Return rows of (slot, side) or (slot, side, flags)."""
    rows = new_rows(len(packets))
    for row, (slot, side, *flags) in zip(rows, packets, strict=True):
        row["flow"], row["side"], row["tcpflags"] = slot, side, flags[0] if flags else ACK
    return rows


def decided(*pairs):
    slots, rows = np.array(pairs, np.int32).reshape(-1, 2).T
    return AppChanges(slots, rows, np.full(slots.size, APP_UNDECIDED, np.uint8))


def until(answers, changes, rows, flows):
    found = answers.take(changes, rows, flows)
    return dict(zip(found.slots.tolist(), found.rows.tolist(), strict=True))


def flows_of(slots, packets=9):
    flows = np.zeros(slots, FLOW)
    flows["pkts"] = packets
    return flows


def test_many_flows_in_one_block():
    answers, flows = Answers(8), flows_of(8)
    rows = rows_of((5, 0), (2, 0), (2, 1), (-1, 0), (5, 0), (7, 1), (5, 1), (7, 1), (5, 1), (2, 0))
    assert until(answers, decided((5, 0), (2, 1), (7, 5)), rows, flows) == {2: 2, 5: 6, 7: 10}
    assert until(answers, decided(), rows_of((7, 1), (1, 0)), flows) == {7: 2}
    assert until(answers, decided(), rows_of((1, 0)), flows) == {}
    assert until(answers, decided(), rows_of((7, 1), (7, 0), (7, 1)), flows) == {7: 1}
    assert until(answers, decided(), rows_of((7, 1)), flows) == {}


def test_an_answer_before_the_decision_is_none():
    assert until(Answers(2), decided((1, 1)), rows_of((1, 1), (1, 0), (1, 0)), flows_of(2)) == {1: 3}


def test_ended_flows_do_not_wait():
    answers, flows = Answers(2), flows_of(2)
    until(answers, decided((1, 0)), rows_of((1, 0)), flows)
    answers.forget(np.array([1]))
    assert until(answers, decided(), rows_of((1, 0)), flows) == {}


def test_the_flow_table_may_grow():
    answers = Answers(2)
    until(answers, decided((1, 0)), rows_of((1, 0)), flows_of(2))
    assert until(answers, decided((3, 0)), rows_of((3, 0), (1, 1)), flows_of(4)) == {1: 1, 3: 2}


@pytest.mark.parametrize(("flags", "waits"), [(ACK, {}), (SYN, {0: 1})])
def test_whoever_was_never_heard_will_answer_a_syn_only(flags, waits):
    assert until(Answers(1), decided((0, 0)), rows_of((0, 0, flags)), flows_of(1, packets=0)) == waits


def test_what_was_decided_at_the_end_of_the_input_has_no_row():
    assert until(Answers(1), decided((0, -1)), rows_of(), flows_of(1)) == {}


def ends(tmp_path, flow, rule="protocol: http"):
    """Return (packet or None, source port) of each alert."""
    rules = rules_of(f"- {{id: 1, title: x, {rule}}}\n", tmp_path)
    outcome = run(flow.frames(), rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}):
        assert not difference(outcome, run(flow.frames(), rules, types=("alert",), **other))
    return [(event.get("pcap_cnt"), event["src_port"]) for event in outcome.of("alert")]


def test_what_is_never_answered_is_judged_at_the_end(tmp_path):
    flow = Flow().open().segment(0, ACK, REQUEST)
    assert ends(tmp_path, flow) == [(None, 40000), (None, 80)]
    assert ends(tmp_path, flow, "protocol: http, flow: to_client") == [(None, 80)]
    assert ends(tmp_path, flow, "protocol: http, source-port: 40000") == [(None, 40000)]
    for state in ("established", "not_established"):
        assert ends(tmp_path, flow, f"protocol: http, flow: {state}") == []
    held = ends(tmp_path, flow, "protocol: http, flow: established, match: [{http.uri: /page}]")
    assert held == [(4, 40000)]


def test_a_connection_that_stays_open_is_judged_once_more(tmp_path):
    assert ends(tmp_path, Flow().open().send(0, REQUEST)) == [(5, 80), (None, 40000), (None, 80)]


@pytest.mark.parametrize("last", [FIN | ACK, RST | ACK])
def test_a_closed_connection_is_not(tmp_path, last):
    flow = Flow().open().send(0, REQUEST)
    flow = flow.close() if last & FIN else flow.segment(1, last)
    assert (None, 80) not in ends(tmp_path, flow)


@pytest.mark.parametrize("last", [FIN | ACK, RST | ACK])
def test_some_protocols_are_never_done_with(tmp_path, last):
    def closed(flow):
        return flow.close() if last & FIN else flow.segment(1, last)

    banners = Flow(dport=22).open().send(0, b"SSH-2.0-a\r\n").send(1, b"SSH-2.0-b\r\n")
    assert ends(tmp_path, closed(banners), "protocol: ssh")[-2:] == [(None, 40000), (None, 22)]
    message = bytes.fromhex("16030100300100002c0303") + bytes(33) + bytes.fromhex("0002002f0100000000")
    hello = Flow(dport=443).open().send(0, message)
    assert [port for number, port in ends(tmp_path, closed(hello), "protocol: tls") if number is None] == [443]


def test_the_end_is_no_packet(tmp_path):
    flow = Flow().open().send(0, REQUEST)
    for rule in ("match: [{payload.size: '<1000'}]", "match: [{tcp.flags: {any: SAPF}}]", "match: [{ip.ttl: '>0'}]"):
        assert None not in [number for number, _ in ends(tmp_path, flow, f"protocol: http, {rule}")]


def test_another_protocol_is_not_judged_at_the_end(tmp_path):
    flow = Flow().open().send(0, REQUEST)
    assert ends(tmp_path, flow, "protocol: tls") == ends(tmp_path, Flow().open().send(0, b"?" * 40)) == []


class Plain:
    """The same in plain words, packet by packet; `answered` is what `Answers.take` finds, in any order."""

    def __init__(self):
        self.waiting = {}
        """Flow → side that is to answer."""
        self.packets = Counter()

    def take(self, told, rows):
        """told: flow → row that told its protocol."""
        columns = list(zip(*(rows[name].tolist() for name in ("flow", "side", "tcpflags")), strict=True))
        before = Counter()
        for row, (slot, side, _) in enumerate(columns):
            self.packets[slot, side] += 1
            before[slot, side] += slot in told and row < told[slot]
        for slot, row in told.items():
            _, side, flags = columns[row]
            earlier = self.packets[slot, 1 - side] - sum(column[:2] == (slot, 1 - side) for column in columns)
            if earlier + before[slot, 1 - side] or flags & SYN:
                self.waiting[slot] = 1 - side
        found = {}
        for row, (slot, side, flags) in enumerate(columns):
            if slot in self.waiting and row >= told.get(slot, 0):
                found.setdefault(slot, rows.size)
                if side == self.waiting[slot] and not flags & SYN:
                    found[slot] = row
                    del self.waiting[slot]
        return found


@pytest.mark.parametrize("seed", range(150))
def test_the_kernel_finds_what_a_plain_reading_finds(seed):
    rng = np.random.default_rng(seed)
    slots, known = int(rng.integers(1, 6)), set()
    answers, plain, flows = Answers(slots), Plain(), np.zeros(slots, FLOW)
    for _ in range(4):
        n = int(rng.integers(0, 14))
        rows = new_rows(n)
        rows["flow"], rows["side"] = rng.integers(-1, slots, n), rng.integers(0, 2, n)
        rows["tcpflags"] = rng.choice([ACK, SYN, SYN | ACK, ACK | FIN], n, p=[0.7, 0.1, 0.1, 0.1])
        for slot, side in zip(rows["flow"].tolist(), rows["side"].tolist(), strict=True):
            if slot >= 0:
                flows["pkts"][slot, side] += 1
        new = [slot for slot in range(slots) if slot in rows["flow"] and slot not in known and rng.random() < 0.5]
        told = {slot: int(rng.choice(np.flatnonzero(rows["flow"] == slot))) for slot in new}
        known |= set(new)
        decided = AppChanges(
            np.array([*told, *told], np.int32), np.array([*told.values(), *[-1] * len(told)], np.int32),
            np.zeros(2 * len(told), np.uint8),
        )  # fmt: skip
        found = answers.take(decided, rows, flows)
        assert dict(zip(found.slots.tolist(), found.rows.tolist(), strict=True)) == plain.take(told, rows)


@pytest.mark.parametrize(("talk", "proto", "sides"), [
    (((1, b"\xff\xfd\x18\xff\xfd\x20"), (0, b"\xff\xfb\x18"), (1, b"login: "), (0, b"bob\r\n")), "telnet", [1]),
    (((0, REQUEST), (1, ANSWER)), "http", []),
    (((1, b"SSH-2.0-x\r\n"), (0, b"SSH-2.0-y\r\n")), "ssh", [0, 1]),
])  # fmt: skip
def test_sides_with_which_suricata_is_never_done_are_judged_behind_a_close_too(tmp_path, talk, proto, sides):
    flow = Flow().open()
    for side, data in talk:
        flow = flow.send(side, data)
    frames = flow.close().frames()
    for side, way in enumerate(("to_server", "to_client")):
        rules = rules_of(f"- {{id: 1, title: x, protocol: {proto}, flow: {way}}}\n", tmp_path)
        alerts = run(frames, rules, types=("alert",)).of("alert")
        assert sum("pcap_cnt" not in alert for alert in alerts) == (side in sides)
