"""LDAP messages: bytes to a record (RFC 4511 section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from sensor.proto.ber import BOOLEAN, ENUMERATED, SEQUENCE, SET, Ber
from sensor.proto.ldap import filters
from sensor.proto.reader import WireError

BIND, BIND_RESPONSE, UNBIND, SEARCH, ENTRY, DONE, MODIFY, MODIFY_RESPONSE = range(8)
ADD, ADD_RESPONSE, DELETE, DELETE_RESPONSE, RENAME, RENAME_RESPONSE, COMPARE, COMPARE_RESPONSE = range(8, 16)
ABANDON, REFERENCE, EXTENDED, EXTENDED_RESPONSE, INTERMEDIATE = 16, 19, 23, 24, 25
"""Application tags of the operations."""

OPERATIONS: Mapping[str, int] = MappingProxyType(
    {
        "bind_request": BIND, "bind_response": BIND_RESPONSE, "unbind_request": UNBIND, "search_request": SEARCH,
        "search_result_entry": ENTRY, "search_result_done": DONE, "modify_request": MODIFY,
        "modify_response": MODIFY_RESPONSE, "add_request": ADD, "add_response": ADD_RESPONSE, "del_request": DELETE,
        "del_response": DELETE_RESPONSE, "mod_dn_request": RENAME, "mod_dn_response": RENAME_RESPONSE,
        "compare_request": COMPARE, "compare_response": COMPARE_RESPONSE, "abandon_request": ABANDON,
        "search_result_reference": REFERENCE, "extended_request": EXTENDED, "extended_response": EXTENDED_RESPONSE,
        "intermediate_response": INTERMEDIATE,
    }
)  # fmt: skip
REQUESTS = frozenset({BIND, UNBIND, SEARCH, MODIFY, ADD, DELETE, RENAME, COMPARE, ABANDON, EXTENDED})

START_TLS = b"1.3.6.1.4.1.1466.20037"
"""RFC 4511 section 4.14.1."""

MAX_ATTRIBUTES = 256
"""Attribute names kept of a message."""

_SIMPLE, _SASL = 0x80, 0xA3
_EXTENDED_NAME = 0x80


class LdapMessage(msgspec.Struct, gc=False):
    """One message."""

    number: int
    operation: int
    dn: bytes = b""
    """What the operation is about: the name of a bind, the base of a search, the entry."""
    attributes: list[bytes] = []
    scope: int | None = None
    filter: bytes = b""
    """As text (RFC 4515)."""
    result: int | None = None
    text: bytes = b""
    """Diagnostic message of a result."""
    mechanism: bytes = b""
    """Of a SASL bind."""
    simple: bool = False
    """A bind with a password."""
    name: bytes = b""
    """Of an extended operation."""


def message(data: bytes) -> LdapMessage | None:
    """Parse one message; None where it is malformed."""
    try:
        fields = Ber(data).enter(SEQUENCE)
        number = fields.integer()
        element = fields.next()
        found = LdapMessage(number, element.tag & 0x1F)
        if element.tag - found.operation != (0x40 if found.operation in _PRIMITIVE else 0x60):
            return None
        inside = fields.inside(element)
        read = _READERS.get(found.operation)
        if found.operation == DELETE:
            found.dn = fields.content(element)
        elif read is not None:
            read(inside, found)
        elif found.operation not in _EMPTY:
            return None
    except WireError:
        return None
    return found


def _bind(fields: Ber, found: LdapMessage) -> None:
    """Section 4.2."""
    fields.integer()
    found.dn = fields.octets()
    found.simple = fields.peek() == _SIMPLE
    if fields.peek() == _SASL:
        found.mechanism = fields.enter(_SASL).octets()


def _search(fields: Ber, found: LdapMessage) -> None:
    """Section 4.5.1."""
    found.dn = fields.octets()
    found.scope = fields.integer(ENUMERATED)
    fields.integer(ENUMERATED)
    fields.integer()
    fields.integer()
    fields.expect(BOOLEAN)
    found.filter = filters.text(fields)
    found.attributes = _names(fields.enter(SEQUENCE))


def _names(items: Ber) -> list[bytes]:
    found: list[bytes] = []
    while items.more() and len(found) < MAX_ATTRIBUTES:
        found.append(items.octets())
    return found


def _entry(fields: Ber, found: LdapMessage) -> None:
    """Read an entry with attributes and values: sections 4.5.2 and 4.7."""
    found.dn = fields.octets()
    items = fields.enter(SEQUENCE)
    names: list[bytes] = []
    while items.more() and len(names) < MAX_ATTRIBUTES:
        attribute = items.enter(SEQUENCE)
        names.append(attribute.octets())
        attribute.expect(SET)
    found.attributes = names


def _modify(fields: Ber, found: LdapMessage) -> None:
    """Section 4.6."""
    found.dn = fields.octets()
    items = fields.enter(SEQUENCE)
    names: list[bytes] = []
    while items.more() and len(names) < MAX_ATTRIBUTES:
        change = items.enter(SEQUENCE)
        change.integer(ENUMERATED)
        names.append(change.enter(SEQUENCE).octets())
    found.attributes = names


def _named(fields: Ber, found: LdapMessage) -> None:
    """Read the entry, which comes first: sections 4.9 and 4.10."""
    found.dn = fields.octets()


def _result(fields: Ber, found: LdapMessage) -> None:
    """Section 4.1.9."""
    found.result = fields.integer(ENUMERATED)
    found.dn = fields.octets()
    found.text = fields.octets()


def _extended(fields: Ber, found: LdapMessage) -> None:
    """Section 4.12."""
    found.name = fields.octets(_EXTENDED_NAME)


_PRIMITIVE = frozenset({UNBIND, DELETE, ABANDON})
_EMPTY = frozenset({UNBIND, ABANDON, REFERENCE, INTERMEDIATE})
_READERS: Mapping[int, Callable[[Ber, LdapMessage], None]] = MappingProxyType(
    {
        BIND: _bind, SEARCH: _search, ENTRY: _entry, ADD: _entry, MODIFY: _modify, RENAME: _named, COMPARE: _named,
        EXTENDED: _extended,
        **dict.fromkeys(
            (BIND_RESPONSE, DONE, MODIFY_RESPONSE, ADD_RESPONSE, DELETE_RESPONSE, RENAME_RESPONSE, COMPARE_RESPONSE,
             EXTENDED_RESPONSE),
            _result,
        ),
    }
)  # fmt: skip
