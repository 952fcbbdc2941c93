"""LDAP messages for tests."""

from bermake import integer, tlv

SASL, SEALED = b"GSS-SPNEGO", b"\0\0\0\x20" + b"s" * 32


def octets(value):
    return tlv(4, value)


def ldap(operation, *parts, number=7):
    return tlv(0x30, integer(number), tlv(operation, *parts))


def bind(name=b"cn=admin", auth=None):
    return ldap(0x60, integer(3), octets(name), tlv(0x80, b"secret") if auth is None else auth)


def sasl(mechanism=SASL):
    return bind(b"", tlv(0xA3, octets(mechanism), octets(b"token")))


def equal(name, value):
    return tlv(0xA3, octets(name), octets(value))


FILTER = tlv(
    0xA0,
    equal(b"objectClass", b"group"),
    tlv(0xA1, tlv(0xA4, octets(b"cn"), tlv(0x30, tlv(0x80, b"adm"), tlv(0x81, b"in"))), tlv(0x87, b"mail")),
    tlv(0xA2, tlv(0xA9, tlv(0x81, b"1.2.840.113556.1.4.803"), tlv(0x82, b"uac"), tlv(0x83, b"2"))),
    tlv(0xA5, octets(b"uid"), octets(b"500")),
)


def search(base=b"dc=lab,dc=example", filter_=FILTER, attributes=(b"cn", b"memberOf"), scope=2):
    names = tlv(0x30, *map(octets, attributes))
    limits = integer(scope, 10) + integer(0, 10) + integer(0) + integer(0) + tlv(1, b"\0")
    return ldap(0x63, octets(base), limits, filter_, names)


def result(operation=0x65, code=0, dn=b"", text=b""):
    return ldap(operation, integer(code, 10), octets(dn), octets(text))


def entry(operation=0x64, dn=b"cn=Domain Admins,dc=lab", names=(b"cn", b"member")):
    values = tlv(0x31, octets(b"x"))
    return ldap(operation, octets(dn), tlv(0x30, *(tlv(0x30, octets(name), values) for name in names)))


MODIFY = ldap(
    0x66, octets(b"cn=x"), tlv(0x30, tlv(0x30, integer(2, 10), tlv(0x30, octets(b"member"), tlv(0x31, octets(b"me")))))
)
START_TLS = ldap(0x77, tlv(0x80, b"1.3.6.1.4.1.1466.20037"))
UNBIND = tlv(0x30, integer(9), b"\x42\0")
