import struct

import pytest
from decode_frames import (
    A4,
    B4,
    MAC_A,
    anomalies,
    block_of,
    eth,
    ip4,
    ip6,
    payload,
    row_of,
    rows_of,
    rows_of_block,
    tag,
    tcp,
    udp,
)  # fmt: skip

from sensor.decode.limits import MAX_LAYERS, MAX_TUNNELS, DecodeOptions
from sensor.model.rows import TUNNEL_ERSPAN, TUNNEL_GENEVE, TUNNEL_GRE, TUNNEL_IPIP, TUNNEL_TEREDO, TUNNEL_VXLAN

INNER = ip4(tcp(b"inner"), src=0xC0A80001, dst=0xC0A80002)
INNER6 = ip6(tcp(b"inner"))
ARP = eth(
    0x0806,
    struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    + MAC_A
    + struct.pack("!I", A4)
    + bytes(6)
    + struct.pack("!I", B4),
)
FRAME = eth(0x0800, INNER)


def gre(proto, payload=b"", *, flags=0, options=b""):
    return struct.pack("!HH", flags, proto) + options + payload


def outer(payload, proto=47):
    return eth(0x0800, ip4(payload, proto))


def pptp(length):
    """Key (payload length and call id), sequence and acknowledgment number."""
    return struct.pack("!HHII", length, 9, 1, 2)


def vxlan(inner, *, flags=0x08, vni=0x123456):
    return struct.pack("!BxxxI", flags, vni << 8) + inner


