import random
import struct

import numpy as np
import pytest
from fragkit import block, decode_frames, decode_ip
from jitkit import interpret

from sensor.flow import kernels_defrag
from sensor.flow.defrag import POLICIES, Defragmenter
from sensor.flow.limits_fragments import DefragLimits
from sensor.flow.table import POLICIES as STREAM_POLICIES
from sensor.model.anomaly import DecodeAnomaly
from sensor.model.rows import FRAG_PART, FRAG_REASSEMBLED, ROW, new_rows

ETHER = bytes.fromhex("020000000002020000000001")
SECOND = 1_000_000_000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(payload, ipid=7, off=0, more=0, proto=17, src=1, options=b"", tag=None):
    head = struct.pack(
        "!BBHHHBBHII", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ipid,
        (0x2000 if more else 0) | off // 8, 64, proto, 0, 0x0A000000 + src, 0x0A0000FF,
    ) + options  # fmt: skip
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ETHER + (struct.pack("!HH", 0x8100, tag) if tag else b"") + b"\x08\x00" + head + payload


def ip6(payload, ipid=7, off=0, more=0, nxt=17, ext=b"", first_nh=44):
    frag = struct.pack("!BBHI", nxt, 0, off | more, ipid)
    head = (
        struct.pack("!IHBB", 6 << 28, len(ext) + 8 + len(payload), first_nh, 64) + b"\xfd" * 15 + b"\x01" + b"\xfd" * 16
    )
    return ETHER + b"\x86\xdd" + head + ext + frag + payload


def udp(size, seed=0):
    return struct.pack("!HHHH", 1000, 2000, 8 + size, 0) + random.Random(seed).randbytes(size)


def decode(buf, off, length, row):
    raw = bytes(buf)
    rows = new_rows(1)
    rows["l2"], rows["caplen"], rows["wirelen"] = off, length, length
    inner, out, outer = decode_ip(raw, off, off + length, rows[0]), [rows], rows
    while inner >= 0 and inner + 20 <= off + length:
        child = outer.copy()
        child["parent"], child["tunnel"], child["l4"] = len(out) - 1, 1, -1
        inner, outer = decode_ip(raw, inner, off + length, child[0]), child
        out.append(child)
    merged = np.empty(len(out), ROW)
    merged[:] = np.concatenate(out)
    return merged


def decode_many(buf, offsets, lengths, last):
    parts = [decode(buf, int(o), int(n), row) for o, n, row in zip(offsets, lengths, last, strict=True)]
    for k, part in enumerate(parts):
        part["pkt"] = k
        part["parent"][part["parent"] >= 0] += sum(p.size for p in parts[:k])
    merged = np.empty(sum(p.size for p in parts), ROW)
    merged[:] = np.concatenate(parts)
    return merged


def split(payload, size):
    return [(at, payload[at : at + size], at + size < len(payload)) for at in range(0, len(payload), size)]


def run(frames, defrag=None, ts=None, cut=0, many=None):
    """Process frames in blocks of `cut`; return [(bytes, row)] of datagrams, [(rows, buf)] of blocks."""
    defrag = defrag or Defragmenter(DefragLimits())
    step = cut or max(1, len(frames))
    found, every = [], []
    for at in range(0, len(frames), step):
        rows, buf = block(frames[at : at + step], None if ts is None else ts[at : at + step])
        rows, buf = defrag.process(rows, buf, decode, many)
        for k in np.flatnonzero(rows["frag"] == FRAG_REASSEMBLED):
            end = rows["l3"][k] + rows["iplen"][k]
            found.append((buf[rows["l3"][k] : end].tobytes(), rows[k]))
        every.append((rows, buf.copy()))
    return found, every


def anomalies(every):
    bits = np.bitwise_or.reduce(np.concatenate([r["anomaly"] for r, _ in every]))
    return {a for a in DecodeAnomaly if int(bits) >> a & 1}


