"""Reassembly: order, overlaps by policy, gaps, windows, depth, caps, wrap-around, conformance captures."""

from pathlib import Path

import numpy as np
import pytest
from flowkit import ACK, FIN, RST, SYN, URG, Conn, Pkt, Run, block, limits, replace

from sensor.capture.files import open_source
from sensor.decode.kernels import decode_block
from sensor.decode.limits import DecodeOptions
from sensor.flow import track_layout as lay
from sensor.flow.limits import CHUNK, FlowLimits
from sensor.flow.table import FlowTable
from sensor.model import rows as m
from sensor.model.anomaly import StreamAnomaly

CONFORMANCE = Path(__file__).resolve().parents[4] / "shared" / "conformance"
INORDER, PARTIAL, QUEUED, OLD, IGNORED = (
    m.STREAM_INORDER, m.STREAM_PARTIAL, m.STREAM_QUEUED, m.STREAM_OLD, m.STREAM_IGNORED,
)  # fmt: skip


def opened(isn=1000, **kw):
    """Return an open connection and a function that makes a client segment at a stream offset."""
    c = Conn(isn_c=isn, **kw)
    pkts = c.open()
    start = c.c

    def at(offset, data, **fields):
        return Pkt(data, seq=start + offset, ack=c.s, t=c.t, **fields)

    return c, pkts, at


def play(segments, isn=1000, **kw):
    """Run (offset, data) segments of a client after a handshake."""
    _, pkts, at = opened(isn)
    run = Run(**kw).feed([*pkts, *(at(o, d) for o, d in segments)])
    run.statuses_of_data = run.statuses()[3:]
    return run


# ---------------------------------------------------------------- order


def test_in_order_bytes_come_out_of_the_row():
    run = play([(0, b"ab"), (2, b"cd")])
    assert run.bytes() == b"abcd"
    assert run.statuses_of_data == [INORDER, INORDER]


def test_early_bytes_wait_and_come_out_of_the_queue():
    run = play([(4, b"ef"), (2, b"cd"), (0, b"ab")])
    assert run.bytes() == b"abcdef"
    assert run.statuses_of_data == [QUEUED, QUEUED, INORDER]
    assert [e[5] for e in run.events] == [6, 6, 6]


def test_queued_bytes_survive_blocks_and_recycling():
    _, pkts, at = opened()
    parts = [at(2 * k, b"%02d" % k) for k in range(1, 20)]
    run = Run().feed([*pkts, *parts, at(0, b"00")], cuts=range(1, 30))
    assert run.bytes() == b"".join(b"%02d" % k for k in range(20))


def test_retransmissions_and_keepalives_are_old():
    run = play([(0, b"abcd"), (0, b"abcd"), (1, b"bc"), (3, b"x"), (3, b"dEF")])
    assert run.bytes() == b"abcdEF"
    assert run.statuses_of_data == [INORDER, OLD, OLD, OLD, PARTIAL]


@pytest.mark.parametrize("isn", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF])
def test_numbers_wrap_around(isn):
    run = play([(4, b"ef"), (0, b"ab"), (1, b"bcd"), (6, b"gh")], isn=isn)
    assert run.bytes() == b"abcdefgh"


def test_segment_longer_than_a_piece():
    data = bytes(range(256)) * 300
    run = play([(1, data[1:]), (0, data[:1])])
    assert run.bytes() == data
    assert run.statuses_of_data == [QUEUED, INORDER]


def test_data_in_syn_is_the_start_of_the_stream():
    c = Conn()
    pkts = [c.up(b"GET", flags=SYN, options=bytes((34, 2, 0, 0))), c.down(flags=SYN | ACK), c.up(b" /")]
    run = Run().feed(pkts)
    assert run.bytes() == b"GET /"
    assert run.notes() == [StreamAnomaly.TCP_FASTOPEN]


def test_midstream_starts_with_the_first_byte_seen():
    run = Run().feed([Pkt(b"cd", seq=12), Pkt(b"ab", seq=10), Pkt(b"ef", seq=14), Pkt(b"x", seq=900, ack=16).back()])
    assert (run.bytes(), run.bytes(1)) == (b"cdef", b"x")


def test_urgent_data_stays_in_line_and_is_noted_once():
    _, pkts, at = opened()
    run = Run().feed([*pkts, at(0, b"ab", flags=ACK | URG), at(2, b"c", flags=ACK | URG)])
    assert run.bytes() == b"abc"
    assert run.notes() == [StreamAnomaly.URGENT_DATA]


