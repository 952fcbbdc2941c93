"""PDUs of connectionless DCE/RPC, one in a datagram (C706 section 12.5). Fragments are not joined: each is a call."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.dcerpc import parse
from sensor.proto.dcerpc.association import Done
from sensor.proto.dcerpc.call import Call

HEADER = 80
MARK = b"\x04"
"""The version, with which each PDU begins."""

_SIDES: Mapping[int, int] = MappingProxyType(
    {parse.REQUEST: TO_SERVER, parse.RESPONSE: TO_CLIENT, parse.FAULT: TO_CLIENT}
)
_LITTLE = 0x10
_BIG_ENDIAN, _LITTLE_ENDIAN = struct.Struct(">IIIHHHH"), struct.Struct("<IIIHHHH")
"""Boot time, version of the interface, sequence, operation, two hints, bytes of the body."""
_NUMBERS_AT = 56


class DatagramError(ValueError):
    """A datagram that is no PDU, or not all of one."""


class DatagramCall(Call):
    """A request or an answer that came in a datagram."""

    __slots__ = ("activity", "sequence")

    def __init__(self, *, little: bool, activity: str, sequence: int) -> None:
        super().__init__(0, 0, little=little)
        self.activity = activity
        """UUID of who calls."""
        self.sequence = sequence

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return {**self.summary(), "activityuuid": self.activity, "seqnum": self.sequence, "rpc_version": "4.0"}


def call(data: bytes) -> Done | None:
    """Return the side of a call that a datagram is; None: it carries none (a ping, an acknowledgment).

    Raises DatagramError where it is malformed.
    """
    if len(data) < HEADER or data[:1] != MARK:
        raise DatagramError("no header")
    side = _SIDES.get(data[1])
    if side is None:
        return None
    little = bool(data[4] & _LITTLE)
    _, version, sequence, opnum, _, _, size = (_LITTLE_ENDIAN if little else _BIG_ENDIAN).unpack_from(data, _NUMBERS_AT)
    if HEADER + size > len(data):
        raise DatagramError("cut")
    made = DatagramCall(little=little, activity=_uuid(data[40:56], little=little), sequence=sequence)
    made.kinds[side] = data[1]
    made.opnum = opnum
    made.bound = parse.Context(0, _uuid(data[24:40], little=little), version & 0xFFFF, version >> 16)
    made.stubs[side].add(data[HEADER : HEADER + size])
    return Done(made, side)


def _uuid(raw: bytes, *, little: bool) -> str:
    return str(uuid.UUID(bytes_le=raw) if little else uuid.UUID(bytes=raw))
