"""Kerberos messages: bytes to a record (RFC 4120 section 5, whose field numbers stand in the code)."""

from __future__ import annotations

from types import MappingProxyType

import msgspec

from sensor.proto.ber import INTEGER, SEQUENCE, Ber, context
from sensor.proto.reader import WireError

AS_REQ, AS_REP, TGS_REQ, TGS_REP, AP_REQ, AP_REP, KRB_ERROR = 10, 11, 12, 13, 14, 15, 30
"""Message types, the application tags of the messages."""

GENERAL_STRING = 0x1B
"""KerberosString and Realm."""

MAX_NAMES = 16
"""Components of a principal name; real ones have one to four."""
MAX_ETYPES = 64

STRONG = frozenset({17, 18, 19, 20, 25, 26})
"""Encryption types that are not deprecated (RFC 8429, RFC 8009, RFC 6803): AES and Camellia."""


class KrbMessage(msgspec.Struct, gc=False):
    """One message of a KDC or its client."""

    kind: int
    cname: tuple[bytes, ...] = ()
    """Components of the client's name."""
    realm: bytes = b""
    sname: tuple[bytes, ...] = ()
    etype: int | None = None
    """Encryption of a reply's own part."""
    ticket_etype: int | None = None
    etypes: tuple[int, ...] = ()
    """Encryption types that a request offers."""
    error: int | None = None


def message(data: bytes) -> KrbMessage | None:
    """Parse one message; None where it is malformed, or none of a KDC."""
    try:
        outer = Ber(data).next()
        kind = outer.tag & 0x1F
        read = _READERS.get(kind) if outer.tag & 0xE0 == 0x60 else None
        return read(Ber(data, outer.start, outer.end).enter(SEQUENCE), kind) if read else None
    except WireError:
        return None


def _request(fields: Ber, kind: int) -> KrbMessage:
    """KDC-REQ, section 5.4.1."""
    body = _need(fields, 4).enter(SEQUENCE)
    cname = _principal(body.find(context(1)))
    realm = _need(body, 2).octets(GENERAL_STRING)
    sname = _principal(body.find(context(3)))
    listed = body.find(context(8))
    return KrbMessage(kind, cname, realm, sname, etypes=_integers(listed.enter(SEQUENCE)) if listed else ())


def _reply(fields: Ber, kind: int) -> KrbMessage:
    """KDC-REP, section 5.4.2, with its Ticket, section 5.3."""
    realm = _need(fields, 3).octets(GENERAL_STRING)
    cname = _principal(_need(fields, 4))
    ticket = _need(fields, 5).enter(0x61).enter(SEQUENCE)
    sname = _principal(_need(ticket, 2))
    ticket_etype = _etype(_need(ticket, 3))
    return KrbMessage(kind, cname, realm, sname, _etype(_need(fields, 6)), ticket_etype)


def _error(fields: Ber, kind: int) -> KrbMessage:
    """KRB-ERROR, section 5.9.1."""
    code = _need(fields, 6).integer()
    crealm = fields.find(context(7))
    cname = _principal(fields.find(context(8)))
    realm = _need(fields, 9).octets(GENERAL_STRING)
    sname = _principal(_need(fields, 10))
    return KrbMessage(kind, cname, crealm.octets(GENERAL_STRING) if crealm else realm, sname, error=code)


def _need(fields: Ber, number: int) -> Ber:
    found = fields.find(context(number))
    if found is None:
        raise WireError(f"field {number} is missing", fields.pos)
    return found


def _principal(field: Ber | None) -> tuple[bytes, ...]:
    """PrincipalName, section 5.2.2."""
    if field is None:
        return ()
    names = _need(field.enter(SEQUENCE), 1).enter(SEQUENCE)
    found: list[bytes] = []
    while names.more():
        if len(found) == MAX_NAMES:
            raise WireError("too many components", names.pos)
        found.append(names.octets(GENERAL_STRING))
    return tuple(found)


def _etype(field: Ber) -> int:
    """EncryptedData, section 5.2.9."""
    return _need(field.enter(SEQUENCE), 0).integer()


def _integers(items: Ber) -> tuple[int, ...]:
    found: list[int] = []
    while items.more() and len(found) < MAX_ETYPES:
        found.append(items.integer(INTEGER))
    return tuple(found)


_READERS = MappingProxyType({AS_REQ: _request, TGS_REQ: _request, AS_REP: _reply, TGS_REP: _reply, KRB_ERROR: _error})
