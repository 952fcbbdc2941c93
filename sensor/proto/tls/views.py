"""What rules see of TLS beside the handshake itself: each record as a frame, and how far the handshake has come.

Made where a rule asks for it only (`ShowsFrames`): records go on to the end of a flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from sensor.proto.tls.records import ALERT, CHANGE_CIPHER_SPEC, HEARTBEAT, MAX_RECORD
from sensor.proto.view import View

HEAD = 5
"""Bytes of a record's header (RFC 8446 section 5.1)."""
SSL2_HEAD = 2
"""Bytes of an SSLv2 record's header; rules see the type of the message as one more, as in Suricata."""
FRAMES = ("pdu", "hdr", "data", "alert", "heartbeat", "ssl2.hdr", "ssl2.pdu")
_OF_TYPE = MappingProxyType({ALERT: "alert", HEARTBEAT: "heartbeat"})

STATES = ("none", "client_hello", "server_hello", "server_keyx", "client_keyx")
"""The last of these messages among the bytes that came last; `none`: there is none, or behind it the server has asked
for a certificate. All of it as in Suricata."""
_STATE_OF = MappingProxyType({1: "client_hello", 2: "server_hello", 12: "server_keyx", 13: "none", 16: "client_keyx"})
"""Type of a handshake message (RFC 5246 section 7.4) → state behind it."""
_SAID_BY = (frozenset({1, 16}), frozenset({2, 12, 13}))
"""Which of them a side may send."""
_LONGEST = 16
"""States that are kept of a side."""


class Records:
    """Cuts one side's bytes into records. Holds one."""

    __slots__ = ("_buffer", "_suffix", "sound")

    def __init__(self, suffix: str) -> None:
        """suffix: of the buffers' names."""
        self._buffer = bytearray()
        self._suffix = suffix
        self.sound: bool | None = None
        """None: nothing was cut yet; False: what comes is no record."""

    def feed(self, data: bytes) -> Iterator[View]:
        """Yield the records that these bytes complete."""
        if self.sound is False:
            return
        self._buffer += data
        at = 0
        while (size := self._size(at)) and at + size <= len(self._buffer):
            yield self._frame(bytes(self._buffer[at : at + size]))
            at, self.sound = at + size, True
        del self._buffer[:at]

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._buffer)

    def _size(self, at: int) -> int:
        """Return the size of the record at a place; 0: it is not known yet, or there is none."""
        head = self._buffer[at : at + HEAD]
        if len(head) < HEAD:
            return 0
        if CHANGE_CIPHER_SPEC <= head[0] <= HEARTBEAT and (head[3] << 8 | head[4]) <= MAX_RECORD:
            return HEAD + (head[3] << 8 | head[4])
        if self.sound is None and head[0] >= 0x80 and head[2] in {1, 4}:  # SSLv2 hellos come first
            return SSL2_HEAD + ((head[0] & 0x7F) << 8 | head[1])
        self.sound = False
        self._buffer.clear()
        return 0

    def _frame(self, raw: bytes) -> View:
        if raw[0] >= 0x80:
            found = {"ssl2.pdu": raw, "ssl2.hdr": raw[: SSL2_HEAD + 1]}
        else:
            found = {"pdu": raw, "hdr": raw[:HEAD], "data": raw[HEAD:]}
            if kind := _OF_TYPE.get(raw[0]):
                found[kind] = raw[HEAD:]
        return View({f"frame.tls.{name}{self._suffix}": value for name, value in found.items()})


class Progress:
    """How far a handshake has come, as the packets of either side find it.

    A packet finds what was acknowledged before it: what the other side has sent, and what its own side has sent
    earlier. The buffer lists what each side's packets have found one after the other.
    """

    __slots__ = ("_found", "_now")

    def __init__(self) -> None:
        self._now = ""
        self._found: tuple[list[str], list[str]] = ([], [])

    def note(self, side: int, message: int) -> None:
        """Take a handshake message of a side, by its type."""
        if message in _SAID_BY[side]:
            self._now = _STATE_OF[message]

    def begin(self) -> None:
        """Bytes are coming: what was found before them counts no more."""
        self._now = "none"

    def found(self, side: int) -> View | None:
        """Return what a packet of a side finds; None: what its last one did."""
        found = self._found[side]
        if not self._now or (found and found[-1] == self._now) or len(found) >= _LONGEST:
            return None
        found.append(self._now)
        return View({f"tls.state{'@to_client' if side else ''}": " ".join(found).encode()})
