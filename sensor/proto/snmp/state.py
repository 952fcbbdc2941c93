"""SNMP of one flow: a message in each datagram, or one behind the other (RFC 3430)."""

from collections.abc import Sequence

from sensor.model.anomaly import AppAnomaly
from sensor.proto import ber
from sensor.proto.messages import Framing, MessageParser, Reading
from sensor.proto.snmp import eve, parse

MAX_MESSAGE = 65535

FRAMING = Framing(ber.HEAD, ber.size, MAX_MESSAGE)


class Conversation:
    """What the messages of one flow have in common."""

    __slots__ = ("_version",)

    def __init__(self) -> None:
        self._version = 0
        """Of its first message."""

    def read(self, data: bytes, side: int) -> Reading | None:  # noqa: ARG002 - both sides send the same messages
        """Return what a message says."""
        message = parse.message(data)
        if message is None:
            return None
        self._version = self._version or message.version
        odd: list[AppAnomaly] = []
        if message.version != self._version:
            odd.append(AppAnomaly.SNMP_VERSION_MISMATCH)
        if message.other_model:
            odd.append(AppAnomaly.SNMP_UNKNOWN_SECURITY_MODEL)
        return _reading(message, tuple(odd))


def _reading(message: parse.SnmpMessage, odd: tuple[AppAnomaly, ...]) -> Reading:
    numbers: dict[str, Sequence[int]] = {"snmp.version": (message.version,)}
    if message.pdu is not None:
        numbers["snmp.pdu_type"] = (message.pdu,)
    buffers: dict[str, Sequence[bytes]] = {}
    if message.community:
        buffers["snmp.community"] = (message.community,)
    if message.user:
        buffers["snmp.usm"] = (message.user,)
    return Reading(buffers, numbers, eve.fields(message), odd)


def stream_parser() -> MessageParser:
    """Return a parser of a TCP flow."""
    return MessageParser(Conversation().read, FRAMING, AppAnomaly.SNMP_MALFORMED_DATA)


def datagram_parser() -> MessageParser:
    """Return a parser of datagrams."""
    return MessageParser(Conversation().read, None, AppAnomaly.SNMP_MALFORMED_DATA)
