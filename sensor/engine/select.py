"""From literal hits and header predicates to candidates: which rules to judge on which rows, windows and flows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sensor.detect.kernels_scan import REPEAT
from sensor.detect.plan import PACKET, STREAM, TX, Plan
from sensor.detect.prefilter import HeaderIndex
from sensor.detect.scan import Hits
from sensor.model.rows import FRAG_PART, SEG_DATA, new_rows
from sensor.model.units import UNIT_STREAM


@dataclass(slots=True)
class Candidates:
    """What must be judged in one block."""

    packets: dict[int, set[int]] = field(default_factory=dict)
    """Row → packet rules."""
    windows: dict[int, set[int]] = field(default_factory=dict)
    """SEG number → stream rules."""
    datagrams: dict[int, set[int]] = field(default_factory=dict)
    """Row → transaction rules (UDP)."""
    flows: dict[int, set[int]] = field(default_factory=dict)
    """Slot → transaction rules newly due (TCP)."""


class Selector:
    """Turns the scan's hits into candidates. Keeps, per side, recent hits of stream rules: windows overlap blocks."""

    def __init__(self, plan: Plan, inspect_window: int) -> None:
        self._plan = plan
        # Without rules of several steps what the gatherer carries is enough.
        self._window = inspect_window if plan.multi_step else max(plan.index.longest - 1, 0)
        self._rows = HeaderIndex([(n, plan.rules[n].rule) for n in plan.header_packet])
        self._segs = HeaderIndex([(n, plan.rules[n].rule) for n in plan.header_stream])
        scopes = np.array([p.scope for p in plan.rules], np.uint8)
        self._by_scope = {
            bit: tuple(tuple(n for n in rules if scopes[n] & bit) for rules in plan.by_literal)
            for bit in (PACKET, STREAM, TX)
        }
        self._lengths = plan.index.lengths
        self._recent: dict[int, dict[int, int]] = {}

    @property
    def window(self) -> int:
        """Bytes before a segment that a stream rule sees."""
        return self._window

    def select(self, rows: np.ndarray, segs: np.ndarray, seg_at: np.ndarray, units: np.ndarray, flows: np.ndarray,
               hits: Hits) -> Candidates:  # fmt: skip
        """Return the candidates of a block. rows: ROW[n], segs: SEG[m], seg_at: int64[m], units: UNIT[k]."""
        found = Candidates()
        _collect(found.packets, *self._rows.select(rows))
        if self._plan.header_stream:
            _collect(found.windows, *self._segs.select(_rows_of_segs(segs, flows)))
        if hits.lit.size:
            self._packet_units(found, hits, units)
            stream = units["kind"][hits.unit] == UNIT_STREAM
            self._stream_units(found, Hits(hits.lit[stream], hits.unit[stream], hits.pos[stream]), units, segs, seg_at)
        elif self._recent:
            self._windows(found, {}, segs)
        return found

    def adopt(self, old: Selector, renumbered: Mapping[int, int]) -> None:
        """Take over recent hits at a reload. renumbered: old rule number → new, of unchanged rules."""
        for key, recent in old._recent.items():
            kept = {renumbered[number]: start for number, start in recent.items() if number in renumbered}
            if kept:
                self._recent[key] = kept

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        if self._recent:
            for slot in slots:
                self._recent.pop(2 * slot, None)
                self._recent.pop(2 * slot + 1, None)

    def _packet_units(self, found: Candidates, hits: Hits, units: np.ndarray) -> None:
        mine = units["kind"][hits.unit] != UNIT_STREAM
        rows = units["row"][hits.unit[mine]].tolist()
        packet, tx = self._by_scope[PACKET], self._by_scope[TX]
        for lit, row in zip(hits.lit[mine].tolist(), rows, strict=True):
            if packet[lit]:
                found.packets.setdefault(row, set()).update(packet[lit])
            if tx[lit]:
                found.datagrams.setdefault(row, set()).update(tx[lit])

    def _stream_units(
        self, found: Candidates, hits: Hits, units: np.ndarray, segs: np.ndarray, seg_at: np.ndarray
    ) -> None:
        packet, stream, tx = self._by_scope[PACKET], self._by_scope[STREAM], self._by_scope[TX]
        slots, sides = units["flow"][hits.unit], units["side"][hits.unit]
        # Position in the side's stream of each hit's first byte.
        at = units["pos"][hits.unit] + (hits.pos - units["fresh"][hits.unit])
        by_side: dict[int, list[tuple[int, int, int]]] = {}
        for lit, slot, side, pos in zip(hits.lit.tolist(), slots.tolist(), sides.tolist(), at.tolist(), strict=True):
            if tx[lit]:
                found.flows.setdefault(slot, set()).update(tx[lit])
            if stream[lit]:
                by_side.setdefault(2 * slot + side, []).append((pos + self._lengths[lit], pos, lit))
        if any(packet):
            self._packets_of_segments(found, hits, units["fresh"][hits.unit], segs, seg_at)
        if by_side or self._recent:
            self._windows(found, by_side, segs)

    def _packets_of_segments(self, found: Candidates, hits: Hits, fresh: np.ndarray, segs: np.ndarray,
                             seg_at: np.ndarray) -> None:  # fmt: skip
        """In-order segments are scanned as stream: find the rows whose payload holds a hit (or a suppressed repeat)."""
        packet = self._by_scope[PACKET]
        data = np.flatnonzero(segs["kind"] == SEG_DATA)
        data = data[np.argsort(seg_at[data], kind="stable")]
        starts = seg_at[data]
        fresh = np.maximum(hits.pos, fresh)
        first = np.searchsorted(starts, fresh, "right") - 1
        last = np.searchsorted(starts, hits.pos + REPEAT, "left")
        rows = segs["row"][data].tolist()
        slots = (segs["flow"][data].astype(np.int64) * 2 + segs["side"][data]).tolist()
        for lit, a, b in zip(hits.lit.tolist(), first.tolist(), last.tolist(), strict=True):
            if packet[lit]:
                for k in range(a, b):
                    if slots[k] == slots[a]:
                        found.packets.setdefault(rows[k], set()).update(packet[lit])

    def _windows(self, found: Candidates, by_side: dict[int, list[tuple[int, int, int]]], segs: np.ndarray) -> None:
        """Walk the sides that have hits, in this block or shortly before, and mark the windows that hold one."""
        wanted = np.array(sorted({*by_side, *self._recent}), np.int64)
        keys = segs["flow"].astype(np.int64) * 2 + segs["side"]
        mine = np.flatnonzero((segs["kind"] == SEG_DATA) & np.isin(keys, wanted))
        for lists in by_side.values():
            lists.sort(reverse=True)
        stream = self._by_scope[STREAM]
        columns = (mine.tolist(), keys[mine].tolist(), segs["pos"][mine].tolist(), segs["len"][mine].tolist())
        for seg, key, pos, length in zip(*columns, strict=True):
            recent = self._recent.setdefault(key, {})
            todo = by_side.get(key, [])
            while todo and todo[-1][0] <= pos + length:
                _, start, lit = todo.pop()
                for rule in stream[lit]:
                    recent[rule] = max(start, recent.get(rule, -1))
            reach = pos - self._window - REPEAT
            for rule in [r for r, start in recent.items() if start < reach]:
                del recent[rule]
            if recent:
                found.windows.setdefault(seg, set()).update(recent)
            else:
                del self._recent[key]


