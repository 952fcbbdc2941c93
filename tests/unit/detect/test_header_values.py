import struct

import numpy as np
import pytest

from sensor.detect.packets.header import (
    FIELDS,
    RAW,
    FlowView,
    header_value,
    raw_header,
)
from sensor.detect.packets.packetrow import PacketRow, packet_row
from sensor.model.rows import FRAG_PART, ROW, new_rows
from sensor.proto.registry import NUMBERS
from sensor.rules.fields import APP_EVENT, APP_PROTOCOL, APP_TOLD, STREAM_EVENT, TCP_EVENT
from sensor.rules.fields import FIELDS as LANGUAGE

ETHER = bytes(12) + b"\x08\x00"
OPTIONS = b"\x01\x01\x02\x04\x05\xb4\x00\x00"
TCP = struct.pack("!HHIIBBHHH", 1234, 80, 1000, 5000, 7 << 4, 0x12, 8192, 0, 0) + OPTIONS
IP = struct.pack(
    "!BBHHHBBH4s4s", 0x45, 4, 20 + len(TCP) + 3, 77, 0x4000, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
)
FRAME = ETHER + IP + TCP + b"abc"


def make(**columns):
    rows = new_rows(1)
    for name, value in columns.items():
        rows[name] = value
    return packet_row(rows, 0)


def tcp_row(**more):
    return make(
        **{
            "ipv": 4, "proto": 6, "l2": 0, "caplen": len(FRAME), "l3": 14, "l4": 34, "pay": 34 + len(TCP), "paylen": 3,
            "ttl": 64, "tos": 4,
            "iplen": 20 + len(TCP) + 3, "ipid": 77, "seq": 1000, "ack": 5000, "win": 8192, "tcpflags": 0x12,
            "sport": 1234, "dport": 80, "src_lo": 0x0A000001, "dst_lo": 0x0A000002, "ethertype": 0x0800,
            "ts": 5 * 10**9,
        }
        | more
    )  # fmt: skip


def test_row_has_the_columns_of_the_model():
    assert PacketRow.__struct_fields__ == ROW.names
    rows = new_rows(2)
    rows["seq"][1] = 0xFFFFFFFF
    rows["anomaly"][1] = 1 << 63
    row = packet_row(rows, 1)
    assert (row.seq, row.anomaly, row.parent) == (0xFFFFFFFF, 1 << 63, -1)
    assert type(row.seq) is int


def test_every_field_of_the_language_is_known():
    of_packets = {field.name for field in LANGUAGE if field.name not in NUMBERS}
    assert of_packets == {*FIELDS, APP_EVENT, APP_PROTOCOL, APP_TOLD, STREAM_EVENT, TCP_EVENT}


TCP_VALUES = {
    "ip.ttl": 64, "ip.tos": 4, "ip.id": 77, "ip.proto": 6, "ip.version": 4, "ip.len": 51, "ip.fragbits": 2,
    "ip.fragoffset": 0, "same_ip": 0, "tcp.flags": 0x12, "tcp.seq": 1000, "tcp.ack": 5000, "tcp.window": 8192,
    "tcp.mss": 1460, "udp.len": None, "icmp.type": None, "icmp.code": None, "icmp.id": None, "icmp.seq": None,
    "payload.size": 3, "vlan.id": None, "vlan.layers": 0, "arp.opcode": None, "stream.size.to_server": None,
    "flow.age": None, "flow.pkts.to_server": None, "flow.bytes.to_client": None, "decode.event": 0,
    "tunnel.kind": 0,
}  # fmt: skip


@pytest.mark.parametrize("kind", [bytes, memoryview, lambda b: np.frombuffer(b, np.uint8)])
def test_a_tcp_packet(kind):
    buf = kind(FRAME)
    assert {name: header_value(name, tcp_row(), buf) for name in TCP_VALUES} == TCP_VALUES
    assert raw_header("ether.hdr", tcp_row(), buf) == ETHER
    assert raw_header("ipv4.hdr", tcp_row(), buf) == IP
    assert raw_header("tcp.hdr", tcp_row(), buf) == TCP
    assert raw_header("udp.hdr", tcp_row(), buf) is None
    assert raw_header("ipv6.hdr", tcp_row(), buf) is None


