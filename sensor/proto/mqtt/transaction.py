"""One MQTT exchange: a message and its answers; and one message as a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.mqtt import eve
from sensor.proto.mqtt.parse import (
    CONNACK,
    CONNECT,
    FLAG_CLEAN,
    FLAG_PASSWORD,
    FLAG_USERNAME,
    FLAG_WILL,
    FLAG_WILL_RETAIN,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Connect,
    Message,
)

CONNECT_FLAGS: Mapping[str, int] = MappingProxyType(
    {"username": 1, "password": 2, "will": 4, "will_retain": 8, "clean_session": 16}
)
"""Bits of `mqtt.connect.flags`, packed: 32 values."""
MESSAGE_FLAGS: Mapping[str, int] = MappingProxyType({"retain": 1, "dup": 2})
"""Bits of `mqtt.flags`."""
_TRANSACTION = 500
"""Bytes that a transaction takes besides its text."""
_PACKED = ((FLAG_USERNAME, 1), (FLAG_PASSWORD, 2), (FLAG_WILL, 4), (FLAG_WILL_RETAIN, 8), (FLAG_CLEAN, 16))


class MqttTransaction:
    """Messages that belong together (see `limits`); its buffers are those of the first one."""

    __slots__ = ("id", "messages", "side", "size", "version")

    def __init__(self, number: int, side: int, version: int) -> None:
        self.id = number
        self.side = side
        """The side that began it."""
        self.version = version
        """Protocol version of the connection: 3 (3.1), 4 (3.1.1), 5; 0: not known."""
        self.messages: list[Message] = []
        self.size = 0
        """Bytes of its messages."""

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return _TRANSACTION + self.size

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent."""
        read = _BUFFERS.get(name)
        first = self.messages[0] if self.messages else None
        if self.side != _BEGUN_BY.get(name, self.side):
            return ()
        return [value for value in read(first) if value] if read and first is not None else ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return a number of each message."""
        read = _NUMBERS.get(name)
        if self.side != _BEGUN_BY.get(name, self.side):
            return ()
        if read is None:
            return (self.version,) if name == "mqtt.protocol_version" else ()
        return [value for message in self.messages for value in read(message)]

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return eve.fields(self.messages)


class MqttFrame:
    """One message as sent, for rules about frames."""

    __slots__ = ("_body", "_raw", "_tx", "id")

    def __init__(self, tx: MqttTransaction, raw: bytes, body: int) -> None:
        self.id = tx.id
        self._tx = tx
        self._raw = raw
        self._body = body
        """Where the body begins."""

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return self._tx.held() + len(self._raw)

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the frame of a name."""
        cut = {
            "frame.mqtt.pdu": slice(None),
            "frame.mqtt.header": slice(self._body),
            "frame.mqtt.data": slice(self._body, None),
        }
        value = self._raw[cut[name]] if name in cut else b""
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object of the transaction."""
        return self._tx.eve()


def _of_connect(read: Callable[[Connect], bytes | None]) -> Callable[[Message], Sequence[bytes]]:
    return lambda message: (read(message.connect) or b"",) if message.connect is not None else ()


def _topics(kind: int) -> Callable[[Message], Sequence[bytes]]:
    return lambda message: [topic for topic, _ in message.topics] if message.kind == kind else ()


_BUFFERS: Mapping[str, Callable[[Message], Sequence[bytes]]] = MappingProxyType(
    {
        "mqtt.connect.clientid": _of_connect(lambda c: c.client_id),
        "mqtt.connect.username": _of_connect(lambda c: c.username),
        "mqtt.connect.password": _of_connect(lambda c: c.password),
        "mqtt.connect.willtopic": _of_connect(lambda c: c.will_topic),
        "mqtt.connect.willmessage": _of_connect(lambda c: c.will_message),
        "mqtt.connect.protocol_string": _of_connect(lambda c: c.protocol),
        "mqtt.publish.topic": lambda m: (m.topic,),
        "mqtt.publish.message": lambda m: (m.payload,),
        "mqtt.subscribe.topic": _topics(SUBSCRIBE),
        "mqtt.unsubscribe.topic": _topics(UNSUBSCRIBE),
    }
)


def _connect_flags(message: Message) -> Sequence[int]:
    if message.kind != CONNECT or message.connect is None:
        return ()
    return (sum(bit for wire, bit in _PACKED if message.connect.flags & wire),)


_BEGUN_BY: Mapping[str, int] = MappingProxyType(
    {
        "mqtt.protocol_version": TO_SERVER,
        "mqtt.qos": TO_SERVER,
        "mqtt.flags": TO_SERVER,
        "mqtt.connect.flags": TO_SERVER,
        "mqtt.publish.message": TO_SERVER,
        "mqtt.connack.session_present": TO_CLIENT,
    }
)
"""Numbers and texts that are compared in exchanges which one side has begun, as in Suricata (a CONNACK begins one where
the CONNECT is missing)."""

_NUMBERS: Mapping[str, Callable[[Message], Sequence[int]]] = MappingProxyType(
    {
        "mqtt.type": lambda m: (m.kind,),
        "mqtt.flags": lambda m: ((m.flags & 1) | (m.flags >> 2 & 2),),
        "mqtt.qos": lambda m: (m.qos,),
        "mqtt.reason_code": lambda m: m.reasons,
        "mqtt.connack.session_present": lambda m: (int(m.session_present),) if m.kind == CONNACK else (),
        "mqtt.connect.flags": _connect_flags,
    }
)
