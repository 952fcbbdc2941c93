"""The outputs of a running sensor: what happens to alerts when disks fill and receivers fail."""

import json
import socket
import subprocess

import pytest
from livekit import RULES, Sensor

from sensor.cli.main import main

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
        sensor.stop()
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
