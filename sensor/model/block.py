"""A batch of captured packets: one borrowed buffer and its columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_PPP = 9
LINKTYPE_PPP_HDLC = 50
LINKTYPE_RAW = 101  # also 12 and 14 in files of some systems: normalised by capture
LINKTYPE_C_HDLC = 104
LINKTYPE_LOOP = 108
LINKTYPE_LINUX_SLL = 113
LINKTYPE_IPV4 = 228
LINKTYPE_IPV6 = 229
LINKTYPE_LINUX_SLL2 = 276
"""Link types, https://www.tcpdump.org/linktypes.html"""

HINT_NONE, HINT_CSUM_PARTIAL, HINT_CSUM_VALID = 0, 1, 2
"""Checksum hints of the kernel (TP_STATUS_CSUMNOTREADY, TP_STATUS_CSUM_VALID; linux/if_packet.h)."""


@dataclass(slots=True)
class PacketBlock:
    """Packets in capture order.

    The buffer is borrowed from the source (a mapped file, a ring) until the source's `release(block)`.
    Stages copy what must outlive it.
    """

    buf: np.ndarray
    """uint8[size], read-only, size < 2**31."""
    off: np.ndarray
    """int64[n]: offset of each frame's first byte in `buf`."""
    caplen: np.ndarray
    """int32[n]: captured bytes."""
    wirelen: np.ndarray
    """int32[n]: bytes on the wire."""
    ts: np.ndarray
    """int64[n]: packet time, nanoseconds since the epoch."""
    linktype: np.ndarray
    """uint16[n]: LINKTYPE_*; capture refuses types that decode does not know."""
    first: int = 1
    """Number of the first packet in its source, counted from 1 (EVE `pcap_cnt`)."""
    source: str = ""
    """File name or interface."""
    vlan_tci: np.ndarray | None = None
    """int32[n]: outer VLAN tag that came out of band, -1: none."""
    vlan_tpid: np.ndarray | None = None
    """uint16[n]: its TPID."""
    hints: np.ndarray | None = None
    """uint8[n]: HINT_*."""
    handle: object = field(default=None, repr=False)
    """What the source needs to release the block."""
    numbers: np.ndarray | None = None
    """int64[n]: packet numbers in the source, where they are not consecutive (a capture filter)."""

    @property
    def n(self) -> int:
        """Number of packets."""
        return int(self.off.size)

    def part(self, first: int, last: int) -> PacketBlock:
        """Return some of the packets, `last` excluded, as a block."""
        if (first, last) == (0, self.n):
            return self

        def some(column: np.ndarray | None) -> np.ndarray | None:
            return None if column is None else column[first:last]

        return replace(
            self, off=self.off[first:last], caplen=self.caplen[first:last], wirelen=self.wirelen[first:last],
            ts=self.ts[first:last], linktype=self.linktype[first:last], first=self.first + first,
            vlan_tci=some(self.vlan_tci), vlan_tpid=some(self.vlan_tpid), hints=some(self.hints),
            numbers=some(self.numbers),
        )  # fmt: skip

    def number(self, i: int) -> int:
        """Return the number of packet `i` of this block in its source, counted from 1."""
        return self.first + i if self.numbers is None else int(self.numbers[i])

    def packet_numbers(self) -> np.ndarray:
        """Return int64[n]: the number of each packet in its source."""
        if self.numbers is not None:
            return self.numbers
        return np.arange(self.first, self.first + self.n, dtype=np.int64)


class BlockSource(Protocol):
    """Where blocks come from. One block is borrowed at a time."""

    def blocks(self) -> Iterator[PacketBlock]:
        """Yield blocks until the input ends; each is released when the next is asked for.

        Raises CaptureError after the last good block where the input is damaged.
        """

    def close(self) -> None:
        """Give back files and mappings."""
