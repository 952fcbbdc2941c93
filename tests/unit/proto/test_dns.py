import ipaddress
import struct

import dpkt
import pytest

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.dns import limits, parse
from sensor.proto.dns.fields import SPEC
from sensor.proto.dns.state import MAKERS, QUERY, RESPONSE, DnsParser
from sensor.proto.reader import Reader, WireError
from sensor.proto.text import text


def name(text):
    return b"".join(bytes((len(part),)) + part.encode() for part in text.split(".") if part) + b"\0"


def header(flags=0x0100, qd=1, an=0, ns=0, ar=0, number=0x1234):
    return struct.pack("!6H", number, flags, qd, an, ns, ar)


def question(text, kind=1, klass=1):
    return name(text) + struct.pack("!HH", kind, klass)


def record(owner, kind, data, ttl=60):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


QUERY_BYTES = header() + question("www.Example.com")
HERE = b"\xc0\x0c"
ANSWERS = [
    (1, ipaddress.ip_address("10.0.0.1").packed, "10.0.0.1"),
    (28, ipaddress.ip_address("fe80::1").packed, "fe80:0000:0000:0000:0000:0000:0000:0001"),
    (5, name("alias.x"), "alias.x"),
    (2, b"\x02ns" + HERE, "ns.www.Example.com"),
    (12, HERE, "www.Example.com"),
    (15, b"\0\x0a" + name("mail.x"), "mail.x"),
    (16, b"\x03abc\x02de", "abcde"),
    (10, b"VACK\xc5\x01", "VACK\\xc5\x01"),
    (33, struct.pack("!HHH", 1, 2, 443) + name("srv.x"), "1 2 443 srv.x"),
    (6, name("m.x") + name("r.x") + struct.pack("!5I", 1, 2, 3, 4, 5), "m.x r.x 1 2 3 4 5"),
]
RESPONSE_BYTES = (
    header(0x8580, an=len(ANSWERS))
    + question("www.Example.com", 255)
    + b"".join(record(HERE, kind, data) for kind, data, _ in ANSWERS)
)


def one(data, side=TO_SERVER):
    parser = DnsParser(stream=False)
    (stage,) = parser.feed(side, data, 0)
    assert parser.anomalies() == []
    return stage


def odd(data):
    parser = DnsParser(stream=False)
    stages = parser.feed(TO_SERVER, data, 0)
    return {what for what, _ in parser.anomalies()}, stages


def test_query():
    stage = one(QUERY_BYTES)
    assert (stage.stage, stage.side) == (QUERY, TO_SERVER)
    assert stage.tx.buffer("dns.query") == [b"www.Example.com"]
    assert stage.tx.buffer("dns.opcode") == (b"0",)
    assert stage.tx.buffer("dns.rrtype") == [b"1"]
    assert stage.tx.buffer("dns.rcode") == ()
    assert stage.tx.buffer("no.such") == ()
    assert stage.tx.eve() == {
        "version": 2, "type": "query", "id": 0x1234, "rrname": "www.Example.com", "rrtype": "A", "tx_id": 0,
        "opcode": 0,
    }  # fmt: skip


def test_response_and_its_data():
    stage = one(RESPONSE_BYTES, TO_CLIENT)
    assert (stage.stage, stage.side) == (RESPONSE, TO_CLIENT)
    eve = stage.tx.eve()
    assert [answer["rdata"] for answer in eve["answers"]] == [text for _, _, text in ANSWERS]
    assert {key: eve[key] for key in ("type", "flags", "qr", "aa", "rd", "ra", "rcode", "rrtype")} == {
        "type": "answer", "flags": "8580", "qr": True, "aa": True, "rd": True, "ra": True, "rcode": "NOERROR",
        "rrtype": "ANY",
    }  # fmt: skip
    assert "tc" not in eve
    assert eve["grouped"]["A"] == ["10.0.0.1"]
    assert eve["grouped"]["SRV"] == [{"priority": 1, "weight": 2, "port": 443, "name": "srv.x"}]
    assert eve["answers"][-1]["soa"]["minimum"] == 5
    assert stage.tx.buffer("dns.query") == ()
    assert stage.tx.buffer("dns.query.name@to_client") == [b"www.Example.com"]
    assert stage.tx.buffer("dns.answer.name") == [b"www.Example.com"] * len(ANSWERS)
    assert stage.tx.buffer("dns.response.rrname") == [b"www.Example.com"]
    assert stage.tx.buffer("dns.rrtype@to_client") == [b"255"] + [b"%d" % kind for kind, _, _ in ANSWERS]
    assert stage.tx.buffer("dns.rcode") == (b"0",)