def test_segments_without_ack_flag_are_dropped_by_their_receiver_too():
    _, pkts, at = opened()
    run = Run().feed([*pkts, at(0, b"EVIL", flags=0), at(0, b"good")])
    assert run.bytes() == b"good"


# ---------------------------------------------------------------- overlaps

OVERLAPS = [
    # older segment, newer segment, who keeps the older bytes, what the first rule says
    ((4, b"aaaa"), (4, b"bbbb"), {"first", "bsd", "windows", "linux", "vista"}),  # same place
    ((4, b"aaaa"), (4, b"bbbbbb"), {"first", "bsd", "windows", "vista"}),  # same start, longer
    ((4, b"aaaa"), (4, b"bb"), {"first", "bsd", "windows", "linux", "vista", "solaris", "old-linux"}),  # shorter
    ((4, b"aaaa"), (2, b"bbbbbb"), {"first", "vista"}),  # starts before, same end
    ((4, b"aaaa"), (2, b"bbbb"), {"first", "vista", "solaris"}),  # starts before, ends inside
    ((4, b"aaaa"), (2, b"bbbbbbbb"), {"first", "vista"}),  # covers it
    ((4, b"aaaa"), (5, b"bb"), {"first", "bsd", "windows", "linux", "vista", "solaris", "old-linux"}),  # inside
    ((4, b"aaaa"), (6, b"bb"), {"first", "bsd", "windows", "linux", "vista", "solaris", "old-linux"}),  # same end
    ((4, b"aaaa"), (6, b"bbbb"), {"first", "bsd", "windows", "linux", "vista", "old-linux"}),  # ends after
]


@pytest.mark.parametrize("policy", ["first", "last", "bsd", "windows", "linux", "old-linux", "solaris", "vista"])
@pytest.mark.parametrize(("old", "new", "keeps"), OVERLAPS)
def test_overlap_policies(policy, old, new, keeps):
    stream = bytearray(b"." * 12)
    order = (new, old) if policy in keeps else (old, new)
    for offset, data in order:
        stream[offset : offset + len(data)] = data
    end = max(o + len(d) for o, d in (old, new))
    start = min(o for o, _ in (old, new))
    expected = bytes(stream[:end])
    run = play([old, new, (0, b"." * start)], default_policy=policy)
    assert run.bytes() == expected
    assert run.notes() == [StreamAnomaly.OVERLAP_DIFF_DATA]
    assert (run.table.counters.overlap, run.table.counters.overlap_diff_data) == (1, 1)


@pytest.mark.parametrize(("policy", "expected"), [("bsd", b"bbbbbb"), ("first", b"bbaabb"), ("solaris", b"bbbbbb")])
def test_overlap_of_an_in_order_segment_with_the_queue(policy, expected):
    run = play([(2, b"aa"), (0, b"bbbbbb")], default_policy=policy)
    assert run.bytes() == expected
    assert run.statuses_of_data == [QUEUED, INORDER if policy != "first" else PARTIAL]


def test_in_order_segment_ending_inside_a_queued_one():
    for policy, expected in (("bsd", b"bbbbaa"), ("first", b"bbaaaa"), ("solaris", b"bbaaaa")):
        assert play([(2, b"aaaa"), (0, b"bbbb")], default_policy=policy).bytes() == expected


def test_one_segment_over_several_queued_ones_and_their_holes():
    old = [(2, b"aa"), (6, b"aa"), (10, b"aa")]
    for policy, expected in (("first", b".baabbaabbaab"), ("last", b".bbbbbbbbbbbb"), ("bsd", b".bbbbbbbbbbbb")):
        run = play([*old, (1, b"b" * 12), (0, b".")], default_policy=policy)
        assert run.bytes() == expected


def test_equal_overlaps_are_counted_but_a_repetition_is_not():
    data = b"0123456789"
    run = play([(2, data[2:6]), (2, data[2:6]), (4, data[4:9]), (0, data)])
    assert run.bytes() == data
    assert run.table.counters.overlap == 3
    assert run.table.counters.overlap_diff_data == 0
    assert run.notes() == [StreamAnomaly.OVERLAP]
    assert run.statuses_of_data == [QUEUED, OLD, QUEUED, INORDER]