def test_without_fragments_nothing_is_touched():
    rows, buf = block([ip4(udp(10))])
    out, outbuf = Defragmenter(DefragLimits()).process(rows, buf, decode)
    assert out is rows
    assert outbuf is buf


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_ipv4_datagram(order, cut):
    payload = udp(5000)
    pieces = split(payload, 1480)
    if order == "backward":
        pieces.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(pieces)
    frames = [ip4(p, off=o, more=m) for o, p, m in pieces]
    frames.insert(2, ip4(udp(20), ipid=9))
    found, every = run(frames, ts=list(range(100, 105)), cut=cut)
    assert len(found) == 1
    data, row = found[0]
    assert data[20:] == payload
    assert checksum(data[:20]) == 0
    assert struct.unpack("!H", data[2:4])[0] == 20 + len(payload)
    assert data[6:8] == b"\0\0"
    assert (row["ts"], row["sport"], row["dport"], row["paylen"]) == (104, 1000, 2000, 5000)
    rows, buf = every[-1]
    at = int(np.flatnonzero(rows["frag"] == FRAG_REASSEMBLED)[0])
    assert rows["frag"][at - 1] == FRAG_PART
    assert rows["pkt"][at] == rows["pkt"][at - 1]
    assert buf[rows["pay"][at] : rows["pay"][at] + rows["paylen"][at]].tobytes() == payload[8:]
    assert not anomalies(every)


def test_options_of_the_first_fragment_stay_and_dont_fragment_too():
    payload = udp(40)
    frames = [ip4(payload[24:], off=24), ip4(payload[:24], more=1, options=b"\x94\x04\0\0")]
    data, row = run(frames)[0][0]
    assert data[20:24] == b"\x94\x04\0\0"
    assert data[24:] == payload
    assert checksum(data[:24]) == 0
    assert row["paylen"] == 40


def test_ipv6_datagram_with_extension_header():
    payload = udp(3000)
    hop = bytes([44, 0, 1, 4, 0, 0, 0, 0])
    frames = [ip6(p, off=o, more=int(m), ext=hop, first_nh=0) for o, p, m in split(payload, 1448)]
    data, row = run(frames)[0][0]
    assert len(data) == 40 + 8 + len(payload)
    assert data[40] == 17  # the hop-by-hop header now announces UDP
    assert data[48:] == payload
    assert struct.unpack("!H", data[4:6])[0] == 8 + len(payload)
    assert (row["ipv"], row["sport"]) == (6, 1000)


def test_ipv6_atomic_fragment_stands_alone():
    payload = udp(32)
    frames = [ip6(payload[:16], more=1), ip6(udp(8, 5)), ip6(payload[16:], off=16)]
    rows, buf = block(frames)
    rows["frag"][1] = FRAG_PART  # a decoder may call it a fragment
    rows, buf = Defragmenter(DefragLimits()).process(rows, buf, decode)
    got = np.flatnonzero(rows["frag"] == FRAG_REASSEMBLED)
    assert [int(rows["paylen"][k]) for k in got] == [8, 32]
    assert rows["pkt"][got].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # Novak 2005, overlap model: the units of the datagram by the fragment they come from
        ("first", "111422333666"), ("windows", "111422333666"), ("last", "144442555666"),
        ("bsd", "111442333666"), ("bsd-right", "144422555666"), ("linux", "111442555666"),
    ],
)  # fmt: skip
def test_overlap_policies(policy, expected):
    model = [("1", 0, 3), ("2", 4, 2), ("3", 6, 3), ("4", 1, 4), ("5", 6, 3), ("6", 9, 3)]
    frames = [ip4(c.encode() * (8 * n), off=8 * o, more=c != "6") for c, o, n in model]
    found, every = run(frames, Defragmenter(DefragLimits(), policy))
    assert bytes(found[0][0][20::8]).decode() == expected
    rows = every[0][0]
    flagged = [bool(int(a) >> DecodeAnomaly.FRAG_OVERLAP_DIFF_DATA & 1) for a in rows["anomaly"][:6]]
    assert flagged == [False, False, False, True, True, False]


