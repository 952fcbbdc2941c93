import ldapmake as make
import pytest
from bermake import integer, snmp, tlv
from handshakes import TO_CLIENT, TO_SERVER
from ldapmake import bind, entry, ldap, octets, result, sasl, search
from test_probe import APP_UNDECIDED, datagram, stream

from sensor.proto.ids import LDAP
from sensor.proto.ldap import filters, parse, state
from sensor.proto.ldap.fields import SPEC


def one(data, side=TO_SERVER):
    parser = SPEC.new_datagram_parser()
    (stage,) = parser.feed(side, data, 0)
    assert parser.anomalies() == []
    return stage.tx


def test_search():
    tx = one(search())
    text = b"(&(objectClass=group)(|(cn=adm*in*)(mail=*))(!(uac:1.2.840.113556.1.4.803:=2))(uid>=500))"
    assert tx.buffer("ldap.request.dn") == (b"dc=lab,dc=example",)
    assert tx.buffer("ldap.request.attribute_type") == (b"cn", b"memberOf")
    assert tx.buffer("ldap.request.filter") == (text,)
    assert tx.numbers("ldap.request.operation") == (parse.SEARCH,)
    assert tx.numbers("ldap.responses.operation") == ()
    assert tx.eve() == {
        "request": {
            "operation": "search_request",
            "message_id": 7,
            "search_request": {
                "base_object": "dc=lab,dc=example",
                "scope": "whole_subtree",
                "filter": text.decode(),
                "attributes": ["cn", "memberOf"],
            },
        }
    }


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (make.equal(b"a", b"b"), b"(a=b)"),
        (tlv(0xA6, octets(b"a"), octets(b"b")), b"(a<=b)"),
        (tlv(0xA8, octets(b"a"), octets(b"b")), b"(a~=b)"),
        (tlv(0xA4, octets(b"a"), tlv(0x30, tlv(0x81, b"b"), tlv(0x82, b"c"))), b"(a=*b*c)"),
        (tlv(0xA9, tlv(0x82, b"a"), tlv(0x83, b"b"), tlv(0x84, b"\xff")), b"(a:dn:=b)"),
        (tlv(0xA0), b"(&)"),
    ],
)
def test_filters(raw, text):
    assert one(search(filter_=raw)).buffer("ldap.request.filter") == (text,)


def test_filters_are_bounded():
    deep = make.equal(b"a", b"b")
    for _ in range(filters.MAX_DEPTH - 1):
        deep = tlv(0xA2, deep)
    assert one(search(filter_=deep)).buffer("ldap.request.filter")[0].endswith(b"(a=b" + b")" * filters.MAX_DEPTH)
    assert SPEC.new_datagram_parser().feed(TO_SERVER, search(filter_=tlv(0xA2, deep)), 0) == []
    long = tlv(0xA1, *[make.equal(b"a" * 50, b"b" * 50)] * 1000)
    assert len(one(search(filter_=long)).buffer("ldap.request.filter")[0]) == filters.MAX_TEXT


def test_entry_and_result():
    tx = one(entry(), TO_CLIENT)
    assert tx.buffer("ldap.responses.dn") == (b"cn=Domain Admins,dc=lab",)
    assert tx.buffer("ldap.responses.attribute_type") == (b"cn", b"member")
    assert tx.buffer("ldap.request.dn") == ()
    tx = one(result(0x61, 49, b"dc=x", b"data 52e"), TO_CLIENT)
    assert tx.numbers("ldap.responses.result_code") == (49,)
    assert tx.numbers("ldap.responses.operation") == (parse.BIND_RESPONSE,)
    assert tx.buffer("ldap.responses.message") == (b"data 52e",)
    shown = tx.eve()["responses"][0]["bind_response"]
    assert shown == {"result_code": "invalid_credentials", "matched_dn": "dc=x", "message": "data 52e"}


@pytest.mark.parametrize(
    ("data", "operation", "dn"),
    [
        (bind(), parse.BIND, b"cn=admin"),
        (make.MODIFY, parse.MODIFY, b"cn=x"),
        (entry(0x68, b"cn=new"), parse.ADD, b"cn=new"),
        (ldap(0x4A, b"cn=gone"), parse.DELETE, b"cn=gone"),
        (ldap(0x6C, octets(b"cn=old"), octets(b"cn=new"), tlv(1, b"\1")), parse.RENAME, b"cn=old"),
        (ldap(0x6E, octets(b"cn=x"), tlv(0x30, octets(b"a"), octets(b"b"))), parse.COMPARE, b"cn=x"),
    ],
)
def test_requests(data, operation, dn):
    tx = one(data)
    assert tx.numbers("ldap.request.operation") == (operation,)
    assert tx.buffer("ldap.request.dn") == (dn,)


def test_requests_without_a_name():
    assert one(sasl()).buffer("ldap.request.mechanism") == (make.SASL,)
    assert one(make.UNBIND).numbers("ldap.request.operation") == (parse.UNBIND,)
    assert one(make.START_TLS).eve()["request"]["extended_request"] == {"name": "1.3.6.1.4.1.1466.20037"}
    assert one(make.MODIFY).buffer("ldap.request.attribute_type") == (b"member",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        search()[:-1],
        tlv(0x30, integer(1)),
        tlv(0x30, integer(1), tlv(0x30)),
        ldap(0x62),
        search(filter_=tlv(0xAA, b"")),
        search(filter_=tlv(0x30, b"")),
        ldap(0x65, integer(0, 10)),
        bind(auth=tlv(0xA3)),
    ],
)
def test_malformed(data):
    parser = SPEC.new_datagram_parser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert [odd.event for odd, _ in parser.anomalies()] == ["ldap.invalid_data"]


@pytest.mark.parametrize("start", [sasl(), make.START_TLS])
def test_what_is_sealed_is_not_odd(start):
    parser = SPEC.new_parser()
    assert len(parser.feed(TO_SERVER, start, 0)) == 1
    assert parser.feed(TO_SERVER, make.SEALED, 0) == []
    parser.feed(TO_CLIENT, result(0x61) + make.SEALED, 0)
    assert parser.anomalies() == []
    assert parser.done


def test_without_it_is():
    parser = SPEC.new_parser()
    parser.feed(TO_SERVER, bind() + make.SEALED, 0)
    assert [odd.event for odd, _ in parser.anomalies()] == ["ldap.invalid_data"]


def test_attributes_are_bounded():
    names = [b"a"] * (parse.MAX_ATTRIBUTES + 9)
    assert len(one(search(attributes=names)).buffer("ldap.request.attribute_type")) == parse.MAX_ATTRIBUTES
    assert len(one(entry(names=names)).buffer("ldap.responses.attribute_type")) == parse.MAX_ATTRIBUTES
    parser = SPEC.new_parser()
    assert len(parser.feed(TO_SERVER, tlv(0x30, b"x" * (state.MAX_MESSAGE + 1)) + bind(), 0)) == 1


@pytest.mark.parametrize(
    "data", [search(), bind(), sasl(), entry(), result(), make.MODIFY, make.UNBIND, make.START_TLS]
)
def test_detection(data):
    assert stream(data) == LDAP
    assert stream(b"", data) == LDAP
    assert datagram(data) == LDAP
    assert stream(data[:4]) == APP_UNDECIDED


@pytest.mark.parametrize(
    "data", [snmp(), tlv(0x30, integer(1), tlv(0x62, b"\4\0")), tlv(0x30, integer(1), tlv(0x63, b"\1\1"))]
)
def test_not_ldap(data):
    assert stream(data + b"x" * 30) != LDAP
    assert datagram(data) != LDAP
