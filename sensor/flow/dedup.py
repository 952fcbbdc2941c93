"""Mirror duplicates: a bridge mirrored at ingress and egress shows each packet between two guests twice.

A packet is a *copy* of an earlier one when everything from the IP (or ARP) header on is equal except TTL or
hop limit and the IPv4 header checksum (a routed copy has them changed), at most `window_ns` of packet time
and 64 packets after it. Each packet has at most one copy, so a doubled `A A A A` is `A copy A copy`;
broadcasts and multicasts are mirrored once per port and have any number.

Equality alone proves nothing: forged traffic repeats itself, hosts retransmit. Copies are removed only
where the mirror has been seen to double: of the packets *with content not seen just before*, three quarters
between the same two stations came twice (a bridge doubles guest-to-guest traffic and shows traffic with the
outside once, so stations are judged apart), or, for stations that have not said enough yet, half of all
packets. A thousand equal packets are one piece of evidence. Before that, copies are only counted
(`suspected`).

In ERSPAN the transport differs between the copies: what is inside is compared, its carrier shares its fate.
"""

from __future__ import annotations

import numpy as np

from sensor.flow import kernels_dedup as kernels
from sensor.flow.limits_fragments import DEDUP_DEPTH, DEDUP_PAIRS, DedupLimits
from sensor.model.counters import Counters


class DedupCounters(Counters):
    """What duplicate removal has seen."""

    __slots__ = ("duplicates", "examined", "suspected")

    examined: int
    """IP and ARP packets compared."""
    duplicates: int
    """Copies marked: counted, not inspected."""
    suspected: int
    """Copies found where the mirror was not (yet) seen to double: inspected."""


class Dedup:
    """State between blocks (at most 8.5 MB, normally 0.2 MB: the bytes of the last 64 packets)."""

    def __init__(self, limits: DedupLimits) -> None:
        self.limits = limits
        self.counters = DedupCounters()
        self._ring = np.zeros(DEDUP_DEPTH, kernels.RING)
        self._heads = np.full(kernels.BUCKETS, -1, np.int64)
        self._pairs = np.zeros(DEDUP_PAIRS, kernels.PAIR)
        self._carry = np.empty((2, kernels.CARRY), np.uint8)
        self._meta = np.zeros(8, np.int64)
        self._meta[kernels.M_CLOCK] = np.iinfo(np.int64).min // 2

    def mark(self, rows: np.ndarray, buf: np.ndarray) -> int:
        """Set `rows["dup"]` of copies and of what is inside them; return the number of packets marked.

        rows: ROW[n] of one block in packet order, before defragmentation; buf: uint8.
        """
        if not self.limits.enabled or not rows.size:
            return 0
        marked = int(
            kernels.mark(
                rows, buf, self._ring, self._heads, self._pairs, self._carry, self._meta,
                self.limits.window_ns, self.limits.learn,
            )
        )  # fmt: skip
        self.counters.duplicates += marked
        self.counters.suspected = int(self._meta[kernels.M_SUSPECTED])
        self.counters.examined = int(self._meta[kernels.M_EXAMINED])
        return marked
