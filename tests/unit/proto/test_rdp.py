import pytest
from handshakes import TO_CLIENT, TO_SERVER, certificate, certificates, drive, record, server_hello, tlv
from rdpmake import CONFIRM, REFUSED, REQUEST, negotiate, x224
from test_probe import APP_UNDECIDED, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import RDP
from sensor.proto.rdp.fields import SPEC


def run(*pieces):
    parser = SPEC.new_parser()
    stages = [stage for side, data in pieces for stage in parser.feed(side, data, 0)]
    return parser, [stage.tx for stage in stages], [odd.event for odd, _ in parser.anomalies()]


def test_request_and_answer():
    parser, (request, answer), odd = run((TO_SERVER, REQUEST + b"\x16\3\1"), (TO_CLIENT, CONFIRM), (TO_SERVER, b"\x16"))
    assert odd == []
    assert not parser.done
    assert request.buffer("rdp.cookie") == (b"alice",)
    assert request.numbers("rdp.requested") == (3,)
    assert request.eve() == {
        "tx_id": 1,
        "event_type": "initial_request",
        "cookie": "alice",
        "flags": ["restricted_admin_mode_required", "correlation_info_present"],
    }
    assert answer.numbers("rdp.protocol") == (2,)
    assert answer.buffer("rdp.cookie") == ()
    assert answer.eve() == {
        "tx_id": 2,
        "event_type": "initial_response",
        "server_supports": ["extended_client_data", "dynvc_gfx", "restricted_admin", "redirected_authentication"],
        "protocol": "hybrid",
    }


def test_refusal():
    _, (tx,), odd = run((TO_CLIENT, REFUSED))
    assert odd == []
    assert tx.numbers("rdp.failure") == (5,)
    assert tx.numbers("rdp.protocol") == ()
    assert tx.eve() == {
        "tx_id": 1, "event_type": "initial_response", "error_code": 5, "reason": "hybrid required by server",
    }  # fmt: skip


def chain_of(*serials):
    return certificates(*(certificate(serial=tlv(2, serial)) for serial in serials))


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize(
    ("serials", "shown"),
    [((), []), ((b"\5",), ["5"]), ((b"\0\x9a\1", b"\x7f\0"), ["9a01", "7f00"])],
)
def test_certificates_of_the_server(size, serials, shown):
    parser = SPEC.new_parser()
    hello = record(22, server_hello()) + record(22, chain_of(*serials))
    stages = drive(parser, [(TO_SERVER, REQUEST), (TO_CLIENT, CONFIRM + hello + b"\x17\3\3\0\1x")], size)
    assert [stage.side for stage in stages] == [TO_SERVER, TO_CLIENT, TO_CLIENT]
    assert stages[2].tx.eve() == {"tx_id": 3, "event_type": "tls_handshake", "x509_serials": shown}
    assert parser.done
    assert parser.anomalies() == []


@pytest.mark.parametrize(
    "data", [b"\x14\3\3\0\1\1" + record(22, chain_of(b"\5")), b"\3\0\0\x09\2\xf0\x80\x7f\x65", record(23, b"x" * 9)]
)
def test_what_tells_no_certificates_ends_it(data):
    parser, transactions, odd = run((TO_SERVER, REQUEST), (TO_CLIENT, CONFIRM), (TO_CLIENT, data))
    assert len(transactions) == 2
    assert odd == []
    assert parser.done


@pytest.mark.parametrize("answer", [x224(0xD0), x224(0xD0, negotiate(2))])
def test_tls_counts_whatever_the_server_has_chosen(answer):
    parser, transactions, _ = run((TO_SERVER, REQUEST), (TO_CLIENT, answer + record(22, chain_of(b"\5"))))
    assert transactions[2].eve()["x509_serials"] == ["5"]
    assert parser.done


def test_lost_bytes_of_the_server_end_it():
    parser, _, _ = run((TO_SERVER, REQUEST), (TO_CLIENT, CONFIRM))
    parser.gap(TO_CLIENT, 3, 0)
    assert parser.done
    assert parser.anomalies() == []


@pytest.mark.parametrize(
    "rest", [b"", negotiate(1), b"Cookie: msts=1.2.3\r\n" + negotiate(1), b"Cookie: mstshash=\r\n"]
)
def test_requests_without_a_cookie(rest):
    _, (tx,), odd = run((TO_SERVER, x224(0xE0, rest)))
    assert odd == []
    assert tx.buffer("rdp.cookie") == ()
    assert tx.numbers("rdp.requested") == (0,)


@pytest.mark.parametrize(
    ("side", "data"),
    [
        (TO_SERVER, b"\4\0\0\x0b"),
        (TO_SERVER, CONFIRM),
        (TO_CLIENT, REQUEST),
        (TO_SERVER, b"\3\0\0\x06\1\xe0"),
        (TO_SERVER, b"\3\0\x7f\xff" + b"x" * 40),
        (TO_SERVER, x224(0xE0, negotiate(1)[:5])),
        (TO_SERVER, x224(0xE0, negotiate(2))),
        (TO_CLIENT, x224(0xD0, negotiate(1))),
        (TO_SERVER, REQUEST[:4] + b"\5" + REQUEST[5:]),
    ],
)
def test_malformed(side, data):
    parser, transactions, odd = run((side, data), (side, REQUEST))
    assert transactions == []
    assert odd == ["rdp.malformed"]
    assert not parser.done


def test_gap():
    parser, _, _ = run((TO_SERVER, REQUEST[:9]))
    parser.gap(TO_SERVER, 3, 0)
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]
    assert parser.feed(TO_SERVER, REQUEST, 0) == []
    assert len(parser.feed(TO_CLIENT, CONFIRM, 0)) == 1


def test_detection():
    assert stream(REQUEST) == RDP
    assert stream(x224(0xE0)) == RDP
    assert stream(x224(0xE0, negotiate(1))) == RDP
    assert stream(b"", CONFIRM) == RDP
    assert stream(b"", REFUSED) == RDP
    assert stream(REQUEST[:9]) == APP_UNDECIDED
    assert stream(x224(0xE0, b"\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2") + b"x" * 30) != RDP
    assert stream(x224(0xF0) + b"x" * 30) != RDP
    assert stream(b"\3\0\0\x0b\7\xe0" + b"x" * 30) != RDP


def test_on_its_port_any_tpkt_is_rdp():
    request = x224(0xE0, b"msts=1.2.3\r\n")
    assert stream(request, port=3389) == RDP
    assert stream(request) != RDP
    assert stream(x224(0xE0, b"tsv://MS Terminal Services Plugin.1.Sessions\r\n")) == RDP
