"""What `established` means for packets, and for the bytes that they carry."""

import pytest
from enginekit import difference, rules_of, run, settings_of
from forgekit import ACK, FIN, PSH, SYN, Flow

from sensor.flow.limits import FlowLimits

RULES = """
- {id: 1, title: packets, protocol: tcp, flow: established, match: [{tcp.flags: {any: A}}]}
- {id: 2, title: packets before, protocol: tcp, flow: not_established, match: [{tcp.flags: {any: SA}}]}
- {id: 3, title: bytes, protocol: tcp, flow: established, match: [{content: secret}]}
- {id: 4, title: a packet's bytes, protocol: tcp-pkt, flow: established, match: [{content: secret}]}
- {id: 5, title: datagrams, protocol: udp, flow: established, match: [{payload: [{content: word}]}]}
"""


def alerts(tmp_path, flow, midstream=False):
    rules, frames = rules_of(RULES, tmp_path), flow.frames()
    settings = settings_of(flow=FlowLimits(midstream=midstream))
    outcome = run(frames, rules, types=("alert",), settings=settings)
    for other in ({"triage": False}, {"block": 1}):
        assert not difference(outcome, run(frames, rules, types=("alert",), settings=settings, **other))
    return sorted((event["alert"]["signature_id"], event["pcap_cnt"]) for event in outcome.of("alert"))


def test_the_packet_that_completes_a_handshake_is_part_of_it_unless_it_carries_data(tmp_path):
    flow = Flow().segment(0, SYN).segment(1, SYN | ACK).segment(0, ACK).segment(0, PSH | ACK, b"a secret").segment(1)
    assert alerts(tmp_path, flow) == [(1, 4), (1, 5), (2, 1), (2, 2), (2, 3), (3, 4), (4, 4)]
    flow = Flow().segment(0, SYN).segment(1, SYN | ACK).segment(0, PSH | ACK, b"a secret").segment(1)
    assert alerts(tmp_path, flow) == [(1, 3), (1, 4), (2, 1), (2, 2), (3, 3), (4, 3)]


def test_the_bytes_of_a_handshake_that_ends_at_once_are_of_a_connection_and_its_packet_is_not(tmp_path):
    flow = Flow().segment(0, SYN).segment(1, SYN | ACK).segment(0, FIN | PSH | ACK, b"a secret").segment(1)
    assert alerts(tmp_path, flow) == [(1, 4), (2, 1), (2, 2), (2, 3), (3, 3)]


def test_the_bytes_of_a_syn_are_of_a_connection(tmp_path):
    flow = Flow().segment(0, SYN, b"a secret").segment(1, SYN | ACK).segment(1, PSH | ACK, b"the secret").segment(0)
    assert alerts(tmp_path, flow) == [(2, 1), (2, 2), (2, 3), (2, 4), (3, 1), (3, 3)]


@pytest.mark.parametrize("midstream", [True, False])
def test_data_of_a_syn_that_its_receiver_did_not_take_hides_nothing(tmp_path, midstream):
    flow = Flow().segment(0, SYN, b"innocent")
    flow.seqs[0] -= len(b"innocent")
    flow.segment(1, SYN | ACK).segment(0).segment(0, PSH | ACK, b"a secret").segment(1)
    found = alerts(tmp_path, flow, midstream)
    assert (3, 4) in found
    assert (4, 4) in found


@pytest.mark.parametrize("midstream", [True, False])
def test_a_connection_picked_up_is_established_from_its_second_packet_on(tmp_path, midstream):
    flow = Flow().segment(0, PSH | ACK, b"a secret").segment(1, PSH | ACK, b"the secret")
    found = alerts(tmp_path, flow, midstream)
    assert found == ([(1, 2), (2, 1), (3, 1), (3, 2), (4, 2)] if midstream else [(2, 1), (2, 2)])


def test_datagrams_are_established_from_the_answer_on(tmp_path):
    flow = Flow(dport=99).datagram(0, b"word").datagram(1, b"word").datagram(0, b"word")
    assert alerts(tmp_path, flow) == [(5, 2), (5, 3)]
