"""What stands again and again in a stream: of a protocol that nobody knows it alerts once a stretch, as in Suricata."""

from enginekit import difference, rules_of, run
from forgekit import Flow

RULE = "- {id: 1, title: x, protocol: tcp-stream, match: [{content: a secret}]}\n"
SECRET = b"a secret word"


def alerts(tmp_path, flow, rule=RULE):
    rules, frames = rules_of(rule, tmp_path), flow.frames()
    outcome = run(frames, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(frames, rules, types=("alert",), **other))
    return [event["pcap_cnt"] for event in outcome.of("alert")]


def test_each_side_alerts_once(tmp_path):
    flow = Flow(dport=9999).open()
    for _ in range(3):
        flow.send(0, SECRET).send(1, SECRET)
    assert alerts(tmp_path, flow) == [4, 6]


def test_the_next_stretch_is_another(tmp_path):
    flow = Flow(dport=9999).open().send(0, SECRET).send(0, bytes(1400)).send(0, SECRET).send(0, bytes(1400))
    assert alerts(tmp_path, flow.send(0, SECRET).send(0, SECRET)) == [4, 12]


def test_without_its_start_each_packet_counts(tmp_path):
    flow = Flow(dport=9999)
    for _ in range(3):
        flow.send(0, SECRET).send(1, SECRET)
    assert alerts(tmp_path, flow) == [1, 3, 5, 7, 9, 11]


def test_what_must_be_absent_is_not_found_in_nothing(tmp_path):
    rule = "- {id: 1, title: x, protocol: tcp-stream, match: [{content: a}, {not: {content: b}}]}\n"
    flow = Flow(dport=9999).open().send(0, SECRET).send(0, b"other")
    assert len(alerts(tmp_path, flow, rule)) == 1


def test_a_protocol_that_is_known_has_messages(tmp_path):
    flow = Flow(dport=80).open()
    for _ in range(2):
        flow.send(0, b"GET /a%20secret HTTP/1.1\r\nHost: a secret\r\n\r\n").send(1, b"HTTP/1.1 204 x\r\n\r\n")
    assert alerts(tmp_path, flow) == [4, 8]
