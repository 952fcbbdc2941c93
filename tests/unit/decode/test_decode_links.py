import struct

import pytest
from decode_frames import A4, A6, B4, anomalies, eth, ip4, ip6, payload, row_of, tag, tcp, udp

from sensor.decode.limits import MAX_ETHERNET_FRAME
from sensor.model import block as blk

IP = ip4(tcp(b"data"))
IP6 = ip6(tcp(b"data"))


def test_ethernet_with_padding():
    frame = eth(0x0800, ip4(udp(b"x"), 17)) + b"\0" * 17
    row = row_of(frame)
    assert (row["l2"], row["l3"], row["l4"], row["ipv"], row["proto"], row["ethertype"]) == (
        0,
        14,
        34,
        4,
        17,
        0x0800,
    )
    assert payload(frame, row) == b"x"
    assert (row["caplen"], row["wirelen"], row["ts"], row["pkt"], row["parent"], row["flow"]) == (
        len(frame), len(frame), 10**18, 0, -1, -1)  # fmt: skip


@pytest.mark.parametrize(
    ("linktype", "head"),
    [
        (blk.LINKTYPE_NULL, struct.pack("<I", 2)),
        (blk.LINKTYPE_NULL, struct.pack(">I", 2)),
        (blk.LINKTYPE_LOOP, struct.pack(">I", 2)),
        (blk.LINKTYPE_RAW, b""),
        (blk.LINKTYPE_IPV4, b""),
        (blk.LINKTYPE_LINUX_SLL, bytes(14) + b"\x08\x00"),
        (blk.LINKTYPE_LINUX_SLL, bytes(14) + b"\x00\x04" + bytes.fromhex("aaaa030000000800")),
        (blk.LINKTYPE_LINUX_SLL2, b"\x08\x00" + bytes(18)),
        (blk.LINKTYPE_PPP, b"\xff\x03\x00\x21"),
        (blk.LINKTYPE_PPP, b"\x00\x21"),
        (blk.LINKTYPE_PPP, b"\x21"),
        (blk.LINKTYPE_PPP_HDLC, b"\xff\x03\x21"),
        (blk.LINKTYPE_PPP_HDLC, b"\x0f\x00\x08\x00"),
        (blk.LINKTYPE_C_HDLC, b"\x8f\x00\x08\x00"),
        (blk.LINKTYPE_ETHERNET, eth(0x8100, tag(5, 0x0800))),
        (blk.LINKTYPE_ETHERNET, eth(0x8847, b"\x00\x01\x00\x40\x00\x02\x01\x40")),
        (blk.LINKTYPE_ETHERNET, eth(0x8848, b"\x00\x00\x01\x40")),
        (blk.LINKTYPE_ETHERNET, eth(0x8847, b"\x00\x01\x01\x40" + bytes(4) + eth(0x0800))),
        (blk.LINKTYPE_ETHERNET, eth(0x8847, b"\x00\x01\x01\x40" + b"\xff" * 6 + eth(0x0800)[6:])),
        (blk.LINKTYPE_ETHERNET, eth(0x8864, b"\x11\0\0\1" + struct.pack("!H", len(IP) + 2) + b"\0\x21")),
        (blk.LINKTYPE_ETHERNET, eth(0x880B, b"\x00\x21")),
        (blk.LINKTYPE_ETHERNET, eth(0x8926, bytes(4) + b"\x08\x00")),
        (blk.LINKTYPE_ETHERNET, eth(0x88E7, bytes(16) + b"\x08\x00")),
        (blk.LINKTYPE_ETHERNET, eth(0x8903, bytes(2) + eth(0x0800))),
        (blk.LINKTYPE_IPV6, b""),
        (blk.LINKTYPE_ETHERNET, eth(0x894F, b"\x00\x02\x01\x01" + bytes(4))),
        (blk.LINKTYPE_ETHERNET, eth(0x894F, b"\x00\x02\x01\x03" + bytes(4) + eth(0x0800))),
        (blk.LINKTYPE_ETHERNET, eth(len(IP) + 8, bytes.fromhex("aaaa030000000800"))),
        (blk.LINKTYPE_ETHERNET, eth(0x8100, tag(5, len(IP) + 8, bytes.fromhex("aaaa030000f80800")))),
    ],
)  # fmt: skip
def test_ipv4_behind_each_link_header(linktype, head):
    frame = head + IP
    row = row_of(frame, linktype)
    assert not anomalies(row)
    assert (row["l3"], row["src_lo"], row["dst_lo"], row["ethertype"]) == (len(head), A4, B4, 0x0800)
    assert payload(frame, row) == b"data"


