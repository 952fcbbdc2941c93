import struct

import pytest
from decode_frames import (
    A4,
    A6,
    B4,
    MAC_A,
    MAC_B,
    anomalies,
    eth,
    ext,
    frag6,
    ip4,
    ip6,
    payload,
    row_of,
    tcp,
    udp,
)  # fmt: skip

from sensor.decode.limits import MAX_IPV6_EXT_HEADERS
from sensor.model.rows import FRAG_NONE, FRAG_PART


def v4(*args, **kw):
    return eth(0x0800, ip4(*args, **kw))


def v6(*args, **kw):
    return eth(0x86DD, ip6(*args, **kw))


def arp(op=1, htype=1, ptype=0x0800, hlen=6, plen=4):
    head = struct.pack("!HHBBH", htype, ptype, hlen, plen, op)
    return head + MAC_A + struct.pack("!I", A4) + MAC_B + struct.pack("!I", B4)


def test_arp():
    frame = eth(0x0806, arp(op=2)) + bytes(18)
    row = row_of(frame)
    assert (row["ipv"], row["proto"], row["l3"], row["l4"], row["ethertype"]) == (0, 0, 14, -1, 0x0806)
    assert (row["src_lo"], row["dst_lo"], row["sport"], row["paylen"]) == (A4, B4, 2, 0)
    assert not anomalies(row)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (arp()[:27], "ARP_TRUNCATED"),
        (arp()[:7], "ARP_TRUNCATED"),
        (arp(htype=7), "ARP_UNSUPPORTED"),
        (arp(ptype=0x86DD), "ARP_UNSUPPORTED"),
        (arp(hlen=8), "ARP_UNSUPPORTED"),
        (arp(plen=16), "ARP_UNSUPPORTED"),
    ],
)
def test_bad_arp_has_no_addresses(raw, found):
    row = row_of(eth(0x0806, raw))
    assert (anomalies(row), row["src_lo"], row["l3"]) == ({found}, 0, 14)


def test_ipv4_fields():
    row = row_of(v4(tcp(b"abc"), ident=0x1234, tos=0xB8, flags=0x4000))
    fields = ("ipv", "src_hi", "src_lo", "dst_hi", "dst_lo", "ttl", "tos", "ipid", "fragoff", "frag", "iplen")
    assert tuple(row[list(fields)]) == (4, 0, A4, 0, B4, 64, 0xB8, 0x1234, 0, FRAG_NONE, 43)


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (v4(tcp())[: 14 + 19], {"IPV4_PKT_TOO_SMALL"}),
        (v4(tcp(), version=6), {"IPV4_WRONG_VERSION"}),
        (v4(tcp(), hlen=16), {"IPV4_HLEN_TOO_SMALL"}),
        (v6(tcp())[: 14 + 39], {"IPV6_PKT_TOO_SMALL"}),
        (v6(tcp(), version=4), {"IPV6_WRONG_VERSION"}),
    ],
)
def test_a_bad_ip_header_is_no_ip_row(frame, found):
    row = row_of(frame)
    assert (anomalies(row), row["ipv"], row["proto"], row["l3"], row["l4"], row["pay"]) == (
        found,
        0,
        0,
        14,
        -1,
        14,
    )
    assert row["paylen"] == len(frame) - 14


def test_ipv4_total_length_below_the_header_length_leaves_no_payload():
    row = row_of(v4(tcp(b"abc"), total=19))
    assert (anomalies(row), row["ipv"], row["proto"]) == ({"IPV4_IPLEN_SMALLER_THAN_HLEN"}, 4, 6)
    assert (row["l4"], row["paylen"], row["iplen"]) == (-1, 0, 19)


def test_ipv4_total_length_zero_means_the_captured_length():
    frame = v4(tcp(b"abc"), total=0)
    row = row_of(frame)
    assert (anomalies(row), payload(frame, row), row["iplen"]) == ({"IPV4_ZERO_LENGTH"}, b"abc", 43)


@pytest.mark.parametrize(("missing", "found"), [(0, "IPV4_TRUNC_PKT"), (9, "SNAPLEN_CUT")])
def test_cut_ipv4_is_decoded_as_far_as_it_goes(missing, found):
    frame = v4(tcp(b"abcdefghijkl"))[:-9]
    row = row_of(frame, missing=missing)
    assert (anomalies(row), payload(frame, row), row["sport"], row["iplen"]) == ({found}, b"abc", 1000, 52)
    assert row["wirelen"] == len(frame) + missing
    cut_in_options = v4(tcp(b"abc"), opts=b"\1" * 8)[: 14 + 24]
    row = row_of(cut_in_options, missing=missing)
    assert (anomalies(row), row["l4"], row["paylen"], row["src_lo"]) == ({found}, -1, 0, A4)


