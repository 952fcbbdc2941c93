"""Replay: what the summary and the stats event say; every kind of event a capture can give."""

import dataclasses
import json
import struct

import pytest
from enginekit import settings_of

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import FloodControl, FloodLimits
from sensor.capture.files import open_source
from sensor.config.settings import EVE_TYPES
from sensor.engine.counts.stats import stats
from sensor.engine.faults import MOST, Faults
from sensor.engine.offline.forge import Conversation, checksum
from sensor.engine.offline.replay import Replay
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer
from sensor.outputs.lines import EveFile, LineFile
from sensor.proto.http1.state import HttpParser
from sensor.rules.load import load_rules
from sensor.rules.ruleset import build

START = 1_700_000_000 * 10**9
CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
RULES = """
- {id: 1, title: word, severity: high, protocol: tcp, match: [{content: xyzzy}]}
- {id: 2, title: any, severity: low, protocol: udp, match: [{ip.ttl: ">0"}]}
"""


def conversation(port=40000, start=START):
    return Conversation(CLIENT, SERVER, port, 80, start)


def http():
    talk = conversation()
    talk.tcp(0, b"GET /xyzzy HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    return talk.frames


def dns():
    talk = Conversation(CLIENT, SERVER, 5353, 53, START + 10**9)
    talk.udp(0, struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\7example\0\0\1\0\1")
    return talk.frames


def arp():
    body = bytes.fromhex("0001080006040001") + bytes.fromhex("00163e000001") + CLIENT + bytes(6) + SERVER
    return [(START + 2 * 10**9, b"\xff" * 6 + bytes.fromhex("00163e000001") + b"\x08\x06" + body)]


def broken_udp():
    """A datagram that says it is longer than its packet."""
    [(ns, frame)] = dns()
    return [(ns + 2 * 10**9, frame[:38] + b"\x40\0" + frame[40:])]


def pcap(path, frames, cut=0):
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for ns, frame in frames:
        head = struct.pack("<IIII", ns // 10**9, ns % 10**9 // 1000, len(frame) - cut, len(frame))
        out.append(head + frame[: len(frame) - cut])
    path.write_bytes(b"".join(out))
    return str(path)


@pytest.fixture
def replay(tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    rules, problems = build(load_rules([tmp_path / "rules.yaml"]).rules)
    assert not problems

    def run(*captures, types=EVE_TYPES, burst=1000, bpf=None, **parts):
        settings = settings_of(types, **parts)
        eve = tmp_path / "eve.json"
        eve.unlink(missing_ok=True)
        writer = Writer(EveBuilder(), FloodControl(FloodLimits(burst)), Sinks([EveFile(LineFile(eve), types)]))
        pipeline = Pipeline(rules, EngineOptions(settings), writer)
        source = open_source([str(c) for c in captures], bpf=bpf, on_error=lambda _: None)
        summary = Replay(pipeline, writer, rules_failed=3).run(source, lambda: None)
        source.close()
        return summary, [json.loads(line) for line in eve.read_text().splitlines()], pipeline

    return run


def test_summary(replay, tmp_path):
    summary, events, _ = replay(pcap(tmp_path / "a.pcap", http() + dns()))
    assert (summary.captures, summary.packets, summary.flows, summary.alerts) == (1, 11, 2, 2)
    assert summary.octets == sum(len(frame) for _, frame in http() + dns())
    assert summary.seconds == 1.0
    assert [(r.sid, r.alerts, r.severity, r.message) for r in summary.by_rule] == [(1, 1, 1, "word"), (2, 1, 3, "any")]
    assert summary.events == {"alert": 2, "http": 1, "fileinfo": 1, "dns": 1, "flow": 2, "stats": 1}
    assert len(events) == 8
    assert (summary.errors, summary.not_inspected, summary.notes, summary.suspended) == ([], {}, [], [])


def test_a_parser_that_fails_ends_its_flow_alone_and_says_where(replay, tmp_path, monkeypatch):
    def fail(*_):
        raise IndexError("what a guest has sent")

    monkeypatch.setattr(HttpParser, "feed", fail)
    summary, events, pipeline = replay(pcap(tmp_path / "a.pcap", http() + dns()))
    assert summary.alerts == 2
    assert summary.not_inspected == {"flows whose parser failed": 1}
    (note,) = summary.notes
    assert note.startswith("a fault of the sensor, please report it: parser of http: IndexError at ")
    assert note.endswith("in test_a_parser_that_fails_ends_its_flow_alone_and_says_where.<locals>.fail")
    assert "guest" not in note
    assert [e["anomaly"]["event"] for e in events if e["event_type"] == "anomaly"] == ["APPLAYER_PARSER_ERROR"]
    assert (len(pipeline.faults.news()), pipeline.faults.news()) == (1, [])


def test_a_rule_that_fails_is_named(replay, tmp_path, monkeypatch):
    def fail(*_):
        raise IndexError("what a guest has sent")

    monkeypatch.setattr("sensor.engine.judge.judge", fail)
    summary, events, _ = replay(pcap(tmp_path / "a.pcap", http() + dns()))
    assert summary.alerts == 0
    assert any("rule 1:1: IndexError at " in note for note in summary.notes)
    assert {e["event_type"] for e in events} >= {"http", "dns", "flow"}


def test_faults_are_bounded():
    faults = Faults()
    for number in range(2 * MOST):
        faults.note(f"parser {number}", ValueError())
        faults.note(f"parser {number}", ValueError())
    assert faults.found == [f"parser {number}: ValueError" for number in range(MOST)]


def test_every_event_has_its_object_and_begins_alike(replay, tmp_path):
    _, events, _ = replay(pcap(tmp_path / "a.pcap", http() + dns() + arp() + broken_udp()))
    kinds = {event["event_type"] for event in events}
    assert kinds == {"alert", "http", "fileinfo", "dns", "arp", "anomaly", "flow", "stats"}
    for event in events:
        assert next(iter(event)) == "timestamp"
        assert isinstance(event[event["event_type"]], dict)
        if event["event_type"] in {"alert", "http", "dns"}:
            assert isinstance(event["flow_id"], int)
            assert 0 < event["pcap_cnt"] <= 13
            assert event["community_id"].startswith("1:")
    assert [event["event_type"] for event in events][-1] == "stats"
    [anomaly] = [event for event in events if event["event_type"] == "anomaly"]
    assert anomaly["anomaly"]["type"] == "decode"
    assert anomaly["anomaly"]["event"].startswith("decoder.udp.")
    [found] = [event for event in events if event["event_type"] == "arp"]
    assert found["arp"] == {
        "hw_type": "ethernet", "proto_type": "ipv4", "opcode": "request", "src_mac": "00:16:3e:00:00:01",
        "src_ip": "10.0.0.1", "dest_mac": "00:00:00:00:00:00", "dest_ip": "10.0.0.2",
    }  # fmt: skip


def test_flow_events_hold_the_whole_conversation(replay, tmp_path):
    _, events, _ = replay(pcap(tmp_path / "a.pcap", http()), types=("flow",))
    [event] = events
    sizes = [len(frame) for _, frame in http()]
    flow = event["flow"]
    assert flow["pkts_toserver"] + flow["pkts_toclient"] == 10
    assert flow["bytes_toserver"] + flow["bytes_toclient"] == sum(sizes)
    assert (flow["start"], flow["alerted"]) == ("2023-11-14T22:13:20.000000+0000", True)
    assert flow["reason"] in {"shutdown", "timeout"}
    assert (event["tcp"]["syn"], event["tcp"]["fin"]) == (True, True)


def test_stats(replay, tmp_path):
    frames = http() + dns() + arp() + broken_udp()
    _, events, _ = replay(pcap(tmp_path / "a.pcap", frames), types=("stats",))
    [event] = events
    assert list(event) == ["timestamp", "event_type", "stats"]
    body = event["stats"]
    assert body["uptime"] == 3
    assert body["capture"] == {
        "kernel_packets": 13, "kernel_drops": 0, "kernel_ifdrops": 0, "errors": 0, "filtered": 0, "unsupported": 0,
    }  # fmt: skip
    octets = sum(len(frame) for _, frame in frames)
    decoder = body["decoder"]
    assert (decoder["pkts"], decoder["bytes"], decoder["avg_pkt_size"]) == (13, octets, octets // 13)
    assert (decoder["ipv4"], decoder["tcp"], decoder["arp"], decoder["invalid"]) == (12, 10, 1, 1)
    assert [sum(layer.values()) for layer in decoder["event"].values()] == [1]
    assert (body["flow"]["total"], body["flow"]["active"], body["tcp"]["sessions"]) == (2, 0, 1)
    assert body["detect"]["alert"] == 2 + 1 * (decoder["udp"] > 1)
    assert body["detect"]["engines"] == [{"id": 0, "rules_loaded": 2, "rules_failed": 3}]


def test_stats_have_the_names_users_expect(replay, tmp_path):
    _, _, pipeline = replay(pcap(tmp_path / "a.pcap", http()))
    source = open_source([str(tmp_path / "a.pcap")])
    body = stats(pipeline, source.counters)
    source.close()
    expected = {
        "capture": ("kernel_packets", "kernel_drops", "kernel_ifdrops", "errors"),
        "decoder": ("pkts", "bytes", "invalid", "ipv4", "ipv6", "tcp", "udp", "arp", "vlan", "vxlan", "erspan",
                    "avg_pkt_size", "max_pkt_size", "too_many_layers"),
        "flow": ("total", "active", "memuse", "memcap", "emerg_mode_entered"),
        "tcp": ("sessions", "invalid_checksum", "midstream_pickups", "reassembly_gap", "overlap",
                "overlap_diff_data", "segment_memcap_drop"),
        "detect": ("alert", "alert_queue_overflow", "alerts_suppressed", "engines", "flow_names_dropped",
                   "host_bits_dropped"),
    }  # fmt: skip
    for section, names in expected.items():
        assert set(names) <= set(body[section]), section


def test_what_is_not_inspected_is_said(replay, tmp_path):
    cut = pcap(tmp_path / "cut.pcap", http(), cut=3)
    lldp = pcap(tmp_path / "lldp.pcap", [(START, b"\0" * 12 + b"\x88\xcc" + b"\0" * 46)])
    esp = [(ns, frame[:23] + b"\x32" + frame[24:]) for ns, frame in dns()]
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes((tmp_path / "cut.pcap").read_bytes()[:-5])
    summary, _, _ = replay(cut, lldp, pcap(tmp_path / "esp.pcap", esp), damaged)
    assert summary.not_inspected["packets cut by the capture's snaplen"] == 19
    assert summary.not_inspected["packets of a protocol that is not decoded"] == 1
    assert summary.not_inspected["packets encrypted by IPsec"] == 1
    assert summary.not_inspected["captures damaged: the rest of each was not read"] == 1
    assert len(summary.errors) == 1
    assert all(summary.not_inspected.values())


def test_fragments_that_never_come_together(replay, tmp_path):
    [(ns, frame)] = dns()
    header = frame[14:34]
    header = header[:6] + b"\x20\0" + header[8:10] + b"\0\0" + header[12:]
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    frames = [(ns, frame[:14] + header + frame[34:])]
    summary, _, _ = replay(pcap(tmp_path / "a.pcap", frames))
    assert summary.not_inspected == {"datagrams whose fragments never came together": 1}


def test_flood_in_a_capture(replay, tmp_path):
    frames = [frame for n in range(9) for frame in _datagram(n)]
    summary, events, _ = replay(pcap(tmp_path / "a.pcap", frames), types=("alert",), burst=2)
    assert summary.alerts == 9
    assert summary.not_inspected == {"alerts collapsed into summaries": 7}
    assert [event.get("xen", {}).get("flood_alerts") for event in events] == [None, None, 7]
    assert events[2]["xen"]["flood_start"] == "2023-11-14T22:13:22.000000+0000"


def _datagram(n):
    talk = Conversation(CLIENT, SERVER, 5000 + n, 9999, START + n * 10**9)
    talk.udp(0, b"hello")
    return talk.frames


def test_filtered_packets_are_counted_apart(replay, tmp_path):
    summary, _, _ = replay(pcap(tmp_path / "a.pcap", http() + dns()), bpf="udp")
    assert (summary.packets, summary.filtered, summary.not_inspected) == (1, 10, {})


def test_suspended_rules_are_named(replay, tmp_path, monkeypatch):
    from sensor.detect.state.budget import Budget  # noqa: PLC0415 - patched here only

    monkeypatch.setattr(Budget, "drain_suspensions", lambda _self: [(1, 0), (0, 0)])
    summary, _, _ = replay(pcap(tmp_path / "a.pcap", http()))
    assert sorted(summary.suspended) == [(1, 1), (1, 2)]


def test_stopping_ends_in_order(tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    rules, _ = build(load_rules([tmp_path / "rules.yaml"]).rules)
    frames = http() + dns()
    eve = EveFile(LineFile(tmp_path / "eve.json"))
    writer = Writer(EveBuilder(), FloodControl(), Sinks([eve]))
    pipeline = Pipeline(rules, EngineOptions(dataclasses.replace(settings_of(("alert", "flow")))), writer)
    source = open_source([pcap(tmp_path / "a.pcap", frames)], block_packets=10)
    summary = Replay(pipeline, writer).run(source, source.stop)
    source.close()
    assert summary.packets == 10
    kinds = [json.loads(line)["event_type"] for line in (tmp_path / "eve.json").read_text().splitlines()]
    assert kinds == ["alert", "flow"]
