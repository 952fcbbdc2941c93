"""Guests come and go, scan and speak through trunks while the sensor runs; each frame is counted once."""

import shutil
import socket
import struct

import pytest
from livekit import (
    ADDRESSES,
    MACS,
    ROOT,
    SGRO,
    SGSO,
    SSG,
    STSO,
    STXCSUM,
    Sensor,
    SwitchLab,
    command,
    inside,
    plain_frames,
    unhappy,
)
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from sensor.engine.offline.forge import Conversation

pytestmark = pytest.mark.live
CLIENT, SERVER = bytes([10, 99, 9, 1]), bytes([10, 99, 9, 2])


def tagged(frame, vlan):
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def play(lab, frames, *, client_tag=0, server_tag=0):
    """Send a conversation's frames, each from its own guest. The MAC addresses are the guests'."""
    client = frames[0][6:12]
    with lab.raw("g1") as one, lab.raw("g2") as two:
        for frame in frames:
            sock, tag = (one, client_tag) if frame[6:12] == client else (two, server_tag)
            sock.send(tagged(frame, tag) if tag else frame)


def talk(text):
    made = Conversation(CLIENT, SERVER, 40_000, 7000, 0)
    made.tcp(0, text)
    return [frame for _, frame in made.frames]


def test_guests_come_and_go_while_the_sensor_runs(own, tmp_path):
    with Sensor(own, tmp_path) as sensor:
        for number in range(3):
            vif, address = f"vif{number + 3}.0", f"10.99.0.{number + 50}"
            own.plug(vif, "xenbr0", own.monitor, "guest")
            own.control("repair", "--quiet")  # what the hook does before the guest goes online
            command(f"ip -n {own.monitor} address add {address}/24 dev guest")
            with inside(own.monitor), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.bind((address, 9))
                sock.sendto(b"a live-datagram", ("10.99.0.255", 9))
            sensor.wait_alerts(number + 1)
            assert sensor.events()[-1]["src_ip"] == address
            own.unplug(vif)
        own.say(b"this is a live-needle for you")
        sensor.wait_alerts(4)
        last = sensor.stop()
        assert sensor.sids() == [4, 4, 4, 1]
        assert last["decoder"]["duplicates"] == last["capture"]["kernel_drops"] == 0
        assert unhappy(sensor.log) == []


@pytest.mark.parametrize("sides", [(7, 7), (7, 0)], ids=["both tagged", "one tagged"])
def test_a_conversation_on_a_trunk(own, tmp_path, sides):
    options = () if sides[0] == sides[1] else ("--set", "vlan.use-for-tracking=no")
    frames = talk(b"this is a live-needle for you")
    with Sensor(own, tmp_path, *options) as sensor:
        play(own, frames, client_tag=sides[0], server_tag=sides[1])
        sensor.wait_alerts(1)
        last = sensor.stop()
        (alert,) = sensor.events()
        assert alert["vlan"] == [7]
        assert alert["flow"]["pkts_toclient"] >= 1  # the other side belongs to the same flow
        assert last["decoder"]["pkts"] == len(frames)
        assert last["decoder"]["vlan"] == sum(bool(sides[f[6:12] != frames[0][6:12]]) for f in frames)
        assert last["flow"]["tcp"] == 1


def test_a_trunk_and_an_access_port_of_a_switch(able, tmp_path):
    if shutil.which("ovs-vswitchd") is None:
        pytest.skip("there is no ovs-vswitchd: install openvswitch-switch")
    switch = SwitchLab()
    try:
        switch.vsctl("set", "port", "vif1.0", "vlan_mode=trunk", "trunks=7", "--", "set", "port", "vif2.0", "tag=7")
        frames = talk(b"this is a live-needle for you")
        with switch.raw("g2") as access, Sensor(switch, tmp_path) as sensor:
            access.bind(("eth0", 3))
            access.settimeout(5)
            play(switch, frames, client_tag=7)
            while access.recv(2000) != frames[0]:  # the switch takes the tag off; what g2 itself sends passes, too
                pass
            sensor.wait_alerts(1)
            last = sensor.stop()
            (alert,) = sensor.events()
            assert alert["vlan"] == [7]
            # Of both directions: the switch tells the sensor the VLAN of an access port, too.
            assert last["decoder"]["vlan"] == last["decoder"]["pkts"] == len(frames)
            assert last["flow"]["tcp"] == 1
    finally:
        switch.close()


