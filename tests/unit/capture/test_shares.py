"""Shares of packets: each is somebody's, once, and all between two hosts are the same worker's."""

import ctypes
import random
import socket
import struct
from collections import Counter

import numpy as np
import pytest
from forgekit import arp, ether, icmp, ipv4, tcp, udp, vxlan

from sensor.capture import uapi
from sensor.capture.bpf import verified
from sensor.capture.memory import MemorySource
from sensor.capture.shares import LAYERS, Share, ShareOfFiles, behind, program
from sensor.model import block as links

SECRET = 0x12345678
A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"
ENDS = ((A, 1000), (B, 80))


def plain(frame, of):
    """The worker of an Ethernet frame, in words of Python."""
    at, kind = 14, frame[12:14]
    for _ in range(3):
        if kind in (b"\x81\0", b"\x88\xa8", b"\x91\0"):
            kind, at = frame[at + 2 : at + 4], at + 4
    if kind == b"\x08\0" and len(frame) >= at + 20:
        hosts = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
    elif kind == b"\x86\xdd" and len(frame) >= at + 40:
        hosts = frame[at + 8 : at + 24], frame[at + 24 : at + 40]
    else:
        return 0
    total = 0
    for host in hosts:
        mixed = 0
        for (word,) in struct.iter_unpack("!I", host):
            mixed ^= word
        mixed = mixed * (SECRET | 1) & 0xFFFFFFFF
        total += mixed ^ mixed >> 15
    return (total * 0x9E3779B1 & 0xFFFFFFFF) // 65536 % of


def ipv6(src, dst, body=b""):
    return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + b"\x3b\x40" + src + dst + body


def frames(seed=1, n=300):
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        v4, v6 = (rng.randbytes(4), rng.randbytes(4)), (rng.randbytes(16), rng.randbytes(16))
        found += [ether(ipv4(*v4, 17, rng.randbytes(30))), ether(ipv6(*v6, rng.randbytes(9)), 0x86DD)]
        found.append(ether(ipv4(*v4, 6, rng.randbytes(8)), vlan=rng.randrange(4096)))
    two = found[0][:12] + b"\x88\xa8\0\7\x81\0\0\x08" + found[0][12:]
    four = found[0][:12] + b"\x81\0\0\x07" * 4 + found[0][12:]
    runts = [found[0][:n] for n in range(14, 34)] + [found[1][:n] for n in range(14, 54, 3)]
    return [*found, two, four, *runts, arp(1, b"\2\0\0\0\0\1", A, B), ether(b"\0" * 40, 0x8847)]


def block_of(given, linktype=links.LINKTYPE_ETHERNET):
    return next(MemorySource(list(enumerate(given)), linktype).blocks())


def masks(given, of, linktype=links.LINKTYPE_ETHERNET):
    block = block_of(given, linktype)
    return np.array([ShareOfFiles(Share(i, of, SECRET)).mask(block) for i in range(of)])


@pytest.mark.parametrize("of", [2, 3, 4, 64])
def test_each_frame_is_one_workers_and_the_one_that_plain_words_say(of):
    given = frames()
    found = masks(given, of)
    assert (found.sum(axis=0) == 1).all()
    assert found.argmax(axis=0).tolist() == [plain(frame, of) for frame in given]


