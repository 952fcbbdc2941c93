import pytest
from suricatakit import conditions, refused, rule

from sensor.model.anomaly import DecodeAnomaly, StreamAnomaly
from sensor.model.details import Detail
from sensor.model.rows import CSUM_BAD
from sensor.rules.nodes import All, Any, HeaderTest, Not


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("ttl:5;", HeaderTest("ip.ttl", "=", 5)),
        ("ttl:<5;", HeaderTest("ip.ttl", "<", 5)),
        ("ttl:1-5;", HeaderTest("ip.ttl", "<>", 1, 5)),
        ("id:!7;", HeaderTest("ip.id", "!=", 7)),
        ("ip_proto:GRE;", HeaderTest("ip.proto", "=", 47)),
        ("ip_proto:!6;", HeaderTest("ip.proto", "!=", 6)),
        ("seq:0;", HeaderTest("tcp.seq", "=", 0)),
        ("tcp.ack:5;", HeaderTest("tcp.ack", "=", 5)),
        ("window:!55808;", HeaderTest("tcp.window", "!=", 55808)),
        ("tcp.mss:<536;", HeaderTest("tcp.mss", "<", 536)),
        ("itype:3<>8;", HeaderTest("icmp.type", "<>", 3, 8)),
        ("icode:>0;", HeaderTest("icmp.code", ">", 0)),
        ("icmp_id:512;", HeaderTest("icmp.id", "=", 512)),
        ("icmp_seq:1;", HeaderTest("icmp.seq", "=", 1)),
        ("icmpv6.mtu:<1280;", HeaderTest("icmp.mtu", "<", 1280)),
        ("dsize:10<>20;", HeaderTest("payload.size", "<>", 10, 20)),
        ("fragoffset:0;", HeaderTest("ip.fragoffset", "=", 0)),
        ("sameip;", HeaderTest("same_ip", "=", 1)),
        ("flags:S;", HeaderTest("tcp.flags", "exact", 2)),
        ("flags:S,12;", HeaderTest("tcp.flags", "exact", 2, mask=0xC0)),
        ("flags:SA,CE;", HeaderTest("tcp.flags", "exact", 18, mask=0xC0)),
        ("flags:+SA;", HeaderTest("tcp.flags", "all", 18)),
        ("tcp.flags:RF*;", HeaderTest("tcp.flags", "any", 5)),
        ("flags:!P;", HeaderTest("tcp.flags", "none", 8)),
        ("flags:0;", HeaderTest("tcp.flags", "exact", 0)),
        ("fragbits:M;", HeaderTest("ip.fragbits", "exact", 1)),
        ("fragbits:!D;", HeaderTest("ip.fragbits", "none", 2)),
        ("fragbits:D+;", HeaderTest("ip.fragbits", "exact", 2)),
        ("stream_size:client,<,5;", HeaderTest("stream.size.to_server", "<", 5)),
        ("stream_size:server,=, 1;", HeaderTest("stream.size.to_client", "=", 1)),
        ("decode-event:ipv4.opt_invalid_len;", HeaderTest("decode.event", "=", Detail.IPV4_OPT_INVALID_LEN)),
        ("decode-event:sll.pkt_too_small;", HeaderTest("decode.event", "=", DecodeAnomaly.SLL_PKT_TOO_SMALL)),
        ("flow.age:>100;", HeaderTest("flow.age", ">", 100)),
        ("ipopts:lsrr;", HeaderTest("ip.options", "=", 131)),
        ("stream-event:reassembly_seq_gap;", HeaderTest("stream.event", "=", StreamAnomaly.REASSEMBLY_SEQ_GAP)),
        ("stream-event:stream.port_reuse;", HeaderTest("stream.event", "=", StreamAnomaly.PORT_REUSE)),
    ],
)
def test_conditions(options, expected):
    assert conditions(options) == [expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("decode-event:ipv6.trunc_pkt;", [
            HeaderTest("ip.version", "=", 6),
            HeaderTest("decode.event", "in", values=(DecodeAnomaly.IPV6_TRUNC_PKT, DecodeAnomaly.SNAPLEN_CUT)),
        ]),
        ("tos:!8;", [HeaderTest("ip.version", "=", 4), HeaderTest("ip.tos", "!=", 8)]),
        ("tos:x1f;", [HeaderTest("ip.version", "=", 4), HeaderTest("ip.tos", "=", 0x1F)]),
        ("flow:no_frag;", [HeaderTest("ip.reassembled", "=", 0), HeaderTest("flow.age", ">=", 0)]),
        ("flow:only_frag;", [HeaderTest("ip.reassembled", "=", 1), HeaderTest("flow.age", ">=", 0)]),
    ],
)
def test_words_that_ask_for_more_than_they_say(options, expected):
    assert conditions(options) == expected


