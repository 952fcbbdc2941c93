"""`xensor-mirror` and the sensor on a real Open vSwitch."""

import shutil

import pytest
from livekit import ADDRESSES, Sensor, SwitchLab, command, unhappy
from test_mirror import broadcast, copies, shout

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def switch(able):
    for program in ("ovs-vsctl", "ovsdb-server", "ovs-vswitchd", "ovsdb-tool"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}: install openvswitch-switch")
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
