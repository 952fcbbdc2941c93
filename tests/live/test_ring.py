"""Blocks of a real ring, taken one by one and together."""

import socket
import time

import pytest
from livekit import inside

from sensor.capture.afpacket import LiveSource
from sensor.capture.ring import Ring, RingOptions

pytestmark = pytest.mark.live

PORT = 7999
SMALL = RingOptions(block_size=1 << 17, blocks=16, retire_ms=2000)
"""Two blocks may be taken together; none is handed over before it is full while a test runs."""
FULL = 14
"""Datagrams of 9,000 bytes that fill a block."""


@pytest.fixture
def loopback(lab):
    with inside(lab.monitor):
        yield


def datagrams(first, count, size=9000):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as receiver:  # without a receiver each would be answered by ICMP
        receiver.bind(("127.0.0.1", PORT))
        for number in range(first, first + count):
            sock.sendto(b"%08d" % number + bytes(size - 8), ("127.0.0.1", PORT))
            receiver.recv(1 << 16)


def numbers(block):
    """Return the numbers in the payloads (behind Ethernet, IP and UDP)."""
    starts = (block.off + 42).tolist()
    assert block.caplen.tolist() == [9042] * block.n
    return [int(bytes(block.buf[at : at + 8])) for at in starts]


@pytest.mark.usefixtures("loopback")
def test_blocks_that_wait_are_taken_as_one_around_the_whole_ring():
    ring = Ring("lo", SMALL)
    try:
        seen, lots = [], []
        for turn in range(24):
            datagrams(turn * FULL, FULL)
            if turn % 3 == 2:  # two blocks are full, and part of a third
                while waiting := ring.waiting():
                    lots.append(waiting)
                    seen += numbers(ring.take(len(seen) + 1, waiting))
                    assert ring.ready() == -1
                    ring.release()
        assert seen == list(range(len(seen)))
        assert len(seen) > 20 * FULL  # more than once around
        assert max(lots) == 2
        assert ring.counters.blocks == sum(lots)
        assert ring.counters.packets == len(seen)
        ring.read_statistics()
        assert ring.counters.kernel_drops == 0
    finally:
        ring.close()


@pytest.mark.usefixtures("loopback")
def test_no_block_is_taken_that_begins_behind_a_time():
    ring = Ring("lo", SMALL)
    try:
        datagrams(0, FULL)
        between = time.time_ns()
        datagrams(FULL, 2 * FULL)
        assert ring.waiting() == 2
        assert ring.waiting(between) == 1
        assert ring.waiting(0) == 0
    finally:
        ring.close()


@pytest.mark.usefixtures("loopback")
def test_all_blocks_in_hand_are_passed_over_by_who_takes_over():
    ring = Ring("lo", SMALL)
    try:
        datagrams(0, 4 * FULL)
        first = ring.take(1, 2)
        ring.take_over()
        assert ring.counters.orphaned == first.n
        assert numbers(ring.take(1, 1))[0] == first.n
    finally:
        ring.close()


@pytest.mark.usefixtures("loopback")
def test_a_source_waits_for_blocks_that_come_quickly_but_not_for_others():
    options = RingOptions(block_size=1 << 17, blocks=16, retire_ms=20)
    source = LiveSource(["lo"], options)
    try:
        datagrams(0, 3 * FULL)
        block = source.next_block(2)
        assert source.rings[0].counters.blocks == 2
        assert numbers(block) == list(range(block.n))
        while source.next_block(0.1) is not None:
            pass
        datagrams(0, 3)
        before = source.rings[0].counters.blocks
        assert source.next_block(2).n == 3
        assert not source.rings[0].may_grow(1)  # the timer has handed it over
        assert source.rings[0].counters.blocks == before + 1
    finally:
        source.close()


@pytest.mark.usefixtures("loopback")
def test_nothing_is_left_in_the_ring_when_the_kernel_is_late_with_its_last_block():
    source = LiveSource(["lo"], RingOptions(block_size=1 << 17, blocks=16, retire_ms=400))
    source._retire_seconds = 0.02  # as if the timer came twenty times too late
    try:
        datagrams(0, FULL + 3)
        found = [number for block in source.drain() for number in numbers(block)]
        assert found == list(range(FULL + 3))
        assert not source.rings[0].filling()
        assert list(source.drain()) == []
    finally:
        source.close()
