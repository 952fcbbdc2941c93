"""A decoded packet as rules see it: its row as plain numbers."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

Buffer = bytes | memoryview | npt.NDArray[np.uint8]
"""The row buffer of a block."""


class PacketRow(msgspec.Struct, frozen=True, gc=False):
    """One `ROW` as plain ints, same names, same order (a field of np.void takes 0.1-0.2 us each)."""

    ts: int
    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    anomaly: int
    pkt: int
    parent: int
    l2: int
    l3: int
    l4: int
    pay: int
    paylen: int
    caplen: int
    wirelen: int
    iplen: int
    seq: int
    ack: int
    ipid: int
    tunnel_id: int
    sport: int
    dport: int
    win: int
    urg: int
    fragoff: int
    ethertype: int
    vlan0: int
    vlan1: int
    nvlan: int
    ipv: int
    proto: int
    ttl: int
    tos: int
    tcpflags: int
    frag: int
    tunnel: int
    l3csum: int
    l4csum: int
    slow: int
    dup: int
    side: int
    fstate: int
    stream: int
    flow: int


def packet_row(rows: np.ndarray, i: int) -> PacketRow:
    """Return row `i` of a ROW array."""
    return PacketRow(*rows[i].item())
