"""The state of a walk over one frame in plain Python: where it stands, what it has found.

A walk is a chain of steps, one per header. A step reads its header, moves `pos`, and says which step comes
next; steps that decode an IP or ARP header, or give up, close the row. What a tunnel holds opens another.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from sensor.decode import bits
from sensor.decode.headers import HeaderReader, u16
from sensor.decode.limits import MAX_TUNNELS, DecodeOptions
from sensor.model.block import HINT_NONE

ETH_IPV4, ETH_IPV6, ETH_ARP, ETH_MPLS, ETH_PPP, ETH_TEB, ETH_NSH = (
    0x0800,
    0x86DD,
    0x0806,
    0x8847,
    0x880B,
    0x6558,
    0x894F,
)
ETH_PPPOE_DISCOVERY = 0x8863
MAX_802_3_LENGTH = 1500


class Step(enum.Enum):
    """Headers that a walk can stand before."""

    ETHERNET = enum.auto()
    VLAN = enum.auto()
    MPLS = enum.auto()
    PPPOE = enum.auto()
    PPP = enum.auto()
    LLC = enum.auto()
    NSH = enum.auto()
    NULL = enum.auto()
    SLL = enum.auto()
    SLL2 = enum.auto()
    HDLC = enum.auto()
    PPP_HDLC = enum.auto()
    RAW = enum.auto()
    VNTAG = enum.auto()
    BACKBONE = enum.auto()
    FABRIC = enum.auto()
    ARP = enum.auto()
    IPV4 = enum.auto()
    IPV6 = enum.auto()
    OPAQUE = enum.auto()
    END = enum.auto()


STEP_OF_ETHERTYPE = {
    ETH_IPV4: Step.IPV4,
    ETH_IPV6: Step.IPV6,
    ETH_ARP: Step.ARP,
    0x8100: Step.VLAN,
    0x88A8: Step.VLAN,
    0x9100: Step.VLAN,
    0x9200: Step.VLAN,
    ETH_MPLS: Step.MPLS,
    0x8848: Step.MPLS,
    0x8864: Step.PPPOE,
    ETH_PPP: Step.PPP,
    ETH_TEB: Step.ETHERNET,
    ETH_NSH: Step.NSH,
    0x8926: Step.VNTAG,
    0x88E7: Step.BACKBONE,
    0x8903: Step.FABRIC,
}


@dataclass(slots=True)
class Decoded:
    """One row: the columns of `ROW`, offsets from the frame's first byte."""

    ts: int = 0
    src_hi: int = 0
    src_lo: int = 0
    dst_hi: int = 0
    dst_lo: int = 0
    anomaly: int = 0
    pkt: int = 0
    parent: int = -1
    l2: int = 0
    l3: int = -1
    l4: int = -1
    pay: int = 0
    paylen: int = 0
    caplen: int = 0
    wirelen: int = 0
    iplen: int = 0
    seq: int = 0
    ack: int = 0
    ipid: int = 0
    tunnel_id: int = 0
    sport: int = 0
    dport: int = 0
    win: int = 0
    urg: int = 0
    fragoff: int = 0
    ethertype: int = 0
    vlan0: int = 0
    vlan1: int = 0
    nvlan: int = 0
    ipv: int = 0
    proto: int = 0
    ttl: int = 0
    tos: int = 0
    tcpflags: int = 0
    frag: int = 0
    tunnel: int = 0
    l3csum: int = 0
    l4csum: int = 0
    slow: int = 0
    dup: int = 0
    side: int = 0
    fstate: int = 0
    stream: int = 0
    flow: int = -1


@dataclass(slots=True)
class Tunnel:
    """What a tunnel header says about the packet behind it."""

    step: Step
    pos: int
    end: int
    kind: int
    """TUNNEL_*."""
    ident: int = 0
    ethertype: int = 0
    vlan: int | None = None
    """A tag that the mirror took out of the frame (ERSPAN)."""


@dataclass(slots=True)
class Walk:
    """A walk over one frame."""

    frame: bytes
    missing: int
    """Bytes of the frame that were on the wire and are not captured."""
    reader: HeaderReader
    options: DecodeOptions
    verify: bool
    hint: int = HINT_NONE
    pos: int = 0
    end: int = 0
    depth: int = 0
    row: Decoded = field(default_factory=Decoded)
    rows: list[Decoded] = field(default_factory=list)

    def flag(self, bit: int) -> None:
        """Note an anomaly of the current row."""
        self.row.anomaly |= bit

    def left(self) -> int:
        """Return the bytes between the position and the end of what encloses it."""
        return self.end - self.pos

    def take(self, length: int) -> bytes:
        """Read a header of a known length and step over it."""
        raw = self.frame[self.pos : self.pos + length]
        self.pos += length
        return raw

    def open_row(self, parent: int) -> Decoded:
        """Begin a row for the frame or packet between `pos` and `end`."""
        captured = self.end - self.pos
        missing = self.missing if self.end == len(self.frame) else 0
        self.row = Decoded(parent=parent, l2=self.pos, caplen=captured, wirelen=captured + missing)
        self.rows.append(self.row)
        return self.row

    def close_row(self, pay: int, pay_end: int, tunnel: Tunnel | None = None) -> Step:
        """End the row; return the step into the tunnel's packet, if there is one."""
        if tunnel is not None and self.depth >= MAX_TUNNELS:
            self.flag(bits.TOO_MANY_LAYERS)
            tunnel = None
        self.row.pay, self.row.paylen = pay, pay_end - pay
        self.row.slow = int(bool(self.row.anomaly & bits.SLOW))
        return Step.END if tunnel is None else self._enter(tunnel)

    def _enter(self, tunnel: Tunnel) -> Step:
        self.depth += 1
        self.pos, self.end = tunnel.pos, tunnel.end
        row = self.open_row(parent=len(self.rows) - 1)
        row.tunnel, row.tunnel_id, row.ethertype = tunnel.kind, tunnel.ident, tunnel.ethertype
        if tunnel.vlan is not None:
            row.nvlan, row.vlan0 = 1, tunnel.vlan
        return tunnel.step

    def ip_step(self, step: Step) -> Step:
        """Go on with an IP version that the link layer names without an ethertype."""
        self.row.ethertype = ETH_IPV4 if step is Step.IPV4 else ETH_IPV6
        return step


def version_fits(frame: bytes, pos: int, end: int, step: Step) -> bool:
    """Whether the version nibble fits an IP step; True for other steps."""
    if step not in {Step.IPV4, Step.IPV6}:
        return True
    return pos < end and frame[pos] >> 4 == (4 if step is Step.IPV4 else 6)


def ethernet_fits(frame: bytes, pos: int, end: int) -> bool:
    """Whether the bytes look like an Ethernet frame that would be decoded."""
    if end - pos < 14:
        return False
    step = STEP_OF_ETHERTYPE.get(u16(frame, pos + 12), Step.OPAQUE)
    return step not in {Step.OPAQUE, Step.ETHERNET} and version_fits(frame, pos + 14, end, step)


def options_valid(raw: bytes) -> bool:
    """Whether kind-length options of IPv4 (RFC 791) or TCP (RFC 9293) fit their room."""
    pos = 0
    while pos < len(raw) and raw[pos] != 0:
        if raw[pos] == 1:
            pos += 1
            continue
        room = len(raw) - pos
        if room < 2 or not 2 <= raw[pos + 1] <= room:
            return False
        pos += raw[pos + 1]
    return True
