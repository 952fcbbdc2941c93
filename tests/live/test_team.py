"""Rings of several workers as a fanout group: whose a frame is, and what becomes of it when the interface goes."""

import errno
import select
import socket
import struct
from collections import Counter
from itertools import compress

import numpy as np
import pytest
from forgekit import arp, ether, ipv4
from livekit import command, inside

from sensor.capture import uapi
from sensor.capture.afpacket import LiveSource, compile_filter
from sensor.capture.memory import MemorySource
from sensor.capture.ring import Ring, RingOptions
from sensor.capture.shares import Share, ShareOfFiles
from sensor.capture.team import Team

pytestmark = pytest.mark.live

SECRET = 0x2468ACE1
NAME, PEER = "team0", "team1"
WORKERS = 4
A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"
PORTS = b"\0\x09\0\x09\0\x0c\0\0"
GROUPS = {"hash": 0, "cbpf": uapi.PACKET_FANOUT_CBPF}


def plug():
    command(f"ip link add {NAME} type veth peer name {PEER}")
    for name in (NAME, PEER):
        command(f"ip link set {name} addrgenmode none")
        command(f"ip link set {name} up")


@pytest.fixture
def card(lab):
    """An interface that can be taken away and come back, in the monitor's namespace."""
    with inside(lab.monitor):
        plug()
        yield
        command(f"ip link del {NAME}")


@pytest.fixture
def rings(card):
    """The rings of all workers on it, fed by its other end."""
    opened = []

    def open_all(name=NAME, program=()):
        team = Team(WORKERS, SECRET)
        opened.extend(Ring(name, RingOptions(block_size=1 << 17, blocks=8, retire_ms=20, team=team), program)
                      for _ in range(WORKERS))  # fmt: skip
        return opened

    yield open_all
    for ring in opened:
        ring.close()


def all_of(rings, number):
    """Return the frames of each ring, when that many have come."""
    found = [[] for _ in rings]
    ready = select.poll()
    for ring in rings:
        ready.register(ring.fileno(), select.POLLIN)
    while sum(map(len, found)) < number:
        assert ready.poll(5000), f"{number} frames were sent, {sum(map(len, found))} have come"
        for ring, frames in zip(rings, found, strict=True):
            while ring.waiting():
                block = ring.take(1)
                frames += [bytes(block.buf[o : o + c]) for o, c in zip(block.off, block.caplen, strict=True)]
                ring.release()
    return found


def send(frames, name=PEER):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((name, 0))
        for frame in frames:
            sock.send(frame)


def divided(frames):
    """Return the frames of each worker as captures are divided."""
    block = next(MemorySource(list(enumerate(frames))).blocks())
    masks = [ShareOfFiles(Share(number, WORKERS, SECRET)).mask(block).tolist() for number in range(WORKERS)]
    return [list(compress(frames, mask)) for mask in masks]


def some_frames():
    rng = np.random.default_rng(7)

    def ipv6(src, dst):
        return b"\x60\0\0\0\0\x09\x3b\x40" + src + dst + rng.bytes(9)

    found = []
    for _ in range(60):
        pair, wide = (rng.bytes(4), rng.bytes(4)), (rng.bytes(16), rng.bytes(16))
        found += [ether(ipv4(*pair, 17, rng.bytes(30))), ether(ipv4(*pair[::-1], 17, rng.bytes(30))),
                  ether(ipv6(*wide), 0x86DD), ether(ipv4(*pair, 6, rng.bytes(1400)), vlan=7)]  # fmt: skip
    two = found[0][:12] + b"\x88\xa8\0\7\x81\0\0\x08" + found[0][12:]
    return [*found, two, found[0][:30], arp(1, b"\2\0\0\0\0\1", A, B), ether(b"\0" * 40, 0x8847)]


def test_a_frame_is_the_workers_that_captures_would_give_it_to(rings):
    """The kernel's group and a capture that is divided agree, frame by frame; each is somebody's, once."""
    frames = some_frames()
    members = rings()
    send(frames)
    for number, (got, mine) in enumerate(zip(all_of(members, len(frames)), divided(frames), strict=True)):
        untagged = [f[:12] + f[16:] if f[12:14] in (b"\x81\0", b"\x88\xa8") else f for f in mine]
        assert Counter(got) == Counter(untagged), number
        assert got or number


