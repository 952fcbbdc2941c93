import struct
from pathlib import Path

import numpy as np
import pytest
from fragkit import block, pcap
from jitkit import interpret

from sensor.flow import kernels_dedup
from sensor.flow.dedup import Dedup
from sensor.flow.limits_fragments import DEDUP_DEPTH, DedupLimits
from sensor.model.rows import TUNNEL_ERSPAN, TUNNEL_IPIP, new_rows

SHARED = Path(__file__).resolve().parents[3] / "../shared"
MS = 1_000_000
A, B, GATEWAY = (bytes([2, 0, 0, 0, 0, k]) for k in (1, 2, 9))


def frame(k, src=A, dst=B, ttl=64, size=40, link=True):
    """UDP between 10.0.0.<last byte of the MACs>; the content depends on k."""
    payload = struct.pack("!I", k) * (size // 4)
    head = struct.pack(
        "!BBHHHBBHBBBBBBBB",
        0x45,
        0,
        28 + size,
        k & 0xFFFF,
        0,
        ttl,
        17,
        ttl * 3,
        10,
        0,
        0,
        src[5],
        10,
        0,
        0,
        dst[5],
    )
    udp = struct.pack("!HHHH", 1000, 2000, 8 + size, 0)
    return (dst + src + b"\x08\x00" if link else b"") + head + udp + payload


def arp(k, src=A):
    body = (
        struct.pack("!HHBBH", 1, 0x800, 6, 4, 1)
        + src
        + bytes([10, 0, 0, 1])
        + bytes(6)
        + bytes([10, 0, k >> 8 & 255, k & 255])
    )
    return b"\xff" * 6 + src + b"\x08\x06" + body + bytes(18)


def marks(frames, ts=None, dedup=None, cut=0, link=14):
    dedup = dedup or Dedup(DedupLimits())
    ts = ts or [k * 20_000 for k in range(len(frames))]
    step, out = cut or max(1, len(frames)), []
    for at in range(0, len(frames), step):
        rows, buf = block(frames[at : at + step], ts[at : at + step], link)
        marked = dedup.mark(rows, buf)
        assert marked == rows["dup"][rows["parent"] < 0].sum()
        out += rows["dup"][rows["parent"] < 0].tolist()
    return np.array(out), dedup


def doubled(frames):
    return [f for f in frames for _ in range(2)]


LEARNT = 2 * (DEDUP_DEPTH + 16)


@pytest.mark.parametrize("cut", [0, 1, 3, 50])
@pytest.mark.parametrize("link", [14, 0])
def test_doubled_capture(cut, link):
    got, dedup = marks(doubled([frame(k, link=bool(link)) for k in range(300)]), cut=cut, link=link)
    assert not got[: LEARNT - 4].any()
    assert not got[::2].any()
    assert got[LEARNT + 4 :][1::2].all()
    assert dedup.counters.duplicates + dedup.counters.suspected == 300
    assert dedup.counters.examined == 600


def test_copies_may_lag_and_interleave():
    frames = []
    for k in range(0, 600, 20):
        frames += [frame(n) for n in range(k, k + 20)] * 2
    got, _ = marks(frames, [k * 5_000 for k in range(len(frames))])
    late = got[400:].reshape(-1, 2, 20)
    assert not late[:, 0].any()
    assert late[:, 1].all()


def test_routed_copies_differ_in_ttl_macs_and_checksum():
    frames = [
        f
        for k in range(200)
        for f in (frame(k, A, GATEWAY), GATEWAY.join([B, b""]) + frame(k, A, GATEWAY, ttl=63)[12:])
    ]
    got, _ = marks(frames)
    assert got[LEARNT + 4 :][1::2].all()
    assert not got[::2].any()


def test_guests_are_judged_apart():
    """A bridge shows guest-to-guest traffic twice and traffic with the outside once."""
    frames, copy = [], []
    for k in range(2000):
        one = frame(k, A, GATEWAY) if k % 8 else frame(k, A, B)
        frames += [one] * (1 if k % 8 else 2)
        copy += [0] if k % 8 else [0, 1]
    got, _ = marks(frames)
    assert (got[800:] == np.array(copy)[800:]).all()


def test_repetitions_in_a_plain_capture_stay():
    flood = [frame(1)] * 3000
    got, dedup = marks(flood, [k * 1000 for k in range(3000)])
    assert not got.any()
    assert dedup.counters.suspected > 1000
    mixed = [f for k in range(3000) for f in ([frame(9)] if k % 2 else [frame(k)])]
    assert not marks(mixed, [k * 1000 for k in range(3000)])[0].any()


def test_repetitions_in_a_doubled_capture_lose_only_their_copies():
    _, dedup = marks(doubled([frame(k) for k in range(200)]))
    got, _ = marks(doubled([frame(7777)] * 20), [200 * 40_000 + k * 1000 for k in range(40)], dedup)
    assert got.tolist() == [0, 1] * 20


@pytest.mark.parametrize(("distance", "copy"), [(MS, True), (MS + 1, False)])
def test_window(distance, copy):
    _, dedup = marks(doubled([frame(k) for k in range(200)]))
    got, _ = marks([frame(9999)] * 2, [100 * MS, 100 * MS + distance], dedup)
    assert got.tolist() == [0, int(copy)]


@pytest.mark.parametrize(("between", "copy"), [(DEDUP_DEPTH - 1, True), (DEDUP_DEPTH, False)])
def test_depth(between, copy):
    _, dedup = marks(doubled([frame(k) for k in range(200)]))
    frames = [frame(9999), *[frame(k, B, A) for k in range(between)], frame(9999)]
    assert marks(frames, [100 * MS] * len(frames), dedup)[0][-1] == copy


@pytest.mark.parametrize("at", [14, 20, 26, 33, 36, 50, 81])
def test_any_other_byte_makes_a_packet_its_own(at):
    """Also the last byte of a long packet: nothing can hide behind a sample."""
    _, dedup = marks(doubled([frame(k) for k in range(200)]))
    one = bytearray(frame(9999, size=40))
    two = bytearray(one)
    two[at] ^= 0x40 if at == 14 else 1
    got, _ = marks([bytes(one), bytes(two)], [100 * MS] * 2, dedup)
    assert not got.any()


def test_a_mended_mirror_is_forgotten():
    _, dedup = marks(doubled([frame(k) for k in range(500)]))
    marks([frame(k) for k in range(1000, 1300)], [20 * MS + k * 20_000 for k in range(300)], dedup)
    got, _ = marks([frame(5000)] * 4, [40 * MS] * 4, dedup)
    assert not got.any()


def test_broadcasts_have_a_copy_per_port():
    frames = [f for k in range(200) for f in [arp(k)] * 4]
    got, _ = marks(frames)
    assert got[-200:].reshape(-1, 4).tolist() == [[0, 1, 1, 1]] * 50


def test_time_that_jumps_back_starts_over():
    dedup = Dedup(DedupLimits())
    marks(doubled([frame(k) for k in range(200)]), [10**15 + k * 1000 for k in range(400)], dedup)
    got, _ = marks(doubled([frame(k) for k in range(500, 600)]), [k * 1000 for k in range(200)], dedup)
    assert got[1::2].all()


def test_what_is_inside_shares_the_fate():
    inner = frame(3)[14:]
    outer = [
        A + B + b"\x08\x00" + struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(inner), k, 0, 64, 4, 0, 1, 2) + inner
        for k in range(200)
    ]
    rows, buf = block(doubled(outer), list(range(400)))
    assert rows["tunnel"][1] == TUNNEL_IPIP
    Dedup(DedupLimits()).mark(rows, buf)
    assert (rows["dup"][1::2] == rows["dup"][::2]).all()
    assert rows["dup"].sum() == 2 * rows["dup"][::2].sum() > 200


