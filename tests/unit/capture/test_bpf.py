import ctypes
import struct
from pathlib import Path

import numpy as np
import pytest
from capture_forge import Packet, Pcapng, collect, pcap
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st
from libpcap_oracle import Oracle

from sensor.capture.bpf import Filter, verified
from sensor.capture.files import open_source
from sensor.capture.kernels_bpf import bpf_mask
from sensor.capture.libpcap import Compiler
from sensor.capture.memory import MemorySource
from sensor.errors import UsageError
from sensor.model.block import LINKTYPE_ETHERNET, LINKTYPE_RAW

CAPTURES = Path(__file__).resolve().parents[3] / "../shared/captures/attacks"

pytestmark = pytest.mark.skipif(
    not any(
        Path(p, "libpcap.so.0.8").exists() for p in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
    )
    and not ctypes.util.find_library("pcap"),
    reason="libpcap is not installed",
)


def ipv4(proto, sport, dport, payload=b"", src="10.0.0.1", dst="10.0.0.2"):
    addresses = bytes(int(x) for x in (src + "." + dst).split("."))
    body = struct.pack(">HH", sport, dport) + bytes(16) + payload
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0) + addresses + body


def ether(packet, vlan=None):
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    return bytes(range(12)) + tag + b"\x08\x00" + packet


FRAMES = [
    (0, ether(ipv4(6, 1024, 80))),
    (1, ether(ipv4(17, 53, 5353, b"x" * 100))),
    (2, ether(ipv4(6, 80, 1024, src="192.168.1.9"))),
    (3, ether(ipv4(1, 0x0800, 0), vlan=7)),
    (4, bytes(12) + b"\x08\x06" + bytes(28)),
    (5, bytes(12) + b"\x86\xdd\x60" + bytes(5) + b"\x3a\x40" + bytes(40)),
    (6, b"short"),
    (7, b""),
]


def passing(expression, frames=FRAMES, linktype=LINKTYPE_ETHERNET):
    block = next(MemorySource(frames, linktype).blocks())
    return (np.flatnonzero(Filter(expression).mask(block))).tolist()


@pytest.mark.parametrize(
    ("expression", "packets"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("tcp", [0, 2]),
        ("tcp port 80 and src net 192.168.0.0/16", [2]),
        ("udp or arp", [1, 4]),
        ("ip6", [5]),
        ("vlan 7 and icmp", [3]),
        ("not ip", [3, 4, 5]),
        ("greater 100", [1]),
        ("ip[8] = 64 and tcp[0:2] / 2 = 40", [2]),
    ],
)
def test_expressions(expression, packets):
    assert passing(expression) == packets


def test_length_is_that_on_the_wire():
    block = next(MemorySource(FRAMES[:2], wirelens=[2000, 142]).blocks())
    assert Filter("greater 1000").mask(block).tolist() == [True, False]


def test_link_types_are_compiled_apart():
    packets = [(0, ipv4(6, 1, 80)), (1, ipv4(17, 1, 80))]
    assert passing("tcp port 80", packets, LINKTYPE_RAW) == [0]


def test_filtered_blocks_keep_the_numbers_of_the_file(tmp_path):
    path = tmp_path / "a.pcap"
    packets = [Packet(sec, 0, data) for sec, data in FRAMES]
    path.write_bytes(pcap(packets))
    for size in (1, 3, 16384):
        source = open_source([str(path)], bpf="tcp or arp", block_packets=size)
        assert [(f[1], f[5]) for f in collect(source)] == [(n, FRAMES[n - 1][1]) for n in (1, 3, 5)]
        assert (source.counters.packets, source.counters.packets_filtered) == (3, 5)


def test_filter_and_skipped_interfaces_together(tmp_path):
    forged = Pcapng().section().interface(127).interface(1).interface(101)
    forged.enhanced(b"radio", 0)
    for i, (_, data) in enumerate(FRAMES):
        forged.enhanced(data, i, interface=1)
    forged.enhanced(ipv4(6, 1, 80), 9, interface=2)
    path = tmp_path / "a.pcapng"
    path.write_bytes(forged.out)
    assert [f[1] for f in collect(open_source([str(path)], bpf="tcp"))] == [2, 4, 10]
    source = open_source([str(path)], bpf="ether host 00:01:02:03:04:05")
    assert [f[1] for f in collect(source)] == [2, 3, 4, 5]
    assert source.problems[1].startswith(
        "capture filter 'ether host 00:01:02:03:04:05' passes nothing of link type 101"
    )


