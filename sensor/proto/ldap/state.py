"""LDAP of one flow, up to the point where SASL or TLS encrypts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.proto import ber
from sensor.proto.ldap import parse
from sensor.proto.ldap.parse import LdapMessage
from sensor.proto.messages import Framing, MessageParser, Reading
from sensor.proto.text import text

MAX_MESSAGE = 1 << 20
"""Bytes of a message that is read: entries with certificates and photographs are large."""

RESULTS: Mapping[str, int] = MappingProxyType(
    {
        "success": 0, "operations_error": 1, "protocol_error": 2, "time_limit_exceeded": 3, "size_limit_exceeded": 4,
        "compare_false": 5, "compare_true": 6, "auth_method_not_supported": 7, "stronger_auth_required": 8,
        "referral": 10, "admin_limit_exceeded": 11, "confidentiality_required": 13, "sasl_bind_in_progress": 14,
        "no_such_attribute": 16, "no_such_object": 32, "invalid_dn_syntax": 34, "invalid_credentials": 49,
        "insufficient_access_rights": 50, "busy": 51, "unavailable": 52, "unwilling_to_perform": 53,
        "entry_already_exists": 68, "other": 80,
    }
)  # fmt: skip
"""Words for result codes (RFC 4511 section 4.1.9)."""

_NAMES = MappingProxyType({number: name for name, number in parse.OPERATIONS.items()})
_RESULT_NAMES = MappingProxyType({number: name for name, number in RESULTS.items()})
_SCOPES = ("base_object", "single_level", "whole_subtree")


def _size(head: bytes) -> int:
    return ber.size(head) if head[0] == ber.SEQUENCE else 0


FRAMING = Framing(ber.HEAD, _size, MAX_MESSAGE)


class _Conversation:
    """What both sides have agreed upon. The parser holds it, and it not the parser (it would outlive its flow)."""

    __slots__ = ("sealed",)

    def __init__(self) -> None:
        self.sealed = False
        """What is no message from now on is encrypted."""

    def reading(self, data: bytes, side: int) -> Reading | None:  # noqa: ARG002 - a message tells itself who sent it
        """Read one message (see `sensor.proto.messages.Read`)."""
        message = parse.message(data)
        if message is None:
            return None
        self.sealed |= bool(message.mechanism) or message.name == parse.START_TLS
        return read(message)


class LdapParser(MessageParser):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_conversation",)

    def __init__(self, framing: Framing | None) -> None:
        self._conversation = _Conversation()
        super().__init__(self._conversation.reading, framing, AppAnomaly.LDAP_INVALID_DATA)

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if not self._conversation.sealed:
            super()._report(anomaly, side)


def read(message: LdapMessage) -> Reading:
    """Return what a message says."""
    request = message.operation in parse.REQUESTS
    kind = "request" if request else "responses"
    buffers: dict[str, Sequence[bytes]] = {
        f"ldap.{kind}.dn": (message.dn,),
        f"ldap.{kind}.attribute_type": tuple(message.attributes),
        "ldap.request.filter": (message.filter,),
        "ldap.responses.message": (message.text,),
        "ldap.request.mechanism": (message.mechanism,),
    }
    numbers: dict[str, Sequence[int]] = {f"ldap.{kind}.operation": (message.operation,)}
    if message.result is not None:
        numbers["ldap.responses.result_code"] = (message.result,)
    shown = {"operation": _NAMES[message.operation], "message_id": message.number} | _detail(message)
    present = {name: found for name, found in buffers.items() if found and found[0]}
    return Reading(present, numbers, {"request": shown} if request else {"responses": [shown]})


def _detail(message: LdapMessage) -> dict[str, Any]:
    """Return the object that is named like the operation."""
    found: dict[str, Any] = {}
    if message.operation == parse.SEARCH:
        scope = message.scope if message.scope is not None else -1
        found = {"base_object": text(message.dn), "scope": _SCOPES[scope] if 0 <= scope < 3 else str(scope),
                 "filter": text(message.filter), "attributes": list(map(text, message.attributes))}  # fmt: skip
    elif message.operation == parse.BIND:
        found = {"name": text(message.dn)}
        if message.mechanism:
            found["sasl"] = {"mechanism": text(message.mechanism)}
    elif message.result is not None:
        code = _RESULT_NAMES.get(message.result, str(message.result))
        found = {"result_code": code, "matched_dn": text(message.dn), "message": text(message.text)}
    elif message.name:
        found = {"name": text(message.name)}
    elif message.dn:
        found = {"entry": text(message.dn)} | (
            {"attributes": list(map(text, message.attributes))} if message.attributes else {}
        )
    return {_NAMES[message.operation]: found} if found else {}


def stream_parser() -> LdapParser:
    """Return a parser of a TCP flow."""
    return LdapParser(FRAMING)


def datagram_parser() -> LdapParser:
    """Return a parser of datagrams."""
    return LdapParser(None)
