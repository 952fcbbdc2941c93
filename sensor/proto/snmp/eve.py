"""The `snmp` object of EVE (Suricata's names)."""

from typing import Any

from sensor.proto.snmp.parse import SnmpMessage
from sensor.proto.text import text

PDUS = (
    "get_request", "get_next_request", "response", "set_request", "trap_v1", "get_bulk_request", "inform_request",
    "trap_v2", "report",
)  # fmt: skip
"""By number (RFC 3416 section 3)."""

_ERRORS = (
    "NoError", "TooBig", "NoSuchName", "BadValue", "ReadOnly", "GenErr", "NoAccess", "WrongType", "WrongLength",
    "WrongEncoding", "WrongValue", "NoCreation", "InconsistentValue", "ResourceUnavailable", "CommitFailed",
    "UndoFailed", "AuthorizationError", "NotWritable", "InconsistentName",
)  # fmt: skip
_BULK = 5
"""Its second number is no error (RFC 3416 section 4.2.3)."""
_TRAPS = (
    "coldStart", "warmStart", "linkDown", "linkUp", "authenticationFailure", "egpNeighborLoss", "enterpriseSpecific",
)  # fmt: skip
"""RFC 1157 section 4.1.6."""


def fields(message: SnmpMessage) -> dict[str, Any]:
    """Return the EVE object of a message."""
    found: dict[str, Any] = {"version": message.version}
    if message.encrypted:
        found["pdu_type"] = "encrypted"
    elif message.pdu is not None:
        found |= _pdu(message, message.pdu)
    if message.community is not None:
        found["community"] = text(message.community)
    if message.user is not None:
        found["usm"] = text(message.user)
    return found


def _pdu(message: SnmpMessage, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {"pdu_type": _word(PDUS, number)}
    if message.error and number != _BULK:
        found["error"] = _word(_ERRORS, message.error)
    if message.trap is not None:
        kind, enterprise, agent = message.trap
        address = ".".join(map(str, agent)) if len(agent) == 4 else agent.hex(":")
        found |= {"trap_type": _word(_TRAPS, kind, "TrapType({})"), "trap_oid": enterprise, "trap_address": address}
    if message.variables:
        found["vars"] = list(message.variables)
    return found


def _word(names: tuple[str, ...], number: int, other: str = "{}") -> str:
    return names[number] if 0 <= number < len(names) else other.format(number)