def test_erspan_is_looked_into():
    """The mirror's transport (sequence numbers, times) differs between the copies of what it carries."""
    frames, rows = [], []
    for k in range(400):
        carried = frame(k // 2)
        carrier = A + B + b"\x08\x00" + struct.pack("!BBHHHBBHII", 0x45, 0, 36 + len(carried), k, 0, 64, 47, 0, 1, 2)
        base = sum(len(f) for f in frames)
        frames.append(carrier + struct.pack("!HHIQ", 0x1000, 0x88BE, k, k) + carried)
        outer = block([frames[-1]], [k])[0][0].copy()
        inner = block([carried], [k])[0][0].copy()
        for name in ("l2", "l3"):
            outer[name] += base
        for name in ("l2", "l3", "l4", "pay"):
            inner[name] += base + len(carrier) + 16
        inner["parent"], inner["tunnel"] = 2 * k, TUNNEL_ERSPAN
        rows += [outer, inner]
    table = new_rows(800)
    for k, row in enumerate(rows):
        table[k] = row
    marked = Dedup(DedupLimits()).mark(table, np.frombuffer(b"".join(frames), np.uint8))
    assert (table["dup"][1::2] == table["dup"][::2]).all()
    assert table["dup"][::2].reshape(-1, 2)[LEARNT // 2 + 2 :].tolist() == [[0, 1]] * (200 - LEARNT // 2 - 2)
    assert marked == table["dup"][::2].sum()


def test_can_be_switched_off():
    got, dedup = marks(doubled([frame(k) for k in range(200)]), dedup=Dedup(DedupLimits(enabled=False)))
    assert not got.any()
    assert dedup.counters.examined == 0


def test_rows_without_ip_and_cut_frames_are_left_alone():
    rows, buf = block([b"\0" * 14, A + B + b"\x08\x00" + b"\x45" * 10, frame(1)[:30]] * 2, [0] * 6)
    assert Dedup(DedupLimits()).mark(rows, buf) == 0


def test_kernel_is_plain_python(monkeypatch):
    frames = doubled([frame(k, size=200 if k % 3 else 8) for k in range(150)]) + [arp(1)] * 3
    jit, one = marks(frames, cut=37)
    interpret(monkeypatch, kernels_dedup)
    plain, two = marks(frames, cut=37)
    assert (plain == jit).all()
    assert jit.sum() > 60
    assert one.counters.snapshot() == two.counters.snapshot()
    assert (one._ring == two._ring).all()


def cases(folder):
    return [pytest.param(p, id=p.parent.name) for p in sorted((SHARED / folder).glob("*/input.pcap"))[::25]]


@pytest.mark.corpus
@pytest.mark.skipif(not SHARED.exists(), reason="needs the captures in ../shared")
@pytest.mark.parametrize("path", cases("conformance"))
def test_nothing_is_taken_from_plain_captures(path):
    loaded = pcap(path)
    if loaded is None:
        pytest.skip("not a plain Ethernet pcap")
    assert Dedup(DedupLimits()).mark(*loaded) == 0


def test_limits_are_checked():
    with pytest.raises(ValueError, match="window"):
        DedupLimits(window_ns=0)
