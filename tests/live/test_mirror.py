"""`xensor-mirror` on a real bridge: one copy of each frame, whatever comes and goes, and nothing left behind."""

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from livekit import ADDRESSES, MIRROR, ROOT, Sensor, command, inside, scrape

pytestmark = pytest.mark.live
HOOK = MIRROR.parent / "vif-post.d" / "xensor-mirror.hook"


def copies(lab, send, needle):
    """Return how many frames with a needle come to the sensor's interface while `send` runs, and a little after."""
    with inside(lab.monitor):
        seeing = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        seeing.bind(("eth1", 3))
    seeing.settimeout(0.3)
    found = 0
    with seeing:
        send()
        try:
            while True:
                found += needle in seeing.recv(70_000)
        except TimeoutError:
            return found


def shout(namespace, address, text):
    """Send a datagram to nobody from a namespace: it is flooded."""
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.bind((address, 0))
        sock.sendto(text, ("10.99.0.255", 9))


def broadcast(lab, guest, text):
    return lambda: shout(lab.guests[guest], ADDRESSES[guest], text)


def test_status_sends_a_probe_frame_that_comes_once_and_that_no_guest_sees(own):
    with own.raw("g2") as guest:
        guest.bind(("eth0", 0x88B5))
        guest.settimeout(0.1)
        found = own.status()
        with pytest.raises(TimeoutError):
            guest.recv(100)
    assert found["problems"] == []
    assert [(b["bridge"], b["kind"], b["names"], b["missing"]) for b in found["bridges"]] == [
        ("xenbr0", "linux", ["vif1.0", "vif2.0"], 0)
    ]


def test_status_misses_the_probe_frame_where_the_way_to_the_sensor_is_cut(own):
    command(f"bridge -n {own.host} link set dev vif9.1 state 0")
    assert own.status(status=1)["problems"] == ["xenbr0: no copies of a probe frame came to vif9.1, not one"]


def test_each_frame_is_copied_once(own):
    assert copies(own, broadcast(own, "g1", b"one-copy"), b"one-copy") == 1
    assert copies(own, lambda: own.say(b"said-once"), b"said-once") == 1


def test_a_guest_that_comes_is_missed_until_repair_and_gone_when_it_goes(own):
    own.plug("vif3.0", "xenbr0", own.guests["g1"], "eth7")
    command(f"ip -n {own.guests['g1']} address add 10.99.0.77/24 dev eth7")
    found = own.status(status=1)
    assert found["problems"] == ["xenbr0: not copied: vif3.0"]
    assert (found["bridges"][0]["ports"], found["bridges"][0]["missing"]) == (3, 1)
    assert own.control("repair") == "mended: vif3.0\n"
    assert own.status()["bridges"][0]["ports"] == 3
    own.unplug("vif3.0")
    assert own.status()["bridges"][0]["names"] == ["vif1.0", "vif2.0"]


def test_the_hook_mirrors_a_new_guest_and_never_fails(own):
    own.plug("vif3.0", "xenbr0", own.guests["g1"], "eth7")
    wrapper = own.state / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec "{MIRROR}" --state "{own.state}" "$@"\n')
    wrapper.chmod(0o755)
    script = f'set -eu; command=online; dev=vif3.0; . "{HOOK}"; echo "started $command"'

    def start(program):
        words = ["ip", "netns", "exec", own.host, "sh", "-c", script]
        there = os.environ | {"XENSOR_MIRROR": program}
        return subprocess.run(words, env=there, capture_output=True, text=True, check=False)

    assert start("/nonexistent").stdout == start("/bin/false").stdout == "started online\n"
    assert own.status(status=1)["bridges"][0]["missing"] == 1
    done = start(str(wrapper))
    assert (done.stdout, done.stderr, done.returncode) == ("started online\n", "", 0)
    assert own.status()["bridges"][0]["missing"] == 0


