"""Connections that control connections announce: recognised at their first byte, whatever that is.

Works on blocks before anything is judged: announcements and first bytes are taken in packet order, so where a block
ends does not matter. An announced connection has its protocol from its first segment on; what detection by content
made of it in the same block is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sensor.engine.block.gathered import Gathered
from sensor.engine.block.history import AppChanges
from sensor.model.counters import Counters
from sensor.model.distinct import among
from sensor.model.expected import Announced, Expected
from sensor.model.rows import APP_UNDECIDED, SEG_DATA, SEG_GAP
from sensor.proto import ids
from sensor.proto.ftp.announce import FtpAnnouncer

MAX_EXPECTED = 4096
"""Connections waited for at a time; the oldest gives way."""
MAX_READERS = 8192
"""Control connections that are read at a time, 2 KB each; the one that was silent longest is begun anew if it goes
on."""
PATIENCE = 60 * 10**9
"""ns after which an announced connection is waited for no longer."""

ANNOUNCERS = MappingProxyType({ids.FTP: (FtpAnnouncer, ids.FTP_DATA)})
"""Protocol of a control connection → its reader, protocol of what it announces."""

_FIRST, _HEARD = 0, 1
"""Order of what happens at one segment: it may be the first of a connection that is waited for, and announce one."""

Host = tuple[int, int]
Key = tuple[int, Host, int, Host]
"""Network (VLAN, tunnel), listening host and port, connecting host."""


class ExpectCounters(Counters):
    """Announced connections."""

    __slots__ = ("dropped", "expected", "found", "forgotten")
    dropped: int
    """Given up because too many were waited for."""
    expected: int
    found: int
    forgotten: int
    """Control connections that were forgotten because there were too many."""


class _Waiting(NamedTuple):
    app: int
    what: Announced
    until: int
    """ns"""


class Expectations:
    """Reads control connections and marks the flows that they announce."""

    def __init__(self) -> None:
        self.counters = ExpectCounters()
        self.announced: dict[int, Announced] = {}
        """Slot → what was announced of it."""
        self._announces = np.zeros(1 << 8, np.bool_)
        self._announces[list(ANNOUNCERS)] = True
        self._readers: dict[int, FtpAnnouncer] = {}
        """By slot; the one that was silent longest comes first."""
        self._waiting: dict[Key, _Waiting] = {}
        """The oldest first."""

    def apply(self, rows: np.ndarray, gathered: Gathered, flows: np.ndarray, changes: AppChanges) -> AppChanges:
        """Write `FLOW.app` of announced flows; return the changes of this block with these.

        rows: ROW[n], flows: FLOW[slots]
        """
        segs = gathered.segs
        control = np.flatnonzero(self._announces[flows["app"][segs["flow"]]])
        control = control[segs["kind"][control] <= SEG_GAP]
        heard = self._hear(control, gathered, flows, changes) if control.size else []
        if not self._waiting and not heard:
            return changes
        self._tire(rows)
        events: list[tuple[int, int, Expected | None]] = [(index, _HEARD, one) for index, one in heard]
        events += [(index, _FIRST, None) for index in self._likely(segs, flows, heard)]
        found: dict[int, int] = {}
        for index, _, one in sorted(events, key=itemgetter(0, 1)):
            slot = int(segs["flow"][index])
            if slot in found:
                continue
            if one is None:
                self._meet(index, slot, rows, segs, flows, found)
            else:
                self._expect(one, flows[slot], _time(rows, segs, index, flows[slot]))
        return _with(changes, found) if found else changes

    def _likely(self, segs: np.ndarray, flows: np.ndarray, heard: Iterable[tuple[int, Expected]]) -> list[int]:
        """Return the first segments of sides to a port that is waited for, in this block or before: few have one."""
        wanted = np.zeros(1 << 16, np.bool_)
        wanted[[key[2] for key in self._waiting]] = True
        wanted[[one.port for _, one in heard]] = True
        first = np.flatnonzero((segs["kind"] == SEG_DATA) & (segs["pos"] == 0))
        slots = segs["flow"][first]
        likely: list[int] = first[wanted[flows["dport"][slots]] | wanted[flows["sport"][slots]]].tolist()
        return likely

    def _hear(self, control: np.ndarray, gathered: Gathered, flows: np.ndarray, changes: AppChanges
              ) -> list[tuple[int, Expected]]:  # fmt: skip
        """Read the segments of control connections; return what each announces, by SEG number."""
        since = dict(zip(changes.slots.tolist(), changes.rows.tolist(), strict=True))
        heard: list[tuple[int, Expected]] = []
        parts = gathered.segs[control]
        columns = (parts["flow"], parts["side"], parts["kind"], parts["row"], flows["app"][parts["flow"]])
        for index, slot, side, kind, row, app in zip(
            control.tolist(), *(column.tolist() for column in columns), strict=True
        ):
            if row < since.get(slot, -1):
                continue
            reader = self._readers.pop(slot) if slot in self._readers else ANNOUNCERS[app][0]()
            self._readers[slot] = reader
            if len(self._readers) > MAX_READERS:
                del self._readers[next(iter(self._readers))]
                self.counters.forgotten += 1
            if kind == SEG_GAP:
                reader.gap(side)
            else:
                heard += ((index, one) for one in reader.feed(side, gathered.data_of(index)))
        return heard

    def _tire(self, rows: np.ndarray) -> None:
        """Forget what has not come for long: it would be looked for in every block. rows: ROW[n]."""
        if not rows.size:
            return
        now = int(rows["ts"][0]) - PATIENCE  # times need not rise from packet to packet
        while self._waiting and (oldest := next(iter(self._waiting.items())))[1].until < now:
            del self._waiting[oldest[0]]

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        for kept in (self._readers, self.announced):
            for slot in kept.keys() & slots if kept else ():
                del kept[slot]

    def _expect(self, one: Expected, flow: np.void, now: int) -> None:
        app, hosts = ANNOUNCERS[int(flow["app"])][1], _hosts(flow)
        key = int(flow["vkey"]), hosts[one.listener], one.port, hosts[1 - one.listener]
        self._waiting.pop(key, None)
        self._waiting[key] = _Waiting(app, one.what, now + PATIENCE)
        self.counters.expected += 1
        if len(self._waiting) > MAX_EXPECTED:
            del self._waiting[next(iter(self._waiting))]
            self.counters.dropped += 1

    def _meet(
        self, index: int, slot: int, rows: np.ndarray, segs: np.ndarray, flows: np.ndarray, found: dict[int, int]
    ) -> None:
        """See whether a flow whose first bytes these are is waited for."""
        flow = flows[slot]
        client, server = _hosts(flow)
        network = int(flow["vkey"])
        for key in ((network, server, int(flow["dport"]), client), (network, client, int(flow["sport"]), server)):
            waiting = self._waiting.get(key)
            if waiting is None or not _silent_before(segs, flow, slot, index):
                continue
            del self._waiting[key]
            if _time(rows, segs, index, flow) > waiting.until:
                continue
            flow["app"] = waiting.app
            self.announced[slot] = waiting.what
            found[slot] = int(segs["row"][index])
            self.counters.found += 1
            return


def _hosts(flow: np.void) -> tuple[Host, Host]:
    """Return client and server."""
    return (int(flow["src_hi"]), int(flow["src_lo"])), (int(flow["dst_hi"]), int(flow["dst_lo"]))


def _time(rows: np.ndarray, segs: np.ndarray, index: int, flow: np.void) -> int:
    row = int(segs["row"][index])
    return int(rows["ts"][row]) if row >= 0 else int(flow["last"])


def _silent_before(segs: np.ndarray, flow: np.void, slot: int, index: int) -> bool:
    """Tell whether neither side of a flow has sent anything before a segment."""
    mine = np.flatnonzero((segs["flow"] == slot) & (segs["kind"] <= SEG_GAP))
    here = int(segs["len"][mine].sum())
    return int(mine[0]) == index and int(flow["pos"].sum()) == here


def _with(changes: AppChanges, found: Mapping[int, int]) -> AppChanges:
    """Return the changes with those of announced flows in place of what content told of them."""
    kept = ~among(changes.slots, np.array(list(found), np.int32))
    ours = AppChanges(
        np.array(list(found), np.int32),
        np.array(list(found.values()), np.int32),
        np.full(len(found), APP_UNDECIDED, np.uint8),
    )
    return AppChanges(changes.slots[kept], changes.rows[kept], changes.before[kept]) + ours
