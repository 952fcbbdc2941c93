"""Rules of Suricata that ask for a protocol and nothing else: they alert once for each side of a flow."""

import pytest
from enginekit import difference, load, run
from forgekit import Flow, ether, stamp

REQUEST = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
QUESTION = bytes.fromhex("000101000001000000000000") + b"\x04good\x00\x00\x01\x00\x01"


def numbers(tmp_path, traffic, options, proto="ip"):
    """Return the packets at which a rule alerts, the same with triage and without, in any blocks."""
    path = tmp_path / f"{abs(hash((options, proto)))}.rules"
    path.write_text(f'alert {proto} any any -> any any (msg:"x"; {options} sid:1;)\n')
    rules = load(path)
    outcome = run(traffic, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(traffic, rules, types=("alert",), **other))
    return [event["pcap_cnt"] for event in outcome.of("alert") if "pcap_cnt" in event]


@pytest.fixture
def conversation():
    flow = Flow().open()
    for _ in range(3):
        flow = flow.send(0, REQUEST).send(1, ANSWER)
    return flow.frames()


def test_once_a_side_behind_the_answer_to_its_bytes(tmp_path, conversation):
    assert numbers(tmp_path, conversation, "app-layer-protocol:http;") == [7, 9]
    assert numbers(tmp_path, conversation, "app-layer-protocol:http; flow:to_server;") == [7]
    assert numbers(tmp_path, conversation, "app-layer-protocol:!smb; flow:to_client;", "tcp") == [9]
    assert numbers(tmp_path, conversation, "app-layer-protocol:http; flowbits:set,seen;") == [7, 9]
    assert numbers(tmp_path, conversation, "app-layer-protocol:!http;") == []


def test_whatever_else_is_asked_for_makes_it_a_rule_on_packets(tmp_path, conversation):
    assert numbers(tmp_path, conversation, "app-layer-protocol:http; flow:established;") == list(range(7, 16))
    assert numbers(tmp_path, conversation, "app-layer-protocol:!smb; dsize:>0;", "tcp") == [8, 10, 12, 14]
    assert numbers(tmp_path, conversation, "flow:to_server;", "http") == [7, 8, 11, 12, 15]


@pytest.mark.parametrize(
    ("client", "server", "http", "other"),
    [
        (REQUEST, ANSWER, [7, 9], []),
        (REQUEST.replace(b"GET", b"NOTIFY"), ANSWER, [9], [7]),
        (b"\r\n" + REQUEST, ANSWER, [9], [7]),
        (b"?" * 24, ANSWER, [9], []),
        (b"?" * 25, ANSWER, [9], [7]),
        (REQUEST, b"?" * 8, [7], []),
        (REQUEST, b"?" * 9, [7], [9]),
        (REQUEST, b"\n" + ANSWER, [7], [9]),
    ],
)
def test_each_side_speaks_by_itself(tmp_path, client, server, http, other):
    frames = Flow().open().send(0, client).send(1, server).close().frames()
    assert numbers(tmp_path, frames, "app-layer-protocol:http;") == http
    assert numbers(tmp_path, frames, "app-layer-protocol:!http;", "tcp") == other
    assert numbers(tmp_path, frames, "app-layer-protocol:failed;", "tcp") == other


@pytest.mark.parametrize(("port", "client", "server", "known"), [
    (9, 16, 9, False), (9, 17, 9, True), (9, 17, 8, False), (80, 24, 9, False), (80, 25, 9, True), (445, 31, 40, False),
    (445, 40, 40, True), (9, 60, 0, False),
])  # fmt: skip
def test_a_connection_is_of_no_known_protocol_once_both_sides_have_said_enough(tmp_path, port, client, server, known):
    frames = Flow(dport=port).open().send(0, b"?" * client).send(1, b"?" * server).close().frames()
    found = numbers(tmp_path, frames, "app-layer-protocol:failed;", "tcp")
    assert found == ([7, 9] if known else [])
    assert found == numbers(tmp_path, frames, "app-layer-protocol:!smb;", "tcp")


def test_a_reset_is_no_answer(tmp_path):
    flow = Flow().open()
    flow.segment(0, 0x18, REQUEST)
    flow.segment(1, 0x04)
    flow.segment(0)
    assert numbers(tmp_path, flow.frames(), "app-layer-protocol:http;") == []


def test_the_protocol_of_the_header_holds_beside_that_of_the_option(tmp_path):
    asked = Flow(dport=53).datagram(0, QUESTION)
    over_tcp = Flow(sport=41000, dport=53).open().send(0, len(QUESTION).to_bytes(2, "big") + QUESTION).close()
    called = Flow(sport=42000, dport=5060).datagram(0, b"OPTIONS sip:a@b SIP/2.0\r\n\r\n")
    frames = stamp([ether(packet) for flow in (asked, over_tcp, called) for _, packet in flow.packets])
    assert numbers(tmp_path, frames, "app-layer-protocol:dns;", "udp") == [1]
    assert 1 not in numbers(tmp_path, frames, "app-layer-protocol:dns;", "tcp") != []
    assert numbers(tmp_path, frames, 'app-layer-protocol:dns; dns.query; content:"good";', "udp") == [1]
    assert numbers(tmp_path, frames, "app-layer-protocol:sip;", "tcp") == []


def test_two_datagrams_of_a_side(tmp_path):
    frames = Flow(dport=53).datagram(0, QUESTION).datagram(0, QUESTION).datagram(0, QUESTION).frames()
    assert numbers(tmp_path, frames, "app-layer-protocol:dns;") == [1, 2]
    frames = Flow(dport=9).datagram(0, b"?").datagram(0, b"?").datagram(0, b"?").datagram(1, b"?").frames()
    assert numbers(tmp_path, frames, "app-layer-protocol:failed;") == [1, 2, 4]
    assert numbers(tmp_path, frames, "app-layer-protocol:!dns;", "udp") == [1, 2, 4]
    frames = Flow(dport=9).datagram(0, b"").datagram(0, b"?").datagram(0, b"?").datagram(1, b"").frames()
    assert numbers(tmp_path, frames, "app-layer-protocol:failed;") == [1, 2, 4]


@pytest.mark.parametrize(("order", "found"), [
    ("cccc", [1, 2]), ("csccss", [1, 2, 3, 5]), ("cccsc", [1, 2, 4, 5]), ("ccssccss", [1, 2, 3, 4, 5]),
    ("ccscs", [1, 2, 3, 4, 5]), ("ccccsss", [1, 2, 5, 6]),
])  # fmt: skip
def test_datagrams_of_a_side(tmp_path, order, found):
    flow = Flow(dport=53)
    for side in order:
        flow = flow.datagram(side == "s", QUESTION)
    assert numbers(tmp_path, flow.frames(), "app-layer-protocol:dns;") == found
