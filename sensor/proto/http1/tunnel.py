"""What follows a CONNECT (RFC 9110 section 9.3.6): another protocol, told by how it begins."""

from __future__ import annotations

import re

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1 import limits

_TELLING = 32
"""Bytes by which a side has told what it speaks, or will not."""
_EITHER = (
    ("tls", re.compile(rb"\x16\x03[\x00-\x04]..[\x01\x02]", re.DOTALL)),
    ("ssh", re.compile(rb"SSH-")),
)
_BY_SIDE = (
    (
        ("http2", re.compile(rb"PRI \* HTTP/2\.0")),
        ("http", re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|TRACE|CONNECT|PATCH|PROPFIND) ")),
        ("smtp", re.compile(rb"(?:EHLO|HELO)[ \r\n]", re.IGNORECASE)),
    ),
    (("http", re.compile(rb"HTTP/1\.[01] ")),),
)
"""Protocols that may follow, and how clients and servers begin them."""


class Tunnel:
    """Holds the first bytes of both sides until it is known what they speak: at most `limits.TUNNEL` of each."""

    def __init__(self, early: bytes = b"") -> None:
        """early: what the client has said before it had an answer."""
        self.open = False
        """The server has agreed."""
        self.lost = False
        """Nothing that is known follows, or its beginning is not here."""
        self.kept = (bytearray(), bytearray())
        """What both sides have said."""
        self.take(TO_SERVER, early)

    def take(self, side: int, data: bytes) -> None:
        """Keep bytes of a side."""
        self.lost |= len(self.kept[side]) + len(data) > limits.TUNNEL
        self.kept[side].extend(data[: limits.TUNNEL - len(self.kept[side])])

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return sum(map(len, self.kept))

    def begin(self, behind: bytes) -> None:
        """Note that the server has agreed. What a client has said before counts if it can be told what it is."""
        self.open = True
        if not self._spoken(TO_SERVER):
            self.kept[TO_SERVER].clear()
        self.take(TO_CLIENT, behind)

    def protocol(self) -> str:
        """Return what is spoken; empty: it is not known yet, or will never be (`lost`)."""
        found = self._spoken(TO_SERVER) or self._spoken(TO_CLIENT)
        sizes = [len(data) for data in self.kept]
        self.lost = self.lost or (not found and min(sizes) >= _TELLING)
        return "" if self.lost else found

    def _spoken(self, side: int) -> str:
        data = self.kept[side]
        return next((name for name, start in (*_EITHER, *_BY_SIDE[side]) if start.match(data)), "")
