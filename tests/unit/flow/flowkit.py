"""Rows without frames for tests of the flow table, and its output in a form that slots and blocks do not show in."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from sensor.flow.limits import FlowLimits, FlowTimeouts
from sensor.flow.table import FlowTable
from sensor.model.rows import END_REASONS, SEG_DATA, SEG_END, SEG_GAP, SEG_NOTE, new_rows

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
CLIENT, SERVER = 0x0A000001, 0x0A000002
SECOND = 1_000_000_000
M32 = 0xFFFFFFFF


@dataclass(frozen=True)
class Pkt:
    """A packet as decode would describe it. t: seconds."""

    data: bytes = b""
    flags: int = ACK
    seq: int = 0
    ack: int = 0
    src: int = CLIENT
    dst: int = SERVER
    sport: int = 1234
    dport: int = 80
    t: float = 0.0
    win: int = 65535
    options: bytes = b""
    proto: int = 6
    ipv: int = 4
    cut: int = 0
    """Payload bytes that the capture left out."""
    extra: dict = field(default_factory=dict)
    """Further columns."""

    def back(self, **changes):
        """Return a packet the other way."""
        return replace(self, src=self.dst, dst=self.src, sport=self.dport, dport=self.sport, **changes)


def block(pkts, first=1):
    """Return rows, buffer and numbers of a block."""
    rows = new_rows(len(pkts))
    chunks, at = [], 0
    for k, p in enumerate(pkts):
        header = bytes(20) + p.options if p.proto == 6 else bytes(8)
        r = rows[k]
        r["ts"] = round(p.t * SECOND)
        r["ipv"], r["proto"], r["pkt"] = p.ipv, p.proto, k
        mask = (1 << 64) - 1
        r["src_hi"], r["src_lo"], r["dst_hi"], r["dst_lo"] = p.src >> 64, p.src & mask, p.dst >> 64, p.dst & mask
        r["sport"], r["dport"], r["tcpflags"], r["win"] = p.sport, p.dport, p.flags, p.win
        r["seq"], r["ack"] = p.seq & M32, p.ack & M32
        r["l3"], r["l4"] = at, at + 20
        r["pay"], r["paylen"] = at + 20 + len(header), len(p.data)
        r["iplen"] = 20 + len(header) + len(p.data) + p.cut
        r["wirelen"] = 14 + r["iplen"]
        r["caplen"] = r["wirelen"] - p.cut
        for name, value in p.extra.items():
            r[name] = value
        chunks.append(bytes(20) + header + p.data)
        at += len(chunks[-1])
    buf = np.frombuffer(b"".join(chunks) or b"\0", np.uint8)
    return rows, buf, np.arange(first, first + len(pkts), dtype=np.int64)


class Run:
    """A table fed with packets; what came out, with flow ids in place of slots and packet numbers in place of rows."""

    def __init__(self, limits=None, seed=1, **kwargs):
        self.table = FlowTable(limits or FlowLimits(max_flows=64, slack=64), seed, **kwargs)
        self.events, self.rows, self.flows = [], [], {}
        self.number = 1

    def feed(self, pkts, cuts=()):
        """Track packets, in blocks that end at the given indexes; return self."""
        edges = sorted({0, len(pkts), *(c for c in cuts if 0 < c < len(pkts))})
        for start, stop in pairwise(edges):
            self._block(pkts[start:stop])
        return self

    def _block(self, pkts):
        rows, buf, numbers = block(pkts, self.number)
        self.number += len(pkts)
        segs = self.table.track(rows, buf, numbers)
        self._note(segs, buf, numbers)
        for r in rows:
            flow = int(self.table.flows[r["flow"]]["id"]) if r["flow"] >= 0 else None
            self.rows.append((flow, int(r["side"]), int(r["fstate"]), int(r["stream"])))
        self.table.recycle()

    def _note(self, segs, buf, numbers):
        flows = self.table.flows
        for s in segs:
            f = flows[s["flow"]]
            ident = int(f["id"])
            self.flows[ident] = f.copy()
            number = int(numbers[s["row"]]) if s["row"] >= 0 else -1
            kind, side, arg = int(s["kind"]), int(s["side"]), int(s["arg"])
            what = {SEG_END: arg, SEG_NOTE: arg, SEG_GAP: int(s["len"])}.get(kind)
            if kind == SEG_DATA:
                source = self.table.queue_buf if s["src"] else buf
                assert 0 <= s["off"] <= s["off"] + s["len"] <= source.size
                assert s["len"] > 0
                what = source[s["off"] : s["off"] + s["len"]].tobytes()
            self.events.append((ident, side, kind, int(s["pos"]), what, number))

    def finish(self, t=0.0):
        """End the input; return self."""
        self._note(self.table.finish(round(t * SECOND)), np.zeros(0, np.uint8), np.zeros(0, np.int64))
        self.table.recycle()
        return self

    def stream(self, side=0, flow=None):
        """Return a side's stream: pieces of bytes, and ints for gaps. Positions must be contiguous."""
        parts, at = [], 0
        for ident, s, kind, pos, what, _ in self.events:
            if s != side or kind not in {SEG_DATA, SEG_GAP} or (flow is not None and ident != flow):
                continue
            assert pos == at, "positions must follow each other"
            if kind == SEG_GAP:
                parts.append(what)
            elif parts and isinstance(parts[-1], bytes):
                parts[-1] += what
            else:
                parts.append(what)
            at = pos + (what if kind == SEG_GAP else len(what))
        return parts

    def bytes(self, side=0):
        """Return a side's stream, which must have no gaps."""
        parts = self.stream(side)
        assert all(isinstance(p, bytes) for p in parts), parts
        return b"".join(parts)

    def notes(self):
        """Return the StreamAnomaly numbers reported, in order."""
        return [e[4] for e in self.events if e[2] == SEG_NOTE]

    def ends(self):
        """Return (flow id, reason, packet number) of each end."""
        return [(e[0], END_REASONS[e[4]], e[5]) for e in self.events if e[2] == SEG_END]

    def statuses(self):
        """Return what reassembly did with each row."""
        return [r[3] for r in self.rows]

    def states(self):
        """Return the FlowBits of each row."""
        return [r[2] for r in self.rows]

    def canonical(self):
        """Return events with runs of data of the same packet, flow and side joined."""
        out = []
        for ident, side, kind, pos, what, number in self.events:
            if out and kind == SEG_DATA == out[-1][2] and out[-1][:2] == (ident, side) and out[-1][5] == number:
                last = out.pop()
                out.append((ident, side, kind, last[3], last[4] + what, number))
            else:
                out.append((ident, side, kind, pos, what, number))
        return out


