"""The script of the monitoring DomU makes the mirror's vif ready."""

import json
import subprocess
import sys

import pytest
from livekit import ROOT, command, inside

pytestmark = pytest.mark.live
SCRIPT = ROOT / "deploy" / "domu" / "xensor-vif"
CHECK = "import sys; from sensor.capture.ifcheck import check; print(*check(sys.argv[1], capturing=True), sep='\\n')"


def findings(lab):
    """Return what the sensor says about the interface."""
    line = ["ip", "netns", "exec", lab.monitor, sys.executable, "-c", CHECK, "eth1"]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def make_ready(lab, status=0, **env):
    line = ["ip", "netns", "exec", lab.monitor, "env", *(f"{k}={v}" for k, v in env.items()), str(SCRIPT), "eth1"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr


def test_it_takes_every_frame_and_says_nothing(own):
    command(f"ip -n {own.monitor} link set eth1 down arp on mtu 1400")
    command(f"ip -n {own.monitor} address add 10.99.0.66/24 dev eth1")
    with inside(own.monitor), open("/proc/sys/net/ipv6/conf/eth1/disable_ipv6", "w") as setting:  # noqa: PTH123
        setting.write("0")
    before = findings(own)
    for word in ("it is down", "not promiscuous", "MTU of 1400", "10.99.0.66", "ARP", "IPv6"):
        assert word in before
    make_ready(own)
    after = findings(own)
    assert [line for line in after.splitlines() if "GRO" not in line and "queues" not in line] in ([], [""])
    (shown,) = json.loads(command(f"ip -n {own.monitor} -j address show dev eth1"))
    assert (shown["mtu"], shown["addr_info"]) == (9000, [])
    make_ready(own, XENSOR_MTU="1500")
    assert "mtu 1500" in command(f"ip -n {own.monitor} link show dev eth1")
    assert "must be keep or off" in make_ready(own, status=2, XENSOR_OFFLOADS="some")


def test_a_vif_that_comes_back_is_made_ready_again(own):
    make_ready(own)
    own.unplug()
    own.plug_monitor()
    make_ready(own)
    assert own.status()["problems"] == []
