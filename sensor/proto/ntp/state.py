"""NTP of one flow: a packet in each datagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.proto.messages import MessageParser, Reading
from sensor.proto.ntp.parse import NtpMessage, message


def read(data: bytes, side: int) -> Reading | None:  # noqa: ARG001 - both sides send the same packets
    """Return what a packet says."""
    found = message(data)
    return None if found is None else Reading(numbers=_numbers(found), fields=_fields(found))


def _numbers(found: NtpMessage) -> dict[str, Sequence[int]]:
    out: dict[str, Sequence[int]] = {"ntp.version": (found.version,), "ntp.mode": (found.mode,)}
    if found.opcode is not None:
        out["ntp.opcode"] = (found.opcode,)
    elif found.request is not None:
        out["ntp.request_code"] = (found.request,)
    else:
        out |= {"ntp.stratum": (found.stratum,), "ntp.reference_id": (found.reference,)}
    return out


def _fields(found: NtpMessage) -> dict[str, Any]:
    out: dict[str, Any] = {"version": found.version, "mode": found.mode}
    if found.opcode is not None:
        out |= {"opcode": found.opcode, "response": found.response}
    elif found.request is not None:
        out |= {"request_code": found.request, "response": found.response}
    else:
        out |= {"stratum": found.stratum, "reference_id": found.reference}
    return out


def datagram_parser() -> MessageParser:
    """Return the parser of a datagram."""
    return MessageParser(read, None, AppAnomaly.NTP_MALFORMED_DATA)
