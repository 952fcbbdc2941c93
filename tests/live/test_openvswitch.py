"""`xensor-mirror` and the sensor on a real Open vSwitch."""

import shlex
import shutil

import pytest
from livekit import ADDRESSES, ROOT, Sensor, SwitchLab, command, unhappy
from test_mirror import broadcast, copies, shout

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", autouse=True)
def installed():
    for program in ("ovs-vsctl", "ovsdb-server", "ovs-vswitchd", "ovsdb-tool"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}: install openvswitch-switch")


@pytest.fixture(scope="module")
def switch(able, installed):
    made = SwitchLab()
    yield made
    made.close()


def test_a_conversation_is_seen_and_each_frame_counted_once(switch, tmp_path):
    before = switch.frames_sent()
    with Sensor(switch, tmp_path) as sensor:
        switch.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        sent = switch.frames_sent() - before
        last = sensor.stop()
        assert sensor.sids() == [1]
        assert sensor.events()[0]["src_ip"] == ADDRESSES["g1"]
        assert last["decoder"]["pkts"] == sent
        assert last["decoder"]["duplicates"] == last["tcp"]["reassembly_gap"] == 0
        assert unhappy(sensor.log) == []


def test_the_probe_frame_comes_once(switch):
    found = switch.status()
    assert found["problems"] == []
    assert [(b["kind"], b["names"], b["missing"]) for b in found["bridges"]] == [
        ("openvswitch", ["vif1.0", "vif2.0"], 0)
    ]


def test_a_guest_comes_and_goes(switch):
    switch.plug("vif3.0", "ovsbr0", switch.guests["g1"], "eth7")
    assert switch.status(status=1)["problems"] == ["ovsbr0: not copied: vif3.0"]
    assert switch.control("repair") == "mended: vif3.0\n"
    assert switch.status()["bridges"][0]["ports"] == 3
    switch.vsctl("del-port", "vif3.0")
    switch.unplug("vif3.0")
    assert switch.status()["bridges"][0]["ports"] == 2
    assert copies(switch, broadcast(switch, "g1", b"one-copy"), b"one-copy") == 1


def test_uplink_and_host_are_copied_on_request_and_once(switch):
    switch.plug("uplink0", "ovsbr0", switch.monitor, "outside")
    command(f"ip -n {switch.monitor} address add 10.99.0.200/24 dev outside")
    command(f"ip -n {switch.host} address add 10.99.0.254/24 dev ovsbr0")
    command(f"ip -n {switch.host} link set ovsbr0 up")
    sent = [
        (lambda: shout(switch.monitor, "10.99.0.200", b"from-outside"), b"from-outside"),
        (lambda: shout(switch.host, "10.99.0.254", b"from-host"), b"from-host"),
    ]
    assert [copies(switch, *one) for one in sent] == [0, 0]
    switch.control("add", "ovsbr0", "--uplink", "--host")
    assert [copies(switch, *one) for one in sent] == [1, 1]
    assert copies(switch, broadcast(switch, "g1", b"one-copy"), b"one-copy") == 1
    switch.vsctl("del-port", "uplink0")
    switch.unplug("uplink0")


def test_what_was_changed_by_hand_is_mended_and_nothing_is_left_after_removal(switch):
    switch.control("add", "ovsbr0")
    switch.vsctl("clear", "bridge", "ovsbr0", "mirrors")
    assert switch.status(status=1)["problems"][0] == "ovsbr0: not copied: vif1.0, vif2.0"
    switch.control("repair")
    command(f"ip -n {switch.host} link del ovsbr0.out")
    switch.control("repair")
    assert switch.status()["problems"] == []
    switch.unplug("vif9.1")
    switch.control("remove", "ovsbr0")
    assert switch.vsctl("list-ports", "ovsbr0").split() == ["vif1.0", "vif2.0"]
    assert switch.vsctl("list", "Mirror") == ""
    shown = command(f"ip -n {switch.host} link show")
    assert "xenmon0" not in shown
    assert "ovsbr0.out" not in shown


def test_a_real_erspan_tunnel_of_the_switch(able, tmp_path):
    """The commands of docs/deploy.md, on a switch whose tunnel leaves by a bridge of its own."""
    switch = SwitchLab()
    try:
        switch.plug("vif9.0", "", switch.monitor, "eth0")
        switch.vsctl("add-br", "under0", "--", "set", "bridge", "under0", "datapath_type=netdev")
        switch.vsctl("add-port", "under0", "vif9.0")
        command(f"ip -n {switch.host} address add 10.98.0.1/24 dev under0")
        command(f"ip -n {switch.host} link set under0 up")
        command(f"ip -n {switch.monitor} address add 10.98.0.2/24 dev eth0")
        switch.control("remove", "ovsbr0")
        for line in documented("erspan"):
            switch.vsctl(*shlex.split(line)[1:])
        options = ("--set", "erspan.interface=eth0", "--set", "erspan.senders=10.98.0.1")
        with Sensor(switch, tmp_path, *options, interfaces=()) as sensor:
            switch.say(b"a tunnel needs to know its peer")
            before = switch.frames_sent()
            switch.say(b"this is a live-needle for you")
            sent = switch.frames_sent() - before
            sensor.wait_alerts(1)
            last = sensor.stop()
            (alert,) = sensor.events()
            assert (alert["src_ip"], alert["tunnel"]["src_ip"]) == (ADDRESSES["g1"], "10.98.0.1")
            assert last["capture"]["refused"] == 0
            assert last["decoder"]["duplicates"] == 0
            assert last["decoder"]["erspan"] >= sent
    finally:
        switch.close()


def documented(word):
    """Return the commands of the block of docs/deploy.md in which a word is, for the laboratory's names."""
    blocks = (ROOT / "docs/deploy.md").read_text().split("```")[1::2]
    (block,) = [block for block in blocks if "ovs-vsctl" in block and word in block]
    lines = block.replace("\\\n", " ").replace("xapi0", "ovsbr0").replace("192.0.2.10", "10.98.0.2").splitlines()
    return [line for line in lines if line.startswith("ovs-vsctl")]


def test_the_documented_mirror_to_a_vif(able, tmp_path):
    switch = SwitchLab()
    try:
        switch.control("remove", "ovsbr0")
        switch.unplug("vif9.1")
        switch.plug("vif9.1", "ovsbr0", switch.monitor, "eth1")
        for line in documented("vif9.1"):
            switch.vsctl(*shlex.split(line)[1:])
        before = switch.frames_sent()
        with Sensor(switch, tmp_path) as sensor:
            switch.say(b"this is a live-needle for you")
            sensor.wait_alerts(1)
            sent = switch.frames_sent() - before
            last = sensor.stop()
            assert sensor.sids() == [1]
            assert last["decoder"]["pkts"] == sent
    finally:
        switch.close()
