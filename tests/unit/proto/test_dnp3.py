import pytest
from dnp3make import CLASSES, CROB, FIN, FIR, INPUTS, crc, fragments, frame, request, response, segment
from handshakes import TO_CLIENT, TO_SERVER
from test_probe import APP_UNDECIDED, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.dnp3 import link, parse, state
from sensor.proto.dnp3.fields import SPEC
from sensor.proto.ids import DNP3

PACKED = b"\1\1\1\0\0\x77\0" + bytes(15)
"""120 binary inputs."""


def run(*pieces):
    parser = SPEC.new_parser()
    stages = [stage for side, data in pieces for stage in parser.feed(side, data, 0)]
    return parser, [stage.tx for stage in stages], [odd.event for odd, _ in parser.anomalies()]


def test_checksum():
    """The header of the reset frame that the standard shows (IEEE 1815 annex E)."""
    assert link.crc(b"123456789") == 0xEA82
    assert crc(b"123456789") == b"\x82\xea"


def test_request():
    _, (tx,), odd = run((TO_SERVER, segment(request(20, CLASSES))))
    assert odd == []
    assert tx.numbers("dnp3.func") == (20,)
    assert tx.numbers("dnp3.obj") == (60 << 8 | 2, 60 << 8 | 3, 60 << 8 | 4)
    assert tx.numbers("dnp3.ind") == ()
    assert tx.buffer("dnp3.data") == (request(20, CLASSES),)
    eve = tx.eve()
    assert tx.eve_of_alert() == {"request": eve}
    assert (eve["src"], eve["dst"], eve["type"]) == (1, 10, "request")
    assert eve["control"] == {"dir": True, "pri": True, "fcb": False, "fcv": False, "function_code": 4}
    assert eve["application"]["function_code"] == 20
    assert eve["application"]["complete"] is True


def test_a_confirmation_of_the_master_is_no_exchange():
    _, found, odd = run((TO_SERVER, segment(request(0))), (TO_SERVER, segment(request(1, CLASSES))))
    assert [tx.numbers("dnp3.func") for tx in found] == [(1,)]
    assert odd == []


def test_response():
    _, (tx,), odd = run((TO_CLIENT, segment(response(INPUTS, 0x9001), control=0x44, dst=1, src=10)))
    assert odd == []
    assert tx.numbers("dnp3.ind") == (0x9001,)
    assert tx.numbers("dnp3.obj") == (0x0102, 0x1E01)
    eve = tx.eve()
    assert tx.eve_of_alert() == {"response": eve}
    assert eve["type"] == "response"
    assert eve["iin"] == {"indicators": ["need_time", "device_restart", "no_func_code_support"]}
    assert eve["application"]["objects"][0] | {} == {
        "group": 1, "variation": 2, "qualifier": 0, "prefix_code": 0, "range_code": 0, "start": 0, "stop": 4,
        "count": 5,
    }  # fmt: skip


def test_unsolicited_response():
    _, (tx,), _ = run((TO_CLIENT, segment(response(function=130, control=0xF0))))
    assert tx.eve()["type"] == "unsolicited_response"


def test_operate():
    _, (tx,), odd = run((TO_SERVER, segment(request(5, CROB))))
    assert odd == []
    assert tx.numbers("dnp3.obj") == (0x0C01,)


def test_a_fragment_in_several_frames():
    data = response(b"\x6e\xc8\7\4" + b"s" * 800, 0)
    _, (tx,), odd = run((TO_CLIENT, fragments(data)))
    assert odd == []
    assert tx.buffer("dnp3.data") == (data,)
    assert tx.numbers("dnp3.obj") == (0x6EC8,)


def test_segments_without_a_first_one_and_frames_without_data():
    _, transactions, odd = run((TO_SERVER, segment(b"x" * 9, FIN) + frame(b"") + segment(request(1), FIR)))
    assert transactions == []
    assert odd == []


@pytest.mark.parametrize(
    ("qualifier", "size"),
    [(0x00, 2), (0x01, 4), (0x02, 8), (0x06, 0), (0x07, 1), (0x08, 2), (0x09, 4), (0x17, 2), (0x28, 4), (0x39, 8)],
)
def test_qualifiers_of_a_request_to_read(qualifier, size):
    four = b"\1\0\1\0" if qualifier == 1 else b"\1\0\0\0"
    rest = {2: b"\1\1", 4: four, 8: b"\1\0\0\0\1\0\0\0", 0: b"", 1: b"\1"}[size]
    _, (tx,), odd = run((TO_SERVER, segment(request(1, bytes([30, 1, qualifier]) + rest + CLASSES))))
    assert odd == []
    assert len(tx.numbers("dnp3.obj")) == 4


