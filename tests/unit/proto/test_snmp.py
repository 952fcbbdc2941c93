import bermake as ber
import pytest
from handshakes import TO_CLIENT, TO_SERVER
from test_probe import APP_UNDECIDED, datagram, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import SNMP
from sensor.proto.snmp import parse
from sensor.proto.snmp.fields import SPEC


def of_variable(raw):
    names = ber.tlv(0x30, ber.tlv(0x30, ber.tlv(6, raw)))
    return ber.snmp(pdu=ber.tlv(0xA0, ber.integer(1), ber.integer(0), ber.integer(0), names))


def one(data):
    parser = SPEC.new_datagram_parser()
    (stage,) = parser.feed(TO_CLIENT, data, 0)
    return stage.tx, parser.anomalies()


def test_version_2():
    tx, odd = one(ber.snmp(1, b"[secret]", ber.snmp_pdu(1, names=(ber.SYS_UPTIME, (1, 3, 6, 1, 4, 1, 311)))))
    assert odd == []
    assert tx.buffer("snmp.community") == (b"[secret]",)
    assert tx.buffer("snmp.usm") == ()
    assert tx.numbers("snmp.version") == (2,)
    assert tx.numbers("snmp.pdu_type") == (1,)
    assert tx.eve() == {
        "version": 2,
        "pdu_type": "get_next_request",
        "vars": ["1.3.6.1.2.1.1.3.0", "1.3.6.1.4.1.311"],
        "community": "[secret]",
    }


def test_an_error_is_named_but_not_in_bulk_requests():
    assert one(ber.snmp(0, pdu=ber.snmp_pdu(2, error=2)))[0].eve()["error"] == "NoSuchName"
    assert one(ber.snmp(0, pdu=ber.snmp_pdu(2, error=77)))[0].eve()["error"] == "77"
    assert "error" not in one(ber.snmp(1, pdu=ber.snmp_pdu(5, error=2)))[0].eve()


def test_trap_of_version_1():
    eve = one(ber.snmp(0, pdu=ber.snmp_trap_v1()))[0].eve()
    assert eve["version"] == 1
    assert (eve["pdu_type"], eve["trap_type"]) == ("trap_v1", "linkUp")
    assert (eve["trap_oid"], eve["trap_address"]) == ("1.3.6.1.4.1.9.1.300", "10.0.0.7")


def test_version_3():
    tx, odd = one(ber.snmp_v3())
    assert odd == []
    assert tx.buffer("snmp.usm") == (b"admin",)
    assert tx.buffer("snmp.community") == ()
    assert tx.numbers("snmp.pdu_type") == (8,)
    assert tx.eve() == {"version": 3, "pdu_type": "report", "vars": ["1.3.6.1.2.1.1.3.0"], "usm": "admin"}


def test_version_3_encrypted():
    tx, _ = one(ber.snmp_v3(data=ber.tlv(4, b"\xff" * 40)))
    assert tx.numbers("snmp.pdu_type") == ()
    assert tx.eve() == {"version": 3, "pdu_type": "encrypted", "usm": "admin"}


def test_unknown_security_model():
    tx, odd = one(ber.snmp_v3(model=9))
    assert odd == [(AppAnomaly.SNMP_UNKNOWN_SECURITY_MODEL, TO_CLIENT)]
    assert AppAnomaly.SNMP_UNKNOWN_SECURITY_MODEL.event == "snmp.unknown_security_model"
    assert tx.buffer("snmp.usm") == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ber.snmp()[:-1],
        ber.snmp(2),
        ber.snmp(4),
        ber.snmp(-1),
        ber.snmp(pdu=ber.tlv(4, b"x")),
        of_variable(b"\x80"),
        of_variable(b"\xff" * 12 + b"\1"),
        ber.snmp_v3().replace(b"\2\2\0\xc8", b"\4\2\0\xc8"),
    ],
)
def test_malformed(data):
    parser = SPEC.new_datagram_parser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert parser.anomalies() == [(AppAnomaly.SNMP_MALFORMED_DATA, TO_SERVER)]


def test_variables_are_bounded():
    names = [ber.SYS_UPTIME] * (parse.MAX_VARIABLES + 10)
    assert len(one(ber.snmp(pdu=ber.snmp_pdu(names=names)))[0].eve()["vars"]) == parse.MAX_VARIABLES


def test_versions_of_a_flow():
    parser = SPEC.new_datagram_parser()
    for side, version in ((TO_SERVER, 1), (TO_CLIENT, 1), (TO_CLIENT, 0), (TO_SERVER, 0), (TO_SERVER, 1)):
        (stage,) = parser.feed(side, ber.snmp(version), 0)
        assert stage.tx.numbers("snmp.version") == (version + 1,)
    assert parser.anomalies() == [
        (AppAnomaly.SNMP_VERSION_MISMATCH, TO_CLIENT), (AppAnomaly.SNMP_VERSION_MISMATCH, TO_SERVER),
    ]  # fmt: skip
    assert SPEC.flow_state


def test_over_tcp():
    parser = SPEC.new_parser()
    stages = parser.feed(TO_SERVER, ber.snmp() + ber.snmp_v3() + ber.snmp(0), 0)
    assert [s.tx.numbers("snmp.version") for s in stages] == [(2,), (3,), (1,)]
    assert [odd.event for odd, _ in parser.anomalies()] == ["snmp.version_mismatch"] * 2
    parser.feed(TO_SERVER, b"\x30\x80" + b"\0" * 9, 0)
    assert parser.anomalies() == [(AppAnomaly.SNMP_MALFORMED_DATA, TO_SERVER)]


@pytest.mark.parametrize(
    "data", [ber.snmp(), ber.snmp(0, b""), ber.snmp(1, b"c" * 100), ber.snmp(0, pdu=ber.snmp_trap_v1()), ber.snmp_v3()]
)
def test_detection(data):
    assert datagram(data) == SNMP
    assert stream(data) == SNMP
    assert stream(b"", data) == SNMP
    assert stream(data[:5]) == APP_UNDECIDED


@pytest.mark.parametrize(
    "data",
    [
        ber.snmp(2),
        ber.tlv(0x30, ber.integer(1), ber.tlv(0x60, ber.integer(3), ber.tlv(4), ber.tlv(0x80))),  # LDAP bind
        ber.tlv(0x30, ber.integer(3), ber.tlv(0x63, b"x" * 20)),  # LDAP search
        ber.snmp(pdu=ber.tlv(0xA9, b"x" * 10)),
        ber.tlv(0x30, ber.integer(3), ber.tlv(0x30, b"\4" * 13)),
    ],
)
def test_not_snmp(data):
    assert datagram(data) != SNMP
    assert stream(data) != SNMP


def test_on_its_port_community_and_pdu_may_be_anything():
    for data in (ber.snmp(community=b"c" * 200), ber.snmp(pdu=ber.snmp_pdu(9))):
        assert datagram(data, 161) == datagram(data, 162) == SNMP
        assert datagram(data) != SNMP
    tx, odd = one(ber.snmp(pdu=ber.snmp_pdu(9)))
    assert (tx.numbers("snmp.pdu_type"), tx.eve()["pdu_type"], odd) == ((9,), "9", [])


def test_an_empty_community_is_none():
    assert one(ber.snmp(community=b""))[0].buffer("snmp.community") == ()