def test_the_receiver_chooses_the_policy():
    c = Conn()
    pkts = c.open()
    up = [Pkt(d, seq=c.c + o, ack=c.s, t=c.t) for o, d in ((1, b"A"), (1, b"B"), (0, b"."))]
    down = [Pkt(d, seq=c.s + o, ack=c.c, t=c.t).back() for o, d in ((1, b"A"), (1, b"B"), (0, b"."))]
    run = Run(policies=[("10.0.0.2", "last"), ("10.0.0.1", "first")]).feed([*pkts, *up, *down])
    assert (run.bytes(0), run.bytes(1)) == (b".B", b".A")


# ---------------------------------------------------------------- gaps


def test_bytes_acknowledged_but_never_seen_are_a_gap():
    c, pkts, at = opened()
    ack = Pkt(seq=c.s, ack=c.c + 6, t=c.t).back()
    run = Run().feed([*pkts, at(3, b"def"), ack, at(6, b"ghi")])
    assert run.stream() == [3, b"defghi"]
    assert run.notes() == [StreamAnomaly.REASSEMBLY_GAP]
    assert (run.table.counters.reassembly_gap, run.table.counters.gap_bytes) == (1, 3)
    assert [e[5] for e in run.events if e[2] == m.SEG_GAP] == [5]
    run.finish()
    (f,) = run.flows.values()
    assert (f["gaps"][0], f["pos"][0]) == (3, 9)


def test_an_acknowledgment_inside_the_hole_proves_nothing():
    c, pkts, at = opened()
    ack = Pkt(seq=c.s, ack=c.c + 2, t=c.t).back()
    run = Run().feed([*pkts, at(3, b"def"), ack, at(0, b"abc")])
    assert run.bytes() == b"abcdef"


def test_an_acknowledgment_ahead_of_its_data_declares_nothing_yet():
    c, pkts, at = opened()
    ack = Pkt(seq=c.s, ack=c.c + 6, t=c.t).back()
    run = Run().feed([*pkts, ack, at(0, b"abc"), at(3, b"def")])
    assert run.bytes() == b"abcdef"
    run = Run().feed([*pkts, ack, at(3, b"def"), at(0, b"abc")])
    assert run.bytes() == b"abcdef"
    run = Run().feed([*pkts, ack, at(3, b"def"), ack, at(0, b"abc")])
    assert run.stream() == [3, b"def"]


def test_bytes_that_come_in_order_give_up_no_hole_behind_them():
    c, pkts, at = opened()
    ack = Pkt(seq=c.s, ack=c.c + 9, t=c.t).back()
    run = Run().feed([*pkts, ack, at(6, b"ghi"), at(0, b"abc"), at(3, b"def")])
    assert run.bytes() == b"abcdefghi"


def test_late_bytes_of_a_declared_gap_are_inspected_as_packets():
    c, pkts, at = opened()
    ack = Pkt(seq=c.s, ack=c.c + 6, t=c.t).back()
    run = Run().feed([*pkts, at(3, b"def"), ack, at(0, b"abc"), at(3, b"def")])
    assert run.statuses()[-2:] == [IGNORED, OLD]


def test_lost_last_segment_before_fin():
    c, pkts, at = opened()
    fin = at(5, b"", flags=FIN | ACK)
    ack = Pkt(seq=c.s, ack=c.c + 6, t=c.t, flags=FIN | ACK).back()
    run = Run().feed([*pkts, fin, ack])
    assert run.stream() == []
    assert run.table.flows["tcpstate"][0] == m.TCP_LAST_ACK
    assert run.finish().stream() == [5]
    assert run.table.counters.reassembly_gap == 1


def test_a_fin_and_its_acknowledgment_may_come_before_the_bytes_that_it_ends():
    c, pkts, at = opened()
    fin = at(5, b"", flags=FIN | ACK)
    ack = Pkt(seq=c.s, ack=c.c + 6, t=c.t, flags=FIN | ACK).back()
    last = Pkt(seq=c.c + 6, ack=c.s + 1, t=c.t)
    run = Run().feed([*pkts, fin, ack, last])
    assert run.table.flows["tcpstate"][0] == m.TCP_CLOSED
    run.feed([at(0, b"abcde")]).finish()
    assert run.stream() == [b"abcde"]


def test_flow_end_declares_gaps_and_delivers_the_rest():
    run = play([(2, b"c"), (5, b"f")]).finish()
    assert run.stream() == [2, b"c", 2, b"f"]