def _collect(into: dict[int, set[int]], where: np.ndarray, rules: np.ndarray) -> None:
    for at, rule in zip(where.tolist(), rules.tolist(), strict=True):
        into.setdefault(at, set()).add(rule)


def _rows_of_segs(segs: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Return ROW-shaped stand-ins of segments, for header predicates. What is not data is never chosen."""
    rows = new_rows(segs.size)
    flow = flows[segs["flow"]]
    back = segs["side"] == 1
    rows["sport"] = np.where(back, flow["dport"], flow["sport"])
    rows["dport"] = np.where(back, flow["sport"], flow["dport"])
    rows["proto"], rows["ipv"], rows["side"] = flow["proto"], flow["ipv"], segs["side"]
    # Windows reach back: a short segment may complete a long payload.
    rows["paylen"] = 2**31 - 1
    rows["dup"] = segs["kind"] != SEG_DATA
    return rows


def everything(plan: Plan, rows: np.ndarray, segs: np.ndarray) -> Candidates:
    """Return every (row, packet rule) and (window, stream rule) pair: what `--no-triage` judges."""
    found = Candidates()
    if plan.packet:
        part = rows["frag"] == FRAG_PART
        rules = set(plan.packet)
        found.packets = dict.fromkeys(np.flatnonzero((rows["dup"] == 0) & ~part).tolist(), rules)
        # Of a fragment only its IP header is known.
        rules = {n for n in plan.packet if plan.rules[n].rule.proto in {"ip", "pkthdr"}}
        found.packets |= dict.fromkeys(np.flatnonzero((rows["dup"] == 0) & part).tolist(), rules)
    if plan.stream:
        rules = set(plan.stream)
        found.windows = dict.fromkeys(np.flatnonzero(segs["kind"] == SEG_DATA).tolist(), rules)
    return found