def test_udp_icmp_arp_and_vlan():
    udp = make(ipv=4, proto=17, l3=0, l4=0)
    assert header_value("udp.len", udp, b"\x00\x35\x00\x35\x00\x10\x00\x00") == 16
    assert raw_header("udp.hdr", udp, bytes(8)) == bytes(8)
    echo = make(ipv=4, proto=1, l4=0, pay=8, sport=8, dport=0)
    raw = b"\x08\x00\x00\x00\x12\x34\x00\x07"
    assert [header_value(f"icmp.{f}", echo, raw) for f in ("type", "code", "id", "seq")] == [8, 0, 0x1234, 7]
    assert raw_header("icmp.hdr", echo, raw) == raw_header("icmpv4.hdr", echo, raw) == raw
    assert raw_header("icmpv6.hdr", echo, raw) is None
    unreachable = make(ipv=4, proto=1, l4=0, sport=3, dport=1)
    assert [header_value(f"icmp.{f}", unreachable, raw) for f in ("type", "code", "id")] == [3, 1, None]
    echo6 = make(ipv=6, proto=58, l4=0, sport=128)
    assert header_value("icmp.id", echo6, raw) == 0x1234
    assert header_value("icmp.id", make(ipv=6, proto=58, l4=0, sport=128, dport=1), raw) == 0
    times = make(ipv=4, proto=1, l4=0, pay=20, sport=13)
    assert raw_header("icmpv4.hdr", times, bytes(range(30))) == bytes(range(20))
    arp = make(ethertype=0x0806, l3=0, nvlan=2, vlan0=100, vlan1=7)
    assert header_value("arp.opcode", arp, b"\x00\x01\x08\x00\x06\x04\x00\x02") == 2
    assert header_value("vlan.id", arp, b"") == 100
    assert header_value("vlan.layers", arp, b"") == 2
    assert header_value("ip.ttl", arp, b"") is None


def test_the_protocol_of_a_fragment_of_ipv6_is_its_header():
    assert [header_value("ip.proto", make(ipv=ipv, proto=17, frag=FRAG_PART), b"") for ipv in (4, 6)] == [17, 44]
    assert header_value("ip.proto", make(ipv=6, proto=17), b"") == 17


def test_ipv6():
    row = make(ipv=6, proto=6, l3=0, l4=48)
    assert raw_header("ipv6.hdr", row, bytes(60)) == bytes(48)
    assert raw_header("ipv6.hdr", make(ipv=6, proto=59, l3=0), bytes(60)) == bytes(40)
    part = {"ipv": 6, "proto": 17, "frag": FRAG_PART, "l3": 0}
    assert raw_header("ipv6.hdr", make(**part, pay=48), bytes(60)) == bytes(40)
    assert raw_header("ipv6.hdr", make(**part, pay=56), bytes(60)) == bytes(48)
    assert header_value("ip.id", row, b"") is None
    assert header_value("ip.id", make(ipv=6, frag=FRAG_PART, ipid=9), b"") == 9
    assert header_value("ip.fragbits", row, bytes(60)) is None
    assert header_value("same_ip", row, b"") == 1


def test_fragments_without_a_transport_header_have_no_transport_fields():
    row = tcp_row(l4=-1, frag=FRAG_PART)
    assert [header_value(f"tcp.{f}", row, FRAME) for f in ("flags", "seq", "ack", "window", "mss")] == [
        None
    ] * 5
    assert raw_header("tcp.hdr", row, FRAME) is None


@pytest.mark.parametrize("size", range(len(FRAME)))
def test_every_cut_is_survived(size):
    for name in FIELDS:
        header_value(name, tcp_row(), FRAME[:size])
    for name in RAW:
        got = raw_header(name, tcp_row(), FRAME[:size])
        assert got is None or FRAME.find(got) >= 0


BAD_OPTIONS = [
    b"\x02\x00\x05\xb4",
    b"\x02\x03\x05\xb4",
    b"\x01\x01\x01\x02",
    b"\x00\x02\x04\x05",
    b"\x05\xff\x00\x00",
]


@pytest.mark.parametrize("options", BAD_OPTIONS)
def test_bad_options_have_no_mss(options):
    header = TCP[:12] + b"\x60" + TCP[13:20] + options
    assert header_value("tcp.mss", make(ipv=4, proto=6, l4=0), header) is None