def test_the_sensor_is_found_by_its_vif_on_the_hub_and_not_copied(own):
    own.plug("vif9.0", "xenbr0", own.monitor, "eth0")
    command(f"ip -n {own.monitor} address add 10.99.0.9/24 dev eth0")
    own.unplug("vif9.1")
    own.control("repair")  # the first vif comes before the second: it is a guest's until then
    own.plug_monitor()
    assert copies(own, lambda: shout(own.monitor, "10.99.0.9", b"my-own"), b"my-own") == 1
    own.control("repair")
    assert copies(own, lambda: shout(own.monitor, "10.99.0.9", b"my-own"), b"my-own") == 0
    found = own.status()["bridges"][0]
    assert (found["names"], found["exempt"]) == (["vif1.0", "vif2.0"], 1)


def test_uplink_and_host_are_copied_on_request_and_once(own):
    own.plug("uplink0", "xenbr0", own.monitor, "outside")
    command(f"ip -n {own.monitor} address add 10.99.0.200/24 dev outside")
    command(f"ip -n {own.host} address add 10.99.0.254/24 dev xenbr0")

    def from_outside():
        shout(own.monitor, "10.99.0.200", b"from-outside")

    def from_host():
        shout(own.host, "10.99.0.254", b"from-host")

    assert copies(own, from_outside, b"from-outside") == copies(own, from_host, b"from-host") == 0
    own.control("add", "xenbr0", "--uplink", "--host")
    assert copies(own, from_outside, b"from-outside") == copies(own, from_host, b"from-host") == 1
    assert copies(own, broadcast(own, "g1", b"one-copy"), b"one-copy") == 1
    own.control("add", "xenbr0")
    assert copies(own, from_outside, b"from-outside") == copies(own, from_host, b"from-host") == 0


def test_a_port_may_be_exempt_by_name_and_another_named_as_a_guest(own):
    command(f"ip -n {own.host} link set vif2.0 down")
    command(f"ip -n {own.host} link set vif2.0 name web-frontend")
    command(f"ip -n {own.host} link set web-frontend up")
    own.control("add", "xenbr0", "--guests", "vif*", "--guests", "web-*", "--exempt", "vif1.*")
    assert own.status()["bridges"][0]["names"] == ["web-frontend"]
    assert copies(own, broadcast(own, "g1", b"exempt"), b"exempt") == 0


def test_a_filter_is_dead_after_its_hub_was_made_anew_and_is_mended(own):
    command(f"ip -n {own.host} link del xenmon0")
    command(f"ip -n {own.host} link add xenmon0 type bridge")
    command(f"ip -n {own.host} link set vif9.1 master xenmon0")
    found = own.status(status=1)
    assert "xenbr0: not copied: vif1.0, vif2.0" in found["problems"]
    assert own.control("repair") == "mended: vif1.0\nmended: vif2.0\n"
    assert own.status()["problems"] == []


def test_filters_of_others_keep_their_place_and_their_frames(own):
    own.plug("aside0", "", own.monitor, "aside1")
    theirs = (f"tc -n {own.host} filter add dev vif1.0 ingress pref 9 protocol all "
              "u32 match u32 0 0 action mirred egress mirror dev aside0")  # fmt: skip
    command(theirs)
    own.say(b"hello")
    shown = json.loads(command(f"tc -n {own.host} -j -s filter show dev vif1.0 ingress pref 9"))
    assert shown[-1]["options"]["actions"][0]["stats"]["packets"] > 0
    own.control("remove", "xenbr0")
    left = json.loads(command(f"tc -n {own.host} -j filter show dev vif1.0 ingress"))
    assert {entry["pref"] for entry in left} == {9}
    command(theirs.replace("pref 9", "pref 1"))
    assert "another filter has preference 1" in own.control("add", "xenbr0", status=2)
    assert "no bridge is mirrored" in own.control("status")
    own.control("add", "xenbr0", "--pref", "2")
    assert own.status()["problems"] == []


def test_nothing_is_left_after_removal(own):
    own.unplug("vif9.1")
    own.control("remove", "xenbr0")
    assert "clsact" not in command(f"tc -n {own.host} qdisc show")
    assert "xenmon0" not in command(f"ip -n {own.host} link show")
    assert [p.name for p in own.state.iterdir()] == ["lock"]
    assert own.control("status") == "no bridge is mirrored\n"
    assert "xenbr0 is not mirrored" in own.control("remove", "xenbr0", status=2)
    assert "there is no bridge xenbr7" in own.control("add", "xenbr7", status=2)
    assert [p.name for p in own.state.iterdir()] == ["lock"]


