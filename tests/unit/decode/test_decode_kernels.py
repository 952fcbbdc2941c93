"""What belongs to blocks rather than to packets."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
from decode_frames import block_of, difference, eth, ext, ip4, ip6, rows_of, rows_of_block, tag, tcp, udp

from sensor.decode.kernels import decode_block
from sensor.decode.limits import DecodeOptions
from sensor.model.block import LINKTYPE_ETHERNET, LINKTYPE_RAW, PacketBlock
from sensor.model.rows import ROW

HOW = {"verify_checksums": True, "options": DecodeOptions()}
FRAMES = [
    eth(0x0800, ip4(tcp(b"one", opts=b"\1\1\1\0"))),
    eth(0x8100, tag(3, 0x86DD, ip6(ext(17) + udp(b"two"), 0))),
    eth(0x0800, ip4(ip4(udp(b"three", 1, 4789), 17), 4)),
    eth(0x88CC, b"four"),
    b"",
    eth(0x0800, ip4(tcp(b"five"), flags=0x2000)),
]


def damaged(count):
    """Return frames with a few bytes changed, the same ones each time."""
    rng = random.Random(7)
    frames = []
    for _ in range(count):
        frame = bytearray(rng.choice([f for f in FRAMES if f]))
        for _ in range(rng.randrange(4)):
            frame[rng.randrange(len(frame))] = rng.choice(
                (0, 1, 4, 6, 17, 41, 44, 47, 51, 60, 0x45, 0x60, 0x81, 0xFF)
            )
        frames.append(bytes(frame))
    return frames


def test_an_empty_block():
    rows = rows_of_block(block_of([]))
    assert (rows.size, rows.dtype) == (0, ROW)


def test_offsets_are_the_buffers():
    rows = rows_of_block(block_of(FRAMES))
    starts = np.cumsum([0, *map(len, FRAMES)])
    assert rows["pkt"].tolist() == [0, 1, 2, 2, 3, 4, 5]
    assert (rows["l2"][rows["parent"] < 0] == starts[:-1]).all()
    assert rows["parent"].tolist() == [-1, -1, -1, 2, -1, -1, -1]


def test_rows_do_not_depend_on_where_blocks_end():
    whole = rows_of_block(block_of(FRAMES), verify=True)
    parts = [rows_of(frame, verify=True) for frame in FRAMES]
    for part, (pkt, start) in zip(parts, enumerate(np.cumsum([0, *map(len, FRAMES)])[:-1]), strict=True):
        mine = whole[whole["pkt"] == pkt].copy()
        base = int(np.flatnonzero(whole["pkt"] == pkt)[0])
        mine["pkt"] = 0
        mine["ts"] -= pkt
        mine["parent"][mine["parent"] >= 0] -= base
        for name in ("l2", "l3", "l4", "pay"):
            mine[name][mine[name] >= 0] -= start
        assert not difference(mine, part)


def test_mixed_link_types():
    packet = ip4(tcp(b"x"))
    rows = rows_of_block(block_of([eth(0x0800, packet), packet], [LINKTYPE_ETHERNET, LINKTYPE_RAW]))
    assert rows["sport"].tolist() == [1000, 1000]


def test_a_reassembled_datagram_somewhere_in_a_buffer():
    datagram = ip4(udp(b"whole" * 9000), 17)
    buf = np.frombuffer(b"frames of the block" + datagram + b"more", np.uint8)
    size = np.array([len(datagram)], np.int32)
    block = PacketBlock(buf, np.array([19]), size, size, np.array([5]), np.array([LINKTYPE_RAW], np.uint16))
    (row,) = rows_of_block(block)
    assert (row["l2"], row["l3"], row["l4"], row["pay"], row["paylen"]) == (19, 19, 39, 47, 45_000)
    assert (row["dport"], row["anomaly"], row["ts"]) == (53, 0, 5)


def test_columns_outside_the_buffer_are_clamped():
    frame = eth(0x0800, ip4(tcp(b"abc")))
    block = block_of([frame] * 4)
    block.off[:] = (-5, 10**9, len(frame) * 3, 0)
    block.caplen[:] = (2**31 - 1, 5, 1000, -1)
    block.wirelen[:] = (0, -1, 10, 2**31 - 1)
    rows = rows_of_block(block)
    assert ((rows["l2"] >= 0) & (rows["pay"] + rows["paylen"] <= block.buf.size)).all()


def test_the_buffer_may_be_read_only_and_is_left_alone():
    block = block_of(FRAMES)
    before = block.buf.tobytes()
    block.buf.setflags(write=False)
    decode_block(block, **HOW)
    assert block.buf.tobytes() == before


def test_the_kernel_means_the_same_as_plain_python():
    """NUMBA_DISABLE_JIT runs the kernel's source: no wrap-around, no numpy warning may tell the two apart."""
    here = Path(__file__).resolve().parent
    code = (
        "import sys; from test_decode_kernels import HOW, block_of, damaged, decode_block\n"
        "sys.stdout.buffer.write(decode_block(block_of(damaged(300)), **HOW).tobytes())"
    )
    paths = os.pathsep.join([str(here), str(here.parents[2])])
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, check=True
    )
    plain = np.frombuffer(done.stdout, ROW)
    assert not difference(plain, decode_block(block_of(damaged(300)), **HOW))