class Conn:
    """Both ends of a TCP connection: makes packets with the right numbers."""

    def __init__(self, isn_c=1000, isn_s=5000, t=0.0, step=0.001, **fields):
        self.c, self.s, self.t, self.step = isn_c, isn_s, t, step
        self.base = Pkt(**fields)

    def _tick(self):
        self.t += self.step
        return self.t

    def up(self, data=b"", flags=ACK, **kw):
        """Client to server."""
        p = replace(
            self.base, data=data, flags=flags, seq=self.c, ack=self.s if flags & ACK else 0, t=self._tick(), **kw
        )
        self.c += len(data) + p.cut + bool(flags & SYN) + bool(flags & FIN)
        return p

    def down(self, data=b"", flags=ACK, **kw):
        """Server to client."""
        p = self.base.back(data=data, flags=flags, seq=self.s, ack=self.c if flags & ACK else 0, t=self._tick(), **kw)
        self.s += len(data) + p.cut + bool(flags & SYN) + bool(flags & FIN)
        return p

    def open(self, **kw):
        """Three-way handshake."""
        return [self.up(flags=SYN, **kw), self.down(flags=SYN | ACK, **kw), self.up()]

    def close(self):
        """Client first."""
        return [self.up(flags=FIN | ACK), self.down(), self.down(flags=FIN | ACK), self.up()]


def limits(**changes):
    """Return small limits."""
    return FlowLimits(**{"max_flows": 64, "slack": 64} | changes)


__all__ = ["Conn", "FlowTimeouts", "Pkt", "Run", "block", "limits", "replace"]
