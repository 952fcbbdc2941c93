"""From rows and flows to `Scene`s: the plain values that alerts and logs carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sensor.detect.addresses import key16
from sensor.detect.packetrow import PacketRow, packet_row
from sensor.engine.history import AppChanges, History
from sensor.engine.stations import Stations, of_row
from sensor.model import addr
from sensor.model.app import TO_CLIENT
from sensor.model.block import PacketBlock
from sensor.model.rows import APP_UNDECIDED, APP_UNKNOWN, FRAG_REASSEMBLED, TUNNEL_IPIP, TUNNEL_NAMES
from sensor.model.scene import FlowFacts, Scene
from sensor.proto.ids import FTP, HTTP, SMB, SMTP, SSH, TLS

_TCP = 6
_PORTED = frozenset({_TCP, 17, 132})
_SHOWING = frozenset({HTTP, TLS, SSH, SMB, FTP, SMTP})
"""Protocols that show by what is said alone, to Suricata, too: whatever the ports."""
_TUNNEL_SOURCES = ("", "", "gre tunnel", "gre tunnel", "vxlan encapsulation", "geneve encapsulation")
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


def ends_of(record: np.void) -> Ends:
    """Return the ends of a ROW or FLOW."""
    ipv, proto = int(record["ipv"]), int(record["proto"])
    src = key16(ipv, int(record["src_hi"]), int(record["src_lo"]))
    dest = key16(ipv, int(record["dst_hi"]), int(record["dst_lo"]))
    ported = proto in _PORTED
    sport, dport = (int(record["sport"]), int(record["dport"])) if ported else (-1, -1)
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
    _history: History | None = None
    _ends: dict[int, Ends] = field(default_factory=dict)

    def ends(self, slot: int) -> Ends:
        """Return the ends of a flow, the client's first."""
        found = self._ends.get(slot)
        if found is None:
            found = self._ends[slot] = ends_of(self.flows[slot])
        return found

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
        flow = self.flows[slot]
        pkts, octets = flow["pkts"], flow["bytes"]
        p0, p1, b0, b1 = self.history.later(slot, row) if row + 1 < self.rows.size else (0, 0, 0, 0)
        return int(pkts[0]) - p0, int(pkts[1]) - p1, int(octets[0]) - b0, int(octets[1]) - b1

    def app(self, slot: int, row: int) -> int:
        """Return the protocol id of a flow as it was known at a row (-1: at the end of the block)."""
        if slot < 0:
            return APP_UNDECIDED
        before = self.history.app_before(slot, row) if row >= 0 and self.changes.slots.size else -1
        return int(self.flows["app"][slot]) if before < 0 else before

    def app_name(self, slot: int, row: int) -> str:
        """Return the EVE name of a flow's protocol as it was known at a row (-1: at the end of the block)."""
        return self._name(self.app(slot, row))

    def other_voices(self, slot: int) -> tuple[str, str]:
        """Return what the client and the server of a connection speak by themselves, where it is not its protocol."""
        app = int(self.flows["app"][slot])
        client, server = (self._other_voice(app, voice) for voice in self._voices(slot, app))
        return client, server

    def _voices(self, slot: int, app: int) -> list[int]:
        """Return what the sides of a flow speak by themselves.

        Of a connection whose protocol was announced elsewhere neither side tells; of others that do not show by what
        is said alone it is what the flow speaks.
        """
        if self.voices is None or app <= APP_UNKNOWN or self.flows["proto"][slot] != _TCP:
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
        block, pkt = self.block, int(self.rows["pkt"][row])
        start = int(block.off[pkt])
        return block.buf[start : start + int(block.caplen[pkt])].tobytes(), int(block.linktype[pkt])

    def facts(self, slot: int, row: int) -> FlowFacts:
        """Return a flow as it stood at a row (-1: at the end of the block)."""
        flow = self.flows[slot]
        ipv = int(flow["ipv"])
        last = row if row >= 0 else self.rows.size
        p0, p1, b0, b1 = self.counts_at(slot, last)
        return FlowFacts(
            int(flow["first"]),
            addr.text(ipv, flow["src_hi"], flow["src_lo"]), int(flow["sport"]),
            addr.text(ipv, flow["dst_hi"], flow["dst_lo"]), int(flow["dport"]),
            p0, p1, b0, b1,
        )  # fmt: skip

    def scene(self, row: int, *, side: int = -1) -> Scene:
        """Return the scene of a row. side: whose data it is about, where that is not the row's own sender."""
        r = packet_row(self.rows, row)
        ipv, slot, own = r.ipv, r.flow, r.side
        src, dst = (r.src_hi, r.src_lo), (r.dst_hi, r.dst_lo)
        sport, dport = r.sport, r.dport
        macs = of_row(self.block, self.rows, self.buf, row, r)
        if side not in (-1, own):
            src, dst, sport, dport, own, macs = dst, src, dport, sport, side, macs[::-1]
        o = packet_row(self.rows, r.parent) if r.parent >= 0 and r.tunnel else None
        return Scene(
            ts=r.ts,
            number=int(self.numbers[r.pkt]),
            source=self.block.source,
            ipv=ipv,
            src_ip=addr.text(ipv, *src),
            dest_ip=addr.text(ipv, *dst),
            proto=r.proto,
            src_port=sport,
            dest_port=dport,
            src=addr.pack(ipv, *src) if ipv else b"",
            dest=addr.pack(ipv, *dst) if ipv else b"",
            flow_id=int(self.flows["id"][slot]) if slot >= 0 else 0,
            side=own,
            vlan=(r.vlan0, r.vlan1)[: min(r.nvlan, 2)],
            app_proto=self.app_name(slot, row),
            flow=self.facts(slot, row) if slot >= 0 else None,
            tunnel=TUNNEL_NAMES[r.tunnel] if o is not None else "",
            tunnel_src_ip=addr.text(o.ipv, o.src_hi, o.src_lo) if o is not None else "",
            tunnel_dest_ip=addr.text(o.ipv, o.dst_hi, o.dst_lo) if o is not None else "",
            tunnel_proto=o.proto if o is not None else 0,
            tunnel_ports=(o.sport, o.dport) if o is not None and o.proto in _PORTED else (0, 0),
            pkt_src=_packet_source(r) if o is not None or r.frag == FRAG_REASSEMBLED else "wire/pcap",
            ethertype=r.ethertype,
            src_mac=macs[0],
            dest_mac=macs[1],
        )

    def flow_scene(self, slot: int, *, ts: int, side: int = 0, row: int = -1, number: int = 0) -> Scene:
        """Return the scene of a flow when no packet of its own stands behind the event (its end)."""
        flow = self.flows[slot]
        ipv = int(flow["ipv"])
        src, dst = _pair(flow, "src"), _pair(flow, "dst")
        sport, dport, macs = int(flow["sport"]), int(flow["dport"]), self.stations.of(slot)
        if side == TO_CLIENT:
            src, dst, sport, dport, macs = dst, src, dport, sport, macs[::-1]
        return Scene(
            ts=ts, number=number, source=self.block.source, ipv=ipv,
            src_ip=addr.text(ipv, *src), dest_ip=addr.text(ipv, *dst), proto=int(flow["proto"]),
            src_port=sport, dest_port=dport, src=addr.pack(ipv, *src), dest=addr.pack(ipv, *dst),
            flow_id=int(flow["id"]), side=side,
            vlan=tuple(int(flow[f"vlan{k}"]) for k in range(min(int(flow["nvlan"]), 2))),
            app_proto=self.app_name(slot, row), flow=self.facts(slot, row), pkt_src="stream (flow timeout)",
            src_mac=macs[0], dest_mac=macs[1],
        )  # fmt: skip


def _packet_source(row: PacketRow) -> str:
    """Return where a packet comes from that is not one of the capture, in Suricata's words (`pkt_src`)."""
    if row.frag == FRAG_REASSEMBLED:
        return "defrag"
    if row.tunnel == TUNNEL_IPIP:
        return f"ipv{row.ipv} tunnel"
    return _TUNNEL_SOURCES[row.tunnel]


def _pair(record: np.void, name: str) -> tuple[int, int]:
    return int(record[f"{name}_hi"]), int(record[f"{name}_lo"])