def test_what_is_sent_is_heard_and_other_interfaces_are_not(rings):
    """On one's own interface the operator sees both directions; of others nothing, with a filter or without."""
    members = rings(program=compile_filter("udp"))
    there, back = (ether(ipv4(*pair, 17, PORTS + b"data")) for pair in ((A, B), (B, A)))
    send([there, ether(ipv4(A, B, 6, bytes(20)))])
    send([back], NAME)
    command("ip link set lo up")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(b"not on this interface", ("127.0.0.1", 9))
    got = all_of(members, 2)
    assert sorted(frame for frames in got for frame in frames) == sorted([there, back])
    assert sum(map(bool, got)) == 1  # both directions are one worker's


def test_on_loopback_each_frame_comes_once(rings):
    command("ip link set lo up")
    members = rings("lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:
        receiver.bind(("127.0.0.1", 7998))
        for n in range(20):
            sock.sendto(b"%d" % n, ("127.0.0.1", 7998))
    assert sorted(len(frames) for frames in all_of(members, 20)) == [0, 0, 0, 20]


def test_a_group_finds_its_interface_again_and_divides_as_before(rings):
    members = rings()
    frames = some_frames()
    send(frames)
    before = all_of(members, len(frames))
    command(f"ip link del {NAME}")
    assert [ring.take_error() for ring in members] == ["disappeared"] * WORKERS
    assert not any(ring.attached for ring in members)
    plug()
    assert all(ring.rebind() for ring in members)
    send(frames)
    assert [Counter(got) for got in all_of(members, len(frames))] == [Counter(got) for got in before]
    assert [ring.counters.reopened for ring in members] == [1] * WORKERS


def test_nothing_comes_before_all_have_joined_nor_after_the_end(card):
    team = Team(2, SECRET)
    options = RingOptions(block_size=1 << 17, blocks=8, retire_ms=20, team=team)
    frame = ether(ipv4(A, B, 1, b"\x08\0\0\0ping"))
    first = Ring(NAME, options)
    send([frame])
    second = Ring(NAME, options)
    try:
        send([frame])
        assert sum(map(len, all_of([first, second], 1))) == 1
        for ring in (first, second):
            ring.stop()
        send([frame])
        for ring in (first, second):
            ring.read_statistics()
        assert first.counters.kernel_packets + second.counters.kernel_packets == 1
    finally:
        first.close()
        second.close()


def test_two_sensors_do_not_share_a_group(card):
    frame = ether(ipv4(A, B, 17, PORTS + b"data"))
    sources = [LiveSource([NAME], RingOptions(block_size=1 << 17, blocks=8, team=Team(1, n))) for n in (1, 2)]
    try:
        send([frame])
        assert [source.next_block(5).n for source in sources] == [1, 1]
    finally:
        for source in sources:
            source.close()


@pytest.mark.parametrize("kind", GROUPS.values(), ids=GROUPS)
def test_a_member_that_is_bound_to_its_interface_would_be_lost_with_it(card, kind):
    """Why the group hears all interfaces: the kernel binds no member again, and another socket takes privileges."""

    def opened(group=None):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((NAME, uapi.ETH_P_ALL))
        if group is not None:
            sock.setsockopt(uapi.SOL_PACKET, uapi.PACKET_FANOUT, struct.pack("I", group | kind << 16))
        return sock

    def bound_again(sock):
        try:
            sock.bind((NAME, uapi.ETH_P_ALL))
        except OSError as error:
            return error.errno
        return 0

    with opened() as plain, opened(7) as first, opened(7) as second:
        command(f"ip link del {NAME}")
        plug()
        assert [bound_again(sock) for sock in (plain, first, second)] == [0, errno.EINVAL, errno.EINVAL]


def test_frames_that_the_kernel_keeps_in_pieces_are_divided_like_others(rings):
    """Of a jumbo frame that a program sends, only the Ethernet header lies in one piece with the kernel's record."""
    for name in (NAME, PEER):
        command(f"ip link set {name} mtu 9000")
    rng = np.random.default_rng(9)
    frames = [ether(ipv4(rng.bytes(4), rng.bytes(4), 17, rng.bytes(7000))) for _ in range(40)]
    members = rings()
    send(frames)
    for number, (got, mine) in enumerate(zip(all_of(members, len(frames)), divided(frames), strict=True)):
        assert Counter(got) == Counter(mine), number
