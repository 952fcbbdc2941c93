import pytest
from handshakes import TO_CLIENT, TO_SERVER
from sipmake import INVITE, RINGING, sip
from test_probe import datagram

from sensor.model.anomaly import AppAnomaly
from sensor.model.rows import APP_UNKNOWN
from sensor.proto.ids import SIP
from sensor.proto.sip import parse
from sensor.proto.sip.fields import SPEC


def one(data, side):
    parser = SPEC.new_parser()
    (stage,) = parser.feed(side, data, 0)
    return stage.tx, parser.anomalies()


def test_request():
    tx, odd = one(INVITE, TO_SERVER)
    assert odd == []
    expected = {
        "sip.method": b"INVITE",
        "sip.uri": b"sip:bob@lab.example;transport=udp",
        "sip.protocol": b"SIP/2.0",
        "sip.request_line": b"INVITE sip:bob@lab.example;transport=udp SIP/2.0",
        "frame.sip.request.line": b"INVITE sip:bob@lab.example;transport=udp SIP/2.0\r\n",
        "frame.sip.request.headers": b"Via: SIP/2.0/UDP 10.0.0.1\r\nSubject: a\r\n folded\r\nContent-Length: 5\r\n",
        "frame.sip.request.body": b"v=0\r\n",
        "frame.sip.pdu": INVITE,
    }
    assert {b.name: tx.buffer(b.name)[0] for b in SPEC.buffers if tx.buffer(b.name)} == expected
    assert tx.eve() == {
        "method": "INVITE",
        "uri": "sip:bob@lab.example;transport=udp",
        "version": "SIP/2.0",
        "request_line": "INVITE sip:bob@lab.example;transport=udp SIP/2.0",
    }


def test_response():
    tx, odd = one(RINGING, TO_CLIENT)
    assert odd == []
    assert tx.buffer("sip.stat_code") == (b"180",)
    assert tx.buffer("sip.stat_msg") == (b"Ringing on desk",)
    assert tx.buffer("sip.response_line") == (b"SIP/2.0 180 Ringing on desk",)
    assert tx.buffer("frame.sip.response.headers") == (b"Via: SIP/2.0/UDP 10.0.0.1\r\n",)
    assert tx.buffer("frame.sip.response.body") == tx.buffer("sip.method") == ()
    assert tx.eve() == {
        "version": "SIP/2.0",
        "code": "180",
        "reason": "Ringing on desk",
        "response_line": "SIP/2.0 180 Ringing on desk",
    }


@pytest.mark.parametrize(
    ("data", "side"),
    [
        (RINGING, TO_SERVER),
        (INVITE, TO_CLIENT),
        (INVITE[:40], TO_SERVER),
        (sip(b"INVITE sip:a SIP/2.0 x"), TO_SERVER),
        (sip(b"INVITE  sip:a SIP/2.0"), TO_SERVER),
        (sip(b"INV1TE sip:a SIP/2.0"), TO_SERVER),
        (sip(b"INVITE sip:\0a SIP/2.0"), TO_SERVER),
        (sip(b"INVITE sip:a SIP/2.0", b"no header"), TO_SERVER),
        (sip(b"INVITE sip:a SIP/2.0", b" starts: folded"), TO_SERVER),
        (sip(b"INVITE sip:a SIP/2.0", *[b"a: b"] * (parse.MAX_HEADERS + 1)), TO_SERVER),
        (sip(b"SIP/2.0 18 Ringing"), TO_CLIENT),
        (sip(b"SIP/2.0 180"), TO_CLIENT),
        (sip(b"SIP/2.0 180 a\0"), TO_CLIENT),
    ],
)
def test_what_is_malformed_is_a_frame_and_an_event(data, side):
    tx, odd = one(data, side)
    assert odd == [(AppAnomaly.SIP_INVALID_DATA, side)]
    assert [b.name for b in SPEC.buffers if tx.buffer(b.name)] == ["frame.sip.pdu"]


def test_a_message_without_headers():
    assert one(sip(b"OPTIONS sip:a SIP/2.0"), TO_SERVER)[0].buffer("sip.method") == (b"OPTIONS",)


@pytest.mark.parametrize(
    "data", [INVITE, RINGING, b"ACK sips:a SIP/2.0\r\n", b"CANCEL tel:+49 SIP/2.0\r\n", b"options sip:x"]
)
def test_detection(data):
    assert datagram(data) == SIP


@pytest.mark.parametrize(
    "data",
    [
        b"M-SEARCH * HTTP/1.1\r\n",
        b"SIP/3.0",
        b"INVITE *",
        b"GET x HTTP/1.1",
        b"AB sip:x",
        b"GET / HTTP/1.1",
        b"INVITE\tsip:x",
        b"INVITE",
        b"SIP/2.0",
    ],
)
def test_not_sip(data):
    assert datagram(data) == APP_UNKNOWN


@pytest.mark.parametrize(
    "line", [b"OPTIONS * SIP/2.0", b"INVITE http://x/ SIP/2.0", b"SIP/3.0 200 OK", b"SIP/2.0 abc OK"]
)
def test_targets_versions_and_codes_of_any_kind(line):
    data = sip(line)
    assert datagram(data) == SIP
    tx, odd = one(data, TO_CLIENT if line.startswith(b"SIP") else TO_SERVER)
    assert odd == []
    assert len(tx.buffer("sip.protocol")) == 1
