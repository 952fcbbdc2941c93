import pytest
from rulekit import rule

from sensor.rules.selftest import checks

LOCAL, PEER = bytes((10, 11, 0, 2)), bytes((10, 11, 0, 3))


def make(head, example="{match: true, payload: abc}"):
    return checks(rule(f"- {{id: 1, {head}, examples: [{example}]}}"))


def test_a_payload_becomes_a_flow_that_satisfies_the_header():
    (check,) = make("protocol: tcp, source: 192.168.7.0/24, destination-port: [8081, 9000]")
    flow = check.flow
    assert (flow.transport, flow.client, flow.server) == (6, bytes((192, 168, 7, 0)), PEER)
    assert (flow.server_port, flow.payload, flow.side, check.number) == (8081, b"abc", "to_server", 1)


def test_the_server_s_payload_goes_the_other_way():
    (check,) = make(
        "protocol: http, source: 10.9.9.9, source-port: 8080", "{match: true, payload: abc, side: to_client}"
    )
    flow = check.flow
    assert (flow.server, flow.client, flow.server_port) == (bytes((10, 9, 9, 9)), LOCAL, 8080)


@pytest.mark.parametrize(
    ("protocol", "transport", "port"), [("udp", 17, 80), ("dns", 6, 53), ("dhcp", 17, 67), ("ip", 6, 80)]
)
def test_transport_and_port_follow_the_protocol(protocol, transport, port):
    (check,) = make(f"protocol: {protocol}")
    assert (check.flow.transport, check.flow.server_port) == (transport, port)


def test_exclusions_and_ipv6():
    (check,) = make("protocol: tcp, source: '!10.0.0.0/8', destination: '!10.0.0.0/8', destination-port: '!0:80'")
    assert check.flow.client == bytes((11, 0, 0, 0))
    assert check.flow.server_port > 80
    (check,) = make("protocol: tcp, source: '2001:db8::/32', destination: '2001:db8::/32'")
    assert len(check.flow.client) == len(check.flow.server) == 16


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("protocol: tcp, source: '2001:db8::/32', destination: 10.0.0.1", "both IPv4 or both IPv6"),
        ("protocol: icmp", "cannot be forged for protocol icmp"),
        ("protocol: tcp, source: '!any'", "can never match"),
    ],
)
def test_what_cannot_be_forged_is_refused(head, reason):
    (check,) = make(head)
    assert reason in check.refused
    assert check.flow is None


def test_captures_and_counts_are_kept():
    (check,) = make("protocol: tcp", "{match: false, pcap: a.pcap, count: 3, note: n}")
    assert (check.pcap, check.match, check.count, check.note, check.flow) == ("a.pcap", False, 3, "n", None)
