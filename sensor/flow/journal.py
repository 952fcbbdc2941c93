"""The journal: what each flow has sent, in order, for whoever starts to look at it late.

Each side of a flow has a chain of pages; a page holds whole records, so the oldest page can go at any time.
A record is a header of 40 bytes and its data padded to 8; data that does not fit is continued in the next
page and joined again when it is read. The order of records between the two sides is a number in the header.

KEEP_ALL flows are kept from the start and reported once they exceed `cap`, or once pages run short: their
owner then reads them and lowers `FLOW.keep`. KEEP_WINDOW flows keep `window` bytes per side in front of
each byte of the block at hand. KEEP_NONE flows are not written.
"""

from __future__ import annotations

import struct
from heapq import merge
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensor.flow import kernels_journal as kernels
from sensor.model.counters import Counters
from sensor.model.rows import KEEP_ALL, KEEP_NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.flow.limits_fragments import JournalLimits

_HEADER = struct.Struct("<5q")


class Record(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a side, or the news that some are missing."""

    side: int
    pos: int
    """Offset in the side's stream."""
    number: int
    """Number of the packet that brought it, from 1; 0: time alone did."""
    ts: int
    """ns"""
    data: bytes
    """Empty for a gap."""
    gap: int = 0
    """Bytes missing."""


class JournalCounters(Counters):
    """What the journal did. `pages` is as it is now, the rest since the start."""

    __slots__ = ("memcap_drop", "memcap_drop_bytes", "overflow", "pages", "records")

    records: int
    """Records written or lost."""
    overflow: int
    """Flows reported, because they were long or pages were short."""
    memcap_drop: int
    """Records, or oldest pages of a window, that were lost because no page was free."""
    memcap_drop_bytes: int
    pages: int
    """Pages in use."""


class Journal:
    """Records of all flows over one pool of pages: `memcap` bytes, taken as they are touched."""

    def __init__(self, limits: JournalLimits, slots: int) -> None:
        """`slots`: size of the flow table; the journal follows when it grows."""
        self.limits = limits
        self.counters = JournalCounters()
        count = limits.memcap // limits.page
        self._pages = np.zeros(count, kernels.PAGE)
        self._pages["next"] = np.arange(1, count + 1)
        self._pages["next"][-1] = -1
        self._words = np.empty(count * limits.page // 8, np.int64)
        self._pool = self._words.view(np.uint8)
        self._memory = self._pool.data
        self._sides = np.zeros(0, kernels.SIDE)
        self._lost = np.zeros(0, np.uint8)
        self._reported = np.zeros(0, np.int64)
        self.follow(slots)
        self._meta = np.zeros(8, np.int64)
        self._meta[kernels.M_FREE_COUNT] = count
        reserve = min(limits.reserve, limits.memcap // 4) // limits.page
        self._limits = np.array([limits.page, limits.window, limits.cap, reserve], np.int64)
        self._overflow = np.empty(0, np.int32)
        self._out = np.empty(0, np.uint8)

    def append(
        self,
        segs: np.ndarray,
        rows: np.ndarray,
        numbers: np.ndarray,
        seg_at: np.ndarray,
        data: np.ndarray,
        flows: np.ndarray,
    ) -> np.ndarray:
        """Write the block's DATA and GAP events; return int32[n], the slots to be taken care of now.

        segs: SEG[m]; rows: ROW[n]; numbers: int64[n], the packet number of each row; seg_at: int64[m] and
        data: uint8 as `Gatherer.gather` returns them; flows: FLOW[slots]. What is reported is still
        complete unless `lost` says otherwise. A slot that is returned for a lost record may be in any mode.
        """
        self.follow(flows.size)
        if segs.size > self._overflow.size:
            self._overflow = np.empty(2 * segs.size, np.int32)
        n = kernels.append(
            segs, rows, numbers, seg_at, data, flows, self._sides, self._pages, self._pool, self._words,
            self._lost, self._reported, self._meta, self._limits, self._overflow,
        )  # fmt: skip
        self._count(n)
        return self._overflow[:n].copy()

    def records(self, slot: int) -> list[Record]:
        """Return what is kept of a flow, in packet order, each record as it was appended.

        A hole (records lost, or pages of a window dropped) is a gap record; a window's records begin where
        the oldest page does.
        """
        found: list[Record] = []
        expected = [0, 0] if self._lost[slot] else [-1, -1]
        for _, record in merge(*(self._side(slot, side) for side in (0, 1)), key=_order):
            side, hole = record.side, record.pos - expected[record.side]
            if hole > 0 and expected[side] >= 0:
                found.append(Record(side, expected[side], record.number, record.ts, b"", hole))
            expected[side] = record.pos + len(record.data) + record.gap
            found.append(record)
        return found

    def window(self, slot: int, side: int, start_pos: int, end_pos: int) -> tuple[int, bytes]:
        """Return (where it starts, bytes): what is kept of [start_pos, end_pos), without holes, to its end.

        The bytes of the block that was appended last and `JournalLimits.window` bytes before each are there;
        of older ones there may be more or less.
        """
        size = end_pos - start_pos
        if size <= 0:
            return end_pos, b""
        if size > self._out.size:
            self._out = np.empty(2 * size, np.uint8)
        first = kernels.window(
            2 * slot + side, start_pos, end_pos, self._sides, self._pages, self._pool, self._words,
            self.limits.page, self._out,
        )  # fmt: skip
        return first, self._out[first - start_pos : size].tobytes()

    def lost(self, slot: int) -> bool:
        """Whether a record of the flow found no room since it was last dropped."""
        return bool(self._lost[slot])

    def drop(self, slot: int) -> None:
        """Forget a flow: it has ended, or its slot is to be used again."""
        self.drop_many(np.array([slot], np.int32))

    def drop_many(self, slots: np.ndarray) -> None:
        """Forget flows. slots: int32[n], contiguous."""
        kernels.trim(slots, self._sides, self._pages, self._lost, self._meta, -1)
        self._count(0)

    def set_mode(self, slot: int, mode: int) -> None:
        """Give back what a flow need not keep in a new mode; to set `FLOW.keep` is the caller's part."""
        if mode == KEEP_NONE:
            self.drop(slot)
        elif mode != KEEP_ALL:
            slots = np.array([slot], np.int32)
            kernels.trim(slots, self._sides, self._pages, self._lost, self._meta, self.limits.window)
            self._count(0)

    def _side(self, slot: int, side: int) -> Iterator[tuple[int, Record]]:
        """Yield (order, record) of one side, the pieces of a record joined."""
        parts: list[bytes] = []
        first: tuple[int, int, int, int] | None = None
        for head, at in self._pieces(2 * slot + side):
            word, pos, order, number, ts = head
            size, kind = word & 0xFFFFFFFF, word >> 32
            if kind != kernels.KIND_MORE or first is None:
                if first is not None:
                    yield first[1], Record(side, first[0], first[2], first[3], b"".join(parts))
                first, parts = None, []
                if kind == kernels.KIND_GAP:
                    yield order, Record(side, pos, number, ts, b"", size)
                    continue
                first = (pos, order, number, ts)
            parts.append(bytes(self._memory[at : at + size]))
        if first is not None:
            yield first[1], Record(side, first[0], first[2], first[3], b"".join(parts))

    def _pieces(self, index: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """Yield (header, offset of the data in the pool) of one side's pages."""
        page = int(self._sides["head"][index])
        while page >= 0:
            at = page * self.limits.page
            end = at + int(self._pages["used"][page])
            while at < end:
                head = _HEADER.unpack_from(self._memory, at)
                at += kernels.HEADER
                yield head, at
                if head[0] >> 32 != kernels.KIND_GAP:
                    at += (head[0] & 0xFFFFFFFF) + 7 & ~7
            page = int(self._pages["next"][page])

    def follow(self, slots: int) -> None:
        """Make room for a flow table of this size, before a slot beyond the old one is asked about."""
        old = self._lost.size
        if slots <= old:
            return
        sides = np.zeros(2 * slots, kernels.SIDE)
        sides["head"] = sides["tail"] = -1
        sides[: 2 * old] = self._sides
        self._sides = sides
        self._lost = np.concatenate([self._lost, np.zeros(slots - old, np.uint8)])
        self._reported = np.concatenate([self._reported, np.zeros(slots - old, np.int64)])

    def _count(self, reported: int) -> None:
        counters, meta = self.counters, self._meta
        counters.overflow += reported
        counters.records = int(meta[kernels.M_WRITTEN])
        counters.memcap_drop = int(meta[kernels.M_DROPPED])
        counters.memcap_drop_bytes = int(meta[kernels.M_DROPPED_BYTES])
        counters.pages = self._pages.size - int(meta[kernels.M_FREE_COUNT])


def _order(item: tuple[int, Record]) -> int:
    return item[0]
