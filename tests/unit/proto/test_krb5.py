import pytest
from bermake import kdc_rep, kdc_req, krb_error, marked, tlv
from handshakes import TO_CLIENT, TO_SERVER
from test_probe import APP_UNDECIDED, datagram, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto import messages
from sensor.proto.ids import KRB5
from sensor.proto.krb5 import parse, state
from sensor.proto.krb5.fields import SPEC


def one(data, side=TO_SERVER):
    parser = SPEC.new_datagram_parser()
    (stage,) = parser.feed(side, data, 0)
    return stage.tx, parser.anomalies()


def test_request():
    tx, odd = one(kdc_req())
    assert odd == []
    assert tx.buffer("krb5.cname") == tx.buffer("krb5.sname") == ()  # for rules, answers have names
    assert tx.numbers("krb5.msg_type") == (10,)
    assert tx.numbers("krb5.err_code") == tx.numbers("krb5.ticket_encryption") == ()
    assert tx.eve() == {
        "msg_type": "KRB_AS_REQ",
        "cname": "alice",
        "realm": "LAB.EXAMPLE",
        "sname": "krbtgt/LAB.EXAMPLE",
        "encryption": "<none>",
        "weak_encryption": False,
    }
    assert parse.message(kdc_req()).etypes == (18, 23)


def test_request_without_a_client_name():
    tx, _ = one(kdc_req(12, cname=(), sname=(b"cifs", b"files")))
    assert tx.buffer("krb5.cname") == ()
    assert tx.eve()["cname"] == "<empty>"
    assert tx.eve()["msg_type"] == "KRB_TGS_REQ"


@pytest.mark.parametrize(
    ("etype", "weak"), [(18, False), (17, False), (20, False), (26, False), (23, True), (3, True), (-133, True)]
)
def test_reply_encryption(etype, weak):
    tx, odd = one(kdc_rep(13, etype, 23), TO_CLIENT)
    assert odd == ([(AppAnomaly.KRB5_WEAK_ENCRYPTION, TO_CLIENT)] if weak else [])
    assert tx.eve()["weak_encryption"] is weak
    assert tx.eve()["ticket_encryption"] == "rc4-hmac"
    assert tx.eve()["ticket_weak_encryption"] is True
    assert tx.numbers("krb5.ticket_encryption") == (23,)
    assert tx.numbers("krb5.ticket_weak") == (1,)


def test_error():
    tx, _ = one(krb_error(25), TO_CLIENT)
    assert tx.numbers("krb5.msg_type") == (30,)
    assert tx.numbers("krb5.err_code") == (25,)
    assert tx.eve()["error_code"] == "KDC_ERR_PREAUTH_REQUIRED"
    assert one(krb_error(200))[0].eve()["error_code"] == "200"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        kdc_req()[:-1],
        kdc_req(14),
        tlv(0x6A, tlv(0x30, b"")),
        tlv(0x30, kdc_req()),
        kdc_rep(sname=(b"a",) * (parse.MAX_NAMES + 1)),
        kdc_req().replace(b"LAB.EXAMPLE", b"\xff" * 11).replace(b"\x1b\x0b\xff", b"\x1b\x7f\xff"),
    ],
)
def test_malformed(data):
    parser = SPEC.new_datagram_parser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert parser.anomalies() == [(AppAnomaly.KRB5_MALFORMED_DATA, TO_SERVER)]


def test_stream_of_records():
    parser = SPEC.new_parser()
    stages = parser.feed(TO_SERVER, marked(kdc_req()) + marked(kdc_req(12)), 0)
    stages += parser.feed(TO_CLIENT, marked(kdc_rep()), 0)
    assert [(s.tx.id, s.side, s.tx.numbers("krb5.msg_type")) for s in stages] == [
        (0, 0, (10,)),
        (1, 0, (12,)),
        (2, 1, (11,)),
    ]


def test_overlong_record_is_passed_over():
    parser = SPEC.new_parser()
    long = b"\0\x7f\xff\xff" + b"x" * 0x7FFFFF
    stages = parser.feed(TO_SERVER, long + marked(kdc_req()), 0)
    assert len(stages) == 1
    assert parser.anomalies() == [(AppAnomaly.KRB5_MALFORMED_DATA, TO_SERVER)]
    parser.feed(TO_SERVER, long[: state.MAX_MESSAGE * 2], 0)
    assert len(parser._sides[0]._buffer) == 0


def test_gap_inside_a_record_costs_that_record():
    parser = SPEC.new_parser()
    first = marked(kdc_rep())
    parser.feed(TO_CLIENT, first[:50], 0)
    parser.gap(TO_CLIENT, 100, 0)
    stages = parser.feed(TO_CLIENT, first[150:] + marked(krb_error()), 0)
    assert [s.tx.numbers("krb5.msg_type") for s in stages] == [(30,)]
    assert parser.anomalies() == []


def test_gap_over_the_end_of_a_record_ends_the_side():
    parser = SPEC.new_parser()
    parser.feed(TO_CLIENT, marked(kdc_rep())[:50], 0)
    parser.gap(TO_CLIENT, 5000, 0)
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_CLIENT)]
    assert parser.feed(TO_CLIENT, marked(krb_error()), 0) == []
    assert not parser.done
    assert len(parser.feed(TO_SERVER, marked(kdc_req()), 0)) == 1


def test_a_side_of_nonsense_is_given_up():
    parser = SPEC.new_parser()
    parser.feed(TO_SERVER, marked(b"x" * 20) * messages.MAX_BAD, 0)
    assert parser.feed(TO_SERVER, marked(kdc_req()), 0) == []
    parser.feed(TO_CLIENT, b"\0\0\0\0" * messages.MAX_BAD, 0)
    assert parser.done


@pytest.mark.parametrize(
    "message", [kdc_req(), kdc_req(12), kdc_rep(), kdc_rep(13), krb_error(), kdc_req(sname=(b"x" * 300,))]
)
def test_detection(message):
    assert datagram(message) == KRB5
    assert stream(marked(message)) == KRB5
    assert stream(b"", marked(message)) == KRB5
    assert stream(marked(message)[:9]) == APP_UNDECIDED


@pytest.mark.parametrize(
    "message",
    [
        kdc_req()[:3] + b"\x31" + kdc_req()[4:],
        b"\x6a\x80\x30\x80" + b"\xa1\3\2\1\5" * 5,
        kdc_req().replace(b"\2\1\5", b"\2\1\4"),
    ],
)
def test_not_kerberos(message):
    assert datagram(message) != KRB5
    assert stream(marked(message)) != KRB5


def test_error_says_what_was_asked_for_on_its_connection():
    parser = SPEC.new_parser()
    stages = parser.feed(TO_SERVER, marked(kdc_req()), 0) + parser.feed(TO_CLIENT, marked(krb_error()), 0)
    assert stages[-1].tx.eve()["failed_request"] == "KRB_AS_REQ"
    assert "failed_request" not in one(krb_error(), TO_CLIENT)[0].eve()