@pytest.mark.parametrize(
    ("linktype", "head"),
    [
        (blk.LINKTYPE_NULL, struct.pack("<I", 30)),
        (blk.LINKTYPE_NULL, struct.pack(">I", 24)),
        (blk.LINKTYPE_RAW, b""),
        (blk.LINKTYPE_IPV6, b""),
        (blk.LINKTYPE_PPP, b"\x00\x57"),
        (blk.LINKTYPE_ETHERNET, eth(0x86DD)),
        (blk.LINKTYPE_ETHERNET, eth(0x8847, b"\x00\x00\x21\x40")),
        (blk.LINKTYPE_ETHERNET, eth(0x8847, b"\x00\x05\x01\x40")),
    ],
)
def test_ipv6_behind_each_link_header(linktype, head):
    frame = head + IP6
    row = row_of(frame, linktype)
    assert not anomalies(row)
    words = struct.unpack("!QQ", A6)
    assert (row["ipv"], row["l3"], row["src_hi"], row["src_lo"], row["ethertype"]) == (
        6,
        len(head),
        *words,
        0x86DD,
    )
    assert payload(frame, row) == b"data"


def test_vlan_stack_out_of_band_tag_first():
    frame = eth(0x88A8, tag(0x2002, 0x8100, tag(3, 0x0800, IP)))
    row = row_of(frame)
    assert (row["nvlan"], row["vlan0"], row["vlan1"]) == (2, 2, 3)
    row = row_of(frame, tci=0xE001)
    assert (row["nvlan"], row["vlan0"], row["vlan1"]) == (3, 1, 2)
    assert not anomalies(row)
    row = row_of(eth(0x0800, IP), tci=0)
    assert (row["nvlan"], row["vlan0"]) == (1, 0)
    assert row_of(eth(0x0800, IP), tci=-1)["nvlan"] == 0


def test_many_vlan_tags_are_walked_and_flagged_up_to_the_layer_limit():
    frame = eth(0x9100, tag(1, 0x8100) * 3 + tag(4, 0x0800, IP))
    row = row_of(frame)
    assert (row["nvlan"], row["vlan0"], row["proto"]) == (4, 1, 6)
    assert anomalies(row) == {"VLAN_TOO_MANY_LAYERS"}
    row = row_of(eth(0x8100, tag(1, 0x8100) * 100 + tag(4, 0x0800, IP)))
    assert anomalies(row) == {"VLAN_TOO_MANY_LAYERS", "TOO_MANY_LAYERS"}
    assert (row["ipv"], row["nvlan"], row["slow"]) == (0, 15, 1)