def test_snapshot_length_leaves_gaps():
    _, pkts, at = opened()
    run = Run().feed([*pkts, at(0, b"abc", cut=7), at(10, b"xy")])
    assert run.stream() == [b"abc", 7, b"xy"]
    run = Run().feed([*pkts, at(0, b"", cut=10), at(10, b"", cut=10), at(20, b"z")])
    assert run.stream() == [10, 10, b"z"]


def test_a_short_frame_with_a_long_header_is_no_gap():
    _, pkts, at = opened()
    lie = at(0, b"abc", extra={"iplen": 60_000})
    assert Run().feed([*pkts, lie, at(3, b"def")]).bytes() == b"abcdef"


def test_much_data_in_one_direction_not_captured():
    c = Conn()
    pkts = c.open(options=bytes((3, 3, 7, 0)))
    step, count = 2_000_000, 2300
    acks = [Pkt(seq=c.c, ack=c.s + k * step, t=c.t) for k in range(1, count)]
    far = Pkt(b"here", seq=c.s + count * step - step, ack=c.c, t=c.t).back()
    run = Run(limits(depth=0)).feed([*pkts, *acks, far])
    assert run.stream(1)[-1] == b"here"
    run.finish()
    (f,) = run.flows.values()
    assert f["pos"][1] == (count - 1) * step + 4


# ---------------------------------------------------------------- windows


def test_segments_beyond_the_window_are_ignored():
    edge = 65535 + FlowLimits().window_slack
    run = play([(edge + 1, b"far"), (edge, b"near"), (0, b"ab")])
    assert run.bytes() == b"ab"
    assert run.statuses_of_data == [IGNORED, QUEUED, INORDER]
    assert run.notes() == [StreamAnomaly.OUT_OF_WINDOW]
    assert run.table.counters.out_of_window == 1


@pytest.mark.parametrize(("options", "inside"), [
    (bytes((1, 3, 3, 4)), True),  # RFC 7323: scale 4
    (bytes((3, 3, 200, 0)), True),  # limited to 14
    (bytes((2, 4, 5, 180, 3, 3)), False),  # the scale option is cut off
    (bytes((0, 3, 3, 4)), False),  # behind the end of options
    (bytes((5, 0, 3, 3, 4, 0)), False),  # a length of zero ends the walk
    (b"", False),
])  # fmt: skip
def test_window_scale(options, inside):
    c = Conn()
    pkts = [*c.open(options=options), Pkt(b"x", seq=c.c + 500_000, ack=c.s, t=c.t)]
    assert Run().feed(pkts).statuses()[-1] == (QUEUED if inside else IGNORED)


def test_window_scale_counts_only_if_both_offer_it():
    c = Conn()
    pkts = [c.up(flags=SYN, options=bytes((3, 3, 9, 0))), c.down(flags=SYN | ACK), c.up()]
    assert Run().feed([*pkts, replace(c.up(b"x"), seq=c.c + 500_000)]).statuses()[-1] == IGNORED


def test_midstream_window_is_wide():
    pkts = [Pkt(b"x", seq=10), Pkt(b"y", seq=10 + (1 << 20)), Pkt(b"z", seq=10 + (1 << 21))]
    assert Run().feed(pkts).statuses() == [INORDER, QUEUED, IGNORED]


def test_very_old_numbers_are_no_retransmission():
    run = Run().feed([Pkt(b"x", seq=1 << 31), Pkt(b"y", seq=(1 << 31) - 100), Pkt(b"z", seq=(1 << 31) - (3 << 20))])
    assert run.statuses() == [INORDER, OLD, IGNORED]


def test_blind_segments_do_not_acknowledge():
    c, pkts, at = opened()
    blind = Pkt(seq=c.s + (1 << 30), ack=c.c + 6, t=c.t).back()
    wild = Pkt(seq=c.s, ack=c.c + (1 << 30), t=c.t).back()
    run = Run().feed([*pkts, at(3, b"def"), blind, wild, at(0, b"abc")])
    assert run.bytes() == b"abcdef"


# ---------------------------------------------------------------- FIN


def test_fin_ahead_of_its_data():
    c, pkts, at = opened()
    run = Run().feed([*pkts, at(3, b"def", flags=FIN | ACK), at(0, b"abc"), Pkt(seq=c.s, ack=c.c + 7, t=c.t).back()])
    assert run.bytes() == b"abcdef"
    assert run.table.flows["tcpstate"][0] == m.TCP_CLOSE_WAIT
    assert run.table.flows["next"][0][0] == (c.c + 7) & 0xFFFFFFFF