@pytest.mark.parametrize(
    ("opts", "valid"),
    [
        (bytes.fromhex("94040000"), True),
        (bytes.fromhex("01010100"), True),
        (bytes.fromhex("00ffffff"), True),
        (bytes.fromhex("94000000"), False),
        (bytes.fromhex("94010000"), False),
        (bytes.fromhex("94050000"), False),
        (bytes.fromhex("01010194"), False),
    ],
)
def test_ipv4_options(opts, valid):
    frame = v4(tcp(b"abc"), opts=opts)
    row = row_of(frame)
    assert anomalies(row) == (set() if valid else {"IPV4_OPT_INVALID"})
    assert (row["l4"], payload(frame, row)) == (38, b"abc")


@pytest.mark.parametrize(("flags", "offset"), [(0x2000, 0), (0x2003, 3), (0x0007, 7)])
def test_ipv4_fragments_keep_the_protocol_but_have_no_ports(flags, offset):
    frame = v4(tcp(b"abc"), flags=flags, ident=77)
    row = row_of(frame)
    assert (row["frag"], row["fragoff"], row["ipid"], row["proto"]) == (FRAG_PART, offset, 77, 6)
    assert (row["l4"], row["sport"], row["pay"], row["paylen"]) == (-1, 0, 34, 23)


def test_ipv6_fields():
    frame = v6(udp(b"abc"), 17, tc=0xB8)
    row = row_of(frame)
    assert (row["ipv"], row["tos"], row["ttl"], row["proto"], row["iplen"], row["l4"]) == (
        6,
        0xB8,
        64,
        17,
        51,
        54,
    )
    assert struct.pack("!QQ", row["src_hi"], row["src_lo"]) == A6
    assert payload(frame, row) == b"abc"


@pytest.mark.parametrize(("missing", "found"), [(0, "IPV6_TRUNC_PKT"), (9, "SNAPLEN_CUT")])
def test_cut_ipv6(missing, found):
    frame = v6(tcp(b"abcdefghijkl"))[:-9]
    row = row_of(frame, missing=missing)
    assert (anomalies(row), payload(frame, row), row["iplen"]) == ({found}, b"abc", 72)


def test_ipv6_payload_length_zero():
    frame = v6(tcp(b"abc"), plen=0)
    row = row_of(frame)
    assert (anomalies(row), payload(frame, row), row["iplen"]) == ({"IPV6_ZERO_LENGTH"}, b"abc", 63)
    row = row_of(v6(b"", 59) + bytes(6))
    assert (anomalies(row), row["proto"], row["paylen"], row["iplen"]) == (set(), 59, 0, 40)


def test_jumbogram():
    data = b"x" * 70_000
    chain = ext(6, bytes.fromhex("c204") + struct.pack("!I", 8 + 20 + len(data)))
    frame = v6(chain + tcp(data), 0, plen=0)
    row = row_of(frame)
    assert (anomalies(row), row["paylen"], row["iplen"]) == ({"FRAME_OVER_MTU"}, 70_000, 70_068)
    small = ext(6, bytes.fromhex("c204") + struct.pack("!I", 100))
    assert anomalies(row_of(v6(small + tcp(b"abc"), 0, plen=0))) == {"IPV6_ZERO_LENGTH"}


def test_extension_headers_are_walked():
    auth = bytes([60, 4]) + bytes(22)
    chain = ext(43) + bytes([51, 0, 9, 0]) + bytes(4) + auth + ext(135) + ext(139) + ext(140) + ext(6)
    frame = v6(chain + tcp(b"abc"), 0)
    row = row_of(frame)
    assert anomalies(row) == set()
    assert (row["proto"], row["dport"], payload(frame, row)) == (6, 80, b"abc")


def test_no_room_for_any_transport_header_behind_extension_headers():
    for frame in (v6(ext(6), 60), v6(frag6(58, 0, 0) + b"x", 44)):
        row = row_of(frame)
        assert "IPV6_TRUNC_EXTHDR" in anomalies(row)
        assert "TCP_PKT_TOO_SMALL" not in anomalies(row)
        assert row["l4"] == -1
    assert anomalies(row_of(v6(ext(59), 60))) == set()


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ("000000000000", True),
        ("010400000000", True),
        ("0502000001ff", True),
        ("100400000000", False),
        ("010000001000", False),
        ("000000000010", True),
    ],
)
def test_unknown_destination_options_are_flagged(options, known):
    row = row_of(v6(ext(6, bytes.fromhex(options)) + tcp(), 60))
    assert anomalies(row) == (set() if known else {"IPV6_DSTOPTS_UNKNOWN_OPT"})