@pytest.mark.parametrize(
    ("options", "version", "proto", "field", "op"),
    [
        ("ipv4-csum:invalid;", 4, 0, "ip.checksum", "="),
        ("tcpv4-csum:valid;", 4, 6, "l4.checksum", "!="),
        ('udpv6-csum:"invalid";', 6, 17, "l4.checksum", "="),
        ("icmpv6-csum:Invalid;", 6, 58, "l4.checksum", "="),
    ],
)
def test_checksums(options, version, proto, field, op):
    of_proto = [HeaderTest("ip.proto", "=", proto)] if proto else []
    wanted = [HeaderTest("ip.version", "=", version), *of_proto, HeaderTest(field, op, CSUM_BAD)]
    assert conditions(options, "alert ip any any -> any any") == wanted


def test_streams_of_both_sides():
    sizes = [HeaderTest("stream.size.to_server", ">", 9), HeaderTest("stream.size.to_client", ">", 9)]
    assert conditions("stream_size:both,>,9;") == sizes


def test_not_all_of_several_flags():
    body = rule("flags:!SA;").body
    there = Any((HeaderTest("tcp.flags", "any", 255), HeaderTest("tcp.flags", "exact", 0)))
    assert body == All((All((there, Not(HeaderTest("tcp.flags", "all", 18)))), HeaderTest("tcp.flags", "any", 7)))


@pytest.mark.parametrize(
    ("value", "first", "kinds"),
    [
        ("!S", HeaderTest("tcp.flags", "none", 2), [7]),
        ("!U", HeaderTest("tcp.flags", "none", 32), [0xE0]),
        ("!2", HeaderTest("tcp.flags", "none", 64), [0xE0]),
        ("*AF", HeaderTest("tcp.flags", "any", 17), [7]),
        ("*UP", HeaderTest("tcp.flags", "any", 40), [0xE0]),
        ("SF*", HeaderTest("tcp.flags", "any", 3), [2]),
        ("!S,12", HeaderTest("tcp.flags", "none", 2, mask=0xC0), [7]),
    ],
)
def test_flags_that_open_or_end_connections_want_packets_that_have_one(value, first, kinds):
    found = conditions(f"flags:{value};")
    assert found[0] == first
    assert [test.value for test in found[1:] if test.op == "any"] == kinds


def test_flags_in_a_rule_about_any_protocol_demand_tcp():
    assert HeaderTest("ip.proto", "=", 6) in conditions("flags:S;", "alert ip any any -> any any")


@pytest.mark.parametrize("version", [4, 6])
def test_events_of_fragments_have_one_name(version):
    found = conditions(f"decode-event:ipv{version}.frag_overlap;", "alert pkthdr any any -> any any")
    assert found == [
        HeaderTest("ip.version", "=", version),
        HeaderTest("decode.event", "=", DecodeAnomaly.FRAG_OVERLAP),
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("ttl:300;", "out of range"),
        ("ttl:5<>6;", "nothing lies"),
        ("flags:Q;", "unknown bit"),
        ("flags:;", "names no flags"),
        ("fragbits:X;", "names no bits"),
        ("sameip:1;", "no value"),
        ("stream_size:server,<;", "side,operator,size"),
        ("stream_size:nobody,<,5;", "unknown side"),
        ("decode-event:ipv4.nonsense;", "not among those"),
        ("tos:banana;", "no number"),

        ("tcpv4-csum:odd;", "unknown state"),
        ("ipopts:frob;", "unknown option"),
    ],
)
def test_refused(options, why):
    assert why in refused(options)[0]


@pytest.mark.parametrize(("word", "version"), [("ipv4", 4), ("ip4", 4), ("IPv6", 6)])
def test_network_protocol(word, version):
    assert conditions(f"l3_proto:{word};") == [HeaderTest("ip.version", "=", version)]
    assert refused("l3_proto:arp;")


def test_an_engine_event_is_one_of_the_stream_or_of_the_decoder():
    gap, cut = "stream.reassembly_seq_gap", "ipv4.trunc_pkt"
    assert conditions(f"engine-event:{gap};") == conditions(f"stream-event:{gap};")
    assert conditions(f"engine-event:{cut};") == conditions(f"decode-event:{cut};")


def test_events_that_say_what_numbers_say():
    found = conditions("decode-event:icmpv6.experimentation_type;", "alert pkthdr any any -> any any")
    assert found[-1] == HeaderTest("icmp.type", "in", values=(100, 101, 200, 201))


def test_a_negated_size_is_one_of_payload():
    assert set(conditions("dsize:!5;")) == {HeaderTest("payload.size", "!=", 5), HeaderTest("payload.size", ">", 0)}


def test_fragment_bits_and_more():
    assert set(conditions("fragbits:+D;")) == {HeaderTest("ip.fragbits", "all", 2), HeaderTest("ip.fragbits", "any", 5)}
