"""SNMP messages: bytes to a record (RFC 1157 section 4, RFC 3416 section 3, RFC 3412 section 6)."""

from __future__ import annotations

import msgspec

from sensor.proto.ber import OCTETS, OID, SEQUENCE, Ber, oid
from sensor.proto.reader import WireError

V1, V2, V3 = 1, 2, 3
_VERSIONS = (V1, V2, 0, V3)
"""By the number on the wire."""

TRAP_V1 = 4
"""Numbers of PDUs are those of their context tags (RFC 3416 section 3)."""
USM = 3
"""Security model (RFC 3411 section 5)."""
_ENCRYPTED = OCTETS

MAX_VARIABLES = 256
"""Names of variables that are kept; a datagram has room for some 100."""


class SnmpMessage(msgspec.Struct, gc=False):
    """One message."""

    version: int
    community: bytes | None = None
    user: bytes | None = None
    """Version 3 with the user-based model."""
    other_model: bool = False
    """Version 3 with another security model."""
    encrypted: bool = False
    pdu: int | None = None
    error: int = 0
    trap: tuple[int, str, bytes] | None = None
    """Version 1: generic trap, enterprise, address of the agent."""
    variables: tuple[str, ...] = ()


def message(data: bytes) -> SnmpMessage | None:
    """Parse one message; None where it is malformed."""
    try:
        fields = Ber(data).enter(SEQUENCE)
        number = fields.integer()
        found = SnmpMessage(_VERSIONS[number] if 0 <= number < len(_VERSIONS) else 0)
        if found.version == V3:
            _version3(fields, found)
        elif found.version:
            found.community = fields.octets()
            _pdu(fields, found)
    except WireError:
        return None
    return found if found.version else None


def _version3(fields: Ber, found: SnmpMessage) -> None:
    header = fields.enter(SEQUENCE)
    header.integer()
    header.integer()
    header.octets()
    model = header.integer()
    security = fields.enter(OCTETS)
    if model == USM:
        found.user = _user(security)
    found.other_model = model != USM
    if fields.peek() == _ENCRYPTED:
        fields.next()
        found.encrypted = True
        return
    scoped = fields.enter(SEQUENCE)
    scoped.octets()
    scoped.octets()
    _pdu(scoped, found)


def _user(security: Ber) -> bytes:
    """RFC 3414 section 2.4."""
    fields = security.enter(SEQUENCE)
    fields.octets()
    fields.integer()
    fields.integer()
    return fields.octets()


def _pdu(fields: Ber, found: SnmpMessage) -> None:
    start = fields.pos
    element = fields.next()
    number = element.tag & 0x1F
    if element.tag & 0xE0 != 0xA0:
        raise WireError(f"tag {element.tag:#x} is no PDU's", start)
    found.pdu = number
    pdu = fields.inside(element)
    if number == TRAP_V1:
        enterprise = oid(pdu.octets(OID))
        agent = pdu.octets(0x40)
        found.trap = pdu.integer(), enterprise, agent
        pdu.integer()
        pdu.integer(0x43)
    else:
        pdu.integer()
        found.error = pdu.integer()
        pdu.integer()
    found.variables = _variables(pdu.enter(SEQUENCE))


def _variables(items: Ber) -> tuple[str, ...]:
    found: list[str] = []
    while items.more() and len(found) < MAX_VARIABLES:
        found.append(oid(items.enter(SEQUENCE).octets(OID)))
    return tuple(found)
