"""The Kerberos ticket in the security blob of a session set-up (RFC 4121 section 4.1, RFC 4120 section 5.5.1)."""

from __future__ import annotations

import msgspec

from sensor.proto.ber import SEQUENCE, Ber, context
from sensor.proto.krb5.parse import GENERAL_STRING, MAX_NAMES
from sensor.proto.reader import WireError

_TOKEN = bytes.fromhex("06092a864886f712010202" + "0100")
"""The mechanism's object identifier, and that an AP-REQ follows."""
_AP_REQ, _TICKET = 0x6E, 0x61


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """For whom a ticket is."""

    realm: bytes
    names: tuple[bytes, ...]
    """Service and host."""


def ticket(blob: bytes) -> Ticket | None:
    """Return the ticket of a log-on, wherever in the blob it begins; None: there is none that can be read."""
    start = blob.find(_TOKEN)
    if start < 0:
        return None
    try:
        request = Ber(blob, start + len(_TOKEN)).enter(_AP_REQ).enter(SEQUENCE)
        found = _field(request, 3).enter(_TICKET).enter(SEQUENCE)
        realm = _field(found, 1).octets(GENERAL_STRING)
        names = _field(_field(found, 2).enter(SEQUENCE), 1).enter(SEQUENCE)
        parts: list[bytes] = []
        while names.more() and len(parts) < MAX_NAMES:
            parts.append(names.octets(GENERAL_STRING))
    except WireError:
        return None
    return Ticket(realm, tuple(parts))


def _field(cursor: Ber, number: int) -> Ber:
    found = cursor.find(context(number))
    if found is None:
        raise WireError(f"field {number} is missing", cursor.pos)
    return found
