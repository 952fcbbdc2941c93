"""DNS in a flow: one transaction per message, over datagrams or a stream of length-prefixed messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.dns import eve, limits, parse
from sensor.proto.oddities import Oddities

QUERY, RESPONSE = 0, 1
"""Stages, in the order of `fields.SPEC.stages`."""


class DnsTransaction:
    """One message. Its buffers exist from the start: a message is complete or no transaction."""

    __slots__ = ("_cache", "id", "message")

    def __init__(self, number: int, message: parse.Message) -> None:
        self.id = number
        self.message = message
        self._cache: dict[str, Sequence[bytes]] = {}

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; those of the other kind of message are empty."""
        found = self._cache.get(name)
        if found is not None:
            return found
        entry = MAKERS.get(name)
        if entry is None or entry[0] != self.message.is_response:
            return ()
        made = self._cache[name] = entry[1](self.message)
        return made

    def eve(self) -> dict[str, Any]:
        """Return the `dns` object."""
        return eve.dns(self.message, self.id)

    def eve_of_alert(self) -> dict[str, Any]:
        """Return the `dns` object of an alert."""
        return eve.of_alert(self.message, self.id)


Maker = Callable[[parse.Message], Sequence[bytes]]


def _questions(message: parse.Message) -> Sequence[bytes]:
    """Return the names asked for; the root has none."""
    return [question.name for question in message.questions if question.name]


def _answers(message: parse.Message) -> Sequence[bytes]:
    return [record.name for record in message.answers]


def _all_names(message: parse.Message) -> Sequence[bytes]:
    records = message.answers + message.authorities + message.additionals
    return list(dict.fromkeys([*_questions(message), *(record.name for record in records)]))


def _opcode(message: parse.Message) -> Sequence[bytes]:
    return (b"%d" % message.opcode,)


def _whole(message: parse.Message) -> Sequence[bytes]:
    return (message.data,)


def _rcode(message: parse.Message) -> Sequence[bytes]:
    return (b"%d" % message.rcode,)


def _question_types(message: parse.Message) -> Sequence[bytes]:
    return [b"%d" % question.rrtype for question in message.questions]


def _all_types(message: parse.Message) -> Sequence[bytes]:
    kinds = [*_question_types(message), *(b"%d" % record.rrtype for record in message.answers)]
    return list(dict.fromkeys(kinds))


_RESERVED = 0x40
"""The Z bit: reserved, must be zero (RFC 1035 section 4.1.1)."""
_LAST_OPCODE = 6
"""DNS stateful operations (RFC 8490)."""

MAKERS: MappingProxyType[str, tuple[int, Maker]] = MappingProxyType({
    "dns.query": (QUERY, _questions),
    "frame.dns.pdu": (QUERY, _whole),
    "frame.dns.pdu@to_client": (RESPONSE, _whole),
    "dns.query.name": (QUERY, _questions),
    "dns.opcode": (QUERY, _opcode),
    "dns.rrtype": (QUERY, _question_types),
    "dns.query.name@to_client": (RESPONSE, _questions),
    "dns.opcode@to_client": (RESPONSE, _opcode),
    "dns.rrtype@to_client": (RESPONSE, _all_types),
    "dns.rcode": (RESPONSE, _rcode),
    "dns.answer.name": (RESPONSE, _answers),
    "dns.response.rrname": (RESPONSE, _all_names),
})  # fmt: skip
"""Buffer name → the stage (and so the kind of message) it belongs to, and how it is built."""