def in_kernel(code, given):
    """Which frames the kernel's machine lets into a socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        text = ctypes.create_string_buffer(b"".join(uapi.FILTER_INSTRUCTION.pack(*one) for one in code))
        packed = uapi.FILTER_PROGRAM.pack(len(code), ctypes.addressof(text))
        theirs.setsockopt(socket.SOL_SOCKET, uapi.SO_ATTACH_FILTER, packed)
        theirs.setblocking(False)
        passed = []
        for frame in given:
            ours.send(frame)
            try:
                passed.append(len(theirs.recv(1 << 16)) == len(frame))
            except BlockingIOError:
                passed.append(False)
    return passed


def test_the_kernel_gives_each_worker_the_same_frames_whole():
    given = frames(2, 60)
    for i, mask in enumerate(masks(given, 4)):
        code = program(Share(i, 4, SECRET), links.LINKTYPE_ETHERNET)
        assert len(code) < uapi.FILTER_MAX
        assert in_kernel(code, given) == mask.tolist(), i


def worker(packet, vlan=None):
    return int(masks([ether(packet, vlan=vlan)], 16).argmax())


def test_all_between_two_hosts_goes_to_one_worker():
    back = ENDS[::-1]
    whole = ipv4(A, B, 17, udp(ENDS, b"x" * 64))
    others = [
        ipv4(A, B, 6, tcp(ENDS, 1, 0, 2)), ipv4(B, A, 6, tcp(back, 1, 2, 0x12)), whole,
        ipv4(A, B, 17, b"y" * 16, flags=1), ipv4(A, B, 17, b"y" * 16, offset=2),
        ipv4(B, A, 1, icmp(3, 3, whole[:28])), ipv4(A, B, 6, tcp(((A, 20), (B, 2000)), 1, 0, 2)),
    ]  # fmt: skip
    assert {worker(packet) for packet in others} == {worker(whole)}
    assert worker(whole, vlan=5) == worker(whole)
    inner = ether(ipv4(A, C, 6, tcp(((A, 1), (C, 2)), 1, 0, 2)))
    assert worker(vxlan(inner)[14:]) == worker(vxlan(ether(whole))[14:])


def test_neighbours_are_spread_over_the_workers():
    """Guests of one host have addresses that differ in few bits."""
    guests = [bytes([10, 0, 0, n]) for n in range(1, 33)]
    pairs = [(a, b) for a in guests for b in guests if a < b]
    found = Counter(masks([ether(ipv4(a, b, 17, b"")) for a, b in pairs], 4).argmax(axis=0).tolist())
    assert all(0.8 < n / (len(pairs) / 4) < 1.2 for n in found.values()), found
    star = Counter(masks([ether(ipv4(guests[0], b, 17, b"")) for b in guests[1:]], 4).argmax(axis=0).tolist())
    assert len(star) == 4


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_every_link_type_gives_a_pair_to_the_worker_that_ethernet_gives_it_to(kind):
    packet = ipv4(A, B, 17, udp(ENDS, b"hello"))
    six = ipv6(A * 4, C * 4, b"hello")
    ethertype, start = LAYERS[kind]
    for body, word in ((packet, b"\x08\0"), (six, b"\x86\xdd")):
        head = bytearray(start)
        if ethertype >= 0:
            head[ethertype : ethertype + 2] = word
        found = masks([bytes(head) + body], 16, kind)
        assert found.argmax() == masks([ether(body, int.from_bytes(word, "big"))], 16).argmax()
        assert found.sum() == 1


def test_a_link_type_without_a_program_is_the_first_workers():
    assert masks([b"\xff\x03\0\x21" + ipv4(A, B, 17, b"")], 4, links.LINKTYPE_PPP)[:, 0].tolist() == [1, 0, 0, 0]


def test_frames_that_were_cut_are_the_first_workers():
    whole = ether(ipv4(A, B, 17, udp(ENDS, b"hello")))
    block = block_of([whole[:30]])
    block.wirelen[:] = len(whole)
    assert [int(ShareOfFiles(Share(i, 4)).mask(block)[0]) for i in range(4)] == [1, 0, 0, 0]


def test_packets_keep_their_numbers():
    given = frames(3, 50)
    block = block_of(given)
    seen = []
    for i in range(3):
        mine = ShareOfFiles(Share(i, 3, SECRET)).apply(block)
        seen += mine.packet_numbers().tolist()
    assert sorted(seen) == list(range(1, len(given) + 1))


def test_a_capture_filter_before_a_share_passes_what_both_pass():
    given = frames(4, 60)
    arps = [(0x28, 0, 0, 12), (0x15, 0, 1, 0x0806), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)]
    first = program(Share(0, 4, SECRET), links.LINKTYPE_ETHERNET)
    both = behind(arps, first)
    verified(both)
    assert [given[i] for i, yes in enumerate(in_kernel(both, given)) if yes] == [given[-2]]
    assert not any(in_kernel(behind(arps, program(Share(1, 4, SECRET), links.LINKTYPE_ETHERNET)), given))
    with pytest.raises(ValueError, match="number of the packet"):
        behind([(0x16, 0, 0, 0)], first)


def test_shares_have_bounds():
    for index, of in ((0, 0), (2, 2), (-1, 2), (0, 65)):
        with pytest.raises(ValueError, match="at most"):
            Share(index, of)