@pytest.mark.parametrize("first", [0x40, 0x44, 0x4F])
def test_bad_header_lengths_have_no_raw_header(first):
    assert raw_header("ipv4.hdr", make(ipv=4, l3=0), bytes((first,)) + bytes(30)) is None
    assert (
        raw_header(
            "tcp.hdr",
            make(ipv=4, proto=6, l4=0),
            bytes(12) + bytes((first & 15) << 4 for _ in "x") + bytes(9),
        )
        is None
    )


def test_flow_values():
    flow = FlowView(2 * 10**9, (3, 4), (500, 600), (901, 4901), (1, 1))
    row = tcp_row(tcpflags=0x10)
    values = [
        header_value(f"flow.{f}", row, FRAME, flow) for f in ("age", "pkts.to_server", "bytes.to_client")
    ]
    assert values == [3, 3, 600]
    # offset 0 is sequence number 901: this segment ends at stream byte 102, and the SYN counts
    assert header_value("stream.size.to_server", row, FRAME, flow) == 103
    assert header_value("stream.size.to_client", row, FRAME, flow) == 100
    fin = tcp_row(tcpflags=0x11)
    assert header_value("stream.size.to_server", fin, FRAME, flow) == 103
    syn = tcp_row(seq=900, ack=0, paylen=0, tcpflags=2)
    assert header_value("stream.size.to_server", syn, FRAME, flow) == 1
    assert (
        header_value("stream.size.to_client", syn, FRAME, FlowView(0, (1, 0), (60, 0), (901, 0), (1, 0))) == 0
    )


def test_the_size_of_no_stream_is_none():
    flow = FlowView(0, (1, 0), (60, 0), (0, 0), (0, 0))
    assert header_value("stream.size.to_server", tcp_row(tcpflags=0x10), FRAME, flow) is None


def test_age_is_counted_in_seconds_of_the_clock():
    flow = FlowView(1_900_000_000, (1, 0), (60, 0), (0, 0), (0, 0))
    times = (1_950_000_000, 2_000_000_000, 3_890_000_000)
    assert [header_value("flow.age", tcp_row(ts=ts), FRAME, flow) for ts in times] == [0, 1, 2]


def test_only_fragments_of_ipv6_have_an_offset():
    assert header_value("ip.fragoffset", make(ipv=6, proto=17), FRAME, None) is None
    assert header_value("ip.fragoffset", make(ipv=6, proto=17, frag=FRAG_PART, fragoff=3), FRAME, None) == 3


def test_mtu_of_packet_too_big():
    packet = bytes(54) + b"\x02\x00\0\0" + (1280).to_bytes(4, "big")
    row = {"ipv": 6, "proto": 58, "l3": 14, "l4": 54, "sport": 2}
    assert header_value("icmp.mtu", make(**row), packet) == 1280
    assert header_value("icmp.mtu", make(**row), packet[:-1]) is None
    assert header_value("icmp.mtu", make(**row | {"sport": 1}), packet) is None


def test_what_became_of_the_payload():
    assert header_value("tcp.segment", tcp_row(stream=3), FRAME) == 3
    assert header_value("tcp.segment", make(ipv=4, proto=17), FRAME) == 0


def test_unknown_names_are_the_callers_error():
    with pytest.raises(KeyError):
        header_value("ip.colour", tcp_row(), b"")


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (b"", ()),
        (b"\x01\x83\x04\x00\x00\x00\x00\x00", (0, 1, 131)),
        (b"\x07\x07\x04\x00\x00\x00\x00\x44", (7, 68)),
        (b"\x01\x94\x01\x07", (1, 148)),  # a length that leads nowhere ends the walk
        (b"\x01\x01\x01\x88", (1, 136)),
    ],
)
def test_ip_options(options, kinds):
    header = bytes([0x45 + len(options) // 4]) + bytes(19) + options
    found = header_value("ip.options", make(ipv=4, l3=0), header)
    assert found == sum(1 << kind for kind in kinds)
    assert header_value("ip.options", make(ipv=6, l3=0), header) is None


@pytest.mark.parametrize("frag", range(3))
def test_whether_a_packet_was_put_together(frag):
    assert header_value("ip.reassembled", make(ipv=4, frag=frag), b"") == int(frag == 2)
    assert header_value("ip.reassembled", make(frag=frag), b"") is None