class _Stream:
    """Length-prefixed messages of one side (RFC 1035 section 4.2.2)."""

    __slots__ = ("_buf", "_skip", "dead")

    def __init__(self) -> None:
        self._buf = bytearray()
        self._skip = 0
        self.dead = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that these bytes complete."""
        if self._skip:
            cut = min(self._skip, len(data))
            self._skip -= cut
            data = data[cut:]
        self._buf += data
        out: list[bytes] = []
        pos = 0
        while len(self._buf) - pos >= 2:
            stop = pos + 2 + int.from_bytes(self._buf[pos : pos + 2], "big")
            if stop > len(self._buf):
                break
            if stop > pos + 2:  # nothing behind a length is nothing
                out.append(bytes(self._buf[pos + 2 : stop]))
            pos = stop
        if pos:
            del self._buf[:pos]
        return out

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buf)

    def gap(self, nbytes: int) -> bool:
        """Note lost bytes; False: the framing is lost with them."""
        if self._skip:
            missing = self._skip
        elif len(self._buf) >= 2:
            missing = 2 + int.from_bytes(self._buf[:2], "big") - len(self._buf)
        else:
            missing = 0
        self._buf.clear()
        self._skip = missing - nbytes
        return self._skip >= 0


class DnsParser(Oddities):
    """`AppParser` of DNS over TCP or, one message a datagram, over UDP."""

    def __init__(self, *, stream: bool) -> None:
        super().__init__()
        self.done = False
        """Both sides (or the datagrams) are not DNS."""
        self._stream = stream
        self._sides = (_Stream(), _Stream())
        self._bad = [0, 0]
        self._next = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Take the next bytes of a side, or one datagram."""
        if self.done or not data:
            return []
        if not self._stream:
            return self._message(side, data)
        stream = self._sides[side]
        out: list[TxStage] = []
        if not stream.dead:
            for data_of_one in stream.feed(data):
                out += self._message(side, data_of_one)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._sides[0].held + self._sides[1].held

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Bytes of a side are lost: a message may be, the framing is if more than its end was in them."""
        if self.done or length <= 0:
            return []
        if not self._sides[side].gap(length):
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._give_up(side)
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """End the flow: each message is a transaction of its own, and half of one is none."""
        self.done = True
        return []

    def _message(self, side: int, data: bytes) -> list[TxStage]:
        message = parse.message(data)
        fault = message.fault if message is not None else AppAnomaly.DNS_MALFORMED
        if fault is not None:
            self._report(fault, side)
        if message is not None:
            self._flags(message, side)
        if message is None or not _says_anything(message):
            self._bad[side] += 1
            if self._bad[side] >= limits.BAD_MESSAGES:
                self._give_up(side)
            return []
        self._bad[side] = 0
        tx = DnsTransaction(self._next, message)
        self._next += 1
        return [TxStage(tx, RESPONSE if message.is_response else QUERY, side)]

    def _flags(self, message: parse.Message, side: int) -> None:
        """Look at what the header says of itself. Of datagrams sides prove nothing: an answer may be seen first."""
        if message.flags & _RESERVED:
            self._report(AppAnomaly.DNS_Z_FLAG_SET, side)
        if message.opcode > _LAST_OPCODE:
            self._report(AppAnomaly.DNS_INVALID_OPCODE, side)
        if self._stream and message.is_response != (side == TO_CLIENT):
            odd = AppAnomaly.DNS_NOT_A_RESPONSE if side == TO_CLIENT else AppAnomaly.DNS_NOT_A_REQUEST
            self._report(odd, side)

    def _give_up(self, side: int) -> None:
        self._sides[side].dead = True
        if not self._stream or (self._sides[TO_SERVER].dead and self._sides[TO_CLIENT].dead):
            self.done = True

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if (anomaly, side) not in self._odd:
            super()._report(anomaly, side)


def _says_anything(message: parse.Message) -> bool:
    """Whether enough could be read for a transaction."""
    if message.questions or message.answers or message.authorities or message.additionals:
        return True
    return message.fault is None and message.is_response


def stream_parser() -> DnsParser:
    """Return the parser of a TCP flow."""
    return DnsParser(stream=True)


def datagram_parser() -> DnsParser:
    """Return the parser of a datagram."""
    return DnsParser(stream=False)
