"""The packets behind alerts: those of the flow from before the alert, as far as memory reaches, and from after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sensor.engine.scenes import BlockView
from sensor.model.counters import Counters
from sensor.model.rows import FRAG_PART
from sensor.model.scene import Match
from sensor.outputs.limits import FOLLOWED_MAX, EvidenceOptions
from sensor.outputs.pcaplog import Frames, PcapLog

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Spreads addresses over a word (the golden ratio, an odd number)."""


class EvidenceCounters(Counters):
    """What was not kept."""

    __slots__ = ("cut", "evicted", "shed")

    cut: int
    """Flows that reached the bound of one flow: the rest of them was not kept."""
    evicted: int
    """Flows that gave way to others that alerted later."""
    shed: int
    """Packets left out because the disk was nearly full."""


@dataclass(slots=True)
class Past:
    """A block that is remembered."""

    frames: Frames
    numbers: np.ndarray
    """int64[packets]: `pcap_cnt`."""
    pkt: np.ndarray
    """int32[rows]: packet of each row that has a flow, or is a fragment."""
    flow: np.ndarray
    """uint64[rows]: flow id, 0: none."""
    pair: np.ndarray
    """uint64[rows]: of a fragment, its two addresses in one word; else 0."""
    written: np.ndarray
    """bool[packets]"""


class Evidence:
    """Watches blocks and alerts. shed: tells whether the disk has no room for packets now."""

    def __init__(self, options: EvidenceOptions, log: PcapLog, shed: Callable[[], bool]) -> None:
        self._options = options
        self._shed = shed
        self._past: deque[Past] = deque()
        self._fresh: list[Match] = []
        self._left: dict[int, int] = {}
        """Flow id → bytes that may still be kept of it; the last to alert is at the end."""
        self._pairs: dict[int, int] = {}
        """Flow id → its two addresses in one word."""
        self.log = log
        self.counters = EvidenceCounters()
        self.remembered = 0
        """Bytes of packets in memory."""

    def capture_file(self, ts: int) -> str:
        """Return the file that the packets of an alert at a time (ns) go to; empty: they are not kept."""
        return "" if self._shed() else self.log.name(ts)

    def alerted(self, match: Match) -> None:
        """Take an alert of the block at hand."""
        self._fresh.append(match)

    def observe(self, view: BlockView) -> None:
        """Take a block, once all its alerts are raised."""
        fresh, self._fresh = self._fresh, []
        if view.block.n:
            self._remember(view)
        if not fresh and not self._left:
            self._forget()
            return
        ids = self._follow(fresh, view)
        packets = {match.scene.number for match in fresh if not match.scene.flow_id}
        found: list[bytes] = []
        for past in self._past if ids or packets else ():
            found += self._pick(past, ids, packets)
        going_on = {flow for flow, left in self._left.items() if left}
        if view.block.n and going_on:
            found += self._pick(self._past[-1], going_on, set())
        if found:
            self.log.write(found, int(fresh[0].scene.ts) if fresh else int(view.block.ts[0]))
        self._forget()

    def close(self) -> None:
        """End the file at hand."""
        self.log.close()

    def _remember(self, view: BlockView) -> None:
        rows = view.rows
        fragments = rows["frag"] == FRAG_PART
        rows = rows[((rows["flow"] >= 0) | fragments) & (rows["dup"] == 0)]
        slots = rows["flow"]
        flow = np.where(slots >= 0, view.flows["id"][slots], np.uint64(0))
        pair = np.where(rows["frag"] == FRAG_PART, pairs(rows), np.uint64(0))
        frames = Frames.of(view.block)
        self._past.append(
            Past(frames, view.block.packet_numbers(), rows["pkt"].copy(), flow, pair, np.zeros(view.block.n, np.bool_))
        )
        self.remembered += frames.buf.size

    def _forget(self) -> None:
        while self._past and self.remembered > self._options.before:
            self.remembered -= self._past.popleft().frames.buf.size

    def _follow(self, fresh: list[Match], view: BlockView) -> set[int]:
        """Note the flows that alerted; return the ids of those that were not followed yet."""
        new = set()
        for match in fresh:
            flow = match.scene.flow_id
            if not flow:
                continue
            if flow not in self._left:
                new.add(flow)
                self._pairs[flow] = self._pair_of(flow, view)
            self._left[flow] = self._left.pop(flow, self._options.per_flow)
        while len(self._left) > FOLLOWED_MAX:
            oldest = next(iter(self._left))
            del self._left[oldest], self._pairs[oldest]
            new.discard(oldest)
            self.counters.evicted += 1
        return new

    @staticmethod
    def _pair_of(flow: int, view: BlockView) -> int:
        at = np.flatnonzero(view.flows["id"] == flow)
        return int(pairs(view.flows[at[:1]])[0]) if at.size else 0

    def _pick(self, past: Past, ids: set[int], packets: set[int]) -> list[bytes]:
        """Return the packets of flows, and those of some numbers, that are not written yet."""
        chosen = np.isin(past.numbers, list(packets)) & ~past.written if packets else np.zeros(past.written.size, bool)
        at = np.flatnonzero(chosen).tolist()
        by_pair = {self._pairs[flow]: flow for flow in ids}
        wanted = np.isin(past.flow, np.array(sorted(ids), np.uint64))
        wanted |= (past.pair != 0) & np.isin(past.pair, np.array(sorted(by_pair), np.uint64))
        for row in np.flatnonzero(wanted).tolist():
            i = int(past.pkt[row])
            flow = int(past.flow[row]) or by_pair[int(past.pair[row])]
            if not past.written[i] and not chosen[i] and self._affords(flow, int(past.frames.caplen[i])):
                chosen[i] = True
                at.append(i)
        if at and self._shed():
            self.counters.shed += len(at)
            return []
        past.written |= chosen
        return [past.frames.record(i) for i in sorted(at)]

    def _affords(self, flow: int, size: int) -> bool:
        """Take a packet off what may be kept of a flow; tell whether there was that much left."""
        left = self._left[flow]
        if left < size:
            self.counters.cut += left > 0
            self._left[flow] = 0
            return False
        self._left[flow] = left - size
        return True


def pairs(records: np.ndarray) -> np.ndarray:
    """Return uint64[n]: the two addresses of rows or flows in one word, the same for both directions."""
    high = records["src_hi"] ^ records["dst_hi"]
    low = records["src_lo"] ^ records["dst_lo"]
    mixed: np.ndarray = (high * _MIX) ^ low | np.uint64(1)
    return mixed
