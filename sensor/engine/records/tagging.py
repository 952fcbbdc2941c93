"""Packets that rules have logged from an alert on (`tag`): of the alert's flow, or of a host at one of its ends.

As in Suricata the alert's own packet counts and is not logged again; a packet is logged once, whatever number of tags
ask for it; and a rule that alerts again begins to count anew, ten times at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

import numpy as np

from sensor.engine.scenes import BlockView
from sensor.model import addr
from sensor.model.counters import Counters
from sensor.model.scene import Cause, PacketRecord, Scene
from sensor.rules.nodes import Rule, Tag

MAX_SUBJECTS: Final = 4096
"""Flows, and hosts, of which packets are logged at a time. One takes about 1 KB."""
_MOST: Final = 50
"""Tags of one of them."""
_AGAIN: Final = 10
"""Times that a tag begins to count anew."""
_SECOND: Final = 1_000_000_000
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""The golden ratio of 64 bits, odd."""

Key = TypeVar("Key", int, bytes)
Event = tuple[int, int, int]
"""Row, phase, index (`Walk`)."""


class TagCounters(Counters):
    """Packets logged for tags."""

    __slots__ = ("packets_tagged", "tags_evicted")
    packets_tagged: int
    tags_evicted: int
    """Flows and hosts whose tags ended because there were too many."""


@dataclass(slots=True)
class _Running:
    """A tag since an alert."""

    tag: Tag
    ids: tuple[int, int]
    since: int
    """ns"""
    last: int
    """ns"""
    causes: list[Cause]
    count: int = 0
    """Packets or bytes so far."""
    seen: bool = False
    """The packet of the first alert has passed."""

    def over(self) -> bool:
        """Tell whether what was asked for has been logged."""
        if self.tag.unit == "seconds":
            return self.last // _SECOND - self.since // _SECOND > self.tag.count
        return self.count > self.tag.count


@dataclass(slots=True)
class _Subjects(Generic[Key]):
    """Flows or hosts with the tags that run on them."""

    running: dict[Key, list[_Running]] = field(default_factory=dict)

    def add(self, key: Key, tag: Tag, rule: Rule, cause: Cause) -> int:
        """Begin a tag, or let it begin anew; return how many subjects had to go for it."""
        tags = self.running.setdefault(key, [])
        ts = cause[2]
        same = next((one for one in tags if one.ids == (rule.gid, rule.sid)), None)
        if same is None:
            if len(tags) < _MOST:
                tags.append(_Running(tag, (rule.gid, rule.sid), ts, ts, [cause]))
        elif len(same.causes) < _AGAIN:
            same.causes.append(cause)
            same.since = same.last = ts
            same.count = 0
        if len(self.running) <= MAX_SUBJECTS:
            return 0
        del self.running[next(iter(self.running))]
        return 1

    def passing(self, key: Key, ts: int, size: int) -> list[_Running]:
        """Count a packet; return the tags that have it logged."""
        tags = self.running.get(key)
        if tags is None:
            return []
        found, left = [], []
        for one in tags:
            one.last = ts
            one.count += size if one.tag.unit == "bytes" else 1
            if one.seen and one.over():
                continue
            left.append(one)
            if one.seen:
                found.append(one)
            one.seen = True
        if left:
            self.running[key] = left
        else:
            del self.running[key]
        return found


