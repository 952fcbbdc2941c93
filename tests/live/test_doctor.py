"""`xensor doctor` on the laboratory: it finds what is wrong with a mirror, and nothing where nothing is."""

import subprocess
import sys

import pytest
from livekit import ROOT, Sensor, command

pytestmark = pytest.mark.live


def doctor(lab, *options, meanwhile=lambda: None):
    words = [sys.executable, "-c", "from sensor.cli.main import entry; entry()", "doctor", "-i", "eth1", *options]
    with subprocess.Popen(["ip", "netns", "exec", lab.monitor, *words], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        while process.poll() is None:
            meanwhile()
        out, err = process.communicate()
    assert err == ""
    return process.returncode, out


def test_nothing_arrives(lab):
    status, out = doctor(lab, "--seconds", "1")
    assert status == 1
    assert "error    mirror: nothing arrived in 1 s" in out


def test_a_good_mirror_and_a_sensor_that_runs(lab, tmp_path):
    socket = f"unix-command.filename={tmp_path}/command.socket"
    with Sensor(lab, tmp_path, "--set", "unix-command.enabled=yes", "--set", socket) as sensor:
        status, out = doctor(lab, "--seconds", "1", "-l", str(tmp_path), "--set", socket,
                             meanwhile=lambda: lab.say(b"hello"))  # fmt: skip
        assert status == 0, out
        assert "good     mirror: " in out
        assert "TCP connections from both sides" in out
        assert "good     sensor: it runs, and lost none of " in out
        assert "promiscuous" not in out
        sensor.stop()


def test_half_a_mirror(lab):
    """Only what one guest sends is mirrored."""
    lab.mirror("vif2.0", "lo")
    try:
        status, out = doctor(lab, "--seconds", "1", meanwhile=lambda: lab.say(b"hello"))
    finally:
        lab.mirror("vif2.0", "xenmon0")
    assert status == 0
    assert "warning  mirror: of " in out
    assert "only one side is seen" in out


def test_an_interface_with_an_address(lab):
    command(f"ip -n {lab.monitor} address add 10.98.0.1/24 dev eth1")
    try:
        _, out = doctor(lab, "--seconds", "0")
    finally:
        command(f"ip -n {lab.monitor} address flush dev eth1")
    assert "warning  eth1: it has addresses (10.98.0.1)" in out
    assert "mirror" not in out


def test_no_such_interface(lab):
    words = [sys.executable, "-m", "sensor", "doctor", "-i", "xs-none0"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error    xs-none0: there is no such interface" in done.stdout
