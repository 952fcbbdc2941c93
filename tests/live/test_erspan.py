"""ERSPAN mode: GRE from configured senders is looked into, that of others is ignored and counted.

The frames are forged and sent from dom0's namespace over a link with addresses, as Open vSwitch or XAPI would.
"""

import socket
import struct

import pytest
from livekit import Sensor, command, inside

from sensor.cli.main import main
from sensor.engine.offline.forge import Conversation

pytestmark = pytest.mark.live
SENDER, STRANGER, HERE = "10.98.0.1", "10.98.0.9", "10.98.0.2"


@pytest.fixture
def tunnel(own):
    """A link of dom0 to the sensor's management interface."""
    own.plug("vif9.0", "", own.monitor, "eth0")
    for address in (SENDER, STRANGER):
        command(f"ip -n {own.host} address add {address}/24 dev vif9.0")
    command(f"ip -n {own.monitor} address add {HERE}/24 dev eth0")
    command(f"ip -n {own.host} link set vif9.0 mtu 1500")
    command(f"ip -n {own.monitor} link set eth0 mtu 1500")
    return own


def type_2(frame, number):
    """Draft-foschiano-erspan: GRE with a sequence number, then version, VLAN, session, index."""
    return struct.pack("!HHI", 0x1000, 0x88BE, number) + struct.pack("!HHI", 1 << 12, 7, 0) + frame


def type_3(frame, number):
    return struct.pack("!HHI", 0x1000, 0x22EB, number) + struct.pack("!HHIHH", 2 << 12, 7, 0, 0, 0) + frame


def bridged(frame, _):
    """Transparent Ethernet bridging (0x6558): a plain GRE port of Open vSwitch."""
    return struct.pack("!HH", 0, 0x6558) + frame


def send(lab, source, bodies):
    """Send GRE bodies; the kernel makes the IP headers, and fragments where they are needed."""
    with inside(lab.host), socket.socket(socket.AF_INET, socket.SOCK_RAW, 47) as sock:
        sock.bind((source, 0))
        sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
        for body in bodies:
            sock.sendto(body, (HERE, 0))


def conversation(text):
    talk = Conversation(bytes([10, 99, 0, 1]), bytes([10, 99, 0, 2]), 40_000, 7000, 0)
    talk.tcp(0, text)
    talk.udp(0, b"a live-datagram")
    return [frame for _, frame in talk.frames]


OPTIONS = ("--set", "erspan.interface=eth0", "--set", f"erspan.senders={SENDER},192.0.2.0/24")


@pytest.mark.parametrize("form", [type_2, type_3, bridged], ids=["II", "III", "bridged"])
def test_what_a_configured_sender_mirrors_is_judged_and_what_others_send_is_counted(tunnel, tmp_path, form):
    frames = conversation(b"this is a live-needle for you")
    forged = conversation(b"this is a live-needle of a stranger")
    with Sensor(tunnel, tmp_path, *OPTIONS, interfaces=()) as sensor:
        send(tunnel, STRANGER, [form(frame, n) for n, frame in enumerate(forged)])
        send(tunnel, SENDER, [form(frame, n) for n, frame in enumerate(frames)])
        sensor.wait_alerts(2)
        last = sensor.stop()
        alerts = sensor.events()
        assert sorted(sensor.sids()) == [1, 4]
        assert {(alert["src_ip"], alert["in_iface"]) for alert in alerts} == {("10.99.0.1", "eth0")}
        assert {alert["tunnel"]["src_ip"] for alert in alerts} == {SENDER}
        assert last["capture"]["refused"] == len(forged)
        assert last["capture"]["kernel_packets"] == last["decoder"]["pkts"] == len(frames)


def test_a_mirrored_frame_that_came_in_fragments(tunnel, tmp_path):
    frames = conversation(b"x" * 1_420 + b" a live-needle at the end")
    command(f"ip -n {tunnel.host} link set vif9.0 mtu 1000")
    assert max(map(len, frames)) > 1_000
    with Sensor(tunnel, tmp_path, *OPTIONS, interfaces=()) as sensor:
        send(tunnel, STRANGER, [type_2(frame, n) for n, frame in enumerate(frames)])
        send(tunnel, SENDER, [type_2(frame, n) for n, frame in enumerate(frames)])
        sensor.wait_alerts(2)
        last = sensor.stop()
        assert sorted(sensor.sids()) == [1, 4]
        assert last["capture"]["refused"] == last["capture"]["kernel_packets"] > len(frames)


def test_beside_a_bridge_mirror_and_after_the_interface_came_back(tunnel, tmp_path):
    with Sensor(tunnel, tmp_path, *OPTIONS) as sensor:
        tunnel.say(b"this is a live-needle for you")
        sensor.wait_alerts(1)
        tunnel.unplug("vif9.0")
        sensor.wait_log("eth0: disappeared")
        tunnel.plug("vif9.0", "", tunnel.monitor, "eth0")
        for address in (SENDER, STRANGER):
            command(f"ip -n {tunnel.host} address add {address}/24 dev vif9.0")
        command(f"ip -n {tunnel.monitor} address add {HERE}/24 dev eth0")
        sensor.wait_log("eth0: is back")
        send(tunnel, SENDER, [type_2(frame, n) for n, frame in enumerate(conversation(b"a live-needle"))])
        sensor.wait_alerts(3)
        sensor.stop()
        assert sorted(sensor.sids()) == [1, 1, 4]


@pytest.mark.parametrize(("words", "status", "text"), [
    (["--set", "erspan.senders=192.0.2.1"], 2, "no erspan.interface"),
    (["--set", "erspan.interface=eth0"], 2, "1-64 senders must be named"),
    (["--set", "erspan.interface=eth0", "--set", "erspan.senders=dom0"], 2, "expected addresses or networks"),
    (["-T", "--set", "erspan.interface=xs-none0", "--set", "erspan.senders=192.0.2.1"], 5, "no such interface"),
    (["-T", "--set", "erspan.interface=lo", "--set", "erspan.senders=192.0.2.1,2001:db8::/64"], 0, "is good"),
])  # fmt: skip
def test_what_is_configured_is_looked_at_first(capfd, words, status, text):
    assert main(["run", *words]) == status
    assert text in capfd.readouterr().err


def test_a_stranger_alone_is_not_decoded(tunnel, tmp_path):
    with Sensor(tunnel, tmp_path, *OPTIONS, interfaces=()) as sensor:
        send(tunnel, STRANGER, [type_2(frame, n) for n, frame in enumerate(conversation(b"x"))])
        last = sensor.stop()
        assert last["capture"]["refused"] > 0
        assert last["decoder"]["pkts"] == 0
