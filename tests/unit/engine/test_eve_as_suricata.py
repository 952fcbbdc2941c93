"""Records with Suricata's fields: what each says, and of whom."""

import struct
import sys
from pathlib import Path

import pytest
from enginekit import empty_rules, load, rules_of, run, settings_of
from forgekit import Flow, dns, ether, ipv4, request, response, stamp, vxlan

sys.path.append(str(Path(__file__).resolve().parents[1] / "proto"))  # the forged bytes of the parsers' tests

import bermake
import nfsforge
import rfbmake
import sipmake

from sensor.model.anomaly import DecodeAnomaly


def web(*talk, dport=80):
    flow = Flow(dport=dport).open()
    for side, data in talk:
        flow.send(side, data)
    return flow.close().frames()


def datagrams(*talk, dport):
    flow = Flow(dport=dport)
    for side, data in talk:
        flow.datagram(side, data)
    return flow.frames()


@pytest.fixture
def suricata(tmp_path):
    """Return a function that reads rules in Suricata's form."""

    def read(*rules):
        path = tmp_path / "some.rules"
        path.write_text("\n".join(rules))
        return load(path)

    return read


def both_ways(frames, rules=None, **options):
    """Run with and without triage; return the outcome, which must be the same."""
    rules = rules if rules is not None else empty_rules()
    found = run(frames, rules, **options)
    assert found.lines == run(frames, rules, triage=False, **options).lines
    return found


def test_alerts_list_dns_queries_and_have_the_answer_as_an_object(suricata):
    rules = suricata(
        'alert dns any any -> any 53 (msg:"q"; dns.query; content:"www"; sid:1;)',
        'alert dns any 53 -> any any (msg:"a"; dns.opcode:0; sid:2;)',
    )
    talk = ((0, dns("www.example.com")), (1, dns("www.example.com", answers=("www.example.com",), response=True)))
    asked, answered = both_ways(datagrams(*talk, dport=53), rules).of("alert")
    assert asked["dns"] == {
        "version": 2,
        "query": [{"type": "query", "id": 7, "tx_id": 0, "opcode": 0, "rrname": "www.example.com", "rrtype": "A"}],
    }
    assert list(answered["dns"]) == ["version", "answer"]
    assert answered["dns"]["answer"]["answers"][0]["rdata"] == "1.2.3.4"


def test_alerts_on_datagrams_tell_the_message_if_the_rule_names_its_protocol(suricata):
    rules = suricata(
        'alert dns any any -> any 53 (msg:"a"; content:"|01|"; offset:2; depth:1; sid:1;)',
        'alert udp any any -> any 53 (msg:"b"; content:"|01|"; offset:2; depth:1; sid:2;)',
        'alert dns any 53 -> any any (msg:"c"; content:"|03|www"; sid:3;)',
    )
    talk = (
        (0, dns("www.example.com")),
        (1, dns("www.example.com", answers=("www.example.com",), response=True)),
        (0, dns("mail.example.com")),
        (0, dns("mail.example.com")[:11]),
    )
    for block in (1, 100):
        alerts = both_ways(datagrams(*talk, dport=53), rules, block=block).of("alert")
        asked = [alert for alert in alerts if alert["alert"]["signature_id"] == 1]
        assert [alert.get("tx_id") for alert in asked] == [0, 2, None]
        assert [alert["dns"]["query"][0]["rrname"] for alert in asked[:2]] == ["www.example.com", "mail.example.com"]
        assert "dns" not in asked[2]
        assert not any("dns" in alert or "tx_id" in alert for alert in alerts if alert["alert"]["signature_id"] == 2)
        (answered,) = (alert for alert in alerts if alert["alert"]["signature_id"] == 3)
        assert (answered["tx_id"], answered["dns"]["answer"]["rrname"]) == (1, "www.example.com")


def test_alerts_on_a_body_tell_of_its_file(suricata):
    rules = suricata('alert http any any -> any any (msg:"f"; file.data; content:"evil"; sid:1;)')
    settings = settings_of(eve={"force_hash": ("md5",)})
    talk = ((0, request("/a.bin")), (1, response(b"so evil")))
    (alert,) = both_ways(web(*talk), rules, settings=settings).of("alert")
    assert alert["files"] == [
        {"filename": "/a.bin", "gaps": False, "state": "CLOSED", "md5": "36466b3b7b498e5cb36c09d533e8f0e7",
         "stored": False, "size": 7, "tx_id": 0}
    ]  # fmt: skip


def test_a_rule_without_a_revision_has_revision_0(suricata):
    rules = suricata('alert http any any -> any any (msg:"f"; http.uri; content:"/x"; sid:1;)')
    (alert,) = run(web((0, request("/x"))), rules).of("alert")
    assert alert["alert"]["rev"] == 0


