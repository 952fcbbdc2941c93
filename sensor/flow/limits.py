"""Bounds of the flow table and of TCP reassembly: defaults, units, where the numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensor.model.bounds import within

CHUNK: Final = 1536
"""Bytes of one stored piece of an out-of-order segment: one full Ethernet payload. A smaller segment costs as much."""

CLOCK_STEP: Final = 10
"""Seconds of packet time that one packet alone may move the clock. A farther jump, forward or back, counts
once the next packet confirms it, so a single corrupt timestamp ends no flow but its own."""


@dataclass(frozen=True, slots=True)
class FlowTimeouts:
    """Seconds of packet time without a packet after which a flow ends (Suricata's names and defaults), 1-604,800.

    Counted in whole seconds: a flow ends when more than this many second boundaries lie behind its last
    packet. Raises ValueError outside that range.
    """

    tcp_new: int = 60
    tcp_established: int = 600
    tcp_closed: int = 60
    udp_new: int = 30
    udp_established: int = 300
    icmp_new: int = 30
    icmp_established: int = 300
    default_new: int = 30
    default_established: int = 300

    def __post_init__(self) -> None:
        for name in self.__slots__:
            within(f"flow-timeouts.{name}", getattr(self, name), 1, 604_800)


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Bounds of the table and of the streams in it. Raises ValueError outside the ranges given."""

    max_flows: int = 262_144
    """Live flows, 1-16,777,216; at the cap the least valuable one gives way. About 0.3 KiB each."""
    slack: int = 65_536
    """Slots at the start for flows that ended in the block at hand, 1-16,777,216; the table grows when they run out."""
    timeouts: FlowTimeouts = FlowTimeouts()
    vlan_tracking: bool = True
    """VLAN ids and numbers of tunnels' networks are part of a flow's key (`vlan.use-for-tracking`)."""
    midstream: bool = True
    """TCP flows that start without a SYN are reassembled from the first segment seen of each side."""
    checksum_validation: bool = True
    """TCP segments with a wrong checksum do not reach the stream: their receiver drops them (RFC 9293, 3.1)."""
    memcap: int = 32 << 20
    """Bytes of out-of-order segments held, 64 KiB-4 GiB (`stream.reassembly.memcap`)."""
    side_bytes: int = 256 << 10
    """Out-of-order bytes held per side, 2 KiB-64 MiB."""
    side_segments: int = 256
    """Pieces of at most CHUNK bytes held per side, 2-1024: bounds the walk that each insertion makes."""
    depth: int = 1 << 20
    """Bytes of a side that are reassembled (`stream.reassembly.depth`), 0: all."""
    smb_depth: int = 0
    """The same of SMB (`app-layer.protocols.smb.stream-depth`), whose connections carry one file after another."""
    urgent: str = "oob"
    """What becomes of an urgent byte: `oob`, it is not part of the stream, as receivers have it by default (RFC 6093
    section 3.1); `inline`, it is."""
    window_slack: int = 64 << 10
    """Bytes beyond the advertised window that are still taken, 0-16 MiB."""
    unknown_window: int = 1 << 20
    """Window assumed where its scale was not seen (midstream), 64 KiB-1 GiB."""

    def __post_init__(self) -> None:
        within("flow.max_flows", self.max_flows, 1, 1 << 24)
        within("flow.slack", self.slack, 1, 1 << 24)
        within("stream.reassembly.memcap", self.memcap, 64 << 10, 4 << 30)
        within("stream.reassembly.side_bytes", self.side_bytes, 2 << 10, 64 << 20)
        within("stream.reassembly.side_segments", self.side_segments, 2, 1024)
        within("stream.reassembly.depth", self.depth, 0, 1 << 40)
        within("app-layer.protocols.smb.stream-depth", self.smb_depth, 0, 1 << 40)
        if self.urgent not in ("oob", "inline"):
            raise ValueError(f"stream.reassembly.urgent.policy: {self.urgent!r} is none of oob, inline")
        within("stream.window_slack", self.window_slack, 0, 16 << 20)
        within("stream.unknown_window", self.unknown_window, 64 << 10, 1 << 30)
