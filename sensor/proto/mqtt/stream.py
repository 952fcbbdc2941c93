"""One side of an MQTT connection: bytes to whole control packets."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sensor.proto.mqtt.limits import KEPT

MAX_HEADER = 5
"""Type byte and four bytes of length (MQTT 5 section 2.1.4)."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One control packet as sent."""

    raw: bytes
    """Fixed header and body, at most KEPT bytes of it."""
    header: int
    """Bytes of the fixed header; 0: its length field is malformed, nothing can follow."""
    size: int
    """Bytes that it has on the wire."""


class MqttSide:
    """Cuts one side's bytes into packets."""

    __slots__ = ("_header", "_kept", "_left", "_size")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._header = 0
        """Bytes of the fixed header once its end is known."""
        self._left = 0
        """Bytes of the packet still to come."""
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that these bytes complete."""
        pos = 0
        while pos < len(data):
            if not self._header:
                self._kept.append(data[pos])
                pos += 1
                self._look()
            else:
                take = min(self._left, len(data) - pos)
                room = max(0, KEPT + self._header - len(self._kept))
                self._kept += data[pos : pos + min(take, room)]
                self._left -= take
                pos += take
            if self._header and not self._left:
                yield self._close()
            elif len(self._kept) == MAX_HEADER and not self._header:
                yield Packet(bytes(self._kept), 0, MAX_HEADER)
                return

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._kept)

    def rest(self) -> Packet | None:
        """Return the long packet of which no more will come; None: there is none."""
        if not self._header or self._size < KEPT:
            return None
        return self._close()

    def _look(self) -> None:
        """See whether the length is complete."""
        if len(self._kept) > 1 and self._kept[-1] < 128:
            self._header = len(self._kept)
            self._left = sum((byte & 127) << 7 * i for i, byte in enumerate(self._kept[1:]))
            self._size = self._header + self._left

    def _close(self) -> Packet:
        packet = Packet(bytes(self._kept), self._header, self._size)
        self._kept.clear()
        self._header = 0
        return packet
