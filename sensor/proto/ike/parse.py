"""IKE messages: header and chain of payloads (RFC 2408 section 3, RFC 7296 section 3)."""

from __future__ import annotations

import struct
from types import MappingProxyType

import msgspec

from sensor.proto.ike import sa
from sensor.proto.ike.sa import Proposal
from sensor.proto.reader import Reader, WireError

V1, V2 = 1, 2
MARKER = b"\0\0\0\0"
"""Stands before a message on the port of NAT traversal (RFC 3948 section 2.2)."""

ENCRYPTED, INITIATOR = 0x01, 0x08
"""Flags: of version 1, of version 2."""

MAX_PAYLOADS = 64
"""Payloads read of one message; real ones have up to some twenty."""

_NO_SPI = bytes(8)
_HEADER = struct.Struct("!8s8sBBBBII")
_SA, _KEY_EXCHANGE, _NONCE, _NOTIFY, _VENDOR = "sa", "ke", "nonce", "notify", "vendor"
_KINDS = (
    MappingProxyType({1: _SA, 4: _KEY_EXCHANGE, 10: _NONCE, 13: _VENDOR}),
    MappingProxyType({33: _SA, 34: _KEY_EXCHANGE, 40: _NONCE, 41: _NOTIFY, 43: _VENDOR}),
)
"""Payload types by version (RFC 2408 section 3.1, RFC 7296 section 3.2)."""
_SEALED = frozenset({46, 53})
"""What follows these payloads of version 2 is encrypted (RFC 7296 section 3.14, RFC 7383)."""


class IkeMessage(msgspec.Struct, gc=False):
    """One message."""

    init_spi: bytes
    resp_spi: bytes
    version: int
    minor: int
    exchange: int
    flags: int
    message_id: int
    payloads: list[int]
    """Types, in order; 0: none, where a message of version 1 has none, and behind the last one of version 2."""
    proposals: list[Proposal] = []
    key_exchange: bytes = b""
    nonce: bytes = b""
    vendors: list[bytes] = []
    notifies: list[int] = []
    """Types of the notifications of version 2."""
    doi: int | None = None
    broken: bool = False
    """The chain of payloads leaves the message, or a payload its bounds."""
    extra: bool = False
    """Bytes follow the last payload."""

    @property
    def encrypted(self) -> bool:
        """The payloads of a message of version 1 cannot be read."""
        return self.version == V1 and bool(self.flags & ENCRYPTED)


def message(data: bytes) -> IkeMessage | None:
    """Parse one datagram; None where it is malformed."""
    if data.startswith(MARKER) and not data.startswith(_NO_SPI):
        data = data[4:]
    if len(data) < _HEADER.size:
        return None
    init, resp, first, version, exchange, flags, number, size = _HEADER.unpack_from(data)
    found = IkeMessage(init, resp, version >> 4, version & 15, exchange, flags, number, [])
    if found.version not in (V1, V2):
        return None
    try:
        _payloads(Reader(data, _HEADER.size, len(data) if size < _HEADER.size else min(size, len(data))), first, found)
    except WireError:
        found.broken = True
    return found


def _payloads(reader: Reader, kind: int, found: IkeMessage) -> None:
    """Read the chain; each payload says of which type the next one is."""
    if found.encrypted:
        found.payloads.append(kind)
        return
    while kind and len(found.payloads) < MAX_PAYLOADS:
        following = reader.u8()
        reader.u8()
        body = reader.restrict(reader.u16() - 4)
        found.payloads.append(kind)
        _payload(body, kind, found)
        if found.version == V2 and kind in _SEALED:
            kind = following
            break
        kind = following
    if not kind and (found.version == V2 or not found.payloads):
        found.payloads.append(kind)
    found.extra = reader.left() > 0


def _payload(body: Reader, kind: int, found: IkeMessage) -> None:
    what = _KINDS[found.version - 1].get(kind)
    if what == _SA:
        found.proposals = found.proposals + _association(body, found)
    elif what == _KEY_EXCHANGE:
        if found.version == V2:
            body.skip(4)
        found.key_exchange = body.rest()
    elif what == _NONCE:
        found.nonce = body.rest()
    elif what == _VENDOR:
        found.vendors = [*found.vendors, body.rest()]
    elif what == _NOTIFY:
        body.skip(2)
        found.notifies = [*found.notifies, body.u16()]


def _association(body: Reader, found: IkeMessage) -> list[Proposal]:
    if found.version == V2:
        return sa.proposals(body, sa.transform2)
    found.doi = body.u32()
    if found.doi != sa.DOI_IPSEC:
        return []
    body.skip(4)
    return sa.proposals(body, sa.transform1)