def test_windows_lets_a_fragment_that_encloses_another_win():
    frames = [ip4(b"a" * 8, off=8, more=1), ip4(b"b" * 24, off=0, more=1), ip4(b"c" * 8, off=24)]
    for policy, expected in (("windows", b"bbbc"), ("first", b"babc")):
        assert run(frames, Defragmenter(DefragLimits(), policy))[0][0][0][20::8] == expected


def test_overlap_with_equal_bytes_is_told_apart():
    payload = bytes(range(64))
    frames = [ip4(payload[:32], more=1), ip4(payload[16:48], off=16, more=1), ip4(payload[48:], off=48)]
    found, every = run(frames)
    assert found[0][0][20:] == payload
    assert anomalies(every) == {DecodeAnomaly.FRAG_OVERLAP}


def test_second_copies_of_fragments_overlap_and_change_nothing():
    payload = bytes(range(64))
    defrag = Defragmenter(DefragLimits())
    frames = [ip4(payload[:32], more=1)] * 2 + [ip4(payload[32:], off=32)]
    found, every = run(frames, defrag)
    assert len(found) == 1
    assert anomalies(every) == {DecodeAnomaly.FRAG_OVERLAP}
    assert defrag.counters.duplicates == 1


def test_last_fragment_inside_known_bytes_completes():
    payload = bytes(range(32))
    found, _ = run([ip4(payload, more=1), ip4(payload[16:], off=16)])
    assert found[0][0][20:] == payload


def test_marked_duplicates_are_left_out():
    rows, buf = block([ip4(b"x" * 16, more=1), ip4(b"y" * 8, off=16)])
    rows["dup"][1] = 1
    out, _ = Defragmenter(DefragLimits()).process(rows, buf, decode)
    assert len(out) == 2


@pytest.mark.parametrize(
    ("change", "together"),
    [({"ipid": 8}, False), ({"proto": 6}, False), ({"src": 2}, False), ({"tag": 5}, False), ({}, True)],
)
def test_key(change, together):
    frames = [ip4(b"x" * 16, more=1), ip4(b"y" * 8, off=16, **change)]
    assert bool(run(frames)[0]) is together


def test_timeout_is_packet_time_from_the_first_fragment():
    frames = [ip4(b"x" * 16, more=1), ip4(b"y" * 8, off=16)]
    assert run(frames, ts=[0, 60 * SECOND])[0]
    defrag = Defragmenter(DefragLimits())
    found, every = run(frames, defrag, ts=[0, 60 * SECOND + 1])
    assert not found
    assert anomalies(every) == {DecodeAnomaly.FRAG_TIMEOUT}
    assert defrag.counters.timeouts == 1
    assert defrag.pending == 1


@pytest.mark.parametrize(
    ("frame", "anomaly", "counter"),
    [
        (ip4(b"x" * 64, off=65528, more=1), DecodeAnomaly.FRAG_PKT_TOO_LARGE, "too_large"),
        (ip4(b"", off=16, more=1), DecodeAnomaly.FRAG_IGNORED, "ignored"),
        (ip4(b"x" * 7, off=16, more=1), DecodeAnomaly.FRAG_IGNORED, "ignored"),
        (ip6(b"x" * 12, off=16, more=1), DecodeAnomaly.FRAG_IGNORED, "ignored"),
        (ip4(b"x" * 64, off=16, more=1)[:-1], DecodeAnomaly.FRAG_IGNORED, "truncated"),
    ],
)
def test_bad_fragments(frame, anomaly, counter):
    defrag = Defragmenter(DefragLimits())
    _, every = run([frame], defrag)
    assert anomalies(every) == {anomaly}
    assert defrag.counters.snapshot() == dict.fromkeys(defrag.counters.names(), 0) | {
        "fragments": 1,
        counter: 1,
    }


def test_nothing_goes_behind_the_end():
    frames = [
        ip4(b"x" * 8, off=16),
        ip4(b"y" * 16, off=16, more=1),
        ip4(b"z" * 8, off=8),
        ip4(b"a" * 16, more=1),
    ]
    found, every = run(frames)
    assert found[0][0][20:] == b"a" * 16 + b"x" * 8
    assert [bool(a) for a in every[0][0]["anomaly"][:4]] == [False, True, True, False]


