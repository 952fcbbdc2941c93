import struct

import pytest
from enipmake import GET, LIST, cip, connected, enip, items, multiple, unconnected
from handshakes import TO_CLIENT, TO_SERVER
from test_probe import APP_UNDECIDED, datagram, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.enip import parse
from sensor.proto.enip.fields import SPEC
from sensor.proto.ids import ENIP


def one(data):
    parser = SPEC.new_datagram_parser()
    (stage,) = parser.feed(TO_SERVER, data, 0)
    return stage.tx, [found for found, _ in parser.anomalies()]


def test_command():
    tx, odd = one(enip(0x63))
    assert odd == []
    assert tx.numbers("enip.command") == (0x63,)
    assert tx.numbers("cip.service") == ()
    assert tx.eve() == {"command": 0x63, "session": 7, "status": 0}


@pytest.mark.parametrize("wrap", [connected, unconnected])
def test_request_for_an_attribute(wrap):
    tx, odd = one(wrap(GET))
    assert odd == []
    assert tx.numbers("cip.service") == (0x0E,)
    assert tx.numbers("cip.class") == (0x0E006B,)
    assert tx.numbers("cip.attribute") == (0x0E006B1234,)
    assert tx.eve()["cip"] == [{"service": 14, "class": [0x6B], "attribute": [0x1234]}]


def test_lists_of_attributes():
    tx, _ = one(unconnected(LIST))
    assert tx.numbers("cip.attribute") == (0x0303000005, 0x0303000006)
    listed = cip(0x04, (0, 1), body=struct.pack("<HH", 2, 9) + b"value")
    assert one(unconnected(listed))[0].numbers("cip.attribute") == (0x0400010009,)


def test_a_class_belongs_to_requests_for_attributes():
    tx, _ = one(unconnected(cip(0x05, (0, 1), (1, 1))))
    assert tx.numbers("cip.service") == (5,)
    assert tx.numbers("cip.class") == ()


def test_several_requests_in_one():
    tx, odd = one(connected(multiple(GET, LIST, cip(0x4C))))
    assert odd == []
    assert tx.numbers("cip.service") == (0x0A, 0x0E, 0x03, 0x4C)


def test_responses_say_nothing():
    assert one(connected(bytes([0x8E, 0, 0, 0])))[0].numbers("cip.service") == ()


@pytest.mark.parametrize(
    "data",
    [
        enip(0x6F, b"short"),
        enip(0x6F, items((0xB2, GET)))[:-3],
        enip(0x6F, struct.pack("<IHHHH", 0, 0, 1, 0xB2, 99) + b"x"),
        unconnected(b"\x0e"),
        unconnected(GET[:4]),
        unconnected(bytes([0x0E, 1, 0x21, 0])),
        unconnected(cip(0x0A, body=b"\x40\0")),
        unconnected(multiple(multiple(GET))),
        unconnected(multiple(*[cip(5)] * parse.MAX_REQUESTS)),
        unconnected(cip(3, (0, 1), body=b"\x04\0\1\0")),
        unconnected(cip(3, (0, 1), body=struct.pack("<H", parse.MAX_ATTRIBUTES + 1) + b"\0" * 200)),
    ],
)
def test_malformed(data):
    tx, odd = one(data)
    assert odd == [AppAnomaly.ENIP_MALFORMED_PDU]
    assert tx.numbers("enip.command") == (0x6F,)


def test_stream():
    parser = SPEC.new_parser()
    stages = parser.feed(TO_SERVER, enip(0x65, b"\1\0\0\0") + connected(GET), 0)
    stages += parser.feed(TO_CLIENT, enip(0x65, b"\1\0\0\0"), 0)
    assert [s.tx.numbers("enip.command") for s in stages] == [(0x65,), (0x70,), (0x65,)]


def test_detection():
    assert stream(enip(0x65, b"\1\0\0\0")) == ENIP
    assert stream(b"", connected(GET)) == ENIP
    assert stream(enip(0), port=44818) == ENIP
    assert stream(enip(0)) != ENIP
    assert stream(enip(0x65)[:20]) == APP_UNDECIDED
    assert datagram(enip(0x63)) == ENIP
    assert datagram(enip(0x63) + b"x") != ENIP
    assert datagram(enip(0x63)[:20]) != ENIP
    assert stream(enip(0x65, options=1)) != ENIP
    assert stream(enip(0x65, status=0x100)) != ENIP
    assert stream(enip(0x67)) != ENIP