def geneve(inner, proto=0x6558, *, options=b"", version=0, vni=0x123456):
    return struct.pack("!BBHI", version << 6 | len(options) // 4, 0, proto, vni << 8) + options + inner


def erspan2(session=0x2AA, *, version=1, vlan=7, en=0):
    return struct.pack("!HHI", version << 12 | vlan, en << 11 | session, 0)


def erspan3(session=0x155, *, version=2, ft=0, sub=False):
    return struct.pack("!HHIHH", version << 12, session, 0, 0, ft << 10 | sub) + (bytes(8) if sub else b"")


def dgram(payload, port):
    return eth(0x0800, ip4(udp(payload, 55555, port), 17))


@pytest.mark.parametrize(
    ("frame", "kind", "ident", "l2_to_l3"),
    [
        (outer(INNER, 4), TUNNEL_IPIP, 0, 0),
        (eth(0x86DD, ip6(INNER, 4)), TUNNEL_IPIP, 0, 0),
        (outer(gre(0x0800, INNER)), TUNNEL_GRE, 0, 0),
        (outer(gre(0x0800, INNER, flags=0xB000, options=bytes(7) + b"\x09" + bytes(4))), TUNNEL_GRE, 9, 0),
        (outer(gre(0x0800, INNER, flags=0x2000, options=b"\1\2\3\4")), TUNNEL_GRE, 0x01020304, 0),
        (outer(gre(0x6558, FRAME)), TUNNEL_GRE, 0, 14),
        (outer(gre(0x8847, b"\0\1\1\1" + INNER)), TUNNEL_GRE, 0, 4),
        (outer(gre(0x880B, b"\xff\3\0\x21" + INNER)), TUNNEL_GRE, 0, 4),
        (
            outer(gre(0x880B, b"\x21" + INNER, flags=0x3081, options=pptp(len(INNER) + 1))),
            TUNNEL_GRE, 9, 1,
        ),
        (outer(gre(0x88BE, FRAME)), TUNNEL_ERSPAN, 0, 14),
        (outer(gre(0x88BE, erspan2() + FRAME, flags=0x1000, options=bytes(4))), TUNNEL_ERSPAN, 0x2AA, 14),
        (outer(gre(0x22EB, erspan3() + FRAME, flags=0x1000, options=bytes(4))), TUNNEL_ERSPAN, 0x155, 14),
        (outer(gre(0x22EB, erspan3(sub=True) + FRAME)), TUNNEL_ERSPAN, 0x155, 14),
        (outer(gre(0x22EB, erspan3(ft=2) + INNER)), TUNNEL_ERSPAN, 0x155, 0),
        (dgram(vxlan(FRAME), 4789), TUNNEL_VXLAN, 0x123456, 14),
        (dgram(geneve(FRAME), 6081), TUNNEL_GENEVE, 0x123456, 14),
        (dgram(geneve(INNER, 0x0800, options=bytes(12)), 6081), TUNNEL_GENEVE, 0x123456, 0),
    ],
)  # fmt: skip
def test_the_inner_packet_is_a_row_behind_its_outer_row(frame, kind, ident, l2_to_l3):
    first, second = rows_of(frame)
    assert (first["parent"], first["tunnel"], second["parent"], second["pkt"]) == (-1, 0, 0, 0)
    assert (second["tunnel"], second["tunnel_id"], second["l3"] - second["l2"]) == (kind, ident, l2_to_l3)
    assert (second["src_lo"], second["dport"], payload(frame, second)) == (0xC0A80001, 80, b"inner")
    assert second["caplen"] == second["wirelen"] == len(frame) - second["l2"]
    assert anomalies(first) == anomalies(second) == set()
    assert first["pay"] + first["paylen"] == len(frame)


@pytest.mark.parametrize(("front", "ports", "inside"), [
    (b"", (3544, 9), True), (b"", (9, 3544), True), (bytes(8), (9, 3544), True), (b"", (9, 3545), False),
    (b"\0\1" + bytes(11), (9, 3544), False), (b"\0" * 7, (9, 3544), False),
])  # fmt: skip
def test_teredo_is_told_by_the_port_of_either_end_and_its_length(front, ports, inside):
    rows = rows_of(eth(0x0800, ip4(udp(front + INNER6, *ports), 17)))
    assert [row["tunnel"] for row in rows] == [0, TUNNEL_TEREDO][: 1 + inside]
    assert len(rows_of(eth(0x0800, ip4(udp(front + INNER6 + b"x", *ports), 17)))) == 1
    if inside:
        assert (rows[1]["ipv"], rows[1]["dport"], rows[1]["parent"]) == (6, 80, 0)


@pytest.mark.parametrize(
    "frame",
    [
        outer(INNER6, 41),
        outer(gre(0x86DD, INNER6)),
        dgram(geneve(INNER6, 0x86DD), 6081),
        dgram(vxlan(eth(0x86DD, INNER6)), 4789),
    ],
)
def test_inner_ipv6(frame):
    first, second = rows_of(frame)
    assert (first["ipv"], second["ipv"], second["ethertype"], payload(frame, second)) == (
        4,
        6,
        0x86DD,
        b"inner",
    )


def test_the_datagram_around_a_vxlan_frame_is_a_whole_udp_row():
    frame = dgram(vxlan(FRAME), 4789)
    first, _ = rows_of(frame)
    assert (first["proto"], first["dport"], first["l4"], payload(frame, first)) == (
        17,
        4789,
        34,
        vxlan(FRAME),
    )


def test_arp_in_tunnels():
    for frame in (outer(gre(0x0806, ARP[14:])), dgram(vxlan(ARP), 4789)):
        _, second = rows_of(frame)
        assert (second["ipv"], second["ethertype"], second["src_lo"], second["sport"]) == (0, 0x0806, A4, 1)


def test_vlan_tags_of_inner_and_outer_frame_are_apart():
    frame = eth(0x8100, tag(7, 0x0800, ip4(udp(vxlan(eth(0x8100, tag(9, 0x0800, INNER))), 1, 4789), 17)))
    first, second = rows_of(frame, tci=3)
    assert (first["nvlan"], first["vlan0"], first["vlan1"]) == (2, 3, 7)
    assert (second["nvlan"], second["vlan0"]) == (1, 9)


@pytest.mark.parametrize(("en", "expected"), [(0, (0, 0)), (1, (1, 7)), (2, (1, 7)), (3, (0, 0))])
def test_a_tag_that_erspan_took_out_of_the_frame_counts(en, expected):
    _, second = rows_of(outer(gre(0x88BE, erspan2(en=en) + FRAME, flags=0x1000, options=bytes(4))))
    assert (second["nvlan"], second["vlan0"]) == expected


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (outer(b"\0\0\x08"), "GRE_PKT_TOO_SMALL"),
        (outer(gre(0x0800, b"", flags=0x2000)), "GRE_PKT_TOO_SMALL"),
        (outer(gre(0x0800, INNER, flags=0x4000, options=bytes(8))), "GRE_UNSUPPORTED"),
        (outer(gre(0x0800, INNER, flags=0x0002)), "GRE_UNSUPPORTED"),
        (outer(gre(0x0800, INNER, flags=0x2001, options=bytes(4))), "GRE_UNSUPPORTED"),
        (outer(gre(0x1234, INNER)), "GRE_UNSUPPORTED"),
        (outer(gre(0x88BE, bytes(7), flags=0x1000, options=bytes(4))), "ERSPAN_TRUNCATED"),
        (
            outer(gre(0x88BE, erspan2(version=3) + FRAME, flags=0x1000, options=bytes(4))),
            "ERSPAN_UNSUPPORTED",
        ),
        (outer(gre(0x22EB, bytes(11))), "ERSPAN_TRUNCATED"),
        (outer(gre(0x22EB, erspan3(sub=True)[:19])), "ERSPAN_TRUNCATED"),
        (outer(gre(0x22EB, erspan3(version=1) + FRAME)), "ERSPAN_UNSUPPORTED"),
        (outer(gre(0x22EB, erspan3(ft=1) + FRAME)), "ERSPAN_UNSUPPORTED"),
        (dgram(vxlan(b"")[:7], 4789), "VXLAN_TRUNCATED"),
        (dgram(vxlan(FRAME, flags=0), 4789), "VXLAN_UNKNOWN_PAYLOAD"),
        (dgram(vxlan(FRAME[:13]), 4789), "VXLAN_UNKNOWN_PAYLOAD"),
        (dgram(vxlan(eth(0x1234, INNER)), 4789), "VXLAN_UNKNOWN_PAYLOAD"),
        (dgram(vxlan(eth(0x0800, INNER6)), 4789), "VXLAN_UNKNOWN_PAYLOAD"),
        (dgram(vxlan(eth(0x86DD)), 4789), "VXLAN_UNKNOWN_PAYLOAD"),
        (dgram(geneve(b"")[:7], 6081), "GENEVE_TRUNCATED"),
        (dgram(geneve(b"", options=bytes(8))[:15], 6081), "GENEVE_TRUNCATED"),
        (dgram(geneve(FRAME, version=1), 6081), "GENEVE_UNKNOWN_PAYLOAD"),
        (dgram(geneve(FRAME, 0x1234), 6081), "GENEVE_UNKNOWN_PAYLOAD"),
        (dgram(geneve(INNER6, 0x0800), 6081), "GENEVE_UNKNOWN_PAYLOAD"),
        (dgram(geneve(eth(0x6558, FRAME)), 6081), "GENEVE_UNKNOWN_PAYLOAD"),
    ],
)
def test_tunnels_that_are_none_leave_the_outer_row_alone(frame, found):
    row = row_of(frame)
    assert anomalies(row) == {found}
    assert (row["ipv"], row["parent"]) == (4, -1)