def test_bytes_beyond_the_fin_are_ignored():
    _, pkts, at = opened()
    run = Run().feed([*pkts, at(0, b"ab", flags=FIN | ACK), at(2, b"cd"), at(3, b"ef"), at(1, b"bX")])
    assert run.bytes() == b"ab"
    assert run.statuses()[-3:] == [IGNORED, IGNORED, OLD]
    assert run.notes() == [StreamAnomaly.DATA_AFTER_CLOSE]


def test_a_second_fin_elsewhere_changes_nothing():
    _, pkts, at = opened()
    run = Run().feed([*pkts, at(4, b"", flags=FIN | ACK), at(2, b"", flags=FIN | ACK), at(0, b"abcd")])
    assert run.bytes() == b"abcd"
    assert run.table.flows["tcpstate"][0] == m.TCP_CLOSE_WAIT


# ---------------------------------------------------------------- depth and caps


def test_depth():
    run = play([(0, b"abc"), (3, b"defg"), (7, b"h"), (10, b"k"), (3, b"d")], limits=limits(depth=5))
    assert run.bytes() == b"abcde"
    assert run.statuses_of_data == [INORDER, PARTIAL, IGNORED, IGNORED, OLD]
    assert run.notes() == [StreamAnomaly.DEPTH_REACHED]
    assert run.table.counters.depth_reached == 1


def test_depth_is_exact_and_per_side():
    c = Conn()
    run = Run(limits(depth=4)).feed([*c.open(), c.up(b"abcd"), c.down(b"wx"), c.up(b"e"), c.down(b"yz!")])
    assert (run.bytes(0), run.bytes(1)) == (b"abcd", b"wxyz")
    assert run.notes() == [StreamAnomaly.DEPTH_REACHED] * 2


def test_depth_cuts_queued_bytes_and_gaps():
    run = play([(6, b"ghi"), (3, b"def"), (0, b"abc")], limits=limits(depth=7)).finish()
    assert run.bytes() == b"abcdefg"
    run = play([(6, b"ghi")], limits=limits(depth=4)).finish()
    assert run.stream() == [4]
    assert run.table._st[lay.S_PIECES_LIVE] == 0


def test_connection_closes_beyond_the_depth():
    c = Conn()
    run = Run(limits(depth=2)).feed([*c.open(), c.up(b"abc"), c.up(b"def"), *c.close()])
    assert run.states()[-1] & m.FS_CLOSED


@pytest.mark.parametrize(
    ("app", "port", "taken"),
    [(m.APP_UNDECIDED, 445, 6), (m.APP_UNDECIDED, 139, 6), (m.APP_UNDECIDED, 80, 2), (m.APP_UNKNOWN, 445, 2),
     (7, 80, 6), (8, 445, 2)],
)  # fmt: skip
def test_smb_has_a_depth_of_its_own(app, port, taken):
    c = Conn(dport=port)
    run = Run(limits(depth=2, smb_depth=6), smb=7).feed([*c.open(), c.up(b"a")])
    run.table.flows["app"] = app
    assert run.feed([c.up(b"bcd"), c.up(b"efgh"), c.up(b"i")]).bytes() == b"abcdefghi"[:taken]
    assert run.notes() == [StreamAnomaly.DEPTH_REACHED]


def test_depth_zero_is_no_depth():
    data = [(k * 60_000, bytes(60_000)) for k in range(40)]
    assert len(play(data, limits=limits(depth=0)).bytes()) == 2_400_000


def test_too_many_pieces_give_the_hole_up():
    early = [(2 * k, b"x") for k in range(1, 12)]
    run = play(early, limits=limits(side_segments=4))
    assert StreamAnomaly.SEGMENT_MEMCAP in run.notes()
    assert run.table.counters.segment_memcap_drop == 7
    run.finish()
    assert run.stream() == [2, *([b"x", 1] * 10), b"x"]


def test_too_many_bytes_give_the_hole_up():
    data = bytes(range(256)) * 40
    run = play([(5, data[5:])], limits=limits(side_bytes=4096))
    assert run.stream() == [5, data[5:]]
    assert run.table.counters.segment_memcap_drop == 1