def test_two_bridges_share_a_hub_until_both_have_gone(own):
    command(f"ip -n {own.host} link add xenbr1 type bridge mcast_snooping 0")
    command(f"ip -n {own.host} link set xenbr1 up")
    own.plug("vif3.0", "xenbr1", own.guests["g1"], "eth7")
    command(f"ip -n {own.guests['g1']} address add 10.99.0.77/24 dev eth7")
    own.control("add", "xenbr1")
    found = own.status()
    assert [(b["bridge"], b["names"]) for b in found["bridges"]] == [
        ("xenbr0", ["vif1.0", "vif2.0"]), ("xenbr1", ["vif3.0"]),
    ]  # fmt: skip
    assert copies(own, lambda: shout(own.guests["g1"], "10.99.0.77", b"on-another"), b"on-another") == 1
    command(f"ip -n {own.host} link del xenbr0")
    assert own.status(status=1)["problems"] == [
        "xenbr0: there is no bridge xenbr0", "xenbr0: no probe frame could be sent: there is no bridge xenbr0",
    ]  # fmt: skip
    assert "xenbr0: there is no bridge xenbr0" in own.control("repair", status=1)
    own.control("remove", "xenbr0")
    assert own.status()["problems"] == []
    own.unplug("vif9.1")
    own.control("remove", "xenbr1")
    assert "xenmon0" not in command(f"ip -n {own.host} link show")


def test_frames_lost_on_the_way_are_published(own, tmp_path):
    command(f"tc -n {own.host} qdisc add dev vif9.1 root tbf rate 8kbit burst 2000 limit 2000")
    there = own.server("g2", 5353, socket.SOCK_DGRAM)
    with there, own.client("g1", "g2", 5353, socket.SOCK_DGRAM) as sock:
        for _ in range(50):
            sock.send(b"x" * 1000)
    path = tmp_path / "report.json"
    own.control("publish", "--report", str(path))
    report = json.loads(path.read_text())
    (vif,) = report["vifs"]
    assert vif["name"] == "vif9.1"
    assert 40 <= vif["dropped"] <= 50
    assert report["bridges"][0]["copied"] >= 50
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_the_sensor_raises_an_alert_when_a_guest_is_not_mirrored_or_frames_are_lost(own, tmp_path):
    path = tmp_path / "report.json"

    def publish():
        own.control("publish", "--report", str(path))

    publish()
    with Sensor(own, tmp_path, "--set", f"mirror.report={path}", "--metrics", "127.0.0.1:9178") as sensor:
        own.plug("vif3.0", "xenbr0", own.guests["g1"], "eth7")
        publish()
        sensor.wait_alerts(1)
        own.control("repair")
        publish()
        sensor.wait_log("mirror.not_copied: over")
        command(f"tc -n {own.host} qdisc add dev vif9.1 root tbf rate 8kbit burst 2000 limit 2000")
        there = own.server("g2", 5353, socket.SOCK_DGRAM)
        with there, own.client("g1", "g2", 5353, socket.SOCK_DGRAM) as sock:
            for _ in range(50):
                sock.send(b"x" * 1000)
        publish()
        sensor.wait_alerts(2)
        alerts, lost = 'xensor_alerts_total{severity="1"}', 'xensor_mirror_frames_lost_total{way="to_sensor"}'
        sensor._until(lambda: scrape(own.monitor, 9178).get(alerts) == 2, 5, "the metric of both alerts")
        sensor._until(lambda: scrape(own.monitor, 9178).get(lost), 5, "the metric of lost frames")
        assert 40 <= scrape(own.monitor, 9178)[lost] <= 60
        sensor.stop()
        assert [(e["alert"]["gid"], e["alert"]["signature_id"]) for e in sensor.events()] == [(200, 2), (200, 3)]
        assert "xenbr0: 1 of 3 ports (vif3.0)" in sensor.events()[0]["alert"]["signature"]