@pytest.mark.parametrize("frame", [
    outer(gre(0x0000)),
    outer(b"", 4),
    outer(gre(0x88BE, erspan2(), flags=0x1000, options=bytes(4))),
    outer(gre(0x880B, b"", flags=0x2081, options=struct.pack("!HHI", 0, 9, 1))),
])  # fmt: skip
def test_tunnels_with_nothing_inside(frame):
    assert anomalies(row_of(frame)) == set()


def test_pptp_payload_ends_where_its_length_says():
    options = struct.pack("!HH", len(INNER) + 1, 9)
    frame = outer(gre(0x880B, b"\x21" + INNER + b"beyond", flags=0x2001, options=options))
    _, second = rows_of(frame)
    assert second["caplen"] == len(INNER) + 1


def test_a_cut_tunnel_says_so_in_both_rows():
    frame = dgram(vxlan(FRAME), 4789)[:-3]
    first, second = rows_of(frame, missing=3)
    assert anomalies(first) == anomalies(second) == {"SNAPLEN_CUT"}
    assert (second["wirelen"], second["caplen"], payload(frame, second)) == (
        len(FRAME),
        len(FRAME) - 3,
        b"in",
    )


def test_ports_are_a_choice():
    frame = dgram(vxlan(FRAME), 8472)
    assert rows_of(frame).size == 1
    assert rows_of(frame, options=DecodeOptions(vxlan_ports=(1, 2, 4789, 8472))).size == 2
    assert rows_of(dgram(vxlan(FRAME), 4789), options=DecodeOptions(vxlan_ports=())).size == 1


@pytest.mark.parametrize("ports", [(1, 2, 3, 4, 5), (0,), (65536,)])
def test_ports_outside_the_range_are_refused(ports):
    with pytest.raises(ValueError, match="ports"):
        DecodeOptions(geneve_ports=ports)


def test_tunnels_are_entered_up_to_the_limit():
    packet = INNER
    for _ in range(40):
        packet = ip4(packet, 4)
    rows = rows_of(eth(0x0800, packet))
    assert rows.size == MAX_TUNNELS + 1
    assert rows["parent"].tolist() == [-1, 0, 1, 2, 3]
    assert [anomalies(r) for r in rows] == [set()] * MAX_TUNNELS + [{"TOO_MANY_LAYERS"}]


def test_layers_are_counted_through_tunnels():
    tags = tag(1, 0x8100) * (MAX_LAYERS - 3) + tag(1, 0x0800, INNER)  # with link and IP header: MAX_LAYERS
    allowed = eth(0x8100, tags)
    assert row_of(allowed)["proto"] == 6
    first, second = rows_of(eth(0x0800, ip4(udp(vxlan(allowed), 1, 4789), 17)))
    assert (first["proto"], second["ipv"]) == (17, 0)
    assert "TOO_MANY_LAYERS" in anomalies(second)


def test_a_block_of_nothing_but_tunnels_fits():
    packet = INNER
    for _ in range(MAX_TUNNELS):
        packet = ip4(packet, 4)
    n = 200
    rows = rows_of_block(block_of([eth(0x0800, packet)] * n))
    assert rows.size == n * (MAX_TUNNELS + 1)
    assert rows["pkt"].tolist() == [i for i in range(n) for _ in range(MAX_TUNNELS + 1)]
    assert (rows["parent"][1:5].tolist(), rows["parent"][-1]) == ([0, 1, 2, 3], rows.size - 2)