class Tagging:
    """Tags of all flows and hosts. emit: takes the records."""

    def __init__(self, emit: Callable[[PacketRecord], None]) -> None:
        self._emit = emit
        self.counters = TagCounters()
        self._flows: _Subjects[int] = _Subjects()
        """By slot."""
        self._hosts: _Subjects[bytes] = _Subjects()
        """By packed address."""
        self._view: BlockView | None = None
        self._at = 0
        """The row at hand."""
        self._due: list[int] = []
        """Heap: rows of this block to be looked at when all else about them is done."""
        self._known: set[int] = set()
        """Rows that are there, or have been."""

    def __len__(self) -> int:
        return len(self._flows.running) + len(self._hosts.running)

    def note(self, rule: Rule, scene: Scene, slot: int, row: int) -> None:
        """Take an alert of a rule with tags. row: its packet, -1: none stands behind it."""
        cause = (rule.gid, rule.sid, scene.ts, scene.flow_id)
        flows: list[int] = []
        hosts: list[bytes] = []
        for tag in rule.tags:
            if tag.kind == "host":
                host = scene.src if tag.end == "src" else scene.dest
                hosts += [host] if host not in self._hosts.running else []
                self.counters.tags_evicted += self._hosts.add(host, tag, rule, cause)
            elif slot >= 0:
                flows += [slot] if slot not in self._flows.running else []
                self.counters.tags_evicted += self._flows.add(slot, tag, rule, cause)
        if self._view is not None and (flows or hosts):
            self._look(self._view, max(row, self._at), flows, hosts)

    def among(self, events: Sequence[Event], view: BlockView) -> Iterator[Event]:
        """Yield the events of a block, and log each packet that a tag asks for when its own are done."""
        self._view = view
        self._due.clear()
        self._known.clear()
        self._at = 0
        self._look(view, 0, self._flows.running, self._hosts.running)
        for event in events:
            while self._due and self._due[0] < event[0]:
                self._packet(view, heappop(self._due))
            self._at = event[0]
            yield event

    def finish(self) -> None:
        """Log what is left of a block."""
        while self._due and self._view is not None:
            self._packet(self._view, heappop(self._due))
        self._view = None

    def adopt(self, old: Tagging) -> None:
        """Take over the tags of before a reload."""
        self.counters, self._flows, self._hosts = old.counters, old._flows, old._hosts

    def forget(self, slots: Iterable[int]) -> None:
        """Drop the tags of ended flows."""
        if self._flows.running:
            for slot in slots:
                self._flows.running.pop(slot, None)

    def _look(self, view: BlockView, first: int, flows: Collection[int], hosts: Collection[bytes]) -> None:
        """Take note of the rows from one on that may be those of some flows and hosts."""
        if not flows and not hosts:
            return
        rows = view.rows[first:]
        wanted = np.zeros(rows.size, np.bool_)
        if flows:
            wanted |= np.isin(rows["flow"], np.fromiter(flows, np.int64))
        if hosts:
            mixes = np.fromiter(map(_mix_of, hosts), np.uint64)
            wanted |= np.isin(_mix(rows, "src"), mixes) | np.isin(_mix(rows, "dst"), mixes)
        fresh = set((first + np.flatnonzero(wanted & (rows["dup"] == 0))).tolist()) - self._known
        self._known |= fresh
        if len(fresh) < len(self._due):
            for row in fresh:
                heappush(self._due, row)
        else:
            self._due += fresh
            heapify(self._due)

    def _packet(self, view: BlockView, row: int) -> None:
        r = view.rows[row]
        ts, size, ipv = int(r["ts"]), int(view.block.caplen[r["pkt"]]), int(r["ipv"])
        found = self._flows.passing(int(r["flow"]), ts, size)
        if self._hosts.running and ipv:
            ends = {addr.pack(ipv, int(r[f"{end}_hi"]), int(r[f"{end}_lo"])): None for end in ("src", "dst")}
            for end in ends:
                found += self._hosts.passing(end, ts, size)
        if found:
            self.counters.packets_tagged += 1
            packet, linktype = view.frame(row)
            causes = dict.fromkeys(cause for one in found for cause in one.causes)
            self._emit(PacketRecord(view.scene(row), packet, linktype, tuple(causes)))


def _mix(rows: np.ndarray, end: str) -> np.ndarray:
    """Return uint64[n]: a number made of each address; different ones may have the same."""
    mixed: np.ndarray = rows[f"{end}_lo"] ^ rows[f"{end}_hi"] * _SPREAD
    return mixed


def _mix_of(address: bytes) -> int:
    high, low = int.from_bytes(address[:-8]), int.from_bytes(address[-8:])
    return low ^ high * int(_SPREAD) & (1 << 64) - 1