@pytest.mark.parametrize(
    ("frame", "linktype", "found"),
    [
        (b"", blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x0800)[:13], blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x8100, b"\0\1\0"), blk.LINKTYPE_ETHERNET, {"VLAN_TRUNCATED"}),
        (eth(0x8847, b"\0\1\0"), blk.LINKTYPE_ETHERNET, {"MPLS_TRUNCATED"}),
        (eth(0x8847, b"\0\1\0\0" * 17), blk.LINKTYPE_ETHERNET, {"MPLS_TOO_MANY_LAYERS"}),
        (eth(0x8847, b"\0\1\1\0"), blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x8847, b"\0\1\1\0\x90\0\0\0"), blk.LINKTYPE_ETHERNET, {"ETHERTYPE_UNKNOWN"}),
        (eth(0x8864, b"\x11\0\0\1\0\2\0"), blk.LINKTYPE_ETHERNET, {"PPPOE_TRUNCATED"}),
        (eth(0x8864, b"\x21\0\0\1\0\2\0\x21"), blk.LINKTYPE_ETHERNET, {"PPPOE_UNSUPPORTED"}),
        (eth(0x8863, b"\x11\x09\0\0\0\0"), blk.LINKTYPE_ETHERNET, set()),
        (eth(0x88CC, b"lldp"), blk.LINKTYPE_ETHERNET, {"ETHERTYPE_UNKNOWN"}),
        (eth(1501, b"odd"), blk.LINKTYPE_ETHERNET, {"ETHERTYPE_UNKNOWN"}),
        (eth(3, b"\x42\x42\x03"), blk.LINKTYPE_ETHERNET, {"LLC_UNSUPPORTED"}),
        (eth(9, bytes.fromhex("aaaa0300000c2000")), blk.LINKTYPE_ETHERNET, {"LLC_UNSUPPORTED"}),
        (eth(4, bytes.fromhex("aaaa030000000800") + IP), blk.LINKTYPE_ETHERNET, {"LLC_UNSUPPORTED"}),
        (eth(0x894F, b"\0\2\1\1"), blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x894F, b"\0\2\1\x09" + bytes(4)), blk.LINKTYPE_ETHERNET, {"ETHERTYPE_UNKNOWN"}),
        (eth(0x894F, b"\0\1\1\1" + bytes(4)), blk.LINKTYPE_ETHERNET, {"ETHERTYPE_UNKNOWN"}),
        (b"\0\0\2", blk.LINKTYPE_NULL, {"LTNULL_PKT_TOO_SMALL"}),
        (struct.pack("<I", 99) + IP, blk.LINKTYPE_NULL, {"LTNULL_UNSUPPORTED_TYPE"}),
        (bytes(15), blk.LINKTYPE_LINUX_SLL, {"SLL_PKT_TOO_SMALL"}),
        (bytes(19), blk.LINKTYPE_LINUX_SLL2, {"SLL_PKT_TOO_SMALL"}),
        (b"", blk.LINKTYPE_RAW, {"IPV4_PKT_TOO_SMALL"}),
        (b"\x50" + bytes(40), blk.LINKTYPE_RAW, {"IPRAW_INVALID_IP_VERSION"}),
        (b"\x00", blk.LINKTYPE_PPP, {"PPP_PKT_TOO_SMALL"}),
        (b"\xff\x03\x00\x21" + IP[:19], blk.LINKTYPE_PPP, {"LINK_TRUNCATED"}),
        (eth(0x8926, bytes(5)), blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x88E7, bytes(17)), blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x8903, bytes(15)), blk.LINKTYPE_ETHERNET, {"LINK_TRUNCATED"}),
        (eth(0x8926, bytes(4) + b"\x88\xcc"), blk.LINKTYPE_ETHERNET, {"ETHERTYPE_UNKNOWN"}),
        (b"\x00\x2d" + bytes(9), blk.LINKTYPE_PPP, {"PPP_UNSUPPORTED"}),
        (b"\xc0\x21" + bytes(9), blk.LINKTYPE_PPP, set()),
        (b"\x0f\x00\x08", blk.LINKTYPE_C_HDLC, {"CHDLC_PKT_TOO_SMALL"}),
        (b"\x0f\x00\x20\x00cdp", blk.LINKTYPE_C_HDLC, {"ETHERTYPE_UNKNOWN"}),
        (IP, 147, {"ETHERTYPE_UNKNOWN"}),
    ],
)  # fmt: skip
def test_what_is_not_understood_gives_one_row_and_a_reason(frame, linktype, found):
    row = row_of(frame, linktype)
    assert anomalies(row) == found
    assert (row["ipv"], row["proto"], row["l3"], row["l4"], row["parent"]) == (0, 0, -1, -1, -1)
    assert row["pay"] + row["paylen"] <= len(frame)


def test_payload_of_an_unknown_ethertype_is_kept():
    frame = eth(0x88CC, b"lldp")
    row = row_of(frame)
    assert (payload(frame, row), row["ethertype"], row["slow"]) == (b"lldp", 0x88CC, 1)


def test_pppoe_length_bounds_the_packet():
    frame = eth(0x8864, b"\x11\x00\x00\x01" + struct.pack("!H", len(IP) + 2) + b"\x00\x21" + IP + b"trailer")
    assert payload(frame, row_of(frame)) == b"data"
    short = eth(0x8864, b"\x11\x00\x00\x01" + struct.pack("!H", len(IP) - 1) + b"\x00\x21" + IP)
    row = row_of(short)
    assert (payload(short, row), anomalies(row)) == (b"d", {"IPV4_TRUNC_PKT"})


def test_frames_beyond_the_mtu_are_counted_on_ethernet_only():
    body = ip4(udp(b"x" * 1500), 17)
    frame = eth(0x0800, body)
    assert len(frame) > MAX_ETHERNET_FRAME
    assert anomalies(row_of(frame)) == {"FRAME_OVER_MTU"}
    assert anomalies(row_of(body, blk.LINKTYPE_RAW)) == set()
    exact = eth(0x0800, ip4(udp(b"x" * (MAX_ETHERNET_FRAME - 42)), 17))
    assert anomalies(row_of(exact)) == set()
