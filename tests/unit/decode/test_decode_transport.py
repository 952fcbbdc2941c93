import pytest
from decode_frames import A4, A6, anomalies, eth, ip4, ip6, payload, row_of, tcp, udp


def v4(*args, **kw):
    return eth(0x0800, ip4(*args, **kw))


def v6(*args, **kw):
    return eth(0x86DD, ip6(*args, **kw))


def test_tcp_fields():
    frame = v4(
        tcp(b"abc", 4321, 443, opts=bytes.fromhex("0101080a") + bytes(8), flags=0xC2, seq=0xFFFFFFFE, ack=5)
    )
    row = row_of(frame)
    fields = ("l4", "sport", "dport", "seq", "ack", "tcpflags", "win", "urg")
    assert tuple(row[list(fields)]) == (34, 4321, 443, 0xFFFFFFFE, 5, 0xC2, 500, 3)
    assert (payload(frame, row), anomalies(row)) == (b"abc", set())


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (tcp()[:19], "TCP_PKT_TOO_SMALL"),
        (tcp(hlen=24), "TCP_PKT_TOO_SMALL"),
        (tcp(hlen=16), "TCP_HLEN_TOO_SMALL"),
    ],
)
def test_invalid_tcp_headers_give_no_ports(message, found):
    row = row_of(v4(message))
    assert (anomalies(row), row["l4"], row["sport"], row["tcpflags"]) == ({found}, -1, 0, 0)
    assert (row["pay"], row["paylen"], row["proto"]) == (34, len(message), 6)


def test_tcp_options_cut_by_the_snaplen_keep_the_fixed_header():
    whole = v4(tcp(b"abc", opts=bytes.fromhex("0101080a") + bytes(8)))
    row = row_of(whole[: 34 + 24], missing=11)
    assert (anomalies(row), row["l4"], row["sport"], row["paylen"]) == ({"SNAPLEN_CUT"}, 34, 1000, 0)
    row = row_of(whole[: 34 + 16], missing=19)
    assert (anomalies(row), row["l4"]) == ({"SNAPLEN_CUT", "TCP_PKT_TOO_SMALL"}, -1)


@pytest.mark.parametrize("opts", ["02000000", "02010000", "02050000", "01010102"])
def test_invalid_tcp_options_are_flagged_and_the_segment_kept(opts):
    frame = v4(tcp(b"abc", opts=bytes.fromhex(opts)))
    row = row_of(frame)
    assert (anomalies(row), payload(frame, row)) == ({"TCP_INVALID_OPTLEN"}, b"abc")


def test_land_attack():
    assert anomalies(row_of(v4(tcp(sport=80, dport=80), dst=A4))) == {"LAND_ATTACK"}
    assert anomalies(row_of(v6(tcp(sport=80, dport=80), dst=A6))) == {"LAND_ATTACK"}
    assert anomalies(row_of(v4(tcp(sport=81, dport=80), dst=A4))) == set()
    assert anomalies(row_of(v4(tcp(sport=80, dport=80), src=0x7F000001, dst=0x7F000001))) == set()
    loopback = bytes(15) + b"\1"
    assert anomalies(row_of(v6(tcp(sport=80, dport=80), src=loopback, dst=loopback))) == set()


@pytest.mark.parametrize(
    ("length", "found", "kept"),
    [
        (12, set(), b"abcd"),
        (10, set(), b"ab"),
        (8, set(), b""),
        (13, {"UDP_LEN_INVALID"}, b"abcd"),
        (7, {"UDP_LEN_INVALID"}, b"abcd"),
        (0, {"UDP_LEN_INVALID"}, b"abcd"),
    ],
)
def test_udp_length(length, found, kept):
    frame = v4(udp(b"abcd", length=length), 17)
    row = row_of(frame)
    assert (anomalies(row), payload(frame, row), row["dport"]) == (found, kept, 53)


def test_udp_length_zero_is_fine_where_the_ip_length_says_more():
    frame = v6(udp(b"abcd", length=0), 17)
    row = row_of(frame)
    assert (anomalies(row), payload(frame, row)) == (set(), b"abcd")
    frame = v4(udp(b"abcd", length=0), 17, total=0)
    row = row_of(frame)
    assert (anomalies(row), payload(frame, row)) == ({"IPV4_ZERO_LENGTH"}, b"abcd")


def test_a_cut_datagram_is_not_an_invalid_one():
    frame = v4(udp(b"abcdefgh"), 17)[:-5]
    row = row_of(frame, missing=5)
    assert (anomalies(row), payload(frame, row)) == ({"SNAPLEN_CUT"}, b"abc")


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (v4(udp()[:7], 17), "UDP_PKT_TOO_SMALL"),
        (v4(bytes(11), 132), "SCTP_PKT_TOO_SMALL"),
        (v4(bytes(7), 1), "ICMPV4_PKT_TOO_SMALL"),
        (v6(bytes(7), 58), "ICMPV6_PKT_TOO_SMALL"),
    ],
)
def test_headers_that_do_not_fit(frame, found):
    row = row_of(frame)
    assert (anomalies(row), row["l4"], row["sport"]) == ({found}, -1, 0)


def test_icmp_and_sctp():
    for frame, proto in (
        (v4(b"\x08\x01" + bytes(6) + b"ping", 1), 1),
        (v6(b"\x80\x00" + bytes(6) + b"ping", 58), 58),
    ):
        row = row_of(frame)
        assert (row["proto"], row["sport"], row["dport"]) == (proto, frame[row["l4"]], frame[row["l4"] + 1])
        assert payload(frame, row) == b"ping"
    frame = v4(b"\x10\x00\x20\x00" + bytes(8) + b"chunk", 132)
    row = row_of(frame)
    assert (row["sport"], row["dport"], payload(frame, row)) == (0x1000, 0x2000, b"chunk")


@pytest.mark.parametrize(("version", "kind", "code", "size", "found"), [
    (4, 13, 0, 30, (20, 30)),
    (4, 14, 1, 20, (20, 20)),
    (4, 13, 0, 19, (8, 19)),
    (4, 17, 0, 30, (8, 30)),
    (6, 1, 6, 30, (8, 30)),
    (6, 1, 7, 30, (4, 22)),
    (6, 2, 0, 30, (8, 30)),
    (6, 2, 1, 30, (4, 22)),
    (6, 3, 1, 30, (8, 30)),
    (6, 4, 3, 30, (4, 22)),
    (6, 128, 0, 8, (8, 8)),
    (6, 129, 1, 13, (4, 5)),
    (6, 135, 0, 12, (4, 4)),
    (6, 135, 0, 8, (4, 4)),
    (6, 0, 0, 24, (4, 16)),
])  # fmt: skip
def test_where_the_payload_of_icmp_is(version, kind, code, size, found):
    message = bytes((kind, code)) + bytes(range(2, size))
    row = row_of(v4(message, 1) if version == 4 else v6(message, 58))
    start = int(row["pay"] - row["l4"])
    assert (start, start + int(row["paylen"])) == found


@pytest.mark.parametrize(("frame", "found"), [
    (v4(b"esp data", 50), {"ESP_UNINSPECTED"}),
    (v6(b"esp data", 50), {"ESP_UNINSPECTED"}),
    (v4(b"whatever", 89), set()),
    (v4(b"\x80\0" + bytes(6), 58), set()),
    (v6(b"\x08\0" + bytes(6), 1), set()),
])  # fmt: skip
def test_other_protocols_have_payload_and_no_transport_header(frame, found):
    row = row_of(frame)
    assert (anomalies(row), row["l4"], row["paylen"]) == (found, -1, 8)
