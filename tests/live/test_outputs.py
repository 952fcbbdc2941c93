"""The outputs of a running sensor: what happens to alerts when disks fill and receivers fail."""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import pytest
from livekit import RULES, Sensor, inside
from loadgen import Load, conversations

from sensor.cli.ctl import ask
from sensor.cli.main import main
from sensor.engine.offline.forge import Conversation

pytestmark = pytest.mark.live

SAY = b"this is a live-needle for you"


@pytest.fixture
def disk(tmp_path):
    """A disk of 1 MiB for the logs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_costs_flow_records_first_and_no_alert(lab, disk, tmp_path):
    bound = ("--set", "outputs.disk.min-free=400kb")
    ballast = disk / "ballast"
    with Sensor(lab, tmp_path, "-l", str(disk), *bound, types="[alert,flow,stats]") as sensor:
        sensor.eve = disk / "eve.json"
        lab.say(SAY)
        sensor.wait_alerts(1)
        ballast.write_bytes(b"x" * (700 << 10))
        sensor.wait_log("flow records and evidence captures are left out")
        _fill(ballast)
        sensor.wait_log("everything but alerts is left out")
        for _ in range(6):  # the last page of the file takes a few
            lab.say(SAY)
        sensor.wait_log("events wait in memory")
        ballast.unlink()
        sensor.wait_log("there is room again")
        sensor.wait_alerts(7)
        last = sensor.stop()["outputs"]
        assert (last["disk"]["level"], last["eve.json"]["lost"], last["eve.json"]["waiting"]) == (0, 0, 0)
        assert last["eve.json"]["errors"] >= 1
        assert sensor.sids() == [1] * 7
        assert "is written again; 0 alerts" in sensor.log


def _fill(path):
    """Take all that is free."""
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def test_files_rotate_and_old_ones_are_cut_down_to_alerts(lab, tmp_path):
    options = ("--set", "outputs.eve-log.rotate-size=4kb", "--set", "outputs.retention.max-size=1")
    with Sensor(lab, tmp_path, *options, types="[alert,stats]") as sensor:
        for n in range(1, 7):
            lab.say(SAY)
            sensor._until(lambda n=n: len(_all(sensor, tmp_path)) >= n, 10, f"{n} alerts")
        sensor._until(lambda: list(tmp_path.glob("eve-*.alerts.json")), 15, "a file cut down to its alerts")
        sensor.stop()
    assert _all(sensor, tmp_path) == [1] * 6


def _all(sensor, folder):
    return [sid for path in folder.glob("eve*.json") for sid in sensor.sids(eve=path)]


def test_alerts_wait_for_a_dead_receiver_and_survive_a_kill(lab, tmp_path):
    options = ("--set", "outputs.unix-socket.enabled=yes", "--set", "outputs.unix-socket.filename=eve.sock")
    with Sensor(lab, tmp_path, *options) as sensor:
        lab.say(SAY)
        sensor.wait_log("unix-socket: No such file or directory: events wait in")
        lab.say(SAY)
        sensor.wait_alerts(2)
        sensor.process.kill()
        sensor.process.wait()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "eve.sock"))
        listening.listen()
        listening.settimeout(10)
        with Sensor(lab, tmp_path, *options) as sensor:
            lab.say(SAY)
            conn, _ = listening.accept()
            with conn, conn.makefile() as lines:
                conn.settimeout(10)
                heard = [json.loads(lines.readline()) for _ in range(3)]
            sensor.stop()
    assert sensor.sids() == [1, 1, 1]
    assert [e["flow_id"] for e in heard] == [e["flow_id"] for e in sensor.events()]


def test_syslog_hears_of_alerts(lab, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.settimeout(10)
        options = ("--set", "outputs.syslog.enabled=yes", "--set", f"outputs.syslog.server=unix://{tmp_path}/log",
                   "--set", "sensor-name=host-7")  # fmt: skip
        with Sensor(lab, tmp_path, *options) as sensor:
            lab.say(SAY)
            head, _, body = receiver.recv(1 << 16).decode().partition(" - ")
            sensor.stop()
            assert head.startswith("<170>1 2")
            assert head.split()[2:4] == ["host-7", "xensor"]
            assert json.loads(body)["alert"]["signature_id"] == 1


def test_the_packets_behind_an_alert_are_kept(lab, tmp_path):
    with Sensor(lab, tmp_path, "--set", "outputs.pcap-log.enabled=yes") as sensor:
        lab.say(b"a harmless text")
        with lab.server("g2", 7000) as listening, lab.client("g1", "g2", 7000) as asking:
            answering, _ = listening.accept()
            with answering:
                asking.sendall(b"first words")
                assert answering.recv(100)
                asking.sendall(SAY)
                sensor.wait_alerts(1)
                asking.sendall(b"last words")
                assert answering.recv(100)
        last = sensor.stop()
        assert last["capture"]["kernel_drops"] == 0
    (alert,) = sensor.events()
    raw = (tmp_path / alert["capture_file"]).read_bytes()
    assert all(words in raw for words in (b"first words", SAY, b"last words"))
    assert b"harmless" not in raw
    folder = tmp_path / "again"
    assert main(["replay", "-q", "-S", str(RULES), "-l", str(folder), str(tmp_path / alert["capture_file"])]) == 0
    assert sensor.sids(eve=folder / "eve.json") == [1], "what is kept raises the same alert"


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_the_packet_of_an_alert_is_dissected(lab, tmp_path, capsys):
    with Sensor(lab, tmp_path, "--set", "outputs.pcap-log.enabled=yes") as sensor:
        lab.say(SAY)
        sensor.wait_alerts(1)
        sensor.stop()
    (alert,) = sensor.events()
    assert "pcap_cnt" not in alert
    capsys.readouterr()
    assert main(["dissect", "-a", str(tmp_path / "eve.json"), "--json", "-v"]) == 0
    (packet,) = map(json.loads, capsys.readouterr().out.splitlines())
    shown = {f["name"]: f["value"] for layer in packet["layers"] for f in layer["fields"]}
    assert [shown[name] for name in ("ip.src", "ip.dst", "tcp.payload")] == [
        alert["src_ip"], alert["dest_ip"], SAY.hex(":"),
    ]  # fmt: skip


class Receiver:
    """Listens on a unix stream socket, and keeps what comes, over any number of connections."""

    def __init__(self, path):
        self.flows = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.bind(str(path))
        self._sock.listen()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            conn, _ = self._sock.accept()
            with conn, conn.makefile("rb") as lines:
                for line in lines:
                    if line == b"end\n":
                        return
                    if line.endswith(b"\n"):
                        self.flows.append(json.loads(line)["flow_id"])

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(self._sock.getsockname())
            sock.sendall(b"end\n")
        self._thread.join()
        self._sock.close()


@pytest.fixture
def receiver(tmp_path):
    made = Receiver(tmp_path / "eve.sock")
    yield made
    made.close()


def datagrams(lab, n, first=0):
    """Let a guest send alerting datagrams, each a flow of its own."""
    talks = [Conversation(bytes([10, 99, 9, 1]), bytes([10, 99, 9, 2]), first + i + 1, 5353, 0) for i in range(n)]
    with lab.raw("g1") as sock:
        for talk in talks:
            talk.udp(0, b"a live-datagram")
            ((_, frame),) = talk.frames
            sock.send(b"\x02" + frame[1:6] + b"\x02" + frame[7:])


def test_a_kill_under_load_loses_no_alert_that_was_written(lab, tmp_path, receiver):
    options = ("--set", "outputs.unix-socket.enabled=yes", "--set", "flood.burst=0")
    load = threading.Thread(target=datagrams, args=(lab, 20_000))
    with Sensor(lab, tmp_path, *options, types="[alert]") as sensor:
        load.start()
        sensor._until(lambda: sensor.eve.exists() and sensor.eve.stat().st_size > 1 << 20, 20, "a megabyte of alerts")
        sensor.process.kill()
        sensor.process.wait()
    load.join()
    lines = sensor.eve.read_bytes().splitlines()
    written = [json.loads(line)["flow_id"] for line in lines[:-1]]
    with Sensor(lab, tmp_path, *options, types="[alert]") as sensor:
        lab.say(SAY)
        sensor._until(lambda: set(written) <= set(receiver.flows), 20, "all alerts at the receiver")
        sensor.stop()
    assert len(written) == len(set(written)) > 500
    whole = [line for line in sensor.eve.read_bytes().splitlines() if line.endswith(b"}")]
    assert json.loads(whole[-1])["alert"]["signature_id"] == 1, "the first line after a torn one is whole"


@pytest.mark.slow
@pytest.mark.parametrize("silence", ["gone", "deaf"])
def test_a_receiver_that_is_dead_for_a_minute_blocks_nothing_and_gets_every_alert(lab, tmp_path, silence):
    """gone: nobody listens; deaf: it has accepted, and reads nothing."""
    path = tmp_path / "eve.sock"
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if silence == "deaf":
        deaf.bind(str(path))
        deaf.listen()
    options = ("--set", "outputs.unix-socket.enabled=yes", "--set", "flood.burst=0")
    with deaf, Sensor(lab, tmp_path, *options) as sensor:
        with Load(lab, conversations(30, 6), 1500) as load:
            over = time.monotonic() + 60
            sensor._until(lambda: time.monotonic() > over, 60, "the minute to be over")
        deaf.close()
        path.unlink(missing_ok=True)
        receiver = Receiver(path)
        try:
            lab.say(SAY)
            sensor._until(lambda: sensor.sids()[-1:] == [1], 10, "the alert after the load")
            written = {alert["flow_id"] for alert in sensor.events()}
            sensor._until(lambda: written <= set(receiver.flows), 60, "all alerts at the receiver")
            last = sensor.stop()
        finally:
            receiver.close()
    assert last["capture"]["kernel_drops"] == 0
    assert last["outputs"]["unix-socket"]["lost"] == 0
    assert len(sensor.sids()) >= 6 * (load.rounds - 1) > 1000


def test_rules_are_reloaded_under_load_and_no_packet_is_lost(lab, tmp_path):
    options = ("--set", "flood.burst=0", "--set", "unix-command.enabled=yes",
               "--set", f"unix-command.filename={tmp_path}/command.socket")  # fmt: skip
    load = threading.Thread(target=datagrams, args=(lab, 10_000))
    with Sensor(lab, tmp_path, *options) as sensor:
        load.start()
        reloads = 0
        while load.is_alive() or reloads < 3:
            assert ask(f"{tmp_path}/command.socket", "reload-rules", {})["return"] == "OK"
            reloads += 1
        load.join()
        sensor._until(lambda: len(sensor.eve.read_bytes().splitlines()) >= 10_000, 30, "all alerts")
        last = sensor.stop()
    assert last["capture"]["kernel_drops"] == 0
    assert last["decoder"]["pkts"] == last["capture"]["kernel_packets"]
    assert sensor.sids().count(4) == 10_000
    assert sensor.log.count("rules reloaded") == reloads


def test_prometheus_sees_the_outputs(lab, tmp_path, receiver):
    options = ("--metrics", "127.0.0.1:9178", "--set", "outputs.unix-socket.enabled=yes",
               "--set", "outputs.pcap-log.enabled=yes")  # fmt: skip
    with Sensor(lab, tmp_path, *options) as sensor:
        lab.say(SAY)
        sensor.wait_alerts(1)

        def scrape():
            with inside(lab.monitor), urllib.request.urlopen("http://127.0.0.1:9178/metrics") as answer:
                return answer.read().decode().splitlines()

        sensor._until(lambda: 'xensor_output_lines_total{output="unix-socket"} 1.0' in scrape(), 20, "a delivered line")
        lines = scrape()
        assert 'xensor_output_lost_total{output="eve.json"} 0.0' in lines
        assert 'xensor_output_failing{output="unix-socket"} 0.0' in lines
        assert 'xensor_spool_bytes{output="unix-socket"} 0.0' in lines
        assert "xensor_disk_level 0.0" in lines
        assert any(line.startswith("xensor_evidence_packets_total ") and not line.endswith(" 0.0") for line in lines)
