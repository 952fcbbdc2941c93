"""EtherNet/IP messages and the CIP requests in them (ODVA, CIP volumes 1 and 2)."""

from __future__ import annotations

import struct
from itertools import pairwise

import msgspec

HEADER = struct.Struct("<HHII8sI")
"""Command, bytes behind the header, session, status, sender's context, options (volume 2, section 2-3.1)."""

SEND_RR_DATA, SEND_UNIT_DATA = 0x6F, 0x70
_CONNECTED, _UNCONNECTED = 0xB1, 0xB2
"""Items that carry CIP (volume 2, section 2-6.3)."""

MULTIPLE, GET_LIST, SET_LIST, GET_SINGLE, SET_SINGLE = 0x0A, 0x03, 0x04, 0x0E, 0x10
"""CIP services (volume 1, appendix A)."""

MAX_ITEMS = 16
MAX_REQUESTS = 32
"""CIP requests of one message, those in multiple service packets included."""
MAX_ATTRIBUTES = 64

_CLASS, _ATTRIBUTE = 0, 4
"""Logical types in the path of a request (volume 1, appendix C)."""


class CipRequest(msgspec.Struct, gc=False):
    """One request."""

    service: int
    classes: list[int] = []
    """Of its path."""
    attributes: list[int] = []
    """Of its path, and those that a list names."""


class EnipMessage(msgspec.Struct, gc=False):
    """One message."""

    command: int
    session: int
    status: int
    requests: list[CipRequest] = []
    malformed: bool = False
    """An item or a request leaves the message; those before it are here."""


def message(data: bytes) -> EnipMessage | None:
    """Parse one message; None where its header is cut."""
    if len(data) < HEADER.size:
        return None
    command, size, session, status, _, _ = HEADER.unpack_from(data)
    found = EnipMessage(command, session, status)
    if command in (SEND_RR_DATA, SEND_UNIT_DATA):
        body = data[HEADER.size : HEADER.size + size]
        found.malformed = len(body) < size or not _items(body, found)
    return found


def _items(body: bytes, found: EnipMessage) -> bool:
    """Read the common packet format (volume 2, section 2-6); False where an item leaves it."""
    if len(body) < 8:
        return False
    pos = 8
    for _ in range(min(int.from_bytes(body[6:8], "little"), MAX_ITEMS)):
        if pos + 4 > len(body):
            return False
        kind, size = struct.unpack_from("<HH", body, pos)
        item = body[pos + 4 : pos + 4 + size]
        pos += 4 + size
        if len(item) < size:
            return False
        if kind in (_CONNECTED, _UNCONNECTED) and not _cip(item[2:] if kind == _CONNECTED else item, found, 0):
            return False
    return True


def _cip(raw: bytes, found: EnipMessage, depth: int) -> bool:
    """Read a CIP request (volume 1, section 2-4.1); a response says nothing here."""
    if not raw or raw[0] & 0x80:
        return True
    if len(raw) < 2 or len(found.requests) >= MAX_REQUESTS:
        return False
    request = CipRequest(raw[0])
    found.requests = [*found.requests, request]
    behind = 2 + 2 * raw[1]
    if behind > len(raw) or not _path(raw[2:behind], request):
        return False
    body = raw[behind:]
    if request.service == MULTIPLE:
        return depth == 0 and _multiple(body, found)
    if request.service in (GET_LIST, SET_LIST):
        return _listed(body, request)
    return True


def _path(raw: bytes, request: CipRequest) -> bool:
    """Read logical segments up to the first of another kind (volume 1, section C-1.4)."""
    pos = 0
    while pos < len(raw) and raw[pos] & 0xE0 == 0x20:
        kind, wide = raw[pos] >> 2 & 7, raw[pos] & 3
        if wide > 1:
            return True
        value = raw[pos + 2 : pos + 4] if wide else raw[pos + 1 : pos + 2]
        pos += 4 if wide else 2
        if pos > len(raw):
            return False
        if kind == _CLASS:
            request.classes = [*request.classes, int.from_bytes(value, "little")]
        elif kind == _ATTRIBUTE:
            request.attributes = [*request.attributes, int.from_bytes(value, "little")]
    return True


def _multiple(body: bytes, found: EnipMessage) -> bool:
    """Read the requests of a multiple service packet (volume 1, section A-4.10)."""
    count = int.from_bytes(body[:2], "little")
    if len(body) < 2 + 2 * count or count > MAX_REQUESTS:
        return False
    offsets = [*struct.unpack_from(f"<{count}H", body, 2), len(body)]
    return all(_cip(body[start:end], found, 1) for start, end in pairwise(offsets) if start < end)


def _listed(body: bytes, request: CipRequest) -> bool:
    """Read the attributes that a list names. Behind the first one of a set list stands its value, of unknown size."""
    count = int.from_bytes(body[:2], "little")
    if len(body) < 2 + 2 * min(count, 1) or count > MAX_ATTRIBUTES:
        return False
    count = min(count, 1) if request.service == SET_LIST else count
    if len(body) < 2 + 2 * count:
        return False
    request.attributes = [*request.attributes, *struct.unpack_from(f"<{count}H", body, 2)]
    return True
