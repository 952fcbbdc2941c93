"""What pass rules take out of inspection, and rules that are judged once for each side of a flow."""

import forgekit as forge
import pytest
from enginekit import difference, rules_of, run
from forgekit import Flow

PROBES = """
- {id: 1, title: each packet, protocol: ip, match: [{ip.ttl: 64}]}
- {id: 2, title: transaction, protocol: http, flow: to_server, match: [{http.uri: /page}]}
- {id: 3, title: stream, protocol: tcp, match: [{content: xyzzy}]}
"""
REQUEST = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"


def frames(**ends):
    """SYN, SYN+ACK, ACK, request (4), ACK, answer (6), ACK, another request (8), ACK, FIN and what follows."""
    talk = Flow(dport=80, **ends).open().send(0, REQUEST).send(1, b"HTTP/1.1 200 OK\r\n\r\nxyzzy").send(0, REQUEST)
    return talk.close().frames()


def raised(tmp_path, rule, traffic=None, probes=PROBES):
    """Return rule → packets at which it alerts, the same with triage and without, in any blocks."""
    rules = rules_of(f"{probes}- {{id: 9, title: passes, {rule}}}\n", tmp_path)
    traffic = traffic or frames()
    outcome = run(traffic, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(traffic, rules, types=("alert",), **other))
    found = {}
    for event in outcome.of("alert"):
        found.setdefault(event["alert"]["signature_id"], []).append(event["pcap_cnt"])
    return found


def test_without_a_pass_rule_all_are_raised(tmp_path):
    found = raised(tmp_path, "protocol: udp, action: pass")
    assert found.pop(1) == list(range(1, len(frames()) + 1))
    assert found == {2: [4, 8], 3: [6]}


@pytest.mark.parametrize(
    "ends", ["", "source: 10.0.0.1", 'source: "!10.0.0.9"', "destination-port: 80", "match: [{ip.proto: 6}]"]
)
def test_a_rule_about_the_ends_passes_the_flow(tmp_path, ends):
    assert raised(tmp_path, f"protocol: tcp, action: pass, {ends or 'source: any'}") == {}


def test_a_rule_about_the_other_end_passes_from_its_first_packet_on(tmp_path):
    assert raised(tmp_path, "protocol: ip, action: pass, source: 10.0.0.2") == {1: [1]}


@pytest.mark.parametrize(
    "rule",
    [
        "protocol: http, flow: to_server, match: [{http.uri: /page}]",
        "protocol: tcp, flow: to_server, match: [{content: GET /page}]",
    ],
)
def test_a_rule_about_stream_or_transaction_passes_what_is_still_to_come(tmp_path, rule):
    assert raised(tmp_path, f"{rule}, action: pass") == {1: [1, 2, 3, 4]}


def test_a_rule_about_the_protocol_passes_the_flow_once_it_is_known(tmp_path):
    assert raised(tmp_path, "protocol: http, action: pass") == {1: [1, 2, 3]}


def test_a_rule_about_a_packet_passes_it_as_a_packet(tmp_path):
    found = raised(tmp_path, "protocol: tcp, match: [{tcp.flags: {all: P}}, {payload.size: 31}], action: pass")
    assert {4, 8} & set(found[1]) == set()
    assert found[2] == [4, 8]


def test_a_rule_about_the_state_of_a_flow_passes_the_packets_of_a_side(tmp_path):
    found = raised(tmp_path, "protocol: tcp, flow: [established, to_server], action: pass")
    assert {4, 8} & set(found[1]) == set()
    assert 6 in found[1]
    assert 2 not in found
    assert found[3] == [6]


def test_a_pass_rule_may_alert_too(tmp_path):
    found = raised(tmp_path, "protocol: http, flow: to_server, match: [{http.uri: /page}], action: pass, alert: true")
    assert found == {1: [1, 2, 3, 4], 9: [4]}


def test_other_flows_go_on(tmp_path):
    both = [*frames(), *frames(sport=41000)]
    found = raised(tmp_path, "protocol: tcp, source-port: 41000, action: pass", both)
    assert found.keys() == {1, 2, 3}
    assert max(found[1]) == len(frames())


def test_a_rule_about_a_message_passes_its_datagram(tmp_path):
    question = bytes.fromhex("000101000001000000000000") + b"\x04good\x00\x00\x01\x00\x01"
    probes = "- {id: 1, title: packet, protocol: udp, match: [{payload.size: '>0'}]}\n"
    rule = "protocol: dns, match: [{dns.query: good}], action: pass"
    flow = Flow(dport=53).datagram(0, question).datagram(0, question)
    assert raised(tmp_path, rule, flow.frames(), probes) == {}
    assert raised(tmp_path, rule.replace("good", "evil"), flow.frames(), probes) == {1: [1, 2]}


@pytest.mark.parametrize(
    ("rule", "packets"),
    [
        ("protocol: ip", [1, 2]),
        ("protocol: tcp, destination-port: 80", [1]),
        ("protocol: tcp, match: [{flowbits: {set: x}}, {hostbit: {action: set, name: y, track: by_src}}]", [1, 2]),
        ("protocol: ip, match: [{ip.version: 4}]", [1, 2]),
        ("protocol: ip, match: [{same_ip: false}]", list(range(1, len(frames()) + 1))),
        ("protocol: tcp, flow: to_client", [2, 5, 6, 9, 11]),
        ("protocol: tcp, source: '!10.0.0.1'", [2, 5, 6, 9, 11]),
    ],
)
def test_rules_about_ends_alone_are_judged_once_a_side(tmp_path, rule, packets):
    traffic = frames()
    assert raised(tmp_path, rule, traffic, "") == {9: packets}


def test_packets_without_flows_are_judged_one_by_one(tmp_path):
    gre = forge.ether(forge.ipv4(b"\x0a\0\0\1", b"\x0a\0\0\2", 47, bytes.fromhex("00000000") + bytes(8)))
    assert raised(tmp_path, "protocol: ip", forge.stamp([gre, gre, gre]), "") == {9: [1, 2, 3]}


def test_a_rate_filter_passes_packets_for_a_time(tmp_path):
    limit = "threshold: {type: rate_filter, track: by_rule, count: 3, seconds: 60, action: pass, timeout: 30}"
    first = f"- {{id: 8, title: many, protocol: ip, match: [{{ip.ttl: 64}}], {limit}}}\n"
    assert raised(tmp_path, "protocol: ip, match: [{ip.tos: 0}]", probes=first) == {8: [1, 2, 3], 9: [1, 2, 3]}


def test_a_rate_filter_gives_alerts_another_action(tmp_path):
    limit = "threshold: {type: rate_filter, track: by_rule, count: 3, seconds: 60, action: drop, timeout: 30}"
    rules = rules_of(f"- {{id: 8, title: many, protocol: ip, match: [{{ip.ttl: 64}}], {limit}}}\n", tmp_path)
    actions = [event["alert"].get("context") for event in run(frames(), rules, types=("alert",)).of("alert")]
    assert actions[:3] == [None] * 3
    assert set(map(str, actions[3:])) == {"{'rule_action': 'drop'}"}