def test_the_doctor_asks_dom0_too(own, tmp_path):
    path = tmp_path / "report.json"

    def doctor(status):
        words = ["doctor", "-i", "eth1", "--seconds", "0", "--set", f"mirror.report={path}"]
        line = ["ip", "netns", "exec", own.monitor, sys.executable, "-m", "sensor", *words]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return next(line for line in done.stdout.splitlines() if "dom0" in line)

    own.control("publish", "--report", str(path))
    assert "it mirrors all 2 ports of guests, and has lost no frame" in doctor(0)
    own.plug("vif3.0", "xenbr0", own.guests["g1"], "eth7")
    own.control("publish", "--report", str(path))
    assert "1 of 3 ports (vif3.0) (mend: in dom0: xensor-mirror repair)" in doctor(1)


STORE = """#!/bin/sh
echo "${0##*/} $*" >> "$STORE_LOG"
case "$0 $1" in *read*/vif/*/mac) echo 00:16:3e:00:00:01 ;; esac
"""


def test_the_report_goes_into_a_folder_of_xenstore_that_the_sensor_cannot_change(own, tmp_path, monkeypatch):
    for name in ("read", "write", "chmod", "ls"):
        program = tmp_path / f"xenstore-{name}"
        program.write_text(STORE)
        program.chmod(0o755)
    log = tmp_path / "log"
    monkeypatch.setenv("STORE_LOG", str(log))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    own.control("publish", "--report", str(tmp_path / "report.json"))
    lines = log.read_text().splitlines()
    folder = "/local/domain/9/data/ids"
    assert [line.partition(" {")[0] for line in lines] == [
        f"xenstore-write {folder} ", f"xenstore-chmod {folder} n0 r9", f"xenstore-write {folder}/mirror",
        f"xenstore-chmod {folder}/mirror n0 r9", "xenstore-ls -f /local/domain/0/backend/vif",
        f"xenstore-read {folder}/guests", f"xenstore-write {folder} ", f"xenstore-chmod {folder} n0 r9",
        f"xenstore-write {folder}/guests/0", f"xenstore-chmod {folder}/guests/0 n0 r9",
        f"xenstore-write {folder} ", f"xenstore-chmod {folder} n0 r9",
        f"xenstore-write {folder}/guests", f"xenstore-chmod {folder}/guests n0 r9",
    ]  # fmt: skip
    assert json.loads(lines[2].partition("mirror ")[2]) == json.loads((tmp_path / "report.json").read_text())
    own.control("add", "xenbr0", "--exempt", "00:16:3E:00:00:01")
    assert own.status()["bridges"][0]["exempt"] == 2


def test_longer_frames_than_the_hub_takes_are_a_fault_that_repair_mends(own):
    command(f"ip -n {own.host} link set vif9.1 mtu 1500")
    assert own.status(status=1)["problems"] == [
        "vif9.1: its MTU of 1500 is below the guests' 9000: longer frames are lost"
    ]
    own.control("repair")
    assert own.status()["problems"] == []


def test_many_guests_cost_few_processes_and_one_that_goes_meanwhile_costs_none_of_the_others(own, tmp_path):
    for number in range(20, 50):
        command(f"ip -n {own.host} link add vif{number}.0 type veth peer name peer{number}")
        command(f"ip -n {own.host} link set vif{number}.0 master xenbr0 up")
    own.control("repair")
    real = shutil.which("tc")
    counting = tmp_path / "tc"
    # The first question for many ports comes when one of them has just gone.
    counting.write_text(f"""#!/bin/sh
echo >> {tmp_path}/calls
if [ -e {tmp_path}/go ] && [ "$3" = -batch ]; then rm {tmp_path}/go; ip link del vif25.0; fi
exec {real} "$@"
""")
    counting.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert own.control("status", "--no-probe").startswith("xenbr0 (linux) -> xenmon0: 32 of 32 ports")
        assert len((tmp_path / "calls").read_text()) <= 3
        (tmp_path / "go").touch()
        assert "31 of 32 ports" in own.control("status", "--no-probe", status=1)
        assert "31 of 31 ports" in own.control("status", "--no-probe")


def test_an_unplugged_sensor_is_told(own):
    own.unplug("vif9.1")
    assert own.status(status=1)["problems"] == ["the sensor has no vif on the hub"]


def test_dom0_may_have_python_3_9():
    for path in [MIRROR, *(MIRROR.parent / "xensor_mirror").glob("*.py")]:
        ast.parse(Path(path).read_text(), feature_version=(3, 9))
