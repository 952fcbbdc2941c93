"""RDP connection requests and confirmations (MS-RDPBCGR sections 2.2.1.1 and 2.2.1.2, in TPKT and X.224)."""

from __future__ import annotations

import re

import msgspec

REQUEST, CONFIRM = 0xE0, 0xD0
"""X.224 types (section 13 of ITU-T X.224)."""

_FIXED = 11
"""TPKT header, length, type, two references, class."""
_COOKIE = re.compile(rb"Cookie: mstshash=([^\r\n]{0,128})\r\n")
_TOKEN = re.compile(rb"[^\r\n]{1,256}\r\n")
_OFFER, _CHOICE, _FAILURE = 1, 2, 3


class Connect(msgspec.Struct, gc=False):
    """A request or a confirmation."""

    kind: int
    cookie: bytes = b""
    flags: int = 0
    protocols: int | None = None
    """Offered as bits, or the chosen one; None: standard RDP security."""
    failure: int | None = None


def kind(data: bytes) -> int:
    """Return the type of an X.224 message; 0: it is cut."""
    return data[5] & 0xF0 if len(data) > 5 else 0


def connect(data: bytes) -> Connect | None:
    """Parse a request or a confirmation; None where it is malformed."""
    if len(data) < _FIXED or data[4] != len(data) - 5:
        return None
    found = Connect(kind(data))
    rest = data[_FIXED:]
    if found.kind == REQUEST:
        cookie = _COOKIE.match(rest)
        token = cookie or _TOKEN.match(rest)
        found.cookie = cookie[1] if cookie else b""
        rest = rest[token.end() :] if token else rest
    if not rest:
        return found
    if len(rest) < 8:
        return None
    what, value = rest[0], int.from_bytes(rest[4:8], "little")
    if what == (_OFFER if found.kind == REQUEST else _CHOICE):
        found.flags, found.protocols = rest[1], value
    elif what == _FAILURE and found.kind == CONFIRM:
        found.failure = value
    else:
        return None
    return found
