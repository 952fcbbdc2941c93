"""Bits that rules set on hosts and on pairs of hosts, for a time (Suricata's xbits and hostbits)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.counters import Counters

if TYPE_CHECKING:
    from sensor.rules.nodes import HostBit

MAX_BITS = 65_536
"""Bits kept at a time, about 300 bytes each; at the cap the one that was set first is forgotten."""
_S = 1_000_000_000
_FOREVER = 1 << 62

Key = tuple[str, bytes, bytes]
"""Name and address, or both addresses of a pair, the lower one first."""


class HostBitCounters(Counters):
    """What the cap cost."""

    __slots__ = ("host_bits_dropped",)
    host_bits_dropped: int
    """Bits forgotten at the cap."""


def _last(ts_ns: int, seconds: int) -> int:
    """Return the last ns at which a bit is set: Suricata counts whole seconds, and the last one to its end."""
    return (ts_ns // _S + seconds + 1) * _S - 1


class HostBits:
    """All bits of all hosts."""

    def __init__(self, limit: int = MAX_BITS) -> None:
        self.counters = HostBitCounters()
        self._limit = limit
        self._until: dict[Key, int] = {}
        """Bit → packet time in ns up to which it is set; in the order in which they were set."""

    def __len__(self) -> int:
        return len(self._until)

    def is_set(self, key: Key, ts_ns: int) -> bool:
        """Return whether a bit is set at a packet time."""
        until = self._until.get(key)
        if until is None:
            return False
        if until < ts_ns:
            del self._until[key]
            return False
        return True

    def change(self, node: HostBit, key: Key, ts_ns: int) -> None:
        """Carry out set, unset and toggle; conditions change nothing. What is set already keeps its time."""
        stands = self.is_set(key, ts_ns)
        if node.action == "unset" or (node.action == "toggle" and stands):
            self._until.pop(key, None)
        elif node.action in ("set", "toggle") and not stands:
            self._until[key] = _last(ts_ns, node.seconds) if node.seconds else _FOREVER
            if len(self._until) > self._limit:
                self._until.pop(next(iter(self._until)))
                self.counters.host_bits_dropped += 1