def test_objects_with_sizes_of_their_own():
    strings = b"\x78\1\x5b\2\3\0abc\1\0d"
    _, (tx,), odd = run((TO_SERVER, segment(request(2, strings + CROB))))
    assert odd == []
    assert tx.numbers("dnp3.obj") == (0x7801, 0x0C01)


def test_packed_objects():
    _, (tx,), odd = run((TO_SERVER, segment(request(2, b"\x50\1\0\7\x10\0\0" + b"\x0a\1\0\0\7\xff"))))
    assert odd == []
    assert tx.numbers("dnp3.obj") == (0x5001, 0x0A01)


@pytest.mark.parametrize(
    ("data", "odd"),
    [
        (request(1, b"\x1e"), "dnp3.malformed"),
        (request(1, b"\x1e\1\3"), "dnp3.malformed"),
        (request(1, b"\x1e\1\0\5\1"), "dnp3.malformed"),
        (request(2, CROB[:-1]), "dnp3.malformed"),
        (request(2, b"\x1e\1\2\0\0\0\0\xff\xff\xff\xff"), "dnp3.malformed"),
        (request(2, b"\xc8\1\7\1" + b"x" * 9), "dnp3.unknown_object"),
    ],
)
def test_bad_objects(data, odd):
    _, (tx,), found = run((TO_SERVER, segment(data)))
    assert found == [odd]
    assert tx.eve()["application"]["complete"] is False


@pytest.mark.parametrize("data", [b"\xc0", response()[:3]])
def test_a_cut_header_is_no_transaction(data):
    _, transactions, odd = run((TO_SERVER, segment(data)))
    assert transactions == []
    assert odd == ["dnp3.malformed"]


def test_checksums():
    good = segment(request(1, CLASSES))
    header, body = bytearray(good), bytearray(good)
    header[4] ^= 1
    body[12] ^= 1
    _, transactions, odd = run((TO_SERVER, bytes(header) + bytes(body) + good))
    assert odd == ["dnp3.bad_link_crc", "dnp3.bad_transport_crc"]
    assert len(transactions) == 1


def test_what_is_no_frame_ends_the_side():
    parser, _, odd = run((TO_SERVER, b"\5\x64\4" + b"x" * 20))
    assert odd == ["dnp3.len_too_small"]
    assert parser.feed(TO_SERVER, segment(request(1)), 0) == []
    assert len(parser.feed(TO_CLIENT, segment(response()), 0)) == 1


def test_a_fragment_without_its_end_is_judged_when_the_connection_ends():
    parser, transactions, _ = run((TO_SERVER, segment(request(2, CROB), FIR) + segment(b"more", 1)))
    assert transactions == []
    ((stage,), again) = parser.finish(0), parser.finish(0)
    assert stage.side == TO_SERVER
    assert stage.tx.numbers("dnp3.func") == (2,)
    assert stage.tx.buffer("dnp3.data") == (request(2, CROB) + b"more",)
    assert again == []
    assert run((TO_SERVER, segment(request(2, CROB))))[0].finish(0) == []


def test_fragments_and_objects_are_bounded():
    _, transactions, odd = run((TO_SERVER, fragments(request(1) + b"x" * state.MAX_FRAGMENT, 240)))
    (flood,) = transactions
    assert flood.numbers("dnp3.func") == (1,)
    assert odd[0] == "dnp3.flooded"
    assert len(parse.fragment(request(1, CLASSES * parse.MAX_OBJECTS)).objects) == parse.MAX_OBJECTS


@pytest.mark.parametrize(("objects", "found"), [
    (b"\x3c\2\6" * parse.MAX_OBJECTS, []),
    (b"\x3c\2\6" * (parse.MAX_OBJECTS + 1), ["dnp3.too_many_objects"]),
    (PACKED * 136, []),
    (PACKED * 137 + b"\x3c\2\6", ["dnp3.too_many_points"]),
])  # fmt: skip
def test_more_than_suricata_reads(objects, found):
    _, transactions, odd = run((TO_CLIENT, fragments(response(objects), 240)))
    assert odd == found
    assert len(transactions) == 1


def test_gap():
    data = segment(request(1, CLASSES))
    parser, _, _ = run((TO_SERVER, data[:12]))
    parser.gap(TO_SERVER, len(data) - 12, 0)
    assert len(parser.feed(TO_SERVER, data, 0)) == 1
    parser.gap(TO_SERVER, 1, 0)
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]


def test_detection():
    assert stream(segment(request(1))) == DNP3
    assert stream(b"", segment(response(), control=0x44)) == DNP3
    assert stream(b"\5\x64\5") == APP_UNDECIDED
    assert stream(b"\5\x64\4\xc4" + b"x" * 30) != DNP3
    assert stream(b"\5\x64\5\xcc" + b"x" * 30) != DNP3
    assert stream(b"\5\1\0" + b"x" * 30) != DNP3