def test_agrees_with_dpkt():
    theirs = dpkt.dns.DNS(RESPONSE_BYTES)
    ours = parse.message(RESPONSE_BYTES)
    assert (theirs.id, theirs.op) == (ours.id, ours.flags)
    assert [q.name for q in theirs.qd] == [q.name.decode() for q in ours.questions]
    assert [(r.name, r.type, r.ttl, r.rlen) for r in theirs.an] == [
        (r.name.decode(), r.rrtype, r.ttl, r.length) for r in ours.answers
    ]


def test_every_declared_buffer_is_built_and_no_other():
    assert {buffer.name for buffer in SPEC.buffers} == set(MAKERS)
    assert all(MAKERS[buffer.name][0] == buffer.stage for buffer in SPEC.buffers)


def test_several_questions_as_in_mdns():
    data = header(0, qd=2, number=0) + question("_http._tcp.local", 12, 0x8001) + question("b.local", 28)
    stage = one(data)
    assert stage.tx.buffer("dns.query") == [b"_http._tcp.local", b"b.local"]
    assert [row["rrtype"] for row in stage.tx.eve()["queries"]] == ["PTR", "AAAA"]


def test_an_unsolicited_announcement_is_a_response():
    stage = one(header(0x8400, qd=0, an=1) + record(name("p.local"), 1, b"\x0a\0\0\1"))
    assert stage.stage == RESPONSE
    assert stage.tx.buffer("dns.answer.name") == [b"p.local"]


def test_netbios_names_are_decoded():
    encoded = "".join(chr(65 + (c >> 4)) + chr(65 + (c & 15)) for c in b"FILESRV        \x20")
    assert one(header(0x0110) + question(encoded, 32)).tx.buffer("dns.query") == [b"FILESRV<20>"]
    assert one(header() + question(encoded + ".scope", 32)).tx.buffer("dns.query") == [b"FILESRV<20>.scope"]
    assert parse.netbios(b"A" * 33) == b"A" * 33


def test_a_refusal_may_be_a_header_alone():
    parser = DnsParser(stream=False)
    (stage,) = parser.feed(TO_CLIENT, header(0x8005, qd=0), 0)
    assert stage.tx.eve()["rcode"] == "REFUSED"
    assert parser.anomalies() == []


