"""From rows and flows to `Scene`s: the plain values that alerts and logs carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from sensor.detect.headers.addresses import key16
from sensor.engine.block.history import AppChanges, History
from sensor.engine.block.stations import Stations, of_row
from sensor.model import addr
from sensor.model.app import TO_CLIENT
from sensor.model.block import PacketBlock
from sensor.model.columns import Columns
from sensor.model.rows import APP_UNDECIDED, APP_UNKNOWN, FRAG_REASSEMBLED, TUNNEL_IPIP, TUNNEL_NAMES
from sensor.model.scene import FlowFacts, Scene
from sensor.proto.ids import FTP, HTTP, SMB, SMTP, SSH, TLS

_TCP = 6
_PORTED = frozenset({_TCP, 17, 132})
_SHOWING = frozenset({HTTP, TLS, SSH, SMB, FTP, SMTP})
"""Protocols that show by what is said alone, to Suricata, too: whatever the ports."""
_TUNNEL_SOURCES = ("", "", "gre tunnel", "gre tunnel", "vxlan encapsulation", "geneve encapsulation", "teredo tunnel")
"""Kind of a tunnel (`TUNNEL_NAMES`) → EVE `pkt_src`; ERSPAN is GRE to Suricata."""


class Ends(NamedTuple):
    """The ends of a flow or packet."""

    src: bytes
    """See `key16`."""
    dest: bytes
    sport: int
    """-1: the protocol has no ports."""
    dport: int
    proto: int
    """-1: not IP."""

    def turned(self) -> Ends:
        """Return them seen from the other side."""
        return Ends(self.dest, self.src, self.dport, self.sport, self.proto)


def _ends(of: Columns, at: int) -> Ends:
    """Return the ends of a row or flow. of: ROW or FLOW."""
    ipv, proto = of["ipv"][at], of["proto"][at]
    src = key16(ipv, of["src_hi"][at], of["src_lo"][at])
    dest = key16(ipv, of["dst_hi"][at], of["dst_lo"][at])
    sport, dport = (of["sport"][at], of["dport"][at]) if proto in _PORTED else (-1, -1)
    return Ends(src, dest, sport, dport, proto if ipv else -1)


@dataclass(slots=True)
class BlockView:
    """One block as the stages left it."""

    block: PacketBlock
    rows: np.ndarray
    """ROW[n]"""
    buf: np.ndarray
    """uint8: what row offsets point into."""
    flows: np.ndarray
    """FLOW[slots]"""
    numbers: np.ndarray
    """int64[packets]: `pcap_cnt` of each packet."""
    app_names: tuple[str, ...]
    """App id → EVE `app_proto`."""
    stations: Stations
    changes: AppChanges = field(default_factory=AppChanges)
    """Flows that got their protocol in this block."""
    silent: AppChanges = field(default_factory=AppChanges)
    """Up to which row nobody had answered to the bytes that tell it."""
    tcp_events: np.ndarray | None = None
    """uint64[n]: of each row the set of values of `tcp.event`; None: no rule asks."""
    told: np.ndarray | None = None
    """bool[n]: it is a packet on which the protocol has just been told; None: no rule asks."""
    voices: Callable[[int], list[int]] | None = None
    """Slot → the protocol that each side of a flow speaks by itself."""
    voiced: AppChanges = field(default_factory=AppChanges)
    """When that was told in this block, by `side_id`."""
    row: Columns = field(init=False)
    """Numbers of single rows."""
    flow: Columns = field(init=False)
    """Numbers of single flows."""
    _numbers: memoryview = field(init=False)
    _history: History | None = None
    _ends: dict[int, Ends] = field(default_factory=dict)
    _scene: tuple[int, int, Scene] | None = None
    """The last scene of a row, and that row and side: several rules may hold at one packet."""

    def __post_init__(self) -> None:
        self.row, self.flow = Columns(self.rows), Columns(self.flows)
        self._numbers = self.numbers.data

    def number(self, row: int) -> int:
        """Return `pcap_cnt` of a row."""
        found: int = self._numbers[self.row["pkt"][row]]
        return found

    def ends(self, slot: int) -> Ends:
        """Return the ends of a flow, the client's first."""
        found = self._ends.get(slot)
        if found is None:
            found = self._ends[slot] = _ends(self.flow, slot)
        return found

    def ends_of_row(self, row: int) -> Ends:
        """Return the ends of a packet, the sender first."""
        return _ends(self.row, row)

    @property
    def history(self) -> History:
        """What came behind a row."""
        if self._history is None:
            self._history = History(self.rows, self.changes, self.silent, self.voiced)
        return self._history

    def counts_at(self, slot: int, row: int) -> tuple[int, int, int, int]:
        """Return (packets, packets, bytes, bytes) per side of a flow up to and including a row.

        The table stands at the block's end: what came behind the row is taken off again.
        """
        pkts, octets = self.flow["pkts"], self.flow["bytes"]
        p0, p1, b0, b1 = self.history.later(slot, row) if row + 1 < self.rows.size else (0, 0, 0, 0)
        return pkts[slot, 0] - p0, pkts[slot, 1] - p1, octets[slot, 0] - b0, octets[slot, 1] - b1

    def app(self, slot: int, row: int) -> int:
        """Return the protocol id of a flow as it was known at a row (-1: at the end of the block)."""
        if slot < 0:
            return APP_UNDECIDED
        before = self.history.app_before(slot, row) if row >= 0 and self.changes.slots.size else -1
        app: int = self.flow["app"][slot]
        return app if before < 0 else before

    def app_name(self, slot: int, row: int) -> str:
        """Return the EVE name of a flow's protocol as it was known at a row (-1: at the end of the block)."""
        return self._name(self.app(slot, row))

    def other_voices(self, slot: int) -> tuple[str, str]:
        """Return what the client and the server of a connection speak by themselves, where it is not its protocol."""
        app = self.flow["app"][slot]
        client, server = self._voices(slot, app)
        return self._other_voice(app, client), self._other_voice(app, server)

    def _voices(self, slot: int, app: int) -> list[int]:
        """Return what the sides of a flow speak by themselves.

        Of a connection whose protocol was announced elsewhere neither side tells; of others that do not show by what
        is said alone it is what the flow speaks.
        """
        if self.voices is None or app <= APP_UNKNOWN or self.flow["proto"][slot] != _TCP:
            return [app, app]
        voices = self.voices(slot)
        if app not in voices:
            return [app, app]
        return [app if voice <= APP_UNKNOWN and app not in _SHOWING else voice for voice in voices]

    def _other_voice(self, app: int, voice: int) -> str:
        return "" if voice in (APP_UNDECIDED, app) else self._name(voice)

    def voice_name(self, slot: int, side: int, row: int, *, packet: bool) -> str:
        """Return the EVE name of what a side speaks by itself as it was known at a row; empty: it has not told.

        packet: the row's own bytes are still to be answered.
        """
        app = self.app(slot, row)
        if app == APP_UNDECIDED:
            return ""
        shows = row >= 0 and self.voiced.slots.size and app in _SHOWING
        if shows and self.history.untold(slot, side, row - packet):
            return ""
        return self._name(self._voices(slot, app)[side])

    def _name(self, app: int) -> str:
        return "" if app == APP_UNDECIDED else "failed" if app == APP_UNKNOWN else self.app_names[app]

    def app_name_of_packet(self, slot: int, row: int) -> str:
        """Return the name as rules on packets have it: empty until somebody has answered to what tells the protocol."""
        silent = self.silent.slots.size and self.history.unanswered(slot, row)
        return "" if silent else self.app_name(slot, row)

    def frame(self, row: int) -> tuple[bytes, int]:
        """Return the frame that a row was found in, and its link type."""
        block, pkt = self.block, self.row["pkt"][row]
        start = int(block.off[pkt])
        return block.buf[start : start + int(block.caplen[pkt])].tobytes(), int(block.linktype[pkt])

    def facts(self, slot: int, row: int) -> FlowFacts:
        """Return a flow as it stood at a row (-1: at the end of the block)."""
        flow = self.flow
        ipv = flow["ipv"][slot]
        p0, p1, b0, b1 = self.counts_at(slot, row if row >= 0 else self.rows.size)
        return FlowFacts(
            flow["first"][slot],
            addr.text(ipv, flow["src_hi"][slot], flow["src_lo"][slot]), flow["sport"][slot],
            addr.text(ipv, flow["dst_hi"][slot], flow["dst_lo"][slot]), flow["dport"][slot],
            p0, p1, b0, b1,
        )  # fmt: skip

    def scene(self, row: int, *, side: int = -1) -> Scene:
        """Return the scene of a row. side: whose data it is about, where that is not the row's own sender."""
        last = self._scene
        if last is not None and last[0] == row and last[1] == side:
            return last[2]
        scene = self._scene_of(row, side)
        self._scene = row, side, scene
        return scene

    def _scene_of(self, row: int, side: int) -> Scene:
        r = self.row
        ipv, slot, own = r["ipv"][row], r["flow"][row], r["side"][row]
        src, dst = (r["src_hi"][row], r["src_lo"][row]), (r["dst_hi"][row], r["dst_lo"][row])
        sport, dport = r["sport"][row], r["dport"][row]
        macs = of_row(self.block, r, self.buf, row)
        if side not in (-1, own):
            src, dst, sport, dport, own, macs = dst, src, dport, sport, side, macs[::-1]
        outer = r["parent"][row] if r["tunnel"][row] else -1
        scene = Scene(
            ts=r["ts"][row],
            number=self.number(row),
            source=self.block.source,
            ipv=ipv,
            src_ip=addr.text(ipv, *src),
            dest_ip=addr.text(ipv, *dst),
            proto=r["proto"][row],
            src_port=sport,
            dest_port=dport,
            src=addr.pack(ipv, *src) if ipv else b"",
            dest=addr.pack(ipv, *dst) if ipv else b"",
            flow_id=self.flow["id"][slot] if slot >= 0 else 0,
            side=own,
            vlan=(r["vlan0"][row], r["vlan1"][row])[: min(r["nvlan"][row], 2)],
            app_proto=self.app_name(slot, row),
            flow=self.facts(slot, row) if slot >= 0 else None,
            pkt_src=_packet_source(r, row, tunnelled=outer >= 0),
            ethertype=r["ethertype"][row],
            src_mac=macs[0],
            dest_mac=macs[1],
        )
        return scene if outer < 0 else _tunnelled(scene, r, row, outer)

    def flow_scene(self, slot: int, *, ts: int, side: int = 0, row: int = -1, number: int = 0) -> Scene:
        """Return the scene of a flow when no packet of its own stands behind the event (its end)."""
        f = self.flow
        ipv = f["ipv"][slot]
        src, dst = (f["src_hi"][slot], f["src_lo"][slot]), (f["dst_hi"][slot], f["dst_lo"][slot])
        sport, dport, macs = f["sport"][slot], f["dport"][slot], self.stations.of(slot)
        if side == TO_CLIENT:
            src, dst, sport, dport, macs = dst, src, dport, sport, macs[::-1]
        return Scene(
            ts=ts, number=number, source=self.block.source, ipv=ipv,
            src_ip=addr.text(ipv, *src), dest_ip=addr.text(ipv, *dst), proto=f["proto"][slot],
            src_port=sport, dest_port=dport, src=addr.pack(ipv, *src), dest=addr.pack(ipv, *dst),
            flow_id=f["id"][slot], side=side,
            vlan=(f["vlan0"][slot], f["vlan1"][slot])[: min(f["nvlan"][slot], 2)],
            app_proto=self.app_name(slot, row), flow=self.facts(slot, row), pkt_src="stream (flow timeout)",
            src_mac=macs[0], dest_mac=macs[1],
        )  # fmt: skip


def _tunnelled(scene: Scene, r: Columns, row: int, outer: int) -> Scene:
    """Return the scene of a row that came out of a tunnel. outer: the row around."""
    ipv, proto = r["ipv"][outer], r["proto"][outer]
    return msgspec.structs.replace(
        scene,
        tunnel=TUNNEL_NAMES[r["tunnel"][row]],
        tunnel_src_ip=addr.text(ipv, r["src_hi"][outer], r["src_lo"][outer]),
        tunnel_dest_ip=addr.text(ipv, r["dst_hi"][outer], r["dst_lo"][outer]),
        tunnel_proto=proto,
        tunnel_ports=(r["sport"][outer], r["dport"][outer]) if proto in _PORTED else (0, 0),
    )


def _packet_source(r: Columns, row: int, *, tunnelled: bool) -> str:
    """Return where a packet comes from, in Suricata's words (`pkt_src`)."""
    if r["frag"][row] == FRAG_REASSEMBLED:
        return "defrag"
    if not tunnelled:
        return "wire/pcap"
    tunnel = r["tunnel"][row]
    return f"ipv{r['ipv'][row]} tunnel" if tunnel == TUNNEL_IPIP else _TUNNEL_SOURCES[tunnel]
