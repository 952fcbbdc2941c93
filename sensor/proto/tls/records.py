"""TLS records of one side and the handshake messages inside them (RFC 8446 section 5, RFC 5246 section 6)."""

from collections.abc import Iterator
from enum import IntEnum

import msgspec

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
"""Record types."""

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_HELLO_DONE = 1, 2, 11, 14
"""Handshake types that carry something for us; bodies of the others are passed over unread."""
_WANTED = frozenset({CLIENT_HELLO, SERVER_HELLO, CERTIFICATE})
_KNOWN = frozenset({0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67, 203, 254})
"""https://www.iana.org/assignments/tls-parameters, HandshakeType."""

_VERSIONS = frozenset({*range(0x0300, 0x0305), 0x7F01, *range(0x7F10, 0x7F1D), 0xFB17, 0xFB1A})
"""Of a side's first record: SSL 3 and TLS, drafts and experiments of TLS 1.3; those of others say nothing."""
HEARTBEAT_PADDING = 16
"""Bytes of padding that a heartbeat has at least (RFC 6520 section 4)."""
MAX_RECORD = 16384 + 1024
"""TLSCompressed.length (RFC 5246 section 6.2.2), more than any cipher in use needs; Suricata reads none beyond it."""
_NO_TYPE = 0x40
"""From here on a first byte is that of a record of SSLv2."""
_ERROR_SIZE = 3
"""Type and code."""
MAX_MESSAGE = 65536
"""Bytes kept of a handshake message; a longer one is cut and reported."""
MAX_RECORDS = 4096
"""Records of one side read before encryption starts: a hello cut into one-byte records still fits."""
MAX_MESSAGES = 256
"""Handshake messages of one side; a full handshake with client certificate has 5."""


