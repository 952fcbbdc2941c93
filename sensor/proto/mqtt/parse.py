"""MQTT control packets: bytes to records (MQTT 3.1.1 and 5, chapters 2 and 3)."""

from __future__ import annotations

from typing import Any

import msgspec

from sensor.proto.mqtt.limits import MAX_ITEMS
from sensor.proto.mqtt.properties import properties
from sensor.proto.reader import Reader, WireError

(
    UNASSIGNED, CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK,
    PINGREQ, PINGRESP, DISCONNECT, AUTH,
) = range(16)  # fmt: skip
KINDS = (
    "unassigned", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback",
    "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth",
)  # fmt: skip
"""Words for the packet types (MQTT 5 section 2.1.2)."""

FLAG_USERNAME, FLAG_PASSWORD, FLAG_WILL_RETAIN, FLAG_WILL, FLAG_CLEAN = 0x80, 0x40, 0x20, 0x04, 0x02
"""Connect flags (MQTT 5 section 3.1.2.3)."""


class Connect(msgspec.Struct, gc=False):
    """What only a CONNECT says; None: it is not there."""

    protocol: bytes
    version: int
    flags: int
    client_id: bytes = b""
    will_topic: bytes | None = None
    will_message: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    will_properties: dict[str, Any] = {}


class Message(msgspec.Struct, gc=False):
    """One control packet."""

    kind: int
    flags: int
    """Low half of the first byte: retain 1, QoS 2 and 4, dup 8."""
    number: int | None = None
    """Packet identifier."""
    topic: bytes = b""
    payload: bytes = b""
    topics: tuple[tuple[bytes, int], ...] = ()
    """Filters with their options, of SUBSCRIBE and UNSUBSCRIBE."""
    reasons: tuple[int, ...] = ()
    """Reason (return, granted QoS) codes."""
    session_present: bool = False
    connect: Connect | None = None
    properties: dict[str, Any] = {}
    skipped: int = 0
    """Bytes of a message that was too long to be read; 0: it was read."""

    @property
    def qos(self) -> int:
        """Quality of service; 3 is invalid."""
        return self.flags >> 1 & 3


def message(first: int, body: bytes, version: int, *, cut: bool = False) -> Message:
    """Parse what follows the fixed header, whose first byte is given. Raises WireError.

    version: 3, 4, 5 as the CONNECT said, 0: not known. cut: the body's end is missing.
    """
    found = Message(first >> 4, first & 15)
    _READERS[found.kind](found, Reader(body), version == 5)
    if cut and found.kind != PUBLISH:
        raise WireError("message too long", 0)
    return found


def _string(reader: Reader) -> bytes:
    return reader.take(reader.u16())


def _connect(found: Message, reader: Reader, _five: bool) -> None:
    info = found.connect = Connect(_string(reader), reader.u8(), reader.u8())
    reader.skip(2)  # keep alive
    five = info.version == 5
    if five:
        found.properties = properties(reader)
    info.client_id = _string(reader)
    if info.flags & FLAG_WILL:
        if five:
            info.will_properties = properties(reader)
        info.will_topic, info.will_message = _string(reader), _string(reader)
    if info.flags & FLAG_USERNAME:
        info.username = _string(reader)
    if info.flags & FLAG_PASSWORD:
        info.password = _string(reader)


def _connack(found: Message, reader: Reader, five: bool) -> None:
    found.session_present = bool(reader.u8() & 1)
    found.reasons = (reader.u8(),)
    if five:
        found.properties = properties(reader)


def _publish(found: Message, reader: Reader, five: bool) -> None:
    found.topic = _string(reader)
    if found.qos:
        found.number = reader.u16()
    if five:
        found.properties = properties(reader)
    found.payload = reader.rest()


def _answer(found: Message, reader: Reader, five: bool) -> None:
    """PUBACK, PUBREC, PUBREL, PUBCOMP: version 5 may leave out a reason of 0, and properties."""
    found.number = reader.u16()
    if five:
        _ending(found, reader, five)


def _ending(found: Message, reader: Reader, five: bool) -> None:
    """DISCONNECT, and what AUTH and the answers have behind the identifier."""
    if not five:
        return
    found.reasons = (reader.u8() if reader.left() else 0,)
    if reader.left():
        found.properties = properties(reader)


def _auth(found: Message, reader: Reader, _five: bool) -> None:
    _ending(found, reader, True)


def _subscribe(found: Message, reader: Reader, five: bool) -> None:
    found.number = reader.u16()
    if five:
        found.properties = properties(reader)
    topics: list[tuple[bytes, int]] = []
    while reader.left() and len(topics) < MAX_ITEMS:
        topics.append((_string(reader), reader.u8() if found.kind == SUBSCRIBE else 0))
    found.topics = tuple(topics)


def _granted(found: Message, reader: Reader, five: bool) -> None:
    """SUBACK, UNSUBACK."""
    found.number = reader.u16()
    if five:
        found.properties = properties(reader)
    found.reasons = tuple(reader.rest()[:MAX_ITEMS])


def _nothing(_found: Message, _reader: Reader, _five: bool) -> None:
    """Do nothing: PINGREQ and PINGRESP have no body, of unassigned types it means nothing."""


def _disconnect(found: Message, reader: Reader, five: bool) -> None:
    """Read a reason with properties: a lone one is not looked at, and Suricata takes it for 0."""
    if five and reader.left() == 1:
        reader.skip(1)
    _ending(found, reader, five)


_READERS = (
    _nothing, _connect, _connack, _publish, _answer, _answer, _answer, _answer, _subscribe, _granted, _subscribe,
    _granted, _nothing, _nothing, _disconnect, _auth,
)  # fmt: skip