@pytest.mark.parametrize("make", [ip4, ip6])
def test_a_last_fragment_that_ends_inside_the_datagram_overlaps_and_is_not_taken(make):
    _, every = run([make(b"a" * 16, more=1), make(b"b" * 8, off=16, more=1), make(b"c", off=8), make(b"d", off=64)])
    assert [int(a) for a in every[0][0]["anomaly"]] == [
        0, 0, 1 << DecodeAnomaly.FRAG_IGNORED | 1 << DecodeAnomaly.FRAG_OVERLAP, 0
    ]  # fmt: skip


def test_datagram_and_header_together_must_not_exceed_the_limit():
    frames = [ip4(b"x" * 16, more=1, options=b"\1" * 40)]
    frames += [ip4(b"y" * 32752, off=16, more=1), ip4(b"z" * 32744, off=32768)]
    found, every = run(frames)
    assert not found
    assert anomalies(every) == {DecodeAnomaly.FRAG_PKT_TOO_LARGE}


def test_fragments_inside_a_tunnel_inside_fragments():
    payload = udp(400)
    inner = [ip4(p, ipid=50, off=o, more=m)[14:] for o, p, m in split(payload, 208)]
    frames = []
    for k, packet in enumerate(inner):
        frames += [ip4(p, ipid=k, off=o, more=m, proto=4) for o, p, m in split(packet, 104)]
    for cut in (0, 1, 3):
        found, every = run(frames, cut=cut)
        assert found[-1][0][20:] == payload
        assert len(found) == 3
        rows = every[-1][0]
        last = int(np.flatnonzero(rows["sport"] == 1000)[-1])
        assert rows["tunnel"][last] == 1
        assert rows["proto"][rows["parent"][last]] == 4
        assert rows["frag"][rows["parent"][last]] == FRAG_REASSEMBLED
        assert rows["pkt"][last] == rows["pkt"][rows["parent"][last]]


def nested_frames():
    """Inner fragments that arrive in fragments of the tunnel's packets, and whole in others."""
    payload = udp(640)
    inner = [ip4(p, ipid=50, off=o, more=m)[14:] for o, p, m in split(payload, 104)]
    random.Random(5).shuffle(inner)
    frames = []
    for k, packet in enumerate(inner):
        pieces = split(packet, 56) if k % 2 else [(0, packet, False)]
        frames += [ip4(p, ipid=k, off=o, more=m, proto=4) for o, p, m in pieces]
    return payload, frames


@pytest.mark.parametrize("many", [None, decode_many])
def test_the_cut_does_not_show_inside_tunnels(many):
    payload, frames = nested_frames()
    seen = []
    for cut in range(len(frames)):
        found, every = run(frames, cut=cut, many=many, ts=list(range(len(frames))))
        assert found[-1][0][20:] == payload
        columns = ["ts", "frag", "proto", "sport", "paylen", "tunnel", "iplen", "anomaly"]
        seen.append([row for rows, _ in every for row in rows[columns].tolist()])
    assert all(s == seen[0] for s in seen)


def test_layers_have_an_end():
    deep = ip4(b"z" * 64, ipid=1, more=1)[14:]
    for layer in range(3):
        deep = ip4(deep, ipid=layer, proto=4)[14:]
    defrag = Defragmenter(DefragLimits())
    _, every = run([ETHER + b"\x08\x00" + deep], defrag)
    assert every[0][0]["parent"].tolist() == [-1, 0, 1, 2]
    assert anomalies(every) == {DecodeAnomaly.FRAG_IGNORED}
    assert (defrag.counters.fragments, defrag.counters.ignored) == (1, 1)


def test_parents_are_renumbered():
    tunnelled = ip4(ip4(udp(8))[14:], proto=4, ipid=99)
    inner = [ip4(ip4(p, off=o, more=m)[14:], proto=4, ipid=k) for k, (o, p, m) in enumerate(split(udp(64), 40))]
    rows = run([*inner, tunnelled])[1][0][0]
    assert rows["parent"].tolist() == [-1, 0, -1, 2, 2, -1, 5]
    assert rows["frag"].tolist() == [0, 1, 0, 1, 2, 0, 0]
    assert rows.dtype == ROW
    assert rows.dtype.isalignedstruct


