"""NTP packets: bytes to a record (RFC 5905 section 7.3; control: RFC 9327 section 2; private: `ntp_request.h`)."""

from __future__ import annotations

import msgspec

SYMMETRIC, CLIENT, SERVER, BROADCAST, CONTROL, PRIVATE = 1, 3, 4, 5, 6, 7
"""Modes."""
MODES = ("reserved", "symmetric_active", "symmetric_passive", "client", "server", "broadcast", "control", "private")
HEADER, CONTROL_HEADER, PRIVATE_HEADER = 48, 12, 8
"""Bytes of the fixed part."""


class NtpMessage(msgspec.Struct, gc=False):
    """One packet."""

    version: int
    mode: int
    stratum: int = 0
    reference: int = 0
    """Reference id, as a number."""
    opcode: int | None = None
    """Of a control message."""
    request: int | None = None
    """Request code of a private message."""
    response: bool = False
    """A control or private message answers."""


def message(data: bytes) -> NtpMessage | None:
    """Parse one packet; None where it is malformed."""
    if not data:
        return None
    mode = data[0] & 7
    version = data[0] >> 3 & 7
    if mode == PRIVATE:
        return _private(data, version)
    if mode == CONTROL:
        return _control(data, version)
    if not 1 <= version <= 4 or len(data) < HEADER:
        return None
    return NtpMessage(version, mode, data[1], int.from_bytes(data[12:16], "big"))


def _control(data: bytes, version: int) -> NtpMessage | None:
    if len(data) < CONTROL_HEADER or not 1 <= version <= 4:
        return None
    count = int.from_bytes(data[10:12], "big")
    if count > len(data) - CONTROL_HEADER:
        return None
    return NtpMessage(version, CONTROL, opcode=data[1] & 31, response=data[1] >= 128)


def _private(data: bytes, version: int) -> NtpMessage | None:
    if len(data) < PRIVATE_HEADER:
        return None
    return NtpMessage(version, PRIVATE, request=data[3], response=data[0] >= 128)