def test_memcap_is_shared_and_nothing_is_lost_at_it():
    small = limits(memcap=64 << 10)
    _, pkts, at = opened()
    hogs = []
    for k in range(60):
        d = Conn(sport=3000 + k, t=1.0)
        hogs += [*d.open(), replace(d.up(b"h"), seq=d.c + 5)]
    run = Run(limits(memcap=64 << 10, max_flows=100)).feed([*hogs, *pkts, at(3, b"def"), at(0, b"abc")])
    assert small.memcap // CHUNK == 42
    assert run.table.counters.segment_memcap_drop == 19
    assert run.stream(flow=run.rows[-1][0]) == [3, b"def"]
    assert run.statuses()[-2:] == [INORDER, IGNORED]


def test_the_pool_grows_within_a_block_and_is_reused_after_it():
    table = FlowTable(FlowLimits(max_flows=64, slack=64, memcap=8 << 20), 1)
    number = 1
    sizes = []
    for rnd in range(4):
        pkts = []
        for k in range(20):
            c = Conn(sport=100 * rnd + k, t=0.1)
            c_pkts = c.open()
            start = c.c
            pkts += [
                *c_pkts,
                *(Pkt(b"q" * 900, seq=start + 1 + j * 900, ack=c.s, sport=100 * rnd + k) for j in range(140)),
            ]
            pkts += [Pkt(b"!", seq=start, ack=c.s, sport=100 * rnd + k)]
        rows, buf, numbers = block(pkts, number)
        number += len(pkts)
        segs = table.track(rows, buf, numbers)
        queued = segs[segs["src"] == 1]
        assert (table.queue_buf[queued["off"]] == ord("q")).all()
        assert queued.size == 20 * 140
        table.recycle()
        sizes.append(table.queue_buf.size)
    assert sizes == [4096 * CHUNK] * 4
    assert table._st[lay.S_PIECES_LIVE] == 0


def test_hostile_segment_walk_is_bounded():
    pkts = [(2 * k, b"x") for k in range(3000, 0, -1)]
    run = play(pkts)
    assert run.table._aux["nseg"].max() <= FlowLimits().side_segments


# ---------------------------------------------------------------- real captures


def real_blocks(path):
    """Yield rows, buffer, packet numbers of a capture's blocks."""
    for b in open_source([str(path)]).blocks():
        rows = decode_block(b, verify_checksums=False, options=DecodeOptions())
        yield rows, np.array(b.buf), np.arange(b.first, b.first + b.n)


def capture_streams(name):
    """Return both sides of the only TCP flow of a conformance capture, gaps as ints."""
    path = CONFORMANCE / name / "input.pcap"
    if not path.exists():
        pytest.skip("captures of ../shared are not here")
    run = Run(default_policy="bsd" if "oldlinux" not in name else "old-linux")
    for rows, buf, numbers in real_blocks(path):
        run._note(run.table.track(rows, buf, numbers), buf, numbers)
        run.states_of = rows["fstate"].tolist()
        run.table.recycle()
    return run.finish()


def test_conformance_split_handshakes():
    for name in ("tcp-split-handshake-01-4whs", "tcp-split-handshake-02-5whs"):
        run = capture_streams(name)
        assert run.bytes() == b"EVIL"
        assert run.states_of[-1] & m.FS_CLOSED


def test_conformance_leading_gap():
    assert capture_streams("eve-payload-06-tcp-data-leading-gap").stream() == [4, b"GOODDATA"]


def test_conformance_fast_open():
    data = capture_streams("tcp-fastopen-08").bytes()
    assert b"d2d3" in data
    assert data.startswith(b"GET ")


def test_conformance_reset_with_data():
    run = capture_streams("bug-6244-tcp-rst-with-data")
    assert (run.stream(0), run.bytes(1)) == ([], b"Please Let Me In!")


def test_rst_and_end_flush_the_queue():
    c, pkts, at = opened()
    run = Run().feed([*pkts, at(2, b"cd"), Pkt(flags=RST, seq=c.c + 4, t=c.t)]).finish()
    assert run.states()[-1] & m.FS_CLOSED
    assert run.stream() == [2, b"cd"]


# ---------------------------------------------------------------- urgent bytes


def urgent(data, pointer, offset, **kw):
    """A segment whose urgent pointer stands behind its byte `pointer` (from 1)."""
    return offset, data, {"flags": ACK | URG, "extra": {"urg": pointer}, **kw}


def speak(*segments, policy="oob", cuts=()):
    _, pkts, at = opened()
    made = [at(o, d, **(more[0] if more else {})) for o, d, *more in segments]
    return Run(limits(urgent=policy)).feed([*pkts, *made], cuts=cuts)


