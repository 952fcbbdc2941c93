"""EVE events: names, order, types."""

import base64

import pytest

from sensor.alert.eve import EveBuilder, printable
from sensor.alert.flood import Held
from sensor.model.scene import AnomalyRecord, ArpRecord, FlowEnd, FlowFacts, Match, Scene, TxRecord
from sensor.rules.nodes import All, Rule, labels_of

START = 1_700_000_000 * 10**9
FACTS = FlowFacts(START, "10.0.0.1", 40000, "10.0.0.2", 80, 3, 2, 300, 200)
RULE = Rule(sid=7, msg="Found", proto="tcp", body=All(()), rev=2, severity=1, category="Misc")


def scene(**changes):
    base = {
        "ts": START + 1_234_567, "number": 4, "source": "x.pcap", "ipv": 4, "src_ip": "10.0.0.1",
        "dest_ip": "10.0.0.2", "proto": 6, "src_port": 40000, "dest_port": 80, "src": bytes([10, 0, 0, 1]),
        "dest": bytes([10, 0, 0, 2]), "flow_id": 99, "flow": FACTS, "app_proto": "http",
        "src_mac": "00:16:3e:00:00:01", "dest_mac": "00:16:3e:00:00:02",
    }  # fmt: skip
    return Scene(**(base | changes))


def alert(rule=RULE, where=None, **fields):
    return Match(rule=rule, scene=where or scene(), payload=b"a\0b", payload_length=3, **fields)


def fields(record, **options):
    return EveBuilder(**options).build(record).fields


def test_alert():
    got = fields(alert(stream=True, tx_id=5, app=("http", {"url": "/"}), flowbits=("a", "b")))
    assert list(got) == [
        "timestamp", "flow_id", "pcap_cnt", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "proto",
        "ip_v", "pkt_src", "community_id", "tx_id", "alert", "http", "app_proto", "direction", "flow", "metadata",
        "payload", "payload_printable", "payload_length", "stream",
    ]  # fmt: skip
    assert got["timestamp"] == "2023-11-14T22:13:20.001234+0000"
    assert got["alert"] == {
        "action": "allowed", "gid": 1, "signature_id": 7, "rev": 2, "signature": "Found", "category": "Misc",
        "severity": 1,
    }  # fmt: skip
    assert got["flow"] == {
        "pkts_toserver": 3, "pkts_toclient": 2, "bytes_toserver": 300, "bytes_toclient": 200,
        "start": "2023-11-14T22:13:20.000000+0000", "src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "src_port": 40000,
        "dest_port": 80,
    }  # fmt: skip
    assert got["metadata"] == {"flowbits": ["a", "b"]}
    assert base64.b64decode(got["payload"]) == b"a\0b"
    assert (got["payload_printable"], got["payload_length"], got["stream"]) == ("a.b", 3, 1)
    assert got["community_id"].startswith("1:")


def test_direction_is_that_of_the_bytes():
    assert fields(alert(where=scene(side=1)))["direction"] == "to_client"


def test_optional_parts():
    record = alert(packet=b"frame", linktype=1)
    plain = fields(record)
    assert not {"packet", "ether", "pcap_filename", "host", "xen", "vlan", "tunnel", "metadata", "tx_id"} & set(plain)
    full = fields(record, packet=True, ethernet=True, pcap_names=True, sensor_name="s1", community_seed=None,
                  payload=False, identity=lambda s: {"src_guest": "web", "dest_guest": str(s.dest_port)})  # fmt: skip
    assert base64.b64decode(full["packet"]) == b"frame"
    assert full["packet_info"] == {"linktype": 1}
    assert full["ether"] == {"src_mac": "00:16:3e:00:00:01", "dest_mac": "00:16:3e:00:00:02"}
    assert (full["pcap_filename"], full["host"]) == ("x.pcap", "s1")
    assert full["xen"] == {"src_guest": "web", "dest_guest": "80"}
    assert not {"payload", "payload_printable", "payload_length", "community_id"} & set(full)


def test_community_seed_changes_the_id():
    assert fields(alert())["community_id"] != fields(alert(), community_seed=1)["community_id"]


@pytest.mark.parametrize(("proto", "name"), [(1, "ICMP"), (58, "IPv6-ICMP")])
def test_icmp_has_type_and_code_and_no_ports(proto, name):
    got = fields(alert(where=scene(proto=proto, src_port=8, dest_port=0)))
    assert (got["proto"], got["icmp_type"], got["icmp_code"]) == (name, 8, 0)
    assert not {"src_port", "dest_port"} & (set(got) | set(got["flow"]))


def test_unknown_protocol_is_a_number():
    assert fields(alert(where=scene(proto=253)))["proto"] == "253"


