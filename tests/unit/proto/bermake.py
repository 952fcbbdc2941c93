"""BER for tests: elements, and the Kerberos messages made of them."""

import struct


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(raw)]) + raw + body


def integer(value, tag=2):
    return tlv(tag, value.to_bytes(max(1, (value.bit_length() + 8) // 8), "big", signed=True))


def field(number, *parts):
    return tlv(0xA0 | number, *parts)


def principal(*names):
    return tlv(0x30, field(0, integer(1)), field(1, tlv(0x30, *(tlv(0x1B, n) for n in names))))


def encrypted(etype, cipher=b"C" * 20):
    return tlv(0x30, field(0, integer(etype)), field(2, tlv(4, cipher)))


def kdc_req(kind=10, cname=(b"alice",), realm=b"LAB.EXAMPLE", sname=(b"krbtgt", b"LAB.EXAMPLE"), etypes=(18, 23)):
    body = tlv(
        0x30,
        field(0, tlv(3, b"\0\x40\x81\0\x10")),
        field(1, principal(*cname)) if cname else b"",
        field(2, tlv(0x1B, realm)),
        field(3, principal(*sname)),
        field(5, tlv(0x18, b"20370913024805Z")),
        field(7, integer(77)),
        field(8, tlv(0x30, *map(integer, etypes))),
    )
    return tlv(0x60 | kind, tlv(0x30, field(1, integer(5)), field(2, integer(kind)), field(4, body)))


def kdc_rep(
    kind=11, etype=18, ticket_etype=18, cname=(b"alice",), sname=(b"krbtgt", b"LAB.EXAMPLE"), cipher=b"x" * 300
):
    realm = tlv(0x1B, b"LAB.EXAMPLE")
    ticket = tlv(
        0x61,
        tlv(0x30, field(0, integer(5)), field(1, realm), field(2, principal(*sname)),
            field(3, encrypted(ticket_etype, cipher))),
    )  # fmt: skip
    return tlv(
        0x60 | kind,
        tlv(
            0x30,
            field(0, integer(5)),
            field(1, integer(kind)),
            field(3, realm),
            field(4, principal(*cname)),
            field(5, ticket),
            field(6, encrypted(etype)),
        ),
    )


def krb_error(code=25, sname=(b"krbtgt", b"LAB.EXAMPLE")):
    return tlv(
        0x7E,
        tlv(
            0x30,
            field(0, integer(5)),
            field(1, integer(30)),
            field(4, tlv(0x18, b"20260101000000Z")),
            field(5, integer(1234)),
            field(6, integer(code)),
            field(9, tlv(0x1B, b"LAB.EXAMPLE")),
            field(10, principal(*sname)),
        ),
    )


def marked(message):
    return struct.pack("!I", len(message)) + message


def oid(*arcs):
    body = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        raw = [arc & 0x7F]
        while arc := arc >> 7:
            raw.append(arc & 0x7F | 0x80)
        body += bytes(reversed(raw))
    return tlv(6, body)


SYS_UPTIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)


def bindings(*names):
    return tlv(0x30, *(tlv(0x30, oid(*name), tlv(5)) for name in names))


def snmp_pdu(kind=0, error=0, names=(SYS_UPTIME,)):
    return tlv(0xA0 | kind, integer(4711), integer(error), integer(0), bindings(*names))


def snmp(version=1, community=b"public", pdu=None):
    return tlv(0x30, integer(version), tlv(4, community), pdu or snmp_pdu())


def snmp_trap_v1(generic=3, names=()):
    enterprise = oid(1, 3, 6, 1, 4, 1, 9, 1, 300)
    ticks = tlv(0x43, b"\1\2")
    agent = tlv(0x40, b"\x0a\0\0\x07")
    return tlv(0xA4, enterprise, agent, integer(generic), integer(0), ticks, bindings(*names))


def snmp_v3(user=b"admin", data=None, model=3):
    header = tlv(0x30, integer(99), integer(65507), tlv(4, b"\7"), integer(model))
    usm = tlv(0x30, tlv(4, b"\x80engine"), integer(1), integer(200), tlv(4, user), tlv(4, b"a" * 12), tlv(4, b"s" * 8))
    scoped = tlv(0x30, tlv(4, b"\x80engine"), tlv(4), snmp_pdu(8))
    return tlv(0x30, integer(3), header, tlv(4, usm), scoped if data is None else data)
