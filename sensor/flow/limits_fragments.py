"""Caps of duplicate removal, defragmentation, the carried tails and the journal: defaults, units, reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensor.model.bounds import within

DEDUP_DEPTH: Final = 64
"""Packets that may lie between a packet and its copy. A mirror's copies are a bridge's latency apart."""
DEDUP_PAIRS: Final = 4096
"""Sender/receiver pairs whose share of copies is remembered (power of two)."""
DEDUP_MAX_PACKET: Final = 65_600
"""Longer packets (only BIG TCP has them) are never taken for copies, so that carried bytes stay bounded."""

FRAG_MAX_DATAGRAM: Final = 65_535
"""Largest IPv4 datagram and IPv6 payload (RFC 791, RFC 8200)."""
FRAG_MAX_HEADER: Final = 40 + 4096
"""IPv6 header and the extension headers in front of the fragment header."""
FRAG_DEPTH: Final = 3
"""Tunnel layers of which fragments are reassembled, the outermost included; deeper ones are ignored."""
FRAG_SHARE: Final = 8
"""Fragments inside tunnels have trackers and memory of their own, this many times less."""


@dataclass(frozen=True, slots=True)
class DedupLimits:
    """When a packet counts as a mirror's second copy. Raises ValueError outside the ranges given."""

    enabled: bool = True
    window_ns: int = 1_000_000
    """Packet time between a packet and its copy, 1 µs to 10 s. The two mirror points of one bridge are
    microseconds apart and late together; the earliest genuine repetitions (tail loss probe, RFC 8985) come
    10 ms later."""
    learn: int = 16
    """Packets with distinct content that must be seen before a share of copies is believed, 4-1024."""

    def __post_init__(self) -> None:
        within("dedup.window_ns", self.window_ns, 1_000, 10_000_000_000)
        within("dedup.learn", self.learn, 4, 1024)


@dataclass(frozen=True, slots=True)
class DefragLimits:
    """Bounds of IP reassembly. Raises ValueError outside the ranges given."""

    trackers: int = 8192
    """Datagrams under reassembly, 16-65,536; the oldest gives way (Snort's default)."""
    fragments: int = 32_768
    """Fragments held, 64-1,048,576."""
    memcap: int = 32 << 20
    """Bytes of fragments held, 256 KiB-1 GiB (Suricata's default); the oldest datagrams give way."""
    timeout_ns: int = 60_000_000_000
    """Age of the first fragment at which its datagram is given up, 1-600 s (RFC 8200 section 4.5: 60 s)."""
    per_datagram: int = 1024
    """Fragments of one datagram, 2-8192. Fragments of 64 bytes make the largest datagram."""
    overlaps: int = 64
    """Overlapping fragments of one datagram, 1-1024; later ones are ignored: comparing them costs quadratic
    time."""

    def __post_init__(self) -> None:
        within("defrag.trackers", self.trackers, 16, 65_536)
        within("defrag.fragments", self.fragments, 64, 1 << 20)
        within("defrag.memcap", self.memcap, 256 << 10, 1 << 30)
        within("defrag.timeout_ns", self.timeout_ns, 1_000_000_000, 600_000_000_000)
        within("defrag.per_datagram", self.per_datagram, 2, 8192)
        within("defrag.overlaps", self.overlaps, 1, 1024)


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """Bounds of the journal. Raises ValueError outside the ranges given."""

    memcap: int = 48 << 20
    """Bytes of pages, 64 KiB-2 GiB."""
    page: int = 1024
    """Bytes of a page, 256-65,536, a power of two. A side that has sent anything holds at least one."""
    window: int = 8192
    """Bytes kept per side of a KEEP_WINDOW flow, in front of the block's own, 0-1 MiB."""
    cap: int = 512 << 10
    """Bytes of a KEEP_ALL flow (both sides) at which it is reported, 4 KiB-16 MiB. What is reported is parsed from then
    on: with 128 KiB, 16 flows of the bench capture were, for rules of ET Open that match on none, in a tenth of the
    time of all."""
    reserve: int = 8 << 20
    """Bytes of free pages below which KEEP_ALL flows are reported as they grow: room for one more block of
    traffic, so that whoever acts on the report loses nothing. At most a quarter of `memcap` is used."""

    def __post_init__(self) -> None:
        within("journal.memcap", self.memcap, 64 << 10, 2 << 30)
        within("journal.page", self.page, 256, 65_536)
        within("journal.window", self.window, 0, 1 << 20)
        within("journal.cap", self.cap, 4 << 10, 16 << 20)
        within("journal.reserve", self.reserve, 0, 1 << 30)
        if self.page & (self.page - 1):
            raise ValueError("journal.page must be a power of two")