def test_where_packets_of_tunnels_come_from(suricata):
    rules = suricata('alert udp any any -> any 53 (msg:"q"; content:"example"; sid:1;)')
    ((ts, frame),) = datagrams((0, dns()), dport=53)
    inner = run([(ts, vxlan(frame))], rules).of("alert")[-1]
    assert inner["pkt_src"] == "vxlan encapsulation"
    assert (inner["tunnel"]["src_port"], inner["tunnel"]["dest_port"]) == (40000, 4789)
    assert (inner["tunnel"]["pcap_cnt"], inner["tunnel"]["pkt_src"]) == (1, "wire/pcap")


def test_records_of_messages_have_the_addresses_of_their_senders():
    talk = ((0, sipmake.INVITE), (1, sipmake.RINGING))
    asked, answered = both_ways(datagrams(*talk, dport=5060), types=("sip",)).of("sip")
    assert (asked["src_ip"], asked["dest_port"]) == ("10.0.0.1", 5060)
    assert (answered["src_ip"], answered["src_port"]) == ("10.0.0.2", 5060)


def test_records_of_exchanges_have_the_client_first():
    talk = ((0, dns()), (1, dns(response=True)))
    records = both_ways(datagrams(*talk, dport=53), types=("dns",)).of("dns")
    assert [one["src_ip"] for one in records] == ["10.0.0.1"] * 2


def test_a_logon_that_fails_is_logged_though_its_parser_has_nothing_to_wait_for():
    (record,) = both_ways(web(*rfbmake.rfb(result=1), dport=5900), types=("rfb",)).of("rfb")
    assert record["rfb"]["server_security_failure_reason"] == "go away"


def test_length_of_a_body_in_chunks_counts_their_framing():
    (record,) = both_ways(web((0, request()), (1, response(b"hello world", chunks=(5,)))), types=("http",)).of("http")
    assert record["http"]["length"] == len(b"5\r\nhello\r\n6\r\n world\r\n0\r\n")


def test_host_names_are_in_small_letters():
    (record,) = both_ways(web((0, request(host="WWW.Example.com"))), types=("http",)).of("http")
    assert record["http"]["hostname"] == "www.example.com"


def test_names_of_what_parsers_find_odd():
    auth = request(headers=("Authorization: whatever",))
    (odd,) = both_ways(web((0, auth), (1, response())), types=("anomaly",)).of("anomaly")
    assert odd["anomaly"] == {
        "app_proto": "http", "type": "applayer", "event": "REQUEST_AUTH_UNRECOGNIZED", "layer": "proto_parser",
    }  # fmt: skip
    wrong = bytearray(dns())
    wrong[3] |= 0x40
    (odd,) = both_ways(datagrams((0, bytes(wrong)), dport=53), types=("anomaly",)).of("anomaly")
    assert odd["anomaly"]["event"] == "z_flag_set"


def test_pings_say_what_answered_them():
    flow = Flow().ping(0).ping(1, kind=0)
    (ended,) = both_ways(flow.frames(), types=("flow",)).of("flow")
    assert (ended["icmp_type"], ended["response_icmp_type"], ended["response_icmp_code"]) == (8, 0, 0)
    (alone,) = both_ways(Flow().ping(0).frames(), types=("flow",)).of("flow")
    assert "response_icmp_type" not in alone


def test_odd_fragments_of_ipv6_have_names_of_their_own():
    assert DecodeAnomaly.FRAG_OVERLAP.logged(6) == "decoder.ipv6.frag_overlap"
    assert DecodeAnomaly.FRAG_OVERLAP.logged(4) == "decoder.ipv4.frag_overlap"
    assert DecodeAnomaly.LINK_TRUNCATED.logged(0) == "decoder.ethernet.pkt_too_small"


