"""SNMP of one flow: a message in each datagram, or one behind the other (RFC 3430)."""

from collections.abc import Sequence

from sensor.model.anomaly import AppAnomaly
from sensor.proto import ber
from sensor.proto.messages import Framing, MessageParser, Reading
from sensor.proto.snmp import eve, parse

MAX_MESSAGE = 65535

FRAMING = Framing(ber.HEAD, ber.size, MAX_MESSAGE)


def read(data: bytes, side: int) -> Reading | None:  # noqa: ARG001 - both sides send the same messages
    """Return what a message says."""
    message = parse.message(data)
    if message is None:
        return None
    numbers: dict[str, Sequence[int]] = {"snmp.version": (message.version,)}
    if message.pdu is not None:
        numbers["snmp.pdu_type"] = (message.pdu,)
    buffers: dict[str, Sequence[bytes]] = {}
    if message.community:
        buffers["snmp.community"] = (message.community,)
    if message.user:
        buffers["snmp.usm"] = (message.user,)
    odd = (AppAnomaly.SNMP_UNKNOWN_SECURITY_MODEL,) if message.other_model else ()
    return Reading(buffers, numbers, eve.fields(message), odd)


def stream_parser() -> MessageParser:
    """Return a parser of a TCP flow."""
    return MessageParser(read, FRAMING, AppAnomaly.SNMP_MALFORMED_DATA)


def datagram_parser() -> MessageParser:
    """Return a parser of datagrams."""
    return MessageParser(read, None, AppAnomaly.SNMP_MALFORMED_DATA)
