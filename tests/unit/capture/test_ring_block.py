"""The walk over a ring block: what the kernel wrote becomes columns, and no offset leads out of the block."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.capture import uapi
from sensor.capture.afpacket import compile_filter
from sensor.capture.kernels_ring import walk_block
from sensor.capture.ring import RingOptions
from sensor.errors import UsageError
from sensor.model.block import HINT_CSUM_PARTIAL, HINT_CSUM_VALID, HINT_NONE

VLAN, TPID = uapi.TP_STATUS_VLAN_VALID, uapi.TP_STATUS_VLAN_TPID_VALID
FIRST = 48


def frame(data, *, status=0, tci=0, tpid=0, sec=1, nsec=2, wire=None, last=False):
    """Return a frame as the kernel lays it out: header, sockaddr_ll, gap, data (linux/if_packet.h)."""
    mac = 82
    size = (mac + len(data) + 7) // 8 * 8
    head = struct.pack("<6IHHIIHH", 0 if last else size, sec, nsec, len(data), len(data) if wire is None else wire,
                       status | 1, mac, mac + 14, 0, tci, tpid, 0)  # fmt: skip
    return (head.ljust(mac, b"\xdd") + data).ljust(size, b"\xdd")


def block(*frames, size=4096):
    return np.frombuffer((b"\xdd" * FIRST + b"".join(frames)).ljust(size, b"\xdd"), np.uint8).copy()


def walk(buf, count, first=FIRST):
    off, ts = np.zeros(count, np.int64), np.zeros(count, np.int64)
    cap, wire, tci = (np.zeros(count, np.int32) for _ in range(3))
    tpid, hints, seen = np.zeros(count, np.uint16), np.zeros(count, np.uint8), np.zeros(3, np.int64)
    n = walk_block(buf, first, count, off, cap, wire, ts, tci, tpid, hints, seen)
    return n, off[:n], cap[:n], wire[:n], ts[:n], tci[:n], tpid[:n], hints[:n], seen.tolist()


def test_columns():
    frames = (frame(b"first", wire=9000, sec=1_700_000_000, nsec=999_999_999), frame(b"second!", last=True))
    n, off, cap, wire, ts, tci, _, hints, seen = walk(block(*frames), 2)
    assert n == 2
    assert [bytes(block(*frames)[o : o + c]) for o, c in zip(off, cap, strict=True)] == [b"first", b"second!"]
    assert wire.tolist() == [9000, 7]
    assert ts.tolist() == [1_700_000_000_999_999_999, 1_000_000_002]
    assert tci.tolist() == [-1, -1]
    assert hints.tolist() == [HINT_NONE, HINT_NONE]
    assert seen == [0, 0, 12]


@pytest.mark.parametrize(("status", "tci", "tpid", "expected"), [
    (VLAN | TPID, 0x6007, 0x88A8, (0x6007, 0x88A8)),
    (VLAN, 7, 0, (7, 0x8100)),
    (VLAN | TPID, 0, 0x8100, (0, 0x8100)),  # a priority tag is a tag
    (0, 7, 0x8100, (-1, 0)),
    (TPID, 7, 0x8100, (-1, 0)),
])  # fmt: skip
def test_a_tag_is_there_when_the_flag_says_so(status, tci, tpid, expected):
    *_, got_tci, got_tpid, _, seen = walk(block(frame(b"x", status=status, tci=tci, tpid=tpid, last=True)), 1)
    assert (got_tci[0], got_tpid[0]) == expected
    assert seen[0] == (expected[0] >= 0)


@pytest.mark.parametrize(("status", "expected"), [
    (uapi.TP_STATUS_CSUMNOTREADY, HINT_CSUM_PARTIAL),
    (uapi.TP_STATUS_CSUM_VALID, HINT_CSUM_VALID),
    (uapi.TP_STATUS_CSUMNOTREADY | uapi.TP_STATUS_CSUM_VALID, HINT_CSUM_PARTIAL),
    (uapi.TP_STATUS_LOSING, HINT_NONE),
])  # fmt: skip
def test_checksum_hints(status, expected):
    *_, hints, seen = walk(block(frame(b"x", status=status, last=True)), 1)
    assert hints[0] == expected
    assert seen[1] == (expected != HINT_NONE)


def test_a_super_segment():
    data = bytes(range(256)) * 255
    n, _, cap, *_ = walk(block(frame(data, last=True), size=1 << 17), 1)
    assert (n, cap[0]) == (1, 65_280)


def test_the_walk_ends_where_the_frames_end():
    assert walk(block(frame(b"one", last=True)), 5)[0] == 1
    assert walk(block(frame(b"one"), frame(b"two", last=True)), 1)[0] == 1
    assert walk(block(), 0)[0] == 0


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=0, max_size=600), st.integers(0, 700), st.integers(0, 9))
def test_no_offset_leads_out_of_the_block(noise, first, count):
    buf = np.frombuffer(noise.ljust(600, b"\0"), np.uint8).copy()
    n, off, cap, wire, *_ = walk(buf, count, first)
    assert n <= count
    assert ((off >= 0) & (off + cap <= buf.size) & (cap >= 0) & (wire >= cap)).all()


@pytest.mark.parametrize("wrong", [{"block_size": 1000}, {"block_size": 1 << 27}, {"blocks": 1}, {"retire_ms": 0}])
def test_ring_sizes_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="ring"):
        RingOptions(**wrong)


def test_filters():
    assert compile_filter("tcp port 80")[-1][0] == 0x06
    with pytest.raises(UsageError, match="vlan"):
        compile_filter("ip and vlan 7")
    with pytest.raises(UsageError, match="nonsense"):
        compile_filter("nonsense ) here")
