"""EtherNet/IP of one flow: messages behind each other (TCP), or one in each datagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.proto.enip import parse
from sensor.proto.enip.parse import GET_LIST, GET_SINGLE, HEADER, SET_LIST, SET_SINGLE, CipRequest, EnipMessage
from sensor.proto.messages import Framing, MessageParser, Reading

_WITH_PATH = frozenset({GET_LIST, SET_LIST, GET_SINGLE, SET_SINGLE})
"""Services of which rules may name class and attribute."""


def read(data: bytes, side: int) -> Reading | None:  # noqa: ARG001 - a response is marked as such
    """Return what a message says."""
    message = parse.message(data)
    if message is None:
        return None
    numbers: dict[str, Sequence[int]] = {"enip.command": (message.command,)}
    if message.requests:
        numbers["cip.service"] = tuple(request.service for request in message.requests)
        numbers["cip.class"] = tuple(number for one in message.requests for number in _classes(one))
        numbers["cip.attribute"] = tuple(number for one in message.requests for number in _attributes(one))
    odd = (AppAnomaly.ENIP_MALFORMED_PDU,) if message.malformed else ()
    return Reading({}, numbers, _fields(message), odd)


def _classes(request: CipRequest) -> list[int]:
    """Return service and class in one number each."""
    known = request.classes if request.service in _WITH_PATH else ()
    return [request.service << 16 | number for number in known]


def _attributes(request: CipRequest) -> list[int]:
    """Return service, class and attribute in one number each."""
    return [above << 16 | attribute for above in _classes(request)[-1:] for attribute in request.attributes]


def _fields(message: EnipMessage) -> dict[str, Any]:
    """Return the EVE object. Suricata 7 has none."""
    found: dict[str, Any] = {"command": message.command, "session": message.session, "status": message.status}
    if message.requests:
        found["cip"] = [
            {"service": one.service, "class": one.classes, "attribute": one.attributes} for one in message.requests
        ]
    return found


def _size(head: bytes) -> int:
    return HEADER.size + int.from_bytes(head[2:4], "little")


FRAMING = Framing(HEADER.size, _size, HEADER.size + 65535)


def stream_parser() -> MessageParser:
    """Return a parser of a TCP flow."""
    return MessageParser(read, FRAMING, AppAnomaly.ENIP_MALFORMED_PDU)


def datagram_parser() -> MessageParser:
    """Return a parser of datagrams."""
    return MessageParser(read, None, AppAnomaly.ENIP_MALFORMED_PDU)
