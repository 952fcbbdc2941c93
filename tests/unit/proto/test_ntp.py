import struct

import pytest
from handshakes import TO_CLIENT, TO_SERVER
from test_probe import datagram

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import NTP
from sensor.proto.ntp.fields import SPEC


def packet(mode=3, version=4, stratum=0, poll=6, precision=0xE9, reference=0, rest=b""):
    head = struct.pack("!4B3I", version << 3 | mode, stratum, poll, precision, 0, 0, reference)
    return head + bytes(24) + struct.pack("!2I", 0xE8000000, 7) + rest


MONLIST = bytes([0x17, 0, 3, 42]) + bytes(4)
MONLIST_ANSWER = bytes([0xD7, 0, 3, 42, 0, 1, 0, 72]) + bytes(72)
READVAR = struct.pack("!2B5H", 0x16, 2, 1, 0, 0, 0, 0)
READVAR_ANSWER = struct.pack("!2B5H", 0x16, 0x82, 1, 0, 0, 0, 4) + b"a=12"


def one(data, side=TO_SERVER):
    parser = SPEC.new_parser()
    (stage,) = parser.feed(side, data, 0)
    assert parser.anomalies() == []
    return stage.tx


def test_request_and_answer():
    assert one(packet()).eve() == {"version": 4, "mode": 3, "stratum": 0, "reference_id": 0}
    tx = one(packet(4, 3, 2, reference=0x0A000001), TO_CLIENT)
    assert tx.eve() == {"version": 3, "mode": 4, "stratum": 2, "reference_id": 0x0A000001}
    assert tx.numbers("ntp.version") == (3,)
    assert tx.numbers("ntp.mode") == (4,)
    assert tx.numbers("ntp.stratum") == (2,)
    assert tx.numbers("ntp.reference_id") == (0x0A000001,)
    assert tx.numbers("ntp.opcode") == tx.numbers("ntp.request_code") == ()


def test_private_messages():
    tx = one(MONLIST)
    assert tx.eve() == {"version": 2, "mode": 7, "request_code": 42, "response": False}
    assert tx.numbers("ntp.request_code") == (42,)
    assert tx.numbers("ntp.stratum") == ()
    assert one(MONLIST_ANSWER).eve()["response"] is True


def test_control_messages():
    tx = one(READVAR)
    assert tx.eve() == {"version": 2, "mode": 6, "opcode": 2, "response": False}
    assert tx.numbers("ntp.opcode") == (2,)
    assert one(READVAR_ANSWER).eve() == {"version": 2, "mode": 6, "opcode": 2, "response": True}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet()[:47],
        packet(version=0),
        packet(version=5),
        MONLIST[:7],
        READVAR[:11],
        READVAR_ANSWER[:-1],
    ],
)
def test_malformed(data):
    parser = SPEC.new_parser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert parser.anomalies() == [(AppAnomaly.NTP_MALFORMED_DATA, TO_SERVER)]
    assert AppAnomaly.NTP_MALFORMED_DATA.event == "ntp.malformed_data"


@pytest.mark.parametrize(
    "data", [packet(), packet(4, stratum=1), packet(3, 3, rest=bytes(20)), packet(3, rest=bytes(24))]
)
def test_detection_on_any_port(data):
    assert datagram(data) == NTP
    assert datagram(data, 123) == NTP


@pytest.mark.parametrize(
    "data", [packet(1), packet(5, 1, 3), packet(3, rest=bytes(8)), MONLIST, READVAR, READVAR_ANSWER]
)
def test_detection_on_its_port_only(data):
    assert datagram(data, 123) == NTP
    assert datagram(data) != NTP


@pytest.mark.parametrize(
    "data",
    [
        packet(version=0),
        packet(version=7),
        packet(version=2, stratum=17),
        packet(0, version=2),
        packet()[:47],
        MONLIST[:7],
        bytes([0x17, 0, 9, 42]) + bytes(4),
        READVAR[:11],
        bytes([0x16, 11]) + bytes(12),
        b"hello",
    ],
)
def test_not_ntp(data):
    assert datagram(data, 123) != NTP


@pytest.mark.parametrize(
    "data", [packet(poll=18), packet(precision=9), packet(4), packet()[:40] + bytes(8), packet(rest=bytes(4))]
)
def test_fields_that_no_clock_sends(data):
    assert datagram(data) != NTP


def test_on_its_port_the_size_is_enough_of_newer_versions():
    for data in (packet(0), packet(7, version=3), packet(stratum=17)):
        assert datagram(data, 123) == NTP
        assert datagram(data) != NTP