class EventKind(IntEnum):
    """What a side's bytes turned out to be."""

    MESSAGE = 0
    CHANGE_CIPHER_SPEC = 1
    APPLICATION_DATA = 2
    SSL2_MESSAGE = 3
    INVALID_RECORD = 4
    INVALID_MESSAGE = 5
    TOO_MANY = 6
    HEARTBEAT = 7
    SSL2_ERROR = 8


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of a side; `type` and `body` are those of a handshake message.

    Of a heartbeat `type` is the size of the record, `body` its first three bytes, none where they are encrypted.
    """

    kind: EventKind
    type: int = 0
    body: bytes = b""


_CCS = Event(EventKind.CHANGE_CIPHER_SPEC)
_DATA = Event(EventKind.APPLICATION_DATA)
_BAD_RECORD, _BAD_TYPE, _BAD_VERSION, _BAD_LENGTH = (Event(EventKind.INVALID_RECORD, why) for why in range(4))
"""`type`: 1 its type is, 2 its version, 3 its length, as Suricata tells it; 0: it tells nothing."""
_BAD_MESSAGE = Event(EventKind.INVALID_MESSAGE)
_TOO_MANY = Event(EventKind.TOO_MANY)
_ERROR = Event(EventKind.SSL2_ERROR)
"""MSG-ERROR of SSLv2 (draft-hickman-netscape-ssl-00 section 2.7), in clear in place of a hello."""


class RecordSide:
    """Cuts one side's bytes into events. Holds at most one partial handshake message.

    `opaque` is set by the owner when handshake records are encrypted from here on. After INVALID_RECORD or
    TOO_MANY the side must not be fed again.
    """

    __slots__ = (
        "_beat",
        "_buffer",
        "_head",
        "_keep",
        "_kind",
        "_left",
        "_message_left",
        "_messages",
        "_records",
        "_size",
        "opaque",
        "ssl2",
    )

    def __init__(self) -> None:
        self.opaque = False
        self.ssl2 = False
        """The side began with an SSLv2 hello."""
        self._head = bytearray()
        self._kind = 0
        self._left = 0
        """Body bytes of the current record still to come."""
        self._records = 0
        self._size = 0
        """Bytes of the heartbeat that is being read."""
        self._beat = bytearray()
        """Its first bytes."""
        self._messages = 0
        self._buffer = bytearray()
        """Header (4 bytes) of the current message, then its body if it is kept."""
        self._message_left = -1
        """Body bytes of the current message still to come, -1: its header is not complete."""
        self._keep = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that these bytes complete."""
        pos, end = 0, len(data)
        while pos < end:
            if not self._left:
                take = min(5 - len(self._head), end - pos)
                self._head += data[pos : pos + take]
                pos += take
                if len(self._head) == 5:
                    yield from self._open()
                    self._head.clear()
                continue
            take = min(self._left, end - pos)
            self._left -= take
            if self._kind == HANDSHAKE and not self.opaque:
                yield from self._handshake(data, pos, pos + take)
            elif self._kind == HEARTBEAT and not self.opaque:
                yield from self._heartbeat(data[pos : pos + take])
            elif self._kind < 0:
                yield from self._ssl2_body(data[pos : pos + take])
            pos += take

    @property
    def unread(self) -> int:
        """Bytes that say nothing and will come next: the rest of an encrypted record."""
        return self._left if self.opaque else 0

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def _open(self) -> Iterator[Event]:
        """Take up the record whose five header bytes are in `_head`."""
        head = self._head
        self._records += 1
        size = head[3] << 8 | head[4]
        if not CHANGE_CIPHER_SPEC <= head[0] <= HEARTBEAT:
            yield from self._open_ssl2()
            return
        if not 0 < size <= MAX_RECORD:
            yield _BAD_LENGTH
            return
        if self._records == 1 and (head[1] << 8 | head[2]) not in _VERSIONS:
            yield _BAD_VERSION
            return
        if self._records > MAX_RECORDS and not self.opaque:
            yield _TOO_MANY
            return
        self._kind, self._left = head[0], size
        if head[0] == HEARTBEAT:
            self._size = size
            self._beat.clear()
            if self.opaque:
                yield Event(EventKind.HEARTBEAT, size)
        if head[0] == APPLICATION_DATA:
            yield _DATA
        elif head[0] == CHANGE_CIPHER_SPEC:
            yield _CCS

    def _open_ssl2(self) -> Iterator[Event]:
        """Take up an SSLv2 hello (two-byte header, type 1 or 4), which can only be a side's first record."""
        head = self._head
        size = (head[0] & 0x7F) << 8 | head[1]
        if self._records == 1 and head[0] == 0x80 and head[2] == 0 and size == _ERROR_SIZE:
            yield _ERROR
            return
        if self._records > 1 or head[0] < 0x80 or head[2] not in {1, 4} or size < 9:
            yield _BAD_RECORD if head[0] >= _NO_TYPE else _BAD_TYPE
            return
        if head[2] == 1 and not (head[3] == 3 or (head[3] == 0 and head[4] == 2)):
            yield _BAD_RECORD
            return
        self.ssl2 = True
        self._kind, self._left = -1, size - 3
        self._buffer += head[2:5]

    def _heartbeat(self, data: bytes) -> Iterator[Event]:
        missing = 3 - len(self._beat)
        if missing > 0:
            self._beat += data[:missing]
            if len(self._beat) == 3:
                yield Event(EventKind.HEARTBEAT, self._size, bytes(self._beat))

    def _ssl2_body(self, data: bytes) -> Iterator[Event]:
        self._buffer += data
        if not self._left:
            body = bytes(self._buffer)
            self._buffer.clear()
            yield Event(EventKind.SSL2_MESSAGE, body[0], body)

    def _handshake(self, data: bytes, pos: int, end: int) -> Iterator[Event]:
        """Join handshake fragments; messages may span records and records may hold several messages."""
        while pos < end and not self.opaque:
            if self._message_left < 0:
                take = min(4 - len(self._buffer), end - pos)
                self._buffer += data[pos : pos + take]
                pos += take
                if len(self._buffer) < 4:
                    return
                yield from self._open_message(end - pos + self._left)
            else:
                take = min(self._message_left, end - pos)
                if self._keep:
                    room = MAX_MESSAGE + 4 - len(self._buffer)
                    self._buffer += data[pos : pos + min(take, room)]
                self._message_left -= take
                pos += take
            if not self._message_left:
                yield self._close_message()

    def _open_message(self, room: int) -> Iterator[Event]:
        """Take up a message. room: bytes left in its record; one of an unknown type goes no further."""
        kind = self._buffer[0]
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            self.opaque = True
            yield _TOO_MANY
        elif kind not in _KNOWN:
            self._message_left, self._keep = min(int.from_bytes(self._buffer[1:4], "big"), room), False
            yield _BAD_MESSAGE
        else:
            self._message_left = int.from_bytes(self._buffer[1:4], "big")
            self._keep = kind in _WANTED
            if self._keep and self._message_left > MAX_MESSAGE:
                yield _BAD_MESSAGE

    def _close_message(self) -> Event:
        kind = self._buffer[0]
        event = (
            Event(EventKind.MESSAGE, kind, bytes(self._buffer[4:])) if self._keep else Event(EventKind.MESSAGE, -kind)
        )
        self._buffer.clear()
        self._message_left = -1
        return event
