"""The TLS that an RDP server goes on with (MS-RDPBCGR section 5.4.5): only its certificates are looked at."""

from __future__ import annotations

from sensor.proto.tls import parse, x509
from sensor.proto.tls.records import EventKind, RecordSide

_CERTIFICATE = 11
"""Handshake type (RFC 5246 section 7.4)."""


class SecuredSide:
    """What a server says behind its choice of a protocol, up to its certificates."""

    __slots__ = ("_records", "done")

    def __init__(self) -> None:
        self.done = False
        """Nothing more is to be learnt."""
        self._records = RecordSide()

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._records.held

    def feed(self, data: bytes) -> list[str] | None:
        """Take the next bytes; return the serial numbers of the chain, once it is here."""
        if self.done:
            return None
        for event in self._records.feed(data):
            if event.kind != EventKind.MESSAGE:
                self.done = True
                return None
            if event.type == _CERTIFICATE:
                self.done = True
                return _serials(event.body)
        return None


def _serials(body: bytes) -> list[str]:
    """Return the serial numbers of a chain, as numbers in hex (as Suricata shows them here)."""
    chain, _ = parse.certificates(body)
    found = (x509.parse(der).serial for der in chain)
    return [f"{int(serial.replace(':', ''), 16):x}" for serial in found if serial]
