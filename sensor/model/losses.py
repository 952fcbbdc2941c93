"""What parsers could not look at, or had to forget, within the bounds of one flow."""

from __future__ import annotations

from sensor.model.counters import Counters


class Losses(Counters):
    """Of all flows. What becomes an event of its protocol is not counted here."""

    __slots__ = ("files", "handles", "ranges", "transactions", "tunnels")
    files: int
    """Files given up for others of their flow, or beyond as many as are kept of a mail."""
    handles: int
    """Open files, shares, file handles and interfaces that were forgotten, or never known."""
    ranges: int
    """Files in byte ranges that were dropped before they were complete."""
    transactions: int
    """Transactions that gave way to others of their flow while they waited."""
    tunnels: int
    """Connections that went on as a protocol that is not known."""
