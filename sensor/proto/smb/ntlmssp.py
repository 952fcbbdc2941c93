"""NTLM messages in the security blob of a session set-up (MS-NLMP section 2.2.1)."""

from __future__ import annotations

import msgspec

_SIGNATURE = b"NTLMSSP\0"
_AUTHENTICATE = 3
_UNICODE, _VERSION = 0x1, 0x02000000
"""Bits of the negotiate flags."""
_FLAGS_AT, _VERSION_AT = 60, 64
_MAX_NAME = 1024
"""Bytes of a name that are read."""


class NtlmUser(msgspec.Struct, frozen=True, gc=False):
    """Who logs on: names as UTF-8."""

    domain: bytes
    user: bytes
    host: bytes
    version: str
    """Of the client's system, as `10.0 build 19041 rev 15`; empty: it does not say."""


class NtlmError(ValueError):
    """An NTLM message that cannot be read."""


def user(blob: bytes) -> NtlmUser | None:
    """Return the user of an AUTHENTICATE message, wherever in the blob it begins; None: there is none.

    Raises NtlmError where there is one with fields that leave it.
    """
    start = blob.find(_SIGNATURE)
    if start < 0:
        return None
    message = blob[start:]
    if len(message) < 12 or _number(message, 8, 4) != _AUTHENTICATE:
        return None
    if len(message) < 52:
        raise NtlmError("cut before its names")
    offsets = [_number(message, at + 4, 4) for at in (28, 36, 44) if _number(message, at, 2)]
    flags = _number(message, _FLAGS_AT, 4) if min([len(message), *offsets]) >= _FLAGS_AT + 4 else _UNICODE
    domain, name, host = (_name(message, at, unicode=bool(flags & _UNICODE)) for at in (28, 36, 44))
    described = flags & _VERSION and min([len(message), *offsets]) >= _VERSION_AT + 8
    return NtlmUser(domain, name, host, _version(message[_VERSION_AT : _VERSION_AT + 8]) if described else "")


def _name(message: bytes, at: int, *, unicode: bool) -> bytes:
    size, offset = _number(message, at, 2), _number(message, at + 4, 4)
    if offset + size > len(message) and size:
        raise NtlmError("a name leaves the message")
    raw = message[offset : offset + min(size, _MAX_NAME)]
    return raw.decode("utf-16-le", "replace").encode() if unicode else raw


def _version(raw: bytes) -> str:
    return f"{raw[0]}.{raw[1]} build {_number(raw, 2, 2)} rev {raw[7]}"


def _number(data: bytes, pos: int, size: int) -> int:
    return int.from_bytes(data[pos : pos + size], "little")