def test_without_ip():
    got = fields(alert(where=scene(ipv=0, flow_id=0, flow=None, app_proto="", number=0)))
    assert list(got)[:3] == ["timestamp", "event_type", "alert"]


def test_vlan_and_tunnel():
    where = scene(vlan=(5, 6), tunnel="vxlan", tunnel_src_ip="1.1.1.1", tunnel_dest_ip="2.2.2.2", tunnel_proto=17,
                  tunnel_ports=(5000, 4789))  # fmt: skip
    got = fields(alert(where=where))
    assert got["vlan"] == [5, 6]
    assert got["tunnel"] == {
        "src_ip": "1.1.1.1", "src_port": 5000, "dest_ip": "2.2.2.2", "dest_port": 4789, "proto": "UDP", "depth": 1,
        "pcap_cnt": 4, "pkt_src": "wire/pcap",
    }  # fmt: skip


def test_what_a_rule_says():
    rule = Rule(
        sid=7, msg="m", proto="tcp", body=All(()), action="drop", target="src_ip",
        attack=("T1190", "T1021"),
        labels=labels_of(("cve:1", "odd:2"), (("tag", ("a", "b")), ("mitre_technique_id", ("T1021",)))),
    )  # fmt: skip
    got = fields(alert(rule))["alert"]
    assert got["action"] == "allowed"
    assert got["context"] == {"rule_action": "drop"}
    assert got["references"] == ["https://cve.mitre.org/cgi-bin/cvename.cgi?name=1", "odd:2"]
    assert got["metadata"] == {"tag": ["a", "b"], "mitre_technique_id": ["T1021", "T1190"]}
    assert got["source"] == {"ip": "10.0.0.2", "port": 80}
    assert got["target"] == {"ip": "10.0.0.1", "port": 40000}


def test_summary_keeps_who_the_guests_are():
    shared = {"src_guest": "web"}
    builder = EveBuilder(identity=lambda _: shared)
    got = builder.alert(alert(), Held(41, START)).fields
    assert got["xen"] == {"src_guest": "web", "flood_alerts": 41, "flood_start": "2023-11-14T22:13:20.000000+0000"}
    assert shared == {"src_guest": "web"}


def test_transaction():
    event = EveBuilder().build(TxRecord(scene(), "dns", {"type": "query"}, 3))
    assert event.kind == event.fields["event_type"] == "dns"
    assert list(event.fields)[-2:] == ["tx_id", "dns"]
    assert (event.fields["tx_id"], event.fields["dns"]) == (3, {"type": "query"})


def test_flow():
    end = FlowEnd(
        scene=scene(number=0, pkt_src="stream (flow timeout)"), last=START + 2 * 10**9, state="established",
        reason="timeout", alerted=True, tcpflags=(0x1B, 0x12), tcp_state="closed", gaps=(0, 9), tx_cnt=2,
        voices=("", "failed"),
    )  # fmt: skip
    event = EveBuilder().build(end)
    got = event.fields
    assert got["app_proto_tc"] == "failed"
    assert "app_proto_ts" not in got
    assert event.kind == "flow"
    assert "pkt_src" not in got
    assert got["flow"] == {
        "pkts_toserver": 3, "pkts_toclient": 2, "bytes_toserver": 300, "bytes_toclient": 200,
        "start": "2023-11-14T22:13:20.000000+0000", "end": "2023-11-14T22:13:22.000000+0000", "age": 2,
        "state": "established", "reason": "timeout", "alerted": True, "tx_cnt": 2,
    }  # fmt: skip
    assert got["tcp"] == {
        "tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "12", "fin": True, "syn": True, "psh": True,
        "ack": True, "state": "closed", "tc_gap": True,
    }  # fmt: skip


def test_anomaly():
    got = fields(AnomalyRecord(scene(), "applayer", "http.invalid_chunk", "proto_parser"))
    assert got["anomaly"] == {
        "type": "applayer", "event": "http.invalid_chunk", "layer": "proto_parser", "app_proto": "http",
    }  # fmt: skip
    assert fields(AnomalyRecord(scene(), "decode", "decoder.x"))["anomaly"] == {"type": "decode", "event": "decoder.x"}


def test_arp():
    got = fields(ArpRecord(scene(ipv=0, flow_id=0), {"opcode": "request"}))
    assert list(got) == ["timestamp", "pcap_cnt", "event_type", "arp"]


def test_printable():
    assert printable(bytes(range(256))) == "." * 10 + "\n" + ".." + "\r" + "." * 18 + bytes(
        range(32, 127)
    ).decode() + "." * (256 - 127)