@pytest.mark.parametrize(
    ("data", "expected", "transactions"),
    [
        (b"", set(), 0),
        (b"short", {AppAnomaly.DNS_MALFORMED}, 0),
        (header(qd=0), set(), 0),
        (QUERY_BYTES[:-1], {AppAnomaly.DNS_MALFORMED}, 0),
        (QUERY_BYTES[:-8], {AppAnomaly.DNS_MALFORMED}, 0),
        (header(an=1) + question("a.b"), {AppAnomaly.DNS_MALFORMED}, 1),
        (header() + b"\x40abc\0\0\1\0\1", {AppAnomaly.DNS_MALFORMED}, 0),
        (header() + b"\xc0\x0c\0\1\0\1", {AppAnomaly.DNS_POINTER_LOOP}, 0),
        (header() + b"\xc0\xff\0\1\0\1", {AppAnomaly.DNS_POINTER_LOOP}, 0),
        (header() + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", set(), 1),
        (header() + (b"\x3f" + b"a" * 63) * 16 + b"\0\0\1\0\1", set(), 1),
        (header() + (b"\x3f" + b"a" * 63) * 17 + b"\0\0\1\0\1", {AppAnomaly.DNS_NAME_TOO_LONG}, 0),
        (header(qd=300) + question("a") * 300, {AppAnomaly.DNS_TOO_MANY_RECORDS}, 1),
    ],
)
def test_malformed_messages(data, expected, transactions):
    found, stages = odd(data)
    assert (found, len(stages)) == (expected, transactions)


def test_records_are_capped_over_all_sections():
    data = header(0x8000, 1, 200, 200, 200) + question("a") + record(HERE, 1, b"\1\2\3\4") * 600
    message = parse.message(data)
    assert message.fault is AppAnomaly.DNS_TOO_MANY_RECORDS
    sections = (message.questions, message.answers, message.authorities, message.additionals)
    assert [len(section) for section in sections] == [1, 200, 55, 0]


def test_pointers_are_followed_only_so_often():
    chain = b"\1a\0" + b"".join(struct.pack("!H", 0xC000 | max(12, 13 + 2 * i)) for i in range(40))
    data = header() + chain
    with pytest.raises(parse.DnsError) as caught:
        parse.read_name(Reader(data, len(data) - 2), {})
    assert caught.value.anomaly is AppAnomaly.DNS_POINTER_LOOP


def test_names():
    data = header() + name("b.c") + b"\1a\xc0\x0c" + b"\xc0\x11"
    reader = Reader(data, 12)
    known = {}
    assert [parse.read_name(reader, known) for _ in range(3)] == [b"b.c", b"a.b.c", b"a.b.c"]
    assert reader.left() == 0
    assert parse.read_name(Reader(b"\0"), {}) == b""
    with pytest.raises(WireError):
        parse.read_name(Reader(b"\3ab"), {})


def test_a_name_joined_from_a_known_tail_keeps_the_limit():
    long = ".".join(["a" * 63] * 15 + ["a" * 40])
    data = header() + name(long) + b"\x3f" + b"b" * 63 + b"\xc0\x0c"
    reader = Reader(data, 12)
    known = {}
    parse.read_name(reader, known)
    with pytest.raises(parse.DnsError) as caught:
        parse.read_name(reader, known)
    assert caught.value.anomaly is AppAnomaly.DNS_NAME_TOO_LONG


@pytest.mark.parametrize("cut", [1, 2, 5, 13, 14, 1000])
def test_streams_in_any_pieces(cut):
    framed = b"".join(len(m).to_bytes(2, "big") + m for m in (QUERY_BYTES, RESPONSE_BYTES, b"", QUERY_BYTES))
    parser = SPEC.new_parser()
    stages = []
    for at in range(0, len(framed), cut):
        stages += parser.feed(TO_SERVER, framed[at : at + cut], 0)
    assert [(s.stage, s.tx.id) for s in stages] == [(QUERY, 0), (RESPONSE, 1), (QUERY, 2)]
    assert stages[2].tx.buffer("dns.query") == [b"www.Example.com"]
    assert stages[2].tx.buffer("frame.dns.pdu") == (QUERY_BYTES,)
    assert parser.anomalies() == [(AppAnomaly.DNS_NOT_A_REQUEST, TO_SERVER)]


def test_a_flag_that_must_be_zero():
    parser = DnsParser(stream=False)
    parser.feed(TO_SERVER, QUERY_BYTES[:3] + bytes([QUERY_BYTES[3] | 0x40]) + QUERY_BYTES[4:], 0)
    assert parser.anomalies() == [(AppAnomaly.DNS_Z_FLAG_SET, TO_SERVER)]


@pytest.mark.parametrize("opcode", range(16))
def test_operations_that_nobody_has_defined(opcode):
    parser = DnsParser(stream=False)
    parser.feed(TO_SERVER, QUERY_BYTES[:2] + bytes([QUERY_BYTES[2] & 0x87 | opcode << 3]) + QUERY_BYTES[3:], 0)
    assert parser.anomalies() == ([(AppAnomaly.DNS_INVALID_OPCODE, TO_SERVER)] if opcode > 6 else [])


def test_a_gap_in_a_stream_loses_the_message_or_the_side():
    framed = len(RESPONSE_BYTES).to_bytes(2, "big") + RESPONSE_BYTES
    parser = DnsParser(stream=True)
    parser.feed(TO_CLIENT, framed[:50], 0)
    assert parser.gap(TO_CLIENT, 20, 0) == []
    assert len(parser.feed(TO_CLIENT, framed[70:] + framed, 0)) == 1
    assert parser.anomalies() == []
    parser.gap(TO_CLIENT, 3, 0)
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_CLIENT)]
    assert parser.feed(TO_CLIENT, framed, 0) == []
    assert len(parser.feed(TO_SERVER, framed, 0)) == 1


def test_what_is_not_dns_is_given_up():
    parser = DnsParser(stream=False)
    for _ in range(limits.BAD_MESSAGES):
        assert not parser.done
        parser.feed(TO_SERVER, b"\xff" * 40, 0)
    assert parser.done
    assert parser.feed(TO_SERVER, QUERY_BYTES, 0) == []


@pytest.mark.parametrize("empty", [1, 2])
def test_lengths_with_nothing_behind_them_hide_nothing(empty):
    parser = SPEC.new_parser()
    framed = b"\0\0" * empty + len(QUERY_BYTES).to_bytes(2, "big") + QUERY_BYTES
    (stage,) = parser.feed(TO_SERVER, framed, 0)
    assert stage.tx.buffer("dns.query") == [b"www.Example.com"]
    assert parser.anomalies() == []


def test_the_root_has_no_name():
    (stage,) = DnsParser(stream=False).feed(TO_SERVER, QUERY_BYTES[:12] + b"\0\0\2\0\1", 0)
    assert stage.tx.buffer("dns.query") == []


def test_fingerprint_of_a_host_key():
    answer = header(0x8180, an=1) + question("a.b", 44) + record(HERE, 44, b"\x04\x02\xab\xcd")
    eve = one(answer, TO_CLIENT).tx.eve()
    assert eve["grouped"]["SSHFP"] == [{"fingerprint": "ab:cd", "algo": 4, "type": 2}]


def test_bytes_that_are_no_text_as_a_whole_are_shown_one_by_one():
    assert text("\u00bd".encode()) == "\u00bd"
    assert text("\u00bd".encode() + b"\xff") == "\\xc2\\xbd\\xff"
