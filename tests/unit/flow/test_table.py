"""Flows: keys, directions, TCP states, time-outs, eviction, ports used again, recycling."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flowkit import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, Conn, FlowTimeouts, Pkt, Run, block, limits, replace

from sensor.flow import track_layout as lay
from sensor.flow.limits import CLOCK_STEP, FlowLimits
from sensor.flow.table import POLICIES, FlowCounters, FlowTable
from sensor.model import rows as m
from sensor.model.anomaly import DecodeAnomaly, StreamAnomaly

ROOT = Path(__file__).resolve().parents[3]
UDP, ICMP, ICMPV6, SCTP, GRE = 17, 1, 58, 132, 47


def flows_of(*pkts, **kw):
    return [r[0] for r in Run(**kw).feed(list(pkts)).rows]


def sides_of(*pkts):
    return [r[1] for r in Run().feed(list(pkts)).rows]


# ---------------------------------------------------------------- keys


def test_both_directions_are_one_flow():
    a = Pkt(proto=UDP, sport=5353, dport=53)
    run = Run().feed([a, a.back(), a])
    assert len({r[0] for r in run.rows}) == 1
    assert [r[1] for r in run.rows] == [0, 1, 0]


@pytest.mark.parametrize(
    "change",
    [{"sport": 9}, {"dport": 9}, {"src": 7}, {"dst": 7}, {"proto": SCTP}, {"ipv": 6}, {"src": CLIENT | 1 << 100}],
)
def test_each_part_of_the_key_counts(change):
    a = Pkt(proto=UDP)
    first, second = flows_of(a, replace(a, **change))
    assert first != second


def test_hosts_and_ports_crosswise_are_two_flows():
    a = Pkt(proto=UDP, sport=1, dport=2)
    assert len(set(flows_of(a, replace(a, sport=2, dport=1)))) == 2


def test_vlans_are_part_of_the_key_unless_told_otherwise():
    a = Pkt(proto=UDP)
    tags = [
        a,
        *(replace(a, extra={"nvlan": n, "vlan0": v, "vlan1": w}) for n, v, w in ((1, 5, 0), (1, 6, 0), (2, 5, 6))),
    ]
    assert len(set(flows_of(*tags))) == 4
    assert len(set(flows_of(*tags, limits=limits(vlan_tracking=False)))) == 1


def test_networks_of_tunnels_are_part_of_the_key_unless_told_otherwise():
    """OVN gives the two directions of a routed connection the numbers of different networks."""
    a = Pkt(b"x", flags=ACK)
    here, there = (replace(a, extra={"tunnel": m.TUNNEL_GENEVE, "tunnel_id": vni}) for vni in (10, 11))
    assert len(set(flows_of(here, there))) == 2
    assert len(set(flows_of(here, there, limits=limits(vlan_tracking=False)))) == 1
    other = replace(a, extra={"tunnel": m.TUNNEL_VXLAN, "tunnel_id": 10})
    assert len(set(flows_of(here, other, limits=limits(vlan_tracking=False)))) == 2


def test_vlan_ids_count_only_where_a_tag_is():
    a = Pkt(proto=UDP)
    assert len(set(flows_of(a, replace(a, extra={"vlan0": 9, "vlan1": 9})))) == 1


def test_tunnels_are_part_of_the_key_but_only_vnis_name_networks():
    a = Pkt(proto=UDP)

    def inside(kind, ident):
        return replace(a, extra={"tunnel": kind, "tunnel_id": ident})

    vxlan = flows_of(a, inside(m.TUNNEL_VXLAN, 1), inside(m.TUNNEL_VXLAN, 2), inside(m.TUNNEL_GENEVE, 1))
    assert len(set(vxlan)) == 4
    assert len(set(flows_of(a, inside(m.TUNNEL_ERSPAN, 1), inside(m.TUNNEL_ERSPAN, 2)))) == 2


def test_sender_and_receiver_the_same_socket():
    a = Pkt(proto=UDP, src=SERVER, dst=SERVER, sport=7, dport=7)
    assert sides_of(a, a) == [0, 0]
    b = replace(a, sport=8)
    assert sides_of(b, b.back()) == [0, 1]


def icmp(kind, ident, **kw):
    return Pkt(proto=kw.pop("proto", ICMP), sport=kind, dport=0, **kw), ident


def run_icmp(*packets):
    rows, buf, numbers = block([p for p, _ in packets])
    buf = buf.copy()
    for r, (_, ident) in zip(rows, packets, strict=True):
        at = int(r["l4"])
        buf[at + 4 : at + 6] = ident >> 8 & 255, ident & 255
        if ident >> 16:  # header cut off
            r["pay"], r["paylen"] = at, 4
    table = FlowTable(limits(), 1)
    table.track(rows, buf, numbers)
    return rows["flow"].tolist(), rows["side"].tolist()


@pytest.mark.parametrize(("proto", "ask", "answer"), [
    (ICMP, 8, 0), (ICMP, 13, 14), (ICMP, 15, 16), (ICMP, 17, 18), (ICMPV6, 128, 129),
])  # fmt: skip
def test_icmp_questions_and_answers_with_an_identifier(proto, ask, answer):
    q, _ = icmp(ask, 0, proto=proto)
    a, _ = icmp(answer, 0, proto=proto, src=SERVER, dst=CLIENT)
    flows, sides = run_icmp((q, 7), (a, 7), (q, 8), (a, 8))
    assert flows == [0, 0, 1, 1]
    assert sides == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("proto", "ask", "answer"), [(ICMP, 10, 9), (ICMPV6, 133, 134), (ICMPV6, 135, 136), (ICMPV6, 130, 131)]
)
def test_icmp_pairs_without_identifier(proto, ask, answer):
    q, _ = icmp(ask, 0, proto=proto)
    a, _ = icmp(answer, 0, proto=proto, src=SERVER, dst=CLIENT)
    assert run_icmp((q, 1), (a, 2))[0] == [0, 0]


def test_icmp_errors_have_flows_of_their_own_by_type():
    kinds = (3, 11, 3, 8, 200)
    flows, _ = run_icmp(*((icmp(k, 0)[0], 5) for k in kinds))
    assert flows == [0, 1, 0, 2, 3]


def test_icmp_identifier_beyond_the_capture_is_not_read():
    q, _ = icmp(8, 0)
    assert run_icmp((q, 1 << 16 | 1), (q, 1 << 16 | 2))[0] == [0, 0]


def test_other_protocols_are_flows_of_two_hosts():
    a = Pkt(proto=GRE)
    assert len(set(flows_of(a, replace(a, sport=0, dport=0), a.back()))) == 1


@pytest.mark.parametrize("extra", [
    {"ipv": 0}, {"dup": 1}, {"frag": m.FRAG_PART}, {"l4": -1}, {"anomaly": 1 << DecodeAnomaly.TCP_HLEN_TOO_SMALL},
])  # fmt: skip
def test_what_has_no_flow(extra):
    run = Run().feed([Pkt(b"x", extra=extra)])
    assert run.rows == [(None, 0, 0, m.STREAM_IGNORED)]
    assert run.table.counters.untracked == 1
    assert run.table.counters.total == 0


def test_reassembled_datagrams_have_flows():
    run = Run().feed([Pkt(b"x", proto=UDP, extra={"frag": m.FRAG_REASSEMBLED})])
    assert run.rows[0][0] is not None


# ---------------------------------------------------------------- records


def test_flow_id_depends_on_the_first_packet_and_not_on_the_seed():
    a = Pkt(proto=UDP)
    (one,), (same,), (later,) = flows_of(a, seed=1), flows_of(a, seed=2), flows_of(replace(a, t=1), seed=1)
    assert one == same != later
    assert 0 < one < 1 << 53
    second = flows_of(replace(a, proto=SCTP), a)[1]
    assert second != one  # same key and time, another packet number


def test_seed_changes_the_hash():
    tables = [FlowTable(limits(), seed) for seed in (1, 2)]
    rows, buf, numbers = block([Pkt(proto=UDP, sport=p) for p in range(40)])
    for t in tables:
        t.track(rows, buf, numbers)
    assert tables[0]._aux["bucket"][:40].tolist() != tables[1]._aux["bucket"][:40].tolist()


def test_flow_record():
    c = Conn(t=10.0, extra={"nvlan": 1, "vlan0": 7})
    run = Run().feed([*c.open(), c.up(b"abc"), c.down(b"defgh"), c.up()]).finish(11)
    (f,) = run.flows.values()
    assert (f["src_lo"], f["dst_lo"], f["sport"], f["dport"], f["proto"], f["ipv"]) == (CLIENT, SERVER, 1234, 80, 6, 4)
    assert (f["nvlan"], f["vlan0"]) == (1, 7)
    assert f["pkts"].tolist() == [4, 2]
    assert f["bytes"].tolist() == [4 * 54 + 3, 2 * 54 + 5]
    assert f["pos"].tolist() == [3, 5]
    assert f["isn"].tolist() == [1001, 5001]
    assert f["next"].tolist() == [1004, 5006]
    assert f["acked"].tolist() == [1004, 5006]
    assert f["tcpflags"].tolist() == [SYN | ACK, SYN | ACK]
    assert (f["first"], f["last"]) == (10_001_000_000, 10_006_000_000)
    assert f["first_pkt"] == 1
    assert (f["state"], f["reason"]) == (m.STATE_ENDED, m.END_SHUTDOWN)


def test_inner_and_reassembled_rows_count_their_own_bytes():
    p = Pkt(b"x" * 100, proto=UDP)
    run = Run().feed([replace(p, extra={"parent": 0}), replace(p, extra={"frag": m.FRAG_REASSEMBLED}), p]).finish()
    (f,) = run.flows.values()
    assert f["bytes"][0] == 128 + 128 + 142


def test_backward_time_does_not_move_the_end_of_a_flow():
    run = Run().feed([Pkt(proto=UDP, t=5), Pkt(proto=UDP, t=3)]).finish()
    (f,) = run.flows.values()
    assert (f["first"], f["last"]) == (5_000_000_000, 5_000_000_000)


def test_counter_names_follow_the_kernel():
    assert FlowCounters.names() == lay.COUNTERS
    run = Run().feed([Pkt(proto=p) for p in (UDP, ICMP, GRE)] + [Pkt(flags=SYN)])
    c = run.table.counters
    assert (c.total, c.active, c.tcp, c.udp, c.icmp, c.other, c.syn) == (4, 4, 1, 1, 1, 1, 1)
    assert c.memuse == 4 * (m.FLOW.itemsize + lay.AUX.itemsize)


# ---------------------------------------------------------------- TCP states

EST, TOC, CLOSED, MID, NEW, DONE = (
    m.FS_ESTABLISHED, m.FS_TO_CLIENT_SEEN, m.FS_CLOSED, m.FS_MIDSTREAM, m.FS_NEW, m.FS_HANDSHAKE_DONE,
)  # fmt: skip


def tcp_states(pkts, **kw):
    """Return the TCP state after each packet."""
    run = Run(**kw)
    states = []
    for p in pkts:
        run.feed([p])
        live = run.table.flows[run.table.flows["state"] != m.STATE_FREE]
        states.append(m.TCP_STATE_NAMES[live[0]["tcpstate"]] if live.size else "")
    return states


def test_handshake_bits():
    c = Conn()
    run = Run().feed([*c.open(), c.up(b"x"), c.down()])
    assert run.states() == [NEW, TOC, TOC | EST | DONE, TOC | EST, TOC | EST]


def test_data_that_completes_the_handshake_is_in_an_established_connection():
    syn, synack, _ = Conn().open()
    c = Conn()
    c.open()
    run = Run().feed([syn, synack, c.up(b"x"), c.down()])
    assert run.states() == [NEW, TOC, TOC | EST, TOC | EST]
    c = Conn()
    c.open()
    run = Run().feed([syn, synack, c.up(b"x", flags=FIN | ACK)])
    assert run.states()[2] & DONE


def test_a_connection_starts_over_without_the_data_of_its_syn_that_were_not_taken():
    syn, synack = Pkt(b"abc", flags=SYN, seq=99), Pkt(flags=SYN | ACK, seq=499, ack=100).back()
    run = Run().feed([syn, synack, Pkt(seq=100, ack=500), Pkt(b"xyz", seq=100, ack=500)])
    first, second = sorted({event[0] for event in run.events})
    assert (run.stream(flow=first), run.stream(flow=second)) == ([b"abc"], [b"xyz"])
    assert (run.table.counters.total, run.table.counters.active, run.table.counters.port_reuse) == (2, 1, 0)
    run = Run().feed([syn, replace(synack, ack=103), Pkt(seq=103, ack=500)])
    assert run.table.counters.total == 1


def test_udp_and_others_are_established_once_both_sides_were_seen():
    for proto in (UDP, GRE, SCTP):
        a = Pkt(proto=proto)
        assert Run().feed([a, a, a.back(), a]).states() == [NEW, 0, EST | TOC, EST | TOC]


def test_midstream_pickup_is_established_at_once():
    run = Run().feed([Pkt(b"x", seq=9)])
    assert run.states() == [NEW | EST | MID]
    assert run.notes() == [StreamAnomaly.MIDSTREAM_PICKUP]
    assert run.table.counters.midstream_pickups == 1


def test_without_midstream_the_flow_is_tracked_and_not_reassembled():
    run = Run(limits(midstream=False)).feed([Pkt(b"x", seq=9), Pkt(b"y", seq=10), Pkt(flags=SYN | ACK).back()])
    assert run.states() == [NEW | MID, MID, MID | TOC]
    assert run.statuses() == [m.STREAM_IGNORED, m.STREAM_IGNORED, m.STREAM_NONE]
    assert run.stream() == []


@pytest.mark.parametrize(
    ("sport", "dport", "serves"),
    [
        (80, 50000, True), (8000, 32768, True), (445, 1112, True), (32767, 50000, True),
        (20, 50000, False), (880, 2049, False), (50000, 80, False), (445, 445, False), (5060, 5061, False),
        (50000, 50001, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("flags", [ACK, ACK | FIN, PSH | ACK])
def test_ports_name_the_server_of_a_connection_met_in_the_middle(sport, dport, serves, flags):
    first = Pkt(b"x", seq=9, sport=sport, dport=dport, flags=flags)
    for midstream in (True, False):
        run = Run(limits(midstream=midstream)).feed([first, first.back()])
        (f,) = run.table.flows[run.table.flows["state"] > 0]
        assert (f["sport"], f["dport"]) == ((dport, sport) if serves and midstream else (sport, dport))


def test_a_server_alone_shows_that_its_connection_is_established_by_what_it_acknowledges():
    def says(data=b"", flags=ACK, seq=500, ack=100):
        return Pkt(data, flags=flags, seq=seq, ack=ack).back()

    pkts = [says(flags=SYN | ACK, seq=499), says(b"hi"), says(seq=502, ack=105), says(b"x", seq=502, ack=105)]
    waits = NEW | MID | TOC
    run = Run().feed(pkts)
    assert run.states() == [waits, MID | TOC, MID | TOC | EST | DONE, MID | TOC | EST]
    assert run.bytes(side=1) == b"hix"


def test_synack_first_names_the_server():
    c = Conn()
    c.up(flags=SYN)
    run = Run().feed([c.down(flags=SYN | ACK), c.up(), c.up(b"x")])
    assert [r[1] for r in run.rows] == [1, 0, 0]
    assert run.states() == [NEW | MID | TOC, MID | TOC | EST | DONE, MID | TOC | EST]
    assert run.bytes() == b"x"
    (f,) = run.table.flows[run.table.flows["state"] > 0]
    assert (f["src_lo"], f["sport"]) == (CLIENT, 1234)


@pytest.mark.parametrize("flags", [0, FIN, FIN | PSH | 32, 63])
def test_scan_packets_open_no_stream(flags):
    run = Run().feed([Pkt(b"x", flags=flags)])
    assert not run.states()[0] & EST
    assert run.statuses() == [m.STREAM_IGNORED]


def test_close_by_client():
    c = Conn()
    states = tcp_states([*c.open(), *c.close()])
    assert states == ["syn_sent", "syn_recv", "established", "close_wait", "close_wait", "last_ack", "closed"]


def test_close_by_server():
    c = Conn()
    pkts = [*c.open(), c.down(flags=FIN | ACK), c.up(), c.up(flags=FIN | ACK), c.down()]
    assert tcp_states(pkts)[3:] == ["fin_wait1", "fin_wait2", "time_wait", "closed"]


def test_simultaneous_close():
    c = Conn()
    opened = c.open()
    a = c.up(flags=FIN | ACK)
    c.c -= 1
    b = c.down(flags=FIN | ACK)
    c.c += 1
    assert tcp_states([*opened, a, b, c.up(), c.down()])[3:] == ["close_wait", "last_ack", "last_ack", "closed"]


def test_half_close_goes_on_delivering():
    c = Conn()
    run = Run().feed([*c.open(), c.up(b"bye", flags=FIN | ACK), c.down(b"more"), c.down(b"data"), c.up()])
    assert run.bytes(0) == b"bye"
    assert run.bytes(1) == b"moredata"
    assert not run.states()[-1] & CLOSED


def test_simultaneous_open():
    c = Conn()
    a, b = c.up(flags=SYN), c.down(flags=SYN)
    again_c = replace(a, flags=SYN | ACK, ack=c.s)
    again_s = replace(b, flags=SYN | ACK, ack=c.c)
    assert tcp_states([a, b, again_c, again_s, c.up(b"x")]) == [
        "syn_sent",
        "syn_recv",
        "syn_recv",
        "established",
        "established",
    ]


def test_split_handshakes():
    c = Conn()
    four = [c.up(flags=SYN), c.down(flags=SYN)]
    four += [replace(four[0], flags=SYN | ACK, ack=c.s), c.down(), c.up(b"EVIL")]
    run = Run().feed(four)
    assert run.bytes() == b"EVIL"
    assert [bool(s & EST) for s in run.states()] == [False, False, False, True, True]
    c = Conn()
    five = [c.up(flags=SYN), c.down(), c.down(flags=SYN)]
    five += [replace(five[0], flags=SYN | ACK, ack=c.s), c.down(), c.up(b"EVIL"), c.down(b"yes")]
    run = Run().feed(five)
    assert (run.bytes(), run.bytes(1)) == (b"EVIL", b"yes")
    assert [bool(s & EST) for s in run.states()] == [False] * 3 + [True] * 4


def test_one_sided_flow():
    c = Conn()
    c.down(flags=SYN | ACK)
    run = Run().feed([c.up(flags=SYN), c.up(), c.up(b"abc"), c.up(b"def")])
    assert run.bytes() == b"abcdef"
    assert [bool(s & EST) for s in run.states()] == [False, True, True, True]


def test_lost_synack():
    c = Conn()
    first, _, last = c.open()
    run = Run().feed([first, last, c.up(b"q"), c.down(b"a")])
    assert (run.bytes(), run.bytes(1)) == (b"q", b"a")
    c = Conn()
    first = c.open()[0]
    run = Run().feed([first, c.down(b"banner")])
    assert run.bytes(1) == b"banner"
    assert run.states()[-1] & EST


def test_synack_after_data():
    c = Conn()
    syn, synack, ack = c.open()
    data = c.up(b"early")
    run = Run().feed([syn, ack, data, synack, c.down(b"reply")])
    assert (run.bytes(), run.bytes(1)) == (b"early", b"reply")
    assert run.notes() == []


def test_syn_resent_with_another_number():
    c = Conn()
    stale = Pkt(flags=SYN, seq=77)
    run = Run().feed([stale, *c.open(), c.up(b"x")])
    assert StreamAnomaly.SYN_RESEND_DIFF_SEQ in run.notes()
    assert run.bytes() == b"x"


def test_synack_answers_the_first_of_two_syns():
    c = Conn()
    syn, synack, ack = c.open()
    run = Run().feed([syn, Pkt(flags=SYN, seq=77, t=c.t), synack, ack, c.up(b"x")])
    assert run.bytes() == b"x"
    assert run.states()[-1] & EST


def test_synack_resent_with_another_number():
    c = Conn()
    syn, synack, ack = c.open()
    for stream in ([syn, replace(synack, seq=9), synack, ack], [syn, synack, replace(synack, seq=9), ack]):
        run = Run().feed([*stream, c.down(b"x")])
        assert StreamAnomaly.SYNACK_DIFF_SEQ in run.notes()
        assert run.bytes(1) == b"x"
        c.s -= 1


def test_forged_synack_with_a_wrong_ack_is_no_answer():
    c = Conn()
    syn, synack, ack = c.open()
    forged = replace(synack, ack=4711, seq=1)
    run = Run().feed([syn, forged, Pkt(flags=RST, seq=4711), synack, ack, c.up(b"x"), c.down(b"y")])
    assert (run.bytes(), run.bytes(1)) == (b"x", b"y")


# ---------------------------------------------------------------- RST


def test_rst_closes_at_the_exact_number_only():
    c = Conn()
    opened = c.open()
    for off, closed in ((0, True), (1, False), (1000, False), (-1, False)):
        run = Run().feed([*opened, Pkt(flags=RST, seq=c.c + off)])
        assert bool(run.states()[-1] & CLOSED) is closed
        assert (StreamAnomaly.RST_BUT_INVALID in run.notes()) is not closed
        assert run.table.counters.rst_invalid == (not closed)


def test_rst_in_answer_to_a_syn():
    syn = Pkt(flags=SYN, seq=10)
    good = syn.back()
    assert tcp_states([syn, replace(good, flags=RST | ACK, seq=0, ack=11)])[-1] == "closed"
    assert tcp_states([syn, replace(good, flags=RST | ACK, seq=0, ack=12 << 20)])[-1] == "syn_sent"
    assert tcp_states([syn, replace(good, flags=RST, seq=0, ack=11)])[-1] == "syn_sent"


def test_rst_behind_lost_bytes_counts_if_they_were_acknowledged():
    c = Conn()
    opened = c.open()
    c.up(b"lost")
    run = Run().feed([*opened, c.down(), c.up(flags=RST)])
    assert run.states()[-1] & CLOSED


def test_data_of_the_other_side_after_rst_is_ignored_and_noted_once():
    c = Conn()
    run = Run().feed([*c.open(), c.up(b"a"), Pkt(flags=RST, seq=c.c), c.down(b"b"), c.down(b"c")])
    assert run.bytes() == b"a"
    assert run.statuses()[-2:] == [m.STREAM_IGNORED, m.STREAM_IGNORED]
    assert run.notes() == [StreamAnomaly.DATA_AFTER_CLOSE]


def test_a_rst_whose_sender_goes_on_is_taken_back_and_noted_once():
    c = Conn()
    reset = Pkt(flags=RST | ACK, seq=c.c + 1, ack=c.s)
    run = Run().feed([*c.open(), c.up(b"a"), reset, c.up(b"b"), c.down(b"x"), c.up(b"c")])
    assert run.bytes() == b"abc"
    assert run.bytes(1) == b"x"
    assert run.notes() == [StreamAnomaly.SUSPECTED_RST_INJECT]
    assert not run.states()[-1] & CLOSED


def test_a_bare_acknowledgment_takes_a_rst_back():
    c = Conn()
    run = Run().feed([*c.open(), Pkt(flags=RST, seq=c.c), c.up(), c.up(b"a")])
    assert (run.bytes(), run.notes()) == (b"a", [StreamAnomaly.SUSPECTED_RST_INJECT])


@pytest.mark.parametrize(("options", "obeyed"), [
    (bytes((1, 1, 19, 18)) + bytes(16), False), (bytes((29, 4, 0, 0)), False),
    (bytes((0, 1, 19, 18)) + bytes(16), True), (bytes((2, 4, 5, 180)), True), (bytes((1, 1, 8, 1)), True),
])  # fmt: skip
def test_a_rst_with_a_signature_is_not_obeyed(options, obeyed):
    """Wherever in a connection: in its handshake, too, where nothing takes a RST back."""
    c = Conn()
    opening = c.open()
    reset = Pkt(flags=RST | ACK, seq=c.c, ack=c.s, options=options)
    run = Run().feed([*opening[:2], reset, opening[2], c.up(b"a")])
    assert (run.bytes() == b"a") is not obeyed
    assert (StreamAnomaly.SUSPECTED_RST_INJECT in run.notes()) is not obeyed


@pytest.mark.parametrize("flags", [RST | ACK, FIN | ACK, FIN | ACK | 8])
def test_what_ends_a_handshake_and_is_not_obeyed_is_taken_back_by_the_syn_ack(flags):
    """An end with a timestamp that the SYN does not explain hides nothing of what follows."""
    c = Conn()
    opening = c.open()
    end = replace(opening[1], flags=flags, seq=7)
    run = Run().feed([opening[0], end, *opening[1:], c.up(b"a"), c.down(b"b"), c.up(b"c")])
    assert (run.bytes(), run.bytes(1)) == (b"ac", b"b")
    assert run.notes() == [StreamAnomaly.SUSPECTED_RST_INJECT]
    assert not run.states()[-1] & CLOSED


def test_what_ends_a_handshake_stands_where_the_syn_ack_is_of_another_syn():
    c = Conn()
    opening = c.open()
    end = replace(opening[1], flags=RST | ACK, seq=7)
    other = replace(opening[1], ack=opening[1].ack + 99)
    run = Run().feed([opening[0], end, other, c.up(b"a")])
    assert StreamAnomaly.SUSPECTED_RST_INJECT not in run.notes()
    assert run.states()[-1] & CLOSED


def test_a_rst_stands_where_its_sender_goes_on_elsewhere():
    c = Conn()
    far = Pkt(b"b", seq=c.c + (1 << 20), ack=c.s)
    run = Run().feed([*c.open(), Pkt(flags=RST, seq=c.c), far])
    assert StreamAnomaly.SUSPECTED_RST_INJECT not in run.notes()
    assert run.states()[-1] & CLOSED


def test_a_rst_between_fins_is_taken_back_to_where_they_led():
    c = Conn()
    run = Run().feed([*c.open(), c.down(b"x", flags=FIN | ACK), Pkt(flags=RST, seq=c.c), c.up(b"a")])
    assert run.bytes() == b"a"
    assert run.table.flows["tcpstate"][0] in (m.TCP_FIN_WAIT1, m.TCP_FIN_WAIT2)


def test_payload_of_a_rst_is_no_stream():
    c = Conn()
    run = Run().feed([*c.open(), c.up(b"Access Denied", flags=RST | ACK)])
    assert run.statuses()[-1] == m.STREAM_IGNORED
    assert run.stream() == []


def test_bad_checksums_change_nothing():
    c = Conn()
    opened = c.open()
    bad = {"l4csum": m.CSUM_BAD}
    pkts = [*opened, Pkt(flags=RST, seq=c.c, extra=bad), Pkt(b"EVIL", seq=c.c, ack=c.s, extra=bad), c.up(b"good")]
    run = Run().feed(pkts)
    assert run.bytes() == b"good"
    assert run.table.counters.bad_checksum == 2
    run = Run(limits(checksum_validation=False)).feed([*opened, pkts[4]])
    assert run.bytes() == b"EVIL"


# ---------------------------------------------------------------- ports used again


def test_new_syn_on_a_closed_flow():
    c = Conn()
    old = [*c.open(), *c.close()]
    late = replace(old[0])  # the same SYN again belongs to the old flow
    d = Conn(isn_c=900_000, isn_s=800_000, t=c.t)
    run = Run().feed([*old, late, *d.open(), d.up(b"x")])
    assert run.rows[7][0] == run.rows[0][0] != run.rows[8][0]
    assert run.states()[8:] == [NEW, TOC, TOC | EST | DONE, TOC | EST]
    assert [(r, n) for _, r, n in run.ends()] == [("closed", 9)]
    assert StreamAnomaly.PORT_REUSE in run.notes()
    assert run.table.counters.port_reuse == 1
    end = [e[2] for e in run.events].index(m.SEG_END)
    assert run.events[end + 1][2:5:2] == (m.SEG_NOTE, StreamAnomaly.PORT_REUSE)


@pytest.mark.parametrize("midstream", [True, False])
def test_syn_on_an_open_connection_waits_for_its_synack(midstream):
    c = Conn()
    opened = c.open()
    spoof = Pkt(flags=SYN, seq=77_000_000)
    run = Run(limits(midstream=midstream)).feed([*opened, spoof, c.up(b"still")])
    assert run.bytes() == b"still"
    assert run.ends() == []
    d = Conn(isn_c=76_999_999 + 1, isn_s=123, t=c.t)
    syn, synack, ack = d.open()
    run.feed([synack, ack, d.up(b"anew")])
    assert [r for _, r, _ in run.ends()] == ["closed"]
    assert run.rows[-1][0] != run.rows[0][0]
    assert run.rows[-1][1] == 0
    assert run.states()[-1] == TOC | EST
    assert run.notes() == [StreamAnomaly.PORT_REUSE]
    assert run.stream(flow=run.rows[-1][0]) == [b"anew"]
    assert syn.seq == spoof.seq


def test_one_sided_reuse():
    a = [Pkt(flags=SYN, seq=10), Pkt(seq=11, ack=1), Pkt(b"old", seq=11, ack=1)]
    b = [Pkt(flags=SYN, seq=1 << 20), Pkt(b"new", seq=(1 << 20) + 1, ack=1)]
    run = Run().feed(a + b)
    assert [r for _, r, _ in run.ends()] == ["closed"]
    assert run.stream(flow=run.rows[-1][0]) == [b"new"]


# ---------------------------------------------------------------- time

TIMEOUTS = FlowTimeouts()


@pytest.mark.parametrize(("pkts", "seconds"), [
    ([Pkt(flags=SYN)], TIMEOUTS.tcp_new),
    (Conn().open(), TIMEOUTS.tcp_established),
    ([*(c := Conn()).open(), *c.close()], TIMEOUTS.tcp_closed),
    ([Pkt(proto=UDP)], TIMEOUTS.udp_new),
    ([Pkt(proto=UDP), Pkt(proto=UDP).back()], TIMEOUTS.udp_established),
    ([Pkt(proto=ICMP)], TIMEOUTS.icmp_new),
    ([Pkt(proto=ICMP), Pkt(proto=ICMP).back()], TIMEOUTS.icmp_established),
    ([Pkt(proto=GRE)], TIMEOUTS.default_new),
    ([Pkt(proto=GRE), Pkt(proto=GRE).back()], TIMEOUTS.default_established),
])  # fmt: skip
def test_timeouts_by_state(pkts, seconds):
    probe = Pkt(proto=UDP, sport=9, dport=9)
    steps = [replace(probe, t=t) for t in range(5, seconds + 2, 5)]
    run = Run().feed([*pkts, *steps, replace(probe, t=seconds + 0.5)])
    assert run.ends() == []
    run.feed([replace(probe, t=seconds + 1)])
    assert [(i, r) for i, r, _ in run.ends()] == [(run.rows[0][0], "timeout")]
    assert run.ends()[0][2] == run.number - 1  # before the packet whose time it was


def test_a_packet_of_a_timed_out_flow_starts_a_new_one():
    a = Pkt(proto=UDP)
    run = Run().feed([a, replace(a, t=31)])
    assert run.rows[0][0] != run.rows[1][0]
    assert run.ends() == [(run.rows[0][0], "timeout", 2)]


def test_timeouts_come_in_order_of_their_deadlines():
    pkts = [Pkt(flags=SYN, t=0), Pkt(proto=UDP, t=1), Pkt(proto=GRE, t=2), Pkt(proto=ICMP, t=8)]
    far = [Pkt(proto=UDP, sport=5, t=t) for t in (1000, 1000)]
    run = Run().feed(pkts + far)
    flows = [r[0] for r in run.rows]
    assert [i for i, _, _ in run.ends()] == [flows[1], flows[2], flows[3], flows[0]]


def test_activity_keeps_a_flow_alive():
    a = Pkt(proto=UDP)
    run = Run().feed([replace(a, t=t) for t in range(0, 300, 20)])
    assert run.ends() == []


def test_queued_bytes_come_out_when_a_flow_times_out():
    c = Conn()
    opened = c.open()
    c.up(b"lost")
    run = Run().feed([*opened, c.up(b"kept"), Pkt(proto=UDP, t=1000), Pkt(proto=UDP, t=1000)])
    assert run.stream() == [4, b"kept"]
    kinds = [e[2] for e in run.events]
    assert kinds == [m.SEG_NOTE, m.SEG_GAP, m.SEG_DATA, m.SEG_END]


def test_one_wild_timestamp_ends_no_other_flow():
    quiet = Pkt(proto=UDP, sport=1)
    busy = Pkt(proto=UDP, sport=2)
    pkts = [quiet, busy, replace(busy, t=1e6), replace(busy, t=0.1), replace(busy, t=1e6), replace(busy, t=0.2)]
    run = Run().feed(pkts)
    assert {i for i, _, _ in run.ends()}.isdisjoint({run.rows[0][0]})
    assert run.table.counters.clock_jumps == 0
    run.feed([replace(busy, t=1e6), replace(quiet, sport=3, t=1e6 + CLOCK_STEP)])
    assert run.rows[0][0] in {i for i, _, _ in run.ends()}
    assert run.table.counters.clock_jumps == 1


def test_the_nearer_of_two_jumps_counts():
    a = Pkt(proto=UDP, sport=1)
    run = Run().feed([a, replace(a, sport=2, t=20), replace(a, sport=3, t=1e6), replace(a, sport=4, t=21)])
    assert run.ends() == []


def test_rows_of_one_packet_confirm_nothing():
    a = Pkt(proto=UDP)
    rows, buf, numbers = block([a, replace(a, sport=2, t=1e6), replace(a, sport=3, t=1e6)])
    rows["pkt"][2] = 1
    table = FlowTable(limits(), 1)
    assert table.track(rows, buf, numbers).size == 0


def test_time_goes_on_after_an_older_capture_is_appended():
    new, old = Pkt(proto=UDP, sport=1, t=1e9), Pkt(proto=UDP, sport=2)
    run = Run().feed([new, *(replace(old, t=t) for t in range(5, 60, 5))])
    assert [(i, r) for i, r, _ in run.ends()] == [(run.rows[0][0], "timeout")]
    assert run.table.counters.clock_jumps == 1


@pytest.mark.parametrize("ts", [-(1 << 63), (1 << 63) - 1, 0])
def test_extreme_times_are_survived(ts):
    a = Pkt(proto=UDP)
    run = Run().feed(
        [a, *(replace(a, sport=s, extra={"ts": t}) for s, t in enumerate((ts, ts, 5, -ts - 1, -ts - 1, 7)))]
    )
    run.finish(ts / 1e9)
    assert run.table.counters.active == 0
    assert len(run.ends()) == run.table.counters.total


def test_expire_without_packets():
    table = FlowTable(limits(), 1)
    assert table.expire(10**18).size == 0
    rows, buf, numbers = block([Pkt(proto=UDP), Pkt(proto=UDP, sport=2, t=20)])
    table.track(rows, buf, numbers)
    segs = table.expire(31_000_000_000)
    assert segs[["kind", "arg", "row", "flow"]].tolist() == [(m.SEG_END, m.END_TIMEOUT, -1, 0)]
    assert table.expire(31_000_000_000).size == 0
    assert table.finish(31_000_000_000)["arg"].tolist() == [m.END_SHUTDOWN]


def test_finish_ends_flows_in_order_of_creation():
    pkts = [Pkt(proto=UDP, sport=s) for s in range(50)]
    run = Run().feed(pkts + pkts[::-1]).finish()
    assert [i for i, _, _ in run.ends()] == [r[0] for r in run.rows[:50]]
    assert {r for _, r, _ in run.ends()} == {"shutdown"}
    assert run.table.counters.active == 0


# ---------------------------------------------------------------- caps


def test_eviction_prefers_closed_then_unanswered_then_idle():
    c = Conn(sport=1)
    closed = [*c.open(), *c.close()]
    a, b = Pkt(proto=UDP, sport=2, t=3), Pkt(proto=UDP, sport=3, t=5)
    pkts = [*closed, a, a.back(), Pkt(flags=SYN, sport=4, t=4), b, b.back(), Pkt(proto=UDP, sport=5, t=4)]
    run = Run(limits(max_flows=5)).feed(pkts)
    first = {p.sport: r[0] for p, r in zip(pkts, run.rows, strict=True)}
    assert run.ends() == []
    for k, victim in enumerate((1, 4, 5, 2, 3)):
        run.feed([p := Pkt(proto=UDP, sport=100 + k, t=6), p.back()])
        assert run.ends()[-1][:2] == (first[victim], "forced")
    assert run.table.counters.emergency_evictions == 5
    assert run.table.counters.active == 5


def test_syn_flood_keeps_the_table_bounded_and_established_flows_alive():
    c = Conn(sport=1)
    opened = c.open()
    flood = 50_000
    rows = np.repeat(block([Pkt(flags=SYN, dst=9)])[0], flood)
    rows["src_lo"], rows["pkt"] = np.arange(100, 100 + flood), np.arange(flood)
    table = FlowTable(FlowLimits(max_flows=1000, slack=100), 3)
    first, buf, numbers = block(opened)
    table.track(first, buf, numbers)
    segs = table.track(rows, np.zeros(64, np.uint8), np.arange(4, 4 + flood))
    assert np.bincount(segs["kind"]).tolist() == [0, 0, flood - 999]
    assert table.counters.active == 1000
    assert table.counters.emergency_evictions == flood - 999
    assert table.flows[first["flow"][0]]["state"] == m.STATE_ESTABLISHED
    table.recycle()
    last, buf, numbers = block([c.up(b"x")])
    table.track(last, buf, np.array([flood + 9]))
    assert last["flow"][0] == first["flow"][0]
    assert last["stream"][0] == m.STREAM_INORDER


def test_slots_are_stable_and_reused_only_after_recycle():
    a, b = Pkt(proto=UDP, sport=1), Pkt(proto=UDP, sport=2, t=100)
    table = FlowTable(limits(), 1)
    rows, buf, numbers = block([a, b, replace(b, sport=3)])
    segs = table.track(rows, buf, numbers)
    assert rows["flow"].tolist() == [0, 1, 2]
    assert segs["flow"].tolist() == [0]
    assert table.flows[0]["state"] == m.STATE_ENDED
    assert table.flows[0]["reason"] == m.END_TIMEOUT
    table.recycle()
    assert not table.flows[0].tobytes().strip(b"\0")
    rows, buf, numbers = block([replace(b, sport=4)], first=9)
    assert table.track(rows, buf, numbers).size == 0
    assert rows["flow"].tolist() == [0]


def test_small_blocks_find_room_enough_for_their_events(monkeypatch):
    """What grows is copied, block after block: 0.3 ms each."""
    monkeypatch.setattr("sensor.flow.table.grown", None)
    conn = Conn()
    pkts = [*conn.open(), conn.up(bytes(60_000)), *conn.close()]
    run = Run(FlowLimits()).feed(pkts, cuts=range(len(pkts)))
    assert run.bytes() == bytes(60_000)


def test_many_events_for_one_row_make_the_output_grow():
    count = 3000
    pkts = [Pkt(proto=UDP, sport=s) for s in range(count)]
    run = Run(limits(max_flows=count + 1, slack=1)).feed(pkts)
    run.feed([Pkt(proto=UDP, sport=9999, t=99), Pkt(proto=UDP, sport=9999, t=99)])
    assert [i for i, _, _ in run.ends()] == [r[0] for r in run.rows[:count]]
    assert {n for _, _, n in run.ends()} == {count + 2}


@pytest.mark.parametrize(("bad", "kwargs"), [
    ({"max_flows": 0}, {}), ({"depth": -1}, {}), ({"side_segments": 1}, {}), ({}, {"default_policy": "beos"}),
    ({}, {"policies": [("10.0.0.0/8", "nt")]}), ({}, {"policies": [("10.0.0.0/33", "bsd")]}),
])  # fmt: skip
def test_wrong_settings_are_refused(bad, kwargs):
    with pytest.raises(ValueError, match=r"must be|unknown|does not appear|not permitted"):
        FlowTable(limits(**bad), 1, **kwargs)


def test_wrong_timeouts_are_refused():
    with pytest.raises(ValueError, match="tcp_new"):
        FlowTimeouts(tcp_new=0)


def test_policy_of_the_receiver_by_most_specific_network():
    table = FlowTable(
        limits(), 1,
        [("10.0.0.0/8", "windows"), ("10.0.0.2", "linux"), ("fd00::/16", "solaris"), ("0.0.0.0/0", "last")],
        "first",
    )  # fmt: skip
    v6 = Pkt(ipv=6, src=(0xFD00 << 112) + 5, dst=(0xFD01 << 112) + 5)
    rows, buf, numbers = block([Pkt(), Pkt(src=5), v6])
    table.track(rows, buf, numbers)
    expected = [("linux", "windows"), ("linux", "last"), ("first", "solaris")]
    assert table.flows["policy"][:3].tolist() == [[POLICIES[a], POLICIES[b]] for a, b in expected]


# ---------------------------------------------------------------- one meaning


def test_plain_python_gives_the_same_bytes():
    script = Path(__file__).with_name("plain_run.py")
    outputs = []
    for flag in ("0", "1"):
        env = dict(os.environ, NUMBA_DISABLE_JIT=flag, PYTHONPATH=os.pathsep.join((str(ROOT), str(script.parent))))
        done = subprocess.run([sys.executable, "-W", "error", str(script)], env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\n") > 500