@pytest.mark.parametrize("dom0", [False, True], ids=["super-segments", "cut in dom0"])
@pytest.mark.parametrize("monitor", [False, True], ids=["joined", "not joined"])
def test_offloads_at_either_end_change_frames_and_nothing_else(own, tmp_path, dom0, monitor):
    if dom0:
        plain_frames(own.host, "vif9.1", (STSO, SGSO, SSG, STXCSUM))
    if monitor:
        plain_frames(own.monitor, "eth1", (SGRO,))
    with Sensor(own, tmp_path, "-k", "all") as sensor:
        own.say(b"x" * 400_000 + b"last-word-of-a-megabyte")
        sensor.wait_alerts(1)
        last = sensor.stop()
        assert sensor.sids() == [5]
        assert last["checksum"]["bad"] == last["tcp"]["reassembly_gap"] == last["capture"]["kernel_drops"] == 0
        assert (last["decoder"]["max_pkt_size"] > 10_000) == (not dom0)
        if dom0:
            assert last["checksum"]["partial"] == 0


def test_a_mirror_that_doubles_costs_no_alert_and_raises_none_twice(own, tmp_path):
    for vif in ("vif1.0", "vif2.0"):
        command(f"tc -n {own.host} filter add dev {vif} egress protocol all u32 match u32 0 0 "
                "action mirred egress mirror dev xenmon0")  # fmt: skip
    with Sensor(own, tmp_path) as sensor:
        before = own.frames_sent()
        for _ in range(20):
            own.say(b"this is a live-needle for you")
        sensor.wait_alerts(20)
        sent = own.frames_sent() - before
        last = sensor.stop()
        assert sensor.sids() == [1] * 20
        assert last["decoder"]["pkts"] >= 2 * sent - 4  # ARP may come before
        # Every copy is found; before there is evidence that these stations are doubled, it is only counted.
        assert last["dedup"]["duplicates"] + last["dedup"]["suspected"] > 0.9 * sent
        assert last["dedup"]["duplicates"] > 0.3 * sent
        assert last["flow"]["tcp"] == 20


def test_a_mirror_of_one_direction_is_noticed(own, tmp_path):
    command(f"tc -n {own.host} filter del dev vif2.0 ingress pref 1")
    with Sensor(own, tmp_path) as sensor:
        for _ in range(3):
            own.say(b"this is a live-needle for you")
        own.control("repair")
        own.say(b"this is a live-needle for you")
        last = sensor.stop()
        assert last["flow"]["one_way"] == 3
        assert last["flow"]["tcp"] == 4


def test_the_shipped_rules_see_a_real_scan_and_nothing_in_harmless_talk(own, tmp_path):
    with Sensor(own, tmp_path, rules=ROOT / "rules") as sensor:
        for _ in range(20):
            own.say(b"good morning", port=7001)
        with inside(own.guests["g1"]):
            for port in range(2000, 2060):
                with socket.socket() as sock:
                    assert sock.connect_ex((ADDRESSES["g2"], port)) != 0
        sensor.wait_alerts(1)
        last = sensor.stop()
        assert sensor.sids() == [9001001]
        (alert,) = sensor.events()
        assert ADDRESSES["g1"] in {alert["src_ip"], alert["dest_ip"]}
        assert last["flow"]["tcp"] == 80
        assert last["flow"]["one_way"] == 0
        assert last["capture"]["kernel_packets"] == last["decoder"]["pkts"]


def test_the_shipped_rules_name_forged_scans(own, tmp_path):
    target = Ether(src=MACS["g1"], dst=MACS["g2"]) / IP(src=ADDRESSES["g1"], dst=ADDRESSES["g2"])
    with Sensor(own, tmp_path, rules=ROOT / "rules") as sensor, own.raw("g1") as sock:
        for flags in ("F", "", "FPU"):
            for port in (2001, 2002, 2003):
                sock.send(bytes(target / TCP(sport=40_000, dport=port, flags=flags, window=2048)))
        sensor.wait_alerts(3)
        sensor.stop()
        assert sorted(sensor.sids()) == [9001002, 9001003, 9001004]
        assert {alert["src_ip"] for alert in sensor.events()} == {ADDRESSES["g1"]}
