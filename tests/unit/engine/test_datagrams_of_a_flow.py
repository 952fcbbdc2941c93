"""QUIC needs all datagrams of a flow, in order, whatever rules and blocks there are."""

import sys
from pathlib import Path

import enginekit
import pytest
from forgekit import Flow

sys.path.append(str(Path(__file__).resolve().parents[1] / "proto"))  # the forged bytes of the parser's tests

import nfsforge as nfs
import quicmake as make

RULES = """
- {id: 1, title: name, severity: low, protocol: quic, match: {quic.sni: www.example.org}}
- {id: 2, title: server, severity: low, protocol: quic, flow: to_client, match: {quic.version: '|00 00 00 01|'}}
"""


def frames():
    flow = Flow(dport=443)
    flow.datagram(0, make.initial(make.crypto(make.HELLO[40:], 40), number=0))
    flow.datagram(0, make.initial(make.crypto(make.HELLO[:40]), number=1))
    flow.datagram(1, make.initial(make.crypto(make.SERVER_HELLO), 1))
    flow.datagram(1, b"\x40" + b"x" * 40)
    other = Flow(sport=40001, dport=443)
    other.datagram(0, make.initial(make.crypto(make.HELLO)))
    return flow.frames() + other.frames(start=flow.frames()[-1][0] + 1)


@pytest.mark.parametrize("block", [1, 2, 100])
@pytest.mark.parametrize("triage", [True, False])
def test_one_parser_sees_them_all(block, triage, tmp_path):
    outcome = enginekit.run(frames(), enginekit.rules_of(RULES, tmp_path), block=block, triage=triage)
    assert [(e["alert"]["signature_id"], e["pcap_cnt"]) for e in outcome.of("alert")] == [(1, 2), (2, 3), (1, 5)]
    assert [e["quic"].get("sni") for e in outcome.of("quic")] == [None, "www.example.org", None, "www.example.org"]


@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("triage", [True, False])
def test_replies_of_nfs_meet_their_calls(block, triage, tmp_path):
    rules = enginekit.rules_of("""
- {id: 1, title: read, severity: low, protocol: nfs, flow: to_client, match: {file.name: "x", file.data: ELF}}
""", tmp_path)
    flow = Flow(dport=2049)
    talk = [
        (0, nfs.lookup3(b"x", xid=1)), (1, nfs.found3(xid=1)), (0, nfs.read3(len(nfs.DATA), xid=2)),
        (1, nfs.did_read3(nfs.DATA, xid=2)), (0, nfs.lookup3(b"never answered", xid=3)),
    ]  # fmt: skip
    for side, data in talk:
        flow.datagram(side, data)
    outcome = enginekit.run(flow.frames(), rules, block=block, triage=triage)
    assert outcome.sids == [1]
    found = [(e["nfs"]["procedure"], e["nfs"]["filename"], e["nfs"]["type"]) for e in outcome.of("nfs")]
    assert found == [("LOOKUP", "x", "response"), ("READ", "x", "request"), ("LOOKUP", "never answered", "request")]
    (file,) = outcome.of("fileinfo")
    assert (file["fileinfo"]["filename"], file["fileinfo"]["state"]) == ("x", "CLOSED")


@pytest.mark.parametrize("triage", [True, False])
def test_a_rule_of_tcp_is_not_about_datagrams(triage, tmp_path):
    path = tmp_path / "transports.rules"
    path.write_text("".join(
        f'alert {word} any any -> any any (msg:"file"; file.name; content:"x"; sid:{sid};)\n'
        for sid, word in enumerate(("tcp", "udp", "ip", "nfs"), 1)
    ))  # fmt: skip
    talk = [
        (0, nfs.lookup3(b"x", xid=1)), (1, nfs.found3(xid=1)), (0, nfs.read3(len(nfs.DATA), xid=2)),
        (1, nfs.did_read3(nfs.DATA, xid=2)),
    ]  # fmt: skip
    datagrams, connection = Flow(dport=2049), Flow(sport=40001, dport=2049)
    connection.open()
    for side, data in talk:
        datagrams.datagram(side, data)
        connection.send(side, nfs.record(data))
    connection.close()
    for flow, sids in ((datagrams, {2, 3, 4}), (connection, {1, 3, 4})):
        outcome = enginekit.run(flow.frames(), enginekit.load(path), triage=triage)
        assert set(outcome.sids) == sids


@pytest.mark.parametrize("triage", [True, False])
def test_a_file_that_ends_with_its_flow_is_of_its_transport(triage, tmp_path):
    path = tmp_path / "transports.rules"
    path.write_text("".join(
        f'alert {word} any any -> any any (msg:"file"; file.name; content:"x"; sid:{sid};)\n'
        for sid, word in enumerate(("tcp", "udp", "ip"), 1)
    ))  # fmt: skip
    flow = Flow(dport=2049)
    flow.open()
    for side, data in [(0, nfs.lookup3(b"x", xid=1)), (1, nfs.found3(xid=1)), (0, nfs.write3(nfs.DATA, xid=2))]:
        flow.send(side, nfs.record(data))
    outcome = enginekit.run(flow.frames(), enginekit.load(path), triage=triage)
    assert set(outcome.sids) == {1, 3}
