"""What was seen and what was not inspected: totals of a run, from columns, once a block."""

from __future__ import annotations

import numpy as np

from sensor.engine.counts import kernels_tally as kernels
from sensor.model.anomaly import DecodeAnomaly, StreamAnomaly
from sensor.model.block import PacketBlock
from sensor.model.counters import Counters
from sensor.model.rows import CSUM_NAMES, SEG_NOTE, TUNNEL_NAMES


class DecodeCounters(Counters):
    """EVE `stats.decoder`."""

    __slots__ = (
        "pkts",
        "bytes",
        "invalid",
        "ipv4",
        "ipv6",
        "tcp",
        "udp",
        "icmpv4",
        "icmpv6",
        "sctp",
        "arp",
        "vlan",
        "gre",
        "erspan",
        "vxlan",
        "geneve",
        "ipip",
        "fragments",
        "duplicates",
        "max_pkt_size",
        "truncated",
        "not_ip",
        "tcp_not_in_stream",
    )
    pkts: int
    bytes: int
    invalid: int
    ipv4: int
    ipv6: int
    tcp: int
    udp: int
    icmpv4: int
    icmpv6: int
    sctp: int
    arp: int
    vlan: int
    gre: int
    erspan: int
    vxlan: int
    geneve: int
    ipip: int
    fragments: int
    duplicates: int
    max_pkt_size: int
    truncated: int
    not_ip: int
    tcp_not_in_stream: int


class Tally:
    """Sums over blocks."""

    def __init__(self) -> None:
        self.first_ts: int | None = None
        self.last_ts: int | None = None
        self._own = DecodeCounters()
        self._sums = np.zeros(kernels.SUMS, np.int64)
        self._protos = np.zeros(256, np.int64)
        self._tunnels = np.zeros(8, np.int64)
        self._checksums = np.zeros(8, np.int64)
        self._odd = np.zeros(64, np.int64)
        self._notes = np.zeros(len(StreamAnomaly), np.int64)

    def add(self, block: PacketBlock, rows: np.ndarray, segs: np.ndarray) -> None:
        """Count a block. rows: ROW[n], segs: SEG[m]."""
        own = self._own
        own.pkts += block.n
        if block.n:
            own.bytes += int(block.wirelen.sum(dtype=np.int64))
            own.max_pkt_size = max(own.max_pkt_size, int(block.wirelen.max()))
            own.truncated += int(np.count_nonzero(block.caplen < block.wirelen))
            first, last = int(block.ts.min()), int(block.ts.max())
            self.first_ts = first if self.first_ts is None else min(self.first_ts, first)
            self.last_ts = last if self.last_ts is None else max(self.last_ts, last)
        kernels.count(rows, self._sums, self._protos, self._tunnels, self._checksums, self._odd)
        self._notes += np.bincount(segs["arg"][segs["kind"] == SEG_NOTE], minlength=self._notes.size)

    @property
    def decode(self) -> DecodeCounters:
        """Counters so far."""
        found, sums = self._own, self._sums
        found.ipv4, found.ipv6 = int(sums[4]), int(sums[6])
        found.arp = int(sums[kernels.ARP])
        found.not_ip = int(sums[0]) - found.arp
        for name, proto in (("icmpv4", 1), ("tcp", 6), ("udp", 17), ("gre", 47), ("icmpv6", 58), ("sctp", 132)):
            setattr(found, name, int(self._protos[proto]))
        for kind, name in enumerate(TUNNEL_NAMES):
            if name in {"erspan", "vxlan", "geneve", "ipip"}:
                setattr(found, name, int(self._tunnels[kind]))
        found.vlan, found.fragments = int(sums[kernels.VLAN]), int(sums[kernels.FRAGMENTS])
        found.duplicates, found.tcp_not_in_stream = int(sums[kernels.DUPLICATES]), int(sums[kernels.IGNORED])
        found.invalid = int(sums[kernels.INVALID])
        return found

    @property
    def checksums(self) -> dict[str, int]:
        """Transport checksums by state."""
        return dict(zip(CSUM_NAMES, self._checksums.tolist(), strict=False))

    @property
    def anomalies(self) -> dict[str, int]:
        """Anomalies by EVE name, those seen."""
        found = {a.event: int(self._odd[a]) for a in DecodeAnomaly}
        found |= {a.event: int(self._notes[a]) for a in StreamAnomaly}
        return {name: n for name, n in found.items() if n}