@pytest.mark.parametrize(
    ("segments", "stream"),
    [
        ([(0, b"malic"), urgent(b"X", 1, 5), (6, b"ious")], b"malicious"),
        ([(0, b"malic"), urgent(b"XY", 2, 5), (7, b"ious")], b"malicXious"),
        ([urgent(b"maliXcious", 5, 0)], b"malicious"),
        ([urgent(b"Xmalicious", 1, 0)], b"malicious"),
        ([urgent(b"mali", 5, 0), (4, b"Xcious")], b"malicious"),
        ([(0, b"mali"), (5, b"cious"), urgent(b"X", 1, 4)], b"malicious"),
        ([urgent(b"Xcious", 1, 4), (0, b"mali")], b"malicious"),
        ([urgent(b"maliX", 5, 0), urgent(b"maliX", 5, 0), (5, b"cious")], b"malicious"),
        ([urgent(b"XaXb", 1, 0), urgent(b"XcXd", 3, 4)], b"aXbXcd"),
        ([urgent(b"ab", 0, 0)], b"ab"),
        ([urgent(b"ab", 9, 0), (2, b"cd")], b"abcd"),
        ([(0, b"abcd"), urgent(b"cd", 1, 2), (4, b"ef")], b"abcdef"),
    ],
)
def test_an_urgent_byte_is_not_part_of_the_stream(segments, stream):
    run = speak(*segments)
    assert run.bytes() == stream
    assert not any(kind == m.SEG_GAP for _, _, kind, *_ in run.events)
    assert speak(*segments, cuts=range(20)).bytes() == stream
    assert speak(*segments, policy="inline").bytes() != stream or b"X" not in b"".join(one[1] for one in segments)


def test_positions_go_on_without_the_byte():
    run = speak((0, b"ab"), urgent(b"X", 1, 2), (3, b"cd"))
    assert [e[3:5] for e in run.events if e[2] == m.SEG_DATA] == [(0, b"ab"), (2, b"cd")]
    assert run.statuses()[3:] == [INORDER] * 3


def test_the_policy_is_a_known_one():
    with pytest.raises(ValueError, match=r"urgent\.policy"):
        limits(urgent="gap")


@pytest.mark.parametrize(
    ("data", "side"),
    [
        (b"HTTP/1.1 200 OK\r\n", 1),
        (b"\x16\x03\x03\x00\x40\x02\x00", 1),
        (b"\x16\x03\x01\x00\x40\x01\x00", 0),
        (b"HTTP/2 ", 0),
        (b"HTTP/1", 0),
        (b"GET / HTTP/1.1", 0),
        (b"", 0),
    ],
)
def test_who_is_the_server_of_a_flow_met_in_the_middle(data, side):
    run = Run().feed([Pkt(data, seq=7, ack=9, flags=ACK), Pkt(b"x", seq=9, ack=7 + len(data), flags=ACK).back()])
    assert [row[1] for row in run.rows] == [side, 1 - side]
    assert Run().feed([Pkt(data, seq=7, flags=SYN)]).rows[0][1] == 0


@pytest.mark.parametrize(("policy", "segments", "expected"), [
    ("bsd", [(13, b"A" * 5), (5, b"B" * 15), (12, b"C" * 3), (0, b"F" * 5)], b"F" * 5 + b"B" * 15),
    ("bsd", [(10, b"A" * 11), (8, b"B" * 8), (9, b"C" * 14), (0, b"F" * 8)],
     b"F" * 8 + b"B" * 8 + b"C" * 5 + b"C" * 2),
    ("linux", [(23, b"A" * 6), (22, b"B" * 14), (23, b"C" * 11), (0, b"F" * 22)], b"F" * 22 + b"B" * 14),
    ("solaris", [(11, b"A" * 7), (14, b"B" * 8), (16, b"C" * 4), (0, b"F" * 11)], b"F" * 11 + b"A" * 3 + b"B" * 8),
])  # fmt: skip
def test_bytes_that_were_replaced_are_those_of_the_newer_segment(policy, segments, expected):
    """Asked of Suricata: the next segment that overlaps them is compared with that one."""
    c = Conn()
    run = Run(default_policy=policy).feed([*c.open(), *(Pkt(data, seq=c.c + at, ack=c.s) for at, data in segments)])
    assert run.bytes() == expected
