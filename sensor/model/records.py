"""Records that leave the engine. Frozen, without cycles, cheap to make."""

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, gc=False):
    """One EVE record before encoding: its type, and its fields in output order."""

    kind: str
    """`alert`, `anomaly`, `flow`, `dns`, …"""
    fields: dict[str, Any]
    """The whole EVE object, `timestamp` first."""
