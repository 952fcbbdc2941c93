"""The packets behind alerts: those of the flow from before the alert, as far as memory reaches, and from after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from sensor.engine.scenes import BlockView
from sensor.model.counters import Counters
from sensor.model.rows import FRAG_PART
from sensor.model.scene import Match, Scene
from sensor.outputs.limits import FOLLOWED_MAX, EvidenceOptions
from sensor.outputs.pcaplog import Frames

_MIX: Final = 0x9E3779B97F4A7C15
"""Spreads addresses over a word (the golden ratio, an odd number)."""
_FRAGMENT: Final = 1 << 63
"""Set in the key of a fragment."""


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
    key: np.ndarray
    """uint64[rows]: flow id (below 2**53), or of a fragment its two addresses in one word with the first bit set."""
    mark: np.ndarray
    """uint16[rows]: the key, folded."""
    written: np.ndarray
    """bool[packets]"""


class Wanted:
    """Keys of rows that are looked for. of: key → flow id."""

    def __init__(self, of: Mapping[int, int]) -> None:
        self.of = of
        self._keys = np.array(sorted(of), np.uint64)
        # Of all that is remembered few rows are wanted: a table in the cache passes over the rest (16 MB of short
        # packets are 200,000 rows, in 0.2 ms).
        self._marks = np.zeros(1 << 16, np.bool_)
        self._marks[folded(self._keys)] = True

    def rows(self, past: Past) -> list[int]:
        """Return the rows with one of the keys."""
        at = np.flatnonzero(self._marks[past.mark])
        found: list[int] = at[np.isin(past.key[at], self._keys)].tolist()
        return found


class Captures(Protocol):
    """Where packets go."""

    def write(self, records: Iterable[bytes], ts: int) -> None:
        """Take records of a capture. ts: when they were asked for, ns."""

    def name(self, ts: int) -> str:
        """Return the file that they go to."""

    def close(self) -> None:
        """End the file at hand."""


class Evidence:
    """Watches blocks and alerts. shed: tells whether the disk has no room for packets now."""

    def __init__(self, options: EvidenceOptions, log: Captures, shed: Callable[[], bool]) -> None:
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
        if view.block.n:
            self._remember(view)
        self._keep(int(view.block.ts[0]) if view.block.n else 0, new_block=bool(view.block.n))

    def catch_up(self) -> None:
        """Take alerts behind the last block."""
        self._keep(0, new_block=False)

    def _keep(self, ts: int, *, new_block: bool) -> None:
        """Write packets of the flows that alerted. ts: of the new block, ns."""
        fresh, self._fresh = self._fresh, []
        if not fresh and not self._left:
            self._forget()
            return
        new = self._wanted(self._follow(fresh))
        packets = {match.scene.number for match in fresh if not match.scene.flow_id}
        found: list[bytes] = []
        for past in self._past if new.of or packets else ():
            found += self._pick(past, new, packets)
        going_on = self._wanted(flow for flow, left in self._left.items() if left)
        if new_block and going_on.of:
            found += self._pick(self._past[-1], going_on, set())
        if found:
            self.log.write(found, int(fresh[0].scene.ts) if fresh else ts)
        self._forget()

    def close(self) -> None:
        """End the file at hand."""
        self.log.close()

    def _remember(self, view: BlockView) -> None:
        rows = view.rows
        fragments = rows["frag"] == FRAG_PART
        at = np.flatnonzero(((rows["flow"] >= 0) | fragments) & (rows["dup"] == 0))
        slots = rows["flow"][at]
        key = view.flows["id"][slots]
        if fragments.any():
            part = slots < 0
            key[part] = pairs(rows[at[part]])
        frames = Frames.of(view.block)
        self._past.append(
            Past(frames, view.block.packet_numbers(), rows["pkt"][at], key, folded(key), np.zeros(view.block.n, bool))
        )
        self.remembered += frames.buf.size

    def _forget(self) -> None:
        while self._past and self.remembered > self._options.before:
            self.remembered -= self._past.popleft().frames.buf.size

    def _follow(self, fresh: list[Match]) -> set[int]:
        """Note the flows that alerted; return the ids of those that were not followed yet."""
        new = set()
        for match in fresh:
            flow = match.scene.flow_id
            if not flow:
                continue
            if flow not in self._left:
                new.add(flow)
                self._pairs[flow] = pair_of(match.scene)
            self._left[flow] = self._left.pop(flow, self._options.per_flow)
        while len(self._left) > FOLLOWED_MAX:
            oldest = next(iter(self._left))
            del self._left[oldest], self._pairs[oldest]
            new.discard(oldest)
            self.counters.evicted += 1
        return new

    def _wanted(self, flows: Iterable[int]) -> Wanted:
        of = {}
        for flow in flows:
            of[flow] = of[self._pairs[flow]] = flow
        return Wanted(of)

    def _pick(self, past: Past, wanted: Wanted, packets: set[int]) -> list[bytes]:
        """Return the packets of flows, and those of some numbers, that are not written yet."""
        chosen = np.isin(past.numbers, list(packets)) & ~past.written if packets else np.zeros(past.written.size, bool)
        at = np.flatnonzero(chosen).tolist()
        for row in wanted.rows(past):
            i = int(past.pkt[row])
            if past.written[i] or chosen[i]:
                continue
            if self._affords(wanted.of[int(past.key[row])], int(past.frames.caplen[i])):
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


def folded(keys: np.ndarray) -> np.ndarray:
    """Return uint16[n]: keys as numbers of a small table."""
    short: np.ndarray = (keys ^ keys >> np.uint64(16) ^ keys >> np.uint64(32)).astype(np.uint16)
    return short


def pairs(records: np.ndarray) -> np.ndarray:
    """Return uint64[n]: the two addresses of rows in one word, the same for both directions."""
    high = records["src_hi"] ^ records["dst_hi"]
    low = records["src_lo"] ^ records["dst_lo"]
    mixed: np.ndarray = (high * np.uint64(_MIX)) ^ low | np.uint64(_FRAGMENT)
    return mixed


def pair_of(scene: Scene) -> int:
    """Return the same for the ends of a scene."""
    high, low = divmod(int.from_bytes(scene.src) ^ int.from_bytes(scene.dest), 1 << 64)
    return (high * _MIX) % (1 << 64) ^ low | _FRAGMENT