def flood(n, size=8, more=1):
    return [ip4(bytes([k & 255]) * size, ipid=k & 0xFFFF, src=2 + (k >> 16), more=more) for k in range(n)]


def test_tracker_cap_gives_up_the_oldest_and_fresh_datagrams_still_complete():
    defrag = Defragmenter(DefragLimits(trackers=16))
    frames = [ip4(b"x" * 16, ipid=9999, more=1), *flood(40), ip4(b"x" * 16, ipid=8888, more=1)]
    frames += [ip4(b"y" * 8, off=16, ipid=9999), ip4(b"y" * 8, off=16, ipid=8888)]
    found, _ = run(frames, defrag)
    assert [struct.unpack("!H", d[4:6])[0] for d, _ in found] == [8888]
    assert defrag.counters.evicted_trackers == 27
    assert defrag.pending <= 16


@pytest.mark.parametrize("limits", [DefragLimits(memcap=256 << 10), DefragLimits(fragments=64)])
def test_memory_caps_give_up_the_oldest(limits):
    defrag = Defragmenter(limits)
    frames = [ip4(b"x" * 16, ipid=9999, more=1), *flood(400, 1400), ip4(b"x" * 16, ipid=8888, more=1)]
    frames += [ip4(b"y" * 8, off=16, ipid=9999), ip4(b"y" * 8, off=16, ipid=8888)]
    found, _ = run(frames, defrag)
    assert [struct.unpack("!H", d[4:6])[0] for d, _ in found] == [8888]
    assert defrag.counters.evicted_memory > 200


def test_fragment_and_overlap_caps():
    defrag = Defragmenter(DefragLimits(per_datagram=4, overlaps=2))
    _, every = run([ip4(b"x" * 8, off=8 * k, more=1) for k in range(6)], defrag)
    assert defrag.counters.max_fragments == 2
    run([ip4(bytes([k]) * 16, off=0, more=1, ipid=3) for k in range(6)], defrag)
    assert (defrag.counters.overlaps, defrag.counters.max_overlaps) == (2, 3)
    assert anomalies(every) == {DecodeAnomaly.FRAG_IGNORED}


def test_largest_datagram_of_smallest_fragments():
    payload = random.Random(1).randbytes(65512)
    frames = [ip4(p, off=o, more=m) for o, p, m in split(payload, 8)]
    random.Random(2).shuffle(frames)
    assert run(frames, Defragmenter(DefragLimits(per_datagram=8192)))[0][0][0][20:] == payload


def test_kernel_is_plain_python():
    payload = udp(300)
    frames = [ip4(p, off=o, more=m) for o, p, m in split(payload, 104)]
    frames += [ip6(p, off=o, more=int(m)) for o, p, m in split(payload, 104)]
    frames[3:3] = [ip4(b"q" * 104, off=104, more=1, ipid=5), ip4(b"q" * 48, off=56, more=1)]
    jit, plain = run(frames), None
    with pytest.MonkeyPatch.context() as patch:
        interpret(patch, kernels_defrag)
        plain = run(frames)
    assert [d for d, _ in plain[0]] == [d for d, _ in jit[0]]
    for (a, b), (c, d) in zip(jit[1], plain[1], strict=True):
        assert (a == c).all()
        assert (b == d).all()


def test_unknown_policy():
    with pytest.raises(ValueError, match="policy"):
        Defragmenter(DefragLimits(), "novell")


def test_systems_that_stream_reassembly_knows_are_known_here():
    assert set(STREAM_POLICIES) <= set(POLICIES)


def test_kit_reads_what_it_builds():
    rows, _ = block([ip4(udp(4), tag=7), ip6(b"x" * 8, more=1)])
    assert rows["vlan0"].tolist() == [7, 0]
    assert rows["frag"].tolist() == [0, FRAG_PART]
    assert decode_frames(np.zeros(0, np.uint8), [], []).size == 0
