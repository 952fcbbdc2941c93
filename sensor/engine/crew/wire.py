"""What workers tell the process that collects, and what it tells them: MessagePack, checked when it is read.

A worker reads what guests send, so what comes from one is data: it is decoded into these types and nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sensor.model.scene import Record


class Lot(msgspec.Struct, frozen=True, gc=False, tag="lot"):
    """Records in the order in which they were raised. Of a Match, `rule` is [gid, sid]."""

    keys: list[int]
    """One for each record, never falling: when it happened, on the clock that all workers have in common."""
    records: list[Record]
    upto: int
    """No later record has a key below this."""


class Part(msgspec.Struct, frozen=True, gc=False, tag="part"):
    """What one worker has seen, at the end."""

    captures: int = 0
    packets: int = 0
    octets: int = 0
    first: int = 0
    """ns: the first packet, 0: none came."""
    last: int = 0
    flows: int = 0
    filtered: int = 0
    not_inspected: dict[str, int] = {}
    suspended: list[tuple[int, int]] = []
    anomalies: dict[str, int] = {}
    notes: list[str] = []
    errors: list[str] = []
    stats: dict[str, Any] = {}
    """Body of an EVE `stats` event."""


FromWorker = Lot | Part

encode = msgspec.msgpack.Encoder().encode
"""Returns the bytes of a message."""