def test_a_fragment_that_is_ignored_is_logged_once():
    part = b"\x11\0" + (0 << 3 | 1).to_bytes(2, "big") + b"\0\0\0\1" + bytes(13)  # more follow, not eight bytes
    packet = struct.pack("!IHBB", 6 << 28, len(part), 44, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + part
    odd = both_ways(stamp([ether(packet, 0x86DD)]), types=("anomaly",)).of("anomaly")
    assert [one["anomaly"]["event"] for one in odd] == ["decoder.ipv6.frag_invalid_length"]


def test_names_of_what_is_odd_in_streams():
    frames = Flow().open().send(0, b"x" * 100).lose(0, 50).send(0, b"y" * 100).send(1, b"z").close().frames()
    odd = both_ways(frames, types=("anomaly",)).of("anomaly")
    assert [one["anomaly"] for one in odd] == [{"type": "stream", "event": "stream.reassembly_seq_gap"}]


def test_datagrams_without_payload_are_of_no_known_protocol():
    (ended,) = both_ways(Flow(dport=9).datagram(0, b"").frames(), types=("flow",)).of("flow")
    assert ended["app_proto"] == "failed"


def test_records_of_messages_over_tcp_have_the_client_first():
    talk = ((0, nfsforge.record(nfsforge.lookup3(b"a"))), (1, nfsforge.record(nfsforge.reply(bytes(8)))))
    frames = web(*talk, dport=2049)
    assert [one["src_ip"] for one in both_ways(frames, types=("nfs",)).of("nfs")] == ["10.0.0.1"]


NOISE = b"\xde\xad\xbe\xef of nothing known "
HELLO = b"\x16\3\1\0\x2a\1\0\0\x26\3\3" + b"R" * 32 + b"\0\0\2\0\x2f\1\0"


@pytest.mark.parametrize(
    ("talk", "shown"),
    [
        (((0, request()), (1, response(b"x"))), ("http", None, None)),
        (((0, request()), (1, b"SSH-2.0-x\r\n")), ("http", None, "ssh")),
        (((0, b"SSH-2.0-x\r\n"), (1, response(b"x"))), ("ssh", None, "http")),
        (((0, request()), (1, NOISE[:9])), ("http", None, "failed")),
        (((0, request()), (1, NOISE[:8])), ("http", None, None)),
        (((0, NOISE[:17]), (1, response(b"x"))), ("http", "failed", None)),
        (((0, NOISE[:16]), (1, response(b"x"))), ("http", None, None)),
        (((0, request().replace(b"GET", b"NOTIFY")), (1, response(b"x"))), ("http", "failed", None)),
        (((0, request().replace(b"GET", b"HEADING")), (1, response(b"x"))), ("http", "failed", None)),
        (((0, request()), (1, b"\r\n" + response(b"x"))), ("http", None, "failed")),
        (((0, HELLO), (1, NOISE[:5]), (1, NOISE)), ("tls", None, "failed")),
        (((1, b"220 ProFTPD ready\r\n"), (0, b"USER x\r\n"), (1, b"331 ok\r\n")), ("ftp", None, "failed")),
        (((1, b"220 a.b\r\n"), (0, b"EHLO x\r\n"), (1, b"250 ok a\r\n")), ("smtp", None, "failed")),
        (((1, b"220 a.b\r\n"), (0, b"EHLO x\r\n"), (1, b"250 ok\r\n")), ("smtp", None, "failed")),
        (((0, b"EHLO x\r\n"), (1, b"250 ok\r\n")), ("smtp", None, None)),
        (((0, request()), (1, response(b"x").replace(b"HTTP/", b"http/"))), ("http", None, None)),
        (((0, NOISE), (1, NOISE)), ("failed", None, None)),
        (((0, request()),), ("http", None, None)),
    ],
)
def test_flows_tell_what_their_sides_speak_by_themselves(talk, shown):
    for block in (1, 100):
        (flow,) = both_ways(web(*talk, dport=8080), types=("flow",), block=block).of("flow")
        assert tuple(flow.get(name) for name in ("app_proto", "app_proto_ts", "app_proto_tc")) == shown


def test_a_side_that_was_not_seen_from_its_start_is_said_nothing_of():
    frames = web((0, request()), (1, NOISE), (1, NOISE), (1, NOISE), dport=8080)
    del frames[4:6]
    (flow,) = both_ways(frames, types=("flow",)).of("flow")
    assert flow["tcp"]["tc_gap"]
    assert (flow["app_proto"], flow.get("app_proto_tc")) == ("http", None)


def test_versions_of_snmp_within_a_flow(suricata):
    rules = suricata('alert snmp any any -> any any (msg:"v"; app-layer-event:snmp.version_mismatch; sid:1;)')
    talk = ((0, bermake.snmp(1)), (1, bermake.snmp(1)), (1, bermake.snmp(0)), (0, bermake.snmp(1)))
    for block in (1, 100):
        found = both_ways(datagrams(*talk, dport=161), rules, types=("alert", "snmp", "anomaly"), block=block)
        (alert,) = found.of("alert")
        assert alert["pcap_cnt"] == 3
        assert [one["snmp"]["version"] for one in found.of("snmp")] == [2, 2, 1, 2]
        assert [one["anomaly"]["event"] for one in found.of("anomaly")] == ["version_mismatch"]


def test_packets_of_other_protocols_make_no_flows(tmp_path):
    rules = rules_of("- {id: 1, title: any, severity: low, protocol: ip, match: [{ip.ttl: 64}]}\n", tmp_path)
    pair = (b"\x0a\0\0\1", b"\x0a\0\0\2")
    kinds = {2: "IGMP", 47: "GRE", 50: "ESP", 89: "OSPF"}
    outcome = run(stamp([ether(ipv4(*pair, kind, bytes(40))) for kind in kinds]), rules)
    assert [e["proto"] for e in outcome.of("flow")] == ["ESP"]
    alerts = {e["proto"]: e for e in outcome.of("alert")}
    assert set(alerts) == set(kinds.values())
    for name, alert in alerts.items():
        assert all((key in alert) == (name == "ESP") for key in ("flow_id", "flow", "direction"))