def test_ipv6_fragments_but_the_last_are_multiples_of_8():
    assert anomalies(row_of(v6(frag6(17, 3, 1) + bytes(15), 44))) == {"IPV6_FRAG_INVALID_LENGTH"}
    assert anomalies(row_of(v6(frag6(17, 3, 1) + bytes(16), 44))) == set()
    assert anomalies(row_of(v6(frag6(17, 3, 0) + bytes(15), 44))) == set()
    assert anomalies(row_of(v6(frag6(17, 3, 1) + bytes(16), 44)[:-3], missing=3)) == {"SNAPLEN_CUT"}


def test_routing_type_0_and_repeated_headers_are_flagged():
    frame = v6(bytes([6, 2, 0, 1]) + bytes(20) + tcp(b"abc"), 43)
    assert anomalies(row_of(frame)) == {"IPV6_RH_TYPE0"}
    assert anomalies(row_of(v6(ext(60) + ext(6) + tcp(), 60))) == set()
    assert anomalies(row_of(v6(ext(60) + ext(60) + ext(6) + tcp(), 60))) == {"IPV6_EXTHDR_DUPL"}
    row = row_of(v6(ext(0) + ext(6) + tcp(b"abc"), 0))
    assert (anomalies(row), row["dport"]) == ({"IPV6_EXTHDR_DUPL"}, 80)


def test_a_chain_that_does_not_end_stops_at_the_cap():
    most = v6(ext(60) * (MAX_IPV6_EXT_HEADERS - 1) + ext(6) + tcp(), 60)
    assert row_of(most)["l4"] > 0
    row = row_of(v6(ext(60) * MAX_IPV6_EXT_HEADERS + ext(6) + tcp(), 60))
    assert "IPV6_EXTHDR_TOO_MANY" in anomalies(row)
    assert (row["l4"], row["proto"], row["slow"]) == (-1, 60, 1)
    long = ext(60, bytes(2046)) * 2 + ext(6) + tcp()
    assert "IPV6_EXTHDR_TOO_MANY" in anomalies(row_of(v6(long, 60)))


@pytest.mark.parametrize("raw", [b"\6", b"\6\0" + bytes(5), b"\6\1" + bytes(13)])
def test_a_cut_extension_header(raw):
    row = row_of(v6(raw, 60))
    assert (anomalies(row), row["proto"], row["pay"], row["paylen"]) == (
        {"IPV6_TRUNC_EXTHDR"},
        60,
        54,
        len(raw),
    )


def test_ipv6_fragments():
    frame = v6(frag6(17, 3, 1, ident=0xABCDEF01) + b"later part of it", 44)
    row = row_of(frame)
    assert (row["frag"], row["fragoff"], row["ipid"], row["proto"]) == (FRAG_PART, 3, 0xABCDEF01, 17)
    assert (row["l4"], row["sport"], payload(frame, row)) == (-1, 0, b"later part of it")
    behind = v6(ext(44) + frag6(6, 0, 1) + tcp(b"abcd"), 0)
    row = row_of(behind)
    assert (row["frag"], row["pay"], anomalies(row)) == (FRAG_PART, 14 + 40 + 16, set())


def test_an_atomic_fragment_is_a_whole_packet():
    frame = v6(frag6(6, 0, 0) + tcp(b"abc"), 44)
    row = row_of(frame)
    assert (row["frag"], anomalies(row), payload(frame, row)) == (FRAG_NONE, {"IPV6_FH_USELESS"}, b"abc")


@pytest.mark.parametrize(
    ("nh", "body", "complete"),
    [
        (6, tcp()[:19], False),
        (6, tcp(), True),
        (17, udp()[:7], False),
        (60, ext(6)[:7], False),
        (60, ext(6) + tcp()[:19], False),
        (60, ext(6) + tcp(), True),
        (60, ext(44) + frag6(17, 0, 0) + udp(), True),
        (51, bytes([17, 1]) + bytes(10) + udp(), True),
        (253, b"", True),
    ],
)
def test_first_fragments_must_hold_the_header_chain(nh, body, complete):
    row = row_of(v6(frag6(nh, 0, 1) + body, 44))
    assert ("IPV6_FH_NO_L4" in anomalies(row)) is not complete
