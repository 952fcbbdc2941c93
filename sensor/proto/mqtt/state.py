"""MQTT of one flow: messages to exchanges (the ones that wait for each other: MQTT 5 sections 3 and 4.3)."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.proto.mqtt import parse
from sensor.proto.mqtt.limits import MAX_MESSAGES, MAX_PENDING, MAX_PENDING_BYTES
from sensor.proto.mqtt.parse import Message
from sensor.proto.mqtt.stream import MqttSide, Packet
from sensor.proto.mqtt.transaction import MqttFrame, MqttTransaction
from sensor.proto.oddities import Oddities
from sensor.proto.reader import WireError

STAGE_MESSAGE, STAGE_BEGUN, STAGE_DONE, STAGE_OPEN = 0, 1, 2, 3
"""The last one: no answer will come. As in Suricata, rules on texts of CONNECT and PUBLISH are judged once these are
here, others on complete exchanges; the log is about all."""

_EXCHANGE, _ITEM = 500, 120
"""Bytes that an exchange, and a topic or a code, takes besides its text."""
_CONNECTION = -1
"""Key of the CONNECT that waits for its CONNACK: no packet identifier."""
_INVALID_QOS = 3
_OPENERS = frozenset({parse.PUBLISH, parse.SUBSCRIBE, parse.UNSUBSCRIBE})
_SAY_ALL = frozenset({parse.CONNECT, parse.PUBLISH})
"""Whatever the answer."""
_LAST = frozenset({parse.CONNACK, parse.PUBACK, parse.PUBCOMP, parse.SUBACK, parse.UNSUBACK})
"""Answers that end an exchange; PUBREC and PUBREL do not."""
_MISSING = {
    parse.CONNACK: AppAnomaly.MQTT_MISSING_CONNECT,
    parse.SUBACK: AppAnomaly.MQTT_MISSING_SUBSCRIBE,
    parse.UNSUBACK: AppAnomaly.MQTT_MISSING_UNSUBSCRIBE,
    **dict.fromkeys((parse.PUBACK, parse.PUBREC, parse.PUBREL, parse.PUBCOMP), AppAnomaly.MQTT_MISSING_PUBLISH),
}
"""What an answer to nothing is."""


class MqttParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_bytes", "_connected", "_count", "_pending", "_sides", "_version", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._sides = (MqttSide(), MqttSide())
        self._version = 0
        self._connected = False
        self._count = 0
        self._pending: dict[int, MqttTransaction] = {}
        """Packet identifier → exchange that waits for an answer, the oldest first; below -1: it was taken."""
        self._bytes = 0
        """Bytes of the messages in `_pending`."""

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        packets = iter(()) if self.done else self._sides[side].feed(data)
        for packet in packets:
            self._on_packet(side, packet, out)
            if self.done:
                break
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._sides) + self._bytes + _EXCHANGE * len(self._pending)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Give up: where messages begin is lost."""
        out: list[TxStage] = []
        if not self.done:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._end(out)
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete what waits for an answer that will not come, and take long messages by what is there of them."""
        out: list[TxStage] = []
        for side, packets in enumerate(self._sides):
            packet = None if self.done else packets.rest()
            if packet is not None:
                self._on_packet(side, packet, out)
        self._end(out)
        return out

    def _on_packet(self, side: int, packet: Packet, out: list[TxStage]) -> None:
        message = _read(packet, self._version)
        if message is None:
            self._report(AppAnomaly.MQTT_MALFORMED_TRAFFIC, side)
            self._end(out)
            return
        if message.connect is not None:
            self._version = message.connect.version
        tx = self._place(side, message, out)
        tx.messages.append(message)
        size = 2 * len(packet.raw) + _ITEM * (len(message.topics) + len(message.reasons))
        tx.size += size
        out.append(TxStage(MqttFrame(tx, packet.raw, packet.header), STAGE_MESSAGE, side))
        self._settle(tx, message, size, out)

    def _place(self, side: int, message: Message, out: list[TxStage]) -> MqttTransaction:
        """Return the exchange that a message belongs to."""
        kind = message.kind
        if kind in _MISSING and not message.skipped:
            key = _CONNECTION if kind == parse.CONNACK else message.number
            waiting = self._pending.get(key) if key is not None else None
            if waiting is not None and len(waiting.messages) < MAX_MESSAGES:
                self._connected |= kind == parse.CONNACK
                return waiting
            self._report(_MISSING[kind], side)
        self._judge(side, message)
        tx = MqttTransaction(self._count, side, self._version)
        self._count += 1
        if len(self._pending) >= MAX_PENDING or self._bytes > MAX_PENDING_BYTES:
            key, oldest = next(iter(self._pending.items()))
            self._report(AppAnomaly.MQTT_TOO_MANY_TRANSACTIONS, oldest.side)
            self._complete(key, out)
        return tx

    def _judge(self, side: int, message: Message) -> None:
        """Report what is odd about a message that begins an exchange, or belongs to none."""
        kind = message.kind
        if kind == parse.CONNECT and self._connected:
            self._report(AppAnomaly.MQTT_DOUBLE_CONNECT, side)
        if kind == parse.UNASSIGNED:
            self._report(AppAnomaly.MQTT_UNASSIGNED_MSG_TYPE, side)
        if kind in _OPENERS and message.qos == _INVALID_QOS:
            self._report(AppAnomaly.MQTT_INVALID_QOS_LEVEL, side)
        if not self._connected and kind not in {parse.CONNECT, parse.CONNACK, parse.UNASSIGNED} and not message.skipped:
            self._report(AppAnomaly.MQTT_UNINTRODUCED_MESSAGE, side)

    def _settle(self, tx: MqttTransaction, message: Message, size: int, out: list[TxStage]) -> None:
        """Let an exchange wait, or complete it."""
        first = tx.messages[0]
        if len(tx.messages) == 1 and first.kind in _SAY_ALL:
            out.append(TxStage(tx, STAGE_BEGUN, tx.side))
        if len(tx.messages) > 1:
            self._bytes += size
            if message.kind in _LAST:
                self._complete(_CONNECTION if message.kind == parse.CONNACK else message.number or 0, out)
        elif first.kind == parse.CONNECT and not first.skipped:
            self._wait(_CONNECTION, tx)
        elif first.kind in _OPENERS and first.qos == _INVALID_QOS:
            out.append(TxStage(tx, STAGE_OPEN, tx.side))
        elif first.kind in _OPENERS and first.number is not None and first.qos in {1, 2}:
            self._wait(first.number, tx)
        else:
            out.append(TxStage(tx, STAGE_DONE, tx.side))

    def _wait(self, key: int, tx: MqttTransaction) -> None:
        self._pending[key if key not in self._pending else -2 - tx.id] = tx
        self._bytes += tx.size

    def _complete(self, key: int, out: list[TxStage]) -> None:
        tx = self._pending.pop(key)
        self._bytes -= tx.size
        out.append(TxStage(tx, STAGE_DONE, tx.side))

    def _end(self, out: list[TxStage]) -> None:
        self.done = True
        out += [TxStage(tx, STAGE_OPEN, tx.side) for tx in self._pending.values()]
        self._pending.clear()
        self._bytes = 0


def _read(packet: Packet, version: int) -> Message | None:
    """Return the message of a packet; None: it is malformed. One that is too long says only what it is."""
    if not packet.header:
        return None
    cut = len(packet.raw) < packet.size
    try:
        return parse.message(packet.raw[0], packet.raw[packet.header :], version, cut=cut)
    except WireError:
        return Message(packet.raw[0] >> 4, packet.raw[0] & 15, skipped=packet.size) if cut else None
