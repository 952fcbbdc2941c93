"""Whether both sides of conversations are seen: a mirror of one direction leaves rules blind, and nothing else tells.

Judged on TCP flows that ended: an acknowledgment without any packet of the side that it acknowledges.
"""

from __future__ import annotations

import numpy as np

from sensor.model.counters import Counters

_TCP = 6
_ACK = 0x10


class SightCounters(Counters):
    """TCP flows that ended."""

    __slots__ = ("one_way", "tcp_ended")
    tcp_ended: int
    """With an acknowledgment: a scan of hosts that never answer does not count."""
    one_way: int
    """Of those, with packets of one side only, two at least."""


def count(counters: SightCounters, ended: np.ndarray) -> None:
    """Count flows. ended: FLOW[n]."""
    flags, packets = ended["tcpflags"], ended["pkts"]
    spoken = (ended["proto"] == _TCP) & ((flags[:, 0] | flags[:, 1]) & _ACK != 0)
    alone = (packets == 0).any(axis=1) & (packets.sum(axis=1) > 1)
    counters.tcp_ended += int(np.count_nonzero(spoken))
    counters.one_way += int(np.count_nonzero(spoken & alone))
