"""Guests talk over a mirrored bridge; the sensor raises exactly what it must, and counts each frame once."""

import http.server
import signal
import socket
import struct
import threading
import urllib.request
from pathlib import Path

import pytest
from livekit import ADDRESSES, RULES, Sensor, inside, scrape, unhappy, write_pcap

from sensor.cli.main import main
from sensor.engine.live import landlock
from sensor.engine.offline.forge import Conversation

pytestmark = pytest.mark.live


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"here is the live-secret" if "secret" in self.path else b"nothing"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def web(lab):
    with inside(lab.guests["g2"]):
        server = http.server.HTTPServer((ADDRESSES["g2"], 80), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def get(path):
        with inside(lab.guests["g1"]), urllib.request.urlopen(f"http://{ADDRESSES['g2']}{path}") as answer:
            return answer.read()

    yield get
    server.shutdown()
    thread.join()
    server.server_close()


def test_real_conversations_raise_exactly_what_they_must(lab, tmp_path, web):
    before = lab.frames_sent()
    with Sensor(lab, tmp_path) as sensor:
        web("/live/evil")
        web("/harmless")
        web("/a/secret")
        lab.say(b"this is a live-needle for you")
        lab.say(b"here is LIVE-TOOOKEN=beef01 of mine")
        with lab.client("g1", "g2", 5353, socket.SOCK_DGRAM) as sock:
            sock.send(b"a live-datagram")
        sensor.wait_alerts(5)
        sent = lab.frames_sent() - before
        last = sensor.stop()
        assert sorted(sensor.sids()) == [1, 2, 3, 4, 7]
        alert = sensor.events()[0]
        assert (alert["src_ip"], alert["dest_ip"]) == (ADDRESSES["g1"], ADDRESSES["g2"])
        assert last["capture"]["kernel_packets"] == last["decoder"]["pkts"] == sent
        assert last["capture"]["kernel_drops"] == 0
        assert last["checksum"]["bad"] == 0
        assert unhappy(sensor.log) == []


def test_a_super_segment_is_taken_whole_and_its_missing_checksum_is_no_offence(lab, tmp_path):
    with Sensor(lab, tmp_path, "-k", "all") as sensor:
        lab.say(b"x" * 1_000_000 + b"last-word-of-a-megabyte")
        sensor.wait_alerts(1)
        last = sensor.stop()
        assert sensor.sids() == [5]
        assert last["decoder"]["max_pkt_size"] > 30_000
        assert last["checksum"]["partial"] > 10
        assert last["checksum"]["bad"] == 0
        assert last["tcp"]["reassembly_gap"] == 0


@pytest.mark.parametrize("tags", [(7,), (0,), (7, 100)], ids=["tag", "priority tag", "two tags"])
def test_vlan_tags_that_the_kernel_took_off(lab, tmp_path, tags):
    talk = Conversation(bytes([10, 99, 7, 1]), bytes([10, 99, 7, 2]), 40_000, 7000, 0)
    talk.udp(0, b"a live-datagram in a VLAN")
    (_, frame) = talk.frames[0]
    header = b"".join(struct.pack("!HH", 0x8100 if i == len(tags) - 1 else 0x88A8, tag) for i, tag in enumerate(tags))
    with Sensor(lab, tmp_path) as sensor:
        with lab.raw("g1") as sock:
            sock.send(frame[:12] + header + frame[12:])
        sensor.wait_alerts(1)
        last = sensor.stop()
        alerts = sensor.events()
        assert [a["alert"]["signature_id"] for a in alerts] == [4]
        assert alerts[0].get("vlan") == list(tags)
        assert last["decoder"]["vlan"] == 1


def test_sigterm_drains_what_is_in_the_ring(lab, tmp_path):
    with Sensor(lab, tmp_path) as sensor:
        for _ in range(5):
            lab.say(b"this is a live-needle for you")
        last = sensor.stop()
        assert sensor.sids() == [1] * 5
        assert last["decoder"]["pkts"] == last["capture"]["kernel_packets"]
        assert "5 alerts" in sensor.log


def test_sighup_opens_the_outputs_anew(lab, tmp_path):
    with Sensor(lab, tmp_path) as sensor:
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        moved = sensor.eve.rename(tmp_path / "eve.json.1")
        sensor.signal(signal.SIGHUP)
        sensor.wait_log("outputs reopened")
        lab.say(b"another live-needle for you")
        sensor.wait_alerts(1)
        sensor.stop()
        assert sensor.sids() == sensor.sids(moved) == [1]


def test_an_interface_that_comes_back_needs_no_restart_and_no_privilege(lab, public):
    with Sensor(lab, public, "--user", "nobody") as sensor:
        lines = Path(f"/proc/{sensor.process.pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert status["Uid"].split() == ["65534"] * 4
        assert status["CapEff"].strip("0") == status["CapPrm"].strip("0") == ""
        assert status["NoNewPrivs"] == "1"
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        lab.unplug()
        sensor.wait_log("eth1: disappeared")
        lab.say(b"a live-needle that nobody sees")
        lab.plug_monitor()
        sensor.wait_log("eth1: is back")
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(2)
        sensor.stop()
        assert sensor.sids() == [1, 1]
        assert "went down or away 1 times" in sensor.log


def test_a_confined_sensor_writes_in_its_own_folders_only(lab, public):
    if not landlock.abi():
        pytest.skip("this kernel has no Landlock")
    elsewhere = public / "elsewhere"
    (public / "log").mkdir(mode=0o777)
    elsewhere.mkdir(mode=0o777)
    control = f"unix-command.filename={public}/log/command.socket"
    options = ("--set", "unix-command.enabled=yes", "--set", control)
    with Sensor(lab, public / "log", *options, env={"XDG_CACHE_HOME": str(public / "log")}) as sensor:
        assert "Landlock" not in sensor.log
        moved = public / "log" / "eve.json"
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        # It would follow a link out of its folder, and root may write there.
        moved.unlink()
        moved.symlink_to(elsewhere / "eve.json")
        sensor.signal(signal.SIGHUP)
        sensor.wait_log("eve.json: ")
        assert list(elsewhere.iterdir()) == []
        moved.unlink()
        sensor._until(moved.exists, 10, "the log file to be made anew")
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        sensor.stop()


def test_time_passes_on_a_quiet_link(lab, tmp_path):
    with Sensor(lab, tmp_path, "--set", "flow-timeouts.udp.new=1", types="[flow]") as sensor:
        with lab.client("g1", "g2", 5353, socket.SOCK_DGRAM) as sock:
            sock.send(b"anybody there?")
        sensor._until(lambda: sensor.events("flow"), 10, "the end of a flow")
        ended = sensor.events("flow")
        assert [e["flow"]["reason"] for e in ended if e.get("dest_port") == 5353] == ["timeout"]


def test_service_manager_hears_of_start_life_and_end(lab, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        with Sensor(lab, tmp_path, env={"NOTIFY_SOCKET": str(path)}) as sensor:
            assert manager.recv(4096).startswith(b"READY=1\n")
            assert manager.recv(4096).startswith(b"WATCHDOG=1\n")
            sensor.stop()
            heard = b""
            while heard != b"STOPPING=1":
                heard = manager.recv(4096)


def test_prometheus_sees_what_the_sensor_sees(lab, tmp_path):
    with Sensor(lab, tmp_path, "--metrics", "127.0.0.1:9177") as sensor:
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        alerts = 'xensor_alerts_total{severity="1"}'
        sensor._until(lambda: scrape(lab.monitor, 9177).get(alerts), 5, "the metric of the alert")
        found = scrape(lab.monitor, 9177)
        assert found[alerts] == 1
        assert found["xensor_rules_loaded"] == 7
        assert found["xensor_workers_running"] == 1
        assert found['xensor_capture_interface_present{interface="eth1"}'] == 1
        assert sum(value for name, value in found.items() if name.startswith("xensor_capture_packets_total{")) >= 8


def test_what_the_ring_cannot_take_is_counted(lab, tmp_path):
    with Sensor(lab, tmp_path, "--ring-blocks", "2") as sensor:
        sensor.signal(signal.SIGSTOP)
        lab.say(b"x" * 8_000_000)
        sensor.signal(signal.SIGCONT)
        last = sensor.stop()
        assert last["capture"]["kernel_drops"] > 0
        assert last["decoder"]["pkts"] + last["capture"]["kernel_drops"] == last["capture"]["kernel_packets"]
        assert "dropped by the kernel" in sensor.log


def test_live_raises_what_replay_raises(lab, tmp_path):
    frames = _capture(tmp_path / "talk.pcap")
    folder = tmp_path / "offline"
    assert main(["replay", "-q", "-S", str(RULES), "-l", str(folder), str(tmp_path / "talk.pcap")]) == 0
    with Sensor(lab, tmp_path) as sensor:
        with lab.raw("g1") as client, lab.raw("g2") as server:
            for frame in frames:
                (client if frame[6:12] == frames[0][6:12] else server).send(frame)
        expected = _essence(sensor.events(eve=folder / "eve.json"))
        assert len(expected) == 3
        sensor.wait_alerts(len(expected))
        sensor.stop()
        assert _essence(sensor.events()) == expected


def _capture(path):
    """Write a capture of a conversation between hosts that do not exist; return its frames."""
    talk = Conversation(bytes([10, 99, 8, 1]), bytes([10, 99, 8, 2]), 40_000, 80, 1_700_000_000 * 10**9)
    talk.tcp(0, b"GET /live/evil HTTP/1.1\r\nHost: a\r\n\r\nlive-needle")
    talk.udp(0, b"a live-datagram")
    write_pcap(path, talk.frames)
    return [_other_macs(frame) for _, frame in talk.frames]


def _other_macs(frame):
    """The guests must not answer: addresses of nobody. The replayed capture's addresses play no part in alerts."""
    return b"\x02" + frame[1:6] + b"\x02" + frame[7:]


def _essence(alerts):
    return [
        (a["alert"]["signature_id"], a["src_ip"], a["dest_ip"], a.get("src_port"), a.get("dest_port"), a["payload"],
         a["flow"]["pkts_toserver"], a["flow"]["bytes_toserver"]) for a in alerts
    ]  # fmt: skip


def test_rules_are_reloaded_between_two_packets(lab, tmp_path):
    rules = tmp_path / "rules.yaml"
    good = RULES.read_text()
    rules.write_text(good)
    with Sensor(lab, tmp_path, rules=rules) as sensor:
        with lab.server("g2", 7000) as listening, lab.client("g1", "g2", 7000) as asking:
            answering, _ = listening.accept()
            with answering:
                asking.sendall(b"a live-needle, and half of a new-")
                sensor.wait_alerts(1)
                rules.write_text(good.replace("live-never-said", "new-needle"))
                sensor.signal(signal.SIGUSR2)
                sensor.wait_log("rules reloaded")
                asking.sendall(b"needle, and live-TOKEN=beef02")
                sensor.wait_alerts(2)
        rules.write_text(good + "  - {id: 8, title: broken, protocol: tcp, match: [{content: }]}")
        sensor.signal(signal.SIGUSR2)
        sensor.wait_log("reload failed, the rules in force stay")
        lab.say(b"this is a new-needle for you")
        sensor.wait_alerts(3)
        sensor.stop()
        # The first alert is not raised again, and what a stream brought just before counts for new rules, too.
        assert sensor.sids() == [1, 6, 7, 6]


def test_the_halves_of_a_conversation_may_come_on_two_interfaces(lab, tmp_path):
    lab.plug("vif9.2", "", lab.monitor, "eth2")
    lab.mirror("vif2.0", "vif9.2")
    try:
        with Sensor(lab, tmp_path, interfaces=("eth1", "eth2")) as sensor:
            for _ in range(3):
                lab.say(b"this is a live-needle for you")
            sensor.wait_alerts(3)
            last = sensor.stop()
            assert sensor.sids() == [1, 1, 1]
            assert last["flow"]["tcp"] == 3
            assert last["tcp"]["reassembly_gap"] == 0
    finally:
        lab.unplug("vif9.2")
        assert lab.control("repair") == "mended: vif2.0\n"


@pytest.mark.parametrize(("words", "status", "text"), [
    (["-i", "xs-none0"], 5, "xs-none0"),
    (["-T", "-i", "xs-none0"], 5, "no such interface"),
    (["-T", "-i", "lo"], 0, "the configuration is good"),
    (["-T", "-i", "lo", "--", "nonsense )"], 2, "nonsense"),
    (["-T", "-i", "lo", "--user", "nobody-of-that-name"], 2, "no such user"),
    (["-T", "-i", "lo", "--metrics", "nowhere"], 2, "ADDRESS:PORT"),
    (["-T", "-i", "lo", "--set", "outputs.syslog.enabled=yes"], 3, "need default-log-dir"),
    (["-T", "-i", "lo", "-l", "/dev/null/logs"], 6, "is not a folder"),
    (["-T", "-i", "lo", "--set", "unix-command.enabled=yes", "--set", "unix-command.filename=/dev/null"], 6,
     "is not a socket"),
    (["-i", "lo", "--user", "nobody-of-that-name"], 2, "no such user"),
    (["-i", "lo", "--ring-blocks", "1"], 2, "2-4096"),
    (["-T", "--set", "af-packet.interface=xs-none0"], 5, "xs-none0"),
    ([], 2, "no interface"),
])  # fmt: skip
def test_what_cannot_start_says_why(lab, capfd, words, status, text):
    options, _, behind = " ".join(words).partition(" -- ")
    line = ["run", *options.split(), "-S", str(RULES), *(["--", behind] if behind else [])]
    assert main(line) == status
    assert text in capfd.readouterr().err
