"""SIP of one flow: requests of the client, responses of the server, one in each datagram."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER
from sensor.proto.messages import MessageParser, Reading
from sensor.proto.sip import parse
from sensor.proto.sip.parse import SipMessage
from sensor.proto.text import text


def read(data: bytes, side: int) -> Reading | None:
    """Return what a message says.

    Who sent the first datagram is the client. What the other end sends as a client itself is no transaction, as
    Suricata has it, but a `pdu` frame.
    """
    message = parse.request(data) if side == TO_SERVER else parse.response(data)
    if message is None:
        return Reading({"frame.sip.pdu": (data,)}, odd=(AppAnomaly.SIP_INVALID_DATA,))
    buffers: dict[str, Sequence[bytes]] = {
        "frame.sip.pdu": (data,),
        "sip.protocol": (message.version,),
        **(_of_request(message) if side == TO_SERVER else _of_response(message)),
    }
    return Reading({name: found for name, found in buffers.items() if found[0]}, fields=_fields(message))


def _of_request(message: SipMessage) -> Mapping[str, tuple[bytes]]:
    return {
        "sip.method": (message.method,),
        "sip.uri": (message.uri,),
        "sip.request_line": (message.line,),
        "frame.sip.request.line": (message.line + b"\r\n",),
        "frame.sip.request.headers": (message.headers,),
        "frame.sip.request.body": (message.body,),
    }


def _of_response(message: SipMessage) -> Mapping[str, tuple[bytes]]:
    return {
        "sip.stat_code": (message.code,),
        "sip.stat_msg": (message.reason,),
        "sip.response_line": (message.line,),
        "frame.sip.response.line": (message.line + b"\r\n",),
        "frame.sip.response.headers": (message.headers,),
        "frame.sip.response.body": (message.body,),
    }


def _fields(message: SipMessage) -> dict[str, Any]:
    """Return the EVE object (Suricata's names)."""
    names = _REQUEST if message.method else _RESPONSE
    return {name: text(getattr(message, attribute)) for name, attribute in names.items()}


_REQUEST: Mapping[str, str] = MappingProxyType(
    {"method": "method", "uri": "uri", "version": "version", "request_line": "line"}
)
_RESPONSE: Mapping[str, str] = MappingProxyType(
    {"version": "version", "code": "code", "reason": "reason", "response_line": "line"}
)


def datagram_parser() -> MessageParser:
    """Return a parser of datagrams."""
    return MessageParser(read, None, AppAnomaly.SIP_INVALID_DATA)