@pytest.mark.parametrize(
    "expression", ["tcp prot 80", "host", "port 99999999", "ip and arp and", "\udcff", "a\0b", "(" * 5000]
)
def test_bad_expressions_are_refused_at_once_with_the_reason(expression, tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([]))
    with pytest.raises(UsageError, match=r"^capture filter .*: .+"):
        open_source([str(path)], bpf=expression)


def test_missing_library_names_the_package(monkeypatch):
    monkeypatch.setattr("sensor.capture.libpcap._NAMES", ("libnothing.so",))
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(UsageError, match="install the package libpcap"):
        Filter("tcp")


@pytest.mark.parametrize(
    "program",
    [
        [],
        [(0x00, 0, 0, 1)],
        [(0xFF, 0, 0, 1), (0x06, 0, 0, 1)],
        [(0x15, 1, 0, 0), (0x06, 0, 0, 1)],
        [(0x05, 0, 0, 1), (0x06, 0, 0, 1)],
        [(0x05, 0, 0, 2**32 - 1), (0x06, 0, 0, 1)],
        [(0x02, 0, 0, 16), (0x06, 0, 0, 1)],
        [(0x61, 0, 0, 99), (0x06, 0, 0, 1)],
        [(0x34, 0, 0, 0), (0x06, 0, 0, 1)],
        [(0x94, 0, 0, 0), (0x06, 0, 0, 1)],
    ],
)
def test_unsafe_programs_are_refused(program):
    with pytest.raises(UsageError):
        verified(program)


WORDS = st.sampled_from([0, 1, 2, 3, 4, 7, 14, 16, 31, 32, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
LOADS = st.tuples(
    st.sampled_from([0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x01, 0x81, 0xB1]),
    st.just(0),
    st.just(0),
    WORDS,
)
SCRATCH = st.tuples(st.sampled_from([0x60, 0x61, 0x02, 0x03]), st.just(0), st.just(0), st.integers(0, 15))
ALU = st.tuples(
    st.integers(0, 10).map(lambda op: 0x04 | op << 4 | (op != 8) * 0),
    st.just(0),
    st.just(0),
    WORDS.map(lambda k: k or 5),
)
ALU_X = st.tuples(
    st.sampled_from([op << 4 | 0x0C for op in (0, 1, 2, 3, 4, 5, 6, 7, 9, 10)]), *[st.just(0)] * 3
)
MOVES = st.tuples(st.sampled_from([0x07, 0x87]), *[st.just(0)] * 3)
JUMPS = st.tuples(
    st.sampled_from([0x15, 0x25, 0x35, 0x45, 0x1D, 0x2D, 0x3D, 0x4D]),
    st.integers(0, 3),
    st.integers(0, 3),
    WORDS,
)
STEPS = st.lists(st.one_of(LOADS, SCRATCH, ALU, ALU_X, MOVES, JUMPS), max_size=14)


@given(STEPS, st.one_of(st.binary(max_size=4), st.binary(min_size=20, max_size=40)), st.integers(0, 5), WORDS)
@settings(max_examples=effort(300, 100), deadline=None)
def test_the_machine_agrees_with_libpcap(steps, data, extra, bits):
    clear = [(0x00, 0, 0, 0), *((0x02, 0, 0, k) for k in range(16))]
    program = [*clear, *steps, *[(0x54, 0, 0, bits)] * 4, (0x16, 0, 0, 0)]
    block = next(MemorySource([(0, data)], wirelens=[len(data) + extra]).blocks())
    keep = np.zeros(1, np.uint8)
    bpf_mask(verified(program), 1, block.buf, block.off, block.caplen, block.wirelen, block.linktype, keep)
    assert bool(keep[0]) == Oracle().accepts(program, data, len(data) + extra)


@pytest.mark.corpus
@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures in ../shared are not there")
def test_real_captures_are_filtered_as_libpcap_does():
    files = sorted(str(f) for f in CAPTURES.glob("*/*.pcap") if f.stat().st_size < 300_000)[:6]
    oracle = Oracle()
    for expression in (
        "tcp[tcpflags] & tcp-syn != 0",
        "udp port 53 or icmp",
        "ip[6:2] & 0x3fff != 0 or portrange 1-1023",
    ):
        program = Compiler().compile(expression, LINKTYPE_ETHERNET)
        for name in files:
            wanted = [f for f in collect(open_source([name])) if oracle.accepts(program, f[5], f[3])]
            assert collect(open_source([name], bpf=expression)) == wanted
