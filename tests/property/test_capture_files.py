"""Whatever a capture file holds: the same packets however they are cut into blocks, and no other error."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from effort import effort
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sensor.capture.files import open_source

HERE = Path(__file__).resolve()
FORGE = str(HERE.parents[1] / "unit/capture")
sys.path.insert(0, FORGE)
from capture_forge import NS_MAGIC, PATCHED_MAGIC, US_MAGIC, Packet, Pcapng, collect, pcap  # noqa: E402

RELAXED = settings(
    max_examples=effort(60, 20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
U32 = st.one_of(st.integers(0, 3000), st.integers(0, 2**32 - 1))
PACKETS = st.lists(
    st.builds(Packet, U32, U32, st.binary(max_size=50), st.one_of(st.none(), U32)), max_size=12
)
CLASSIC = st.builds(
    pcap, PACKETS, st.sampled_from("<>"), st.sampled_from([US_MAGIC, NS_MAGIC, PATCHED_MAGIC]),
    st.sampled_from([0, 1, 12, 101, 113, 127, 276, 0x40000001]),
)  # fmt: skip
TICKS = st.integers(0, 2**64 - 1)
STEP = st.one_of(
    st.tuples(st.just("section")),
    st.tuples(
        st.just("interface"), st.sampled_from([1, 101, 127, 276]), st.integers(0, 60),
        st.one_of(st.none(), st.integers(0, 255)), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    ),
    st.tuples(st.just("enhanced"), st.binary(max_size=40), TICKS, st.integers(0, 2), U32),
    st.tuples(st.just("old_packet"), st.binary(max_size=40), TICKS, st.integers(0, 2), U32),
    st.tuples(st.just("simple"), st.binary(max_size=40), U32),
    st.tuples(st.just("block"), st.integers(0, 12), st.binary(max_size=30)),
)  # fmt: skip


@st.composite
def sections(draw):
    forged = Pcapng(draw(st.sampled_from("<>"))).section()
    for name, *values in draw(st.lists(STEP, max_size=15)):
        if name == "section":
            forged.order = draw(st.sampled_from("<>"))
        getattr(forged, name)(*values)
    return forged.out


@st.composite
def damaged(draw):
    data = bytearray(draw(st.one_of(CLASSIC, sections())))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def read(path, **limits):
    source = open_source([str(path)], on_error=lambda error: None, **limits)
    return collect(source), [str(e) for e in source.errors], source.skipped


@RELAXED
@given(damaged(), st.integers(1, 5), st.integers(1, 200))
def test_blocks_may_be_cut_anywhere(tmp_path, data, packets, size):
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    whole = read(path)
    assert read(path, block_packets=packets) == whole
    assert read(path, block_bytes=size) == whole
    assert len(whole[1]) <= 1


@RELAXED
@given(CLASSIC)
@example(pcap([Packet(0, 0, b"")]))
def test_a_prefix_gives_a_prefix(tmp_path, data):
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    whole = read(path)[0]
    for size in range(len(data) - 1, 24, -7):
        path.write_bytes(data[:size])
        part = read(path)[0]
        assert part == whole[: len(part)]
        assert len(part) >= len(whole) - (len(data) - size) // 16 - 1


FILTERS = ["", "len * 4294967291 - len > 7 and (ip[0] << 31 >> 9) % 7 != -len / 3 or udp"]
SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from capture_forge import collect
from sensor.capture.files import open_source
for bpf in sys.argv[2].split(";"):
    digest = hashlib.sha256()
    for path in sys.argv[3:]:
        source = open_source([path], on_error=lambda error: None, bpf=bpf or None)
        digest.update(repr((collect(source), list(map(str, source.errors)), source.skipped)).encode())
    print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Files that reach every branch of the kernels."""
    folder = tmp_path_factory.mktemp("samples")
    forged = Pcapng(">").section().interface(1, 20).interface(127).interface(276)
    for i, tsresol in enumerate((0, 3, 9, 12, 19, 28, 40, 0x80, 0x9F, 0xA0, 0xA1, 0xC0, 0xFF), 3):
        forged.interface(101, 0, tsresol, (-1) ** i * 10 ** (i - 3))
        for ticks in (0, 12345, 2**31, 2**33 - 1, 2**63, 2**64 - 1):
            forged.enhanced(b"frame", ticks, i).old_packet(b"old", ticks, i).simple(b"simple")
    forged.enhanced(b"radio", 1, 1)
    data = forged.out
    made = [
        pcap([Packet(2**32 - 1, 2**32 - 1, b"abc", 2**32 - 1), Packet(1, 2, b"")], order, magic)
        for order in "<>"
        for magic in (US_MAGIC, NS_MAGIC, PATCHED_MAGIC)
    ]
    made += [
        data,
        data[:-5],
        data + b"\0\0\0\x06\0\0\0\x09" + bytes(50),
        data + forged.enhanced(b"", 0, 99).out[-32:],
    ]
    for i, content in enumerate(made):
        (folder / f"{i}.pcap").write_bytes(content)
    return sorted(str(f) for f in folder.iterdir())


@pytest.fixture(scope="module")
def digests(samples):
    """What is read of them, with the compiler and without, filter by filter.

    With warnings as errors: an overflow that numba would hide stops the plain run.
    """
    filters = FILTERS if ctypes.util.find_library("pcap") else FILTERS[:1]
    command = [sys.executable, "-W", "error", "-c", SCRIPT, FORGE, ";".join(filters), *samples]
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    runs = [
        subprocess.run(command, env=env | {"NUMBA_DISABLE_JIT": off}, check=True, capture_output=True, text=True)
        for off in "01"
    ]
    return dict(zip(filters, zip(*(run.stdout.split() for run in runs), strict=True), strict=True))


@pytest.mark.parametrize("bpf", FILTERS)
def test_kernels_mean_the_same_as_plain_python(digests, bpf):
    if bpf not in digests:
        pytest.skip("libpcap is not installed")
    compiled, plain = digests[bpf]
    assert compiled == plain
