"""From literal hits and header predicates to candidates: what to judge on which rows and windows, and what to parse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sensor.detect.headers.groups import Groups
from sensor.detect.headers.heads import NO_HEADS, Heads
from sensor.detect.headers.index import on_fragments
from sensor.detect.packets.oddities import oddities
from sensor.detect.planning.plan import LOOSE, PACKET, STREAM, TX, Plan
from sensor.detect.scan.index import Hits
from sensor.detect.scan.kernels_expand import expand
from sensor.detect.scan.kernels_scan import REPEAT
from sensor.detect.scan.literals import LiteralRules
from sensor.engine.block import derive, kernels_sides
from sensor.engine.block.gathered import Gathered
from sensor.engine.block.history import AppChanges
from sensor.engine.block.kernels_segments import packets_of_hits
from sensor.engine.framing.contents import Contents
from sensor.engine.framing.framedatagrams import FrameDatagrams
from sensor.engine.framing.frames import FrameCounters, Frames, Wanted
from sensor.engine.late import Late, Pairs
from sensor.engine.protodetect.kernels_heads import contains_netbios
from sensor.engine.recent import RecentHits, StreamHits
from sensor.engine.sift import Sift
from sensor.model.app import RAW_NAME
from sensor.model.distinct import distinct
from sensor.model.rows import APP_UNDECIDED, COLD, FRAG_PART, SEG_DATA, SEG_GAP, STREAM_IGNORED, new_rows
from sensor.model.units import UNIT_STREAM
from sensor.proto import ids
from sensor.proto.dns.framing import DnsCutter
from sensor.proto.registry import SPECS

_UDP = 17
_ANY_APP = ~np.uint64(0)
_MAY_NAME = np.array([app == APP_UNDECIDED or (app in SPECS and _UDP in SPECS[app].transports) for app in range(256)])
"""bool[256]: messages of a protocol may hold a NetBIOS name."""


@dataclass(slots=True)
class Candidates:
    """What must be judged or parsed in one block."""

    packets: dict[int, set[int]] = field(default_factory=dict)
    """Row → packet rules."""
    windows: dict[int, set[int]] = field(default_factory=dict)
    """SEG number → stream rules."""
    datagrams: set[int] = field(default_factory=set)
    """Rows (UDP) that must be parsed."""
    flows: dict[int, int] = field(default_factory=dict)
    """Slot → mask of the protocols as which the flow (TCP) must be parsed."""
    quiet: set[int] = field(default_factory=set)
    """See `frames.Wanted`."""
    over: set[int] = field(default_factory=set)
    """See `frames.Wanted`."""
    bridged: set[int] = field(default_factory=set)
    """See `Frames.bridged`."""

    def parse(self, slots: Iterable[int], apps: int) -> None:
        """Have flows parsed, if they speak one of the protocols."""
        for slot in slots:
            self.flows[slot] = self.flows.get(slot, 0) | apps


class Bytes(NamedTuple):
    """What a scan reads, and what it is about."""

    data: np.ndarray
    units: np.ndarray
    rows: np.ndarray
    flows: np.ndarray
    unit_of: np.ndarray
    """int32[2 * slots]: the one stream unit of a side, in which a rule's other literals are looked for."""
    framed: np.ndarray
    """uint8[units], 1: transaction rules are tried on frames."""


class Found(NamedTuple):
    """Rules that hits stand for: int32[n] each, `hit` numbers the hits."""

    rules: np.ndarray
    hit: np.ndarray
    late_rules: np.ndarray
    late_hit: np.ndarray
    """int64[m]: number of the hit, above bit 32 what is missing."""


class Named(NamedTuple):
    """Rules found in the names of DNS questions."""

    made: derive.Derived
    rules: np.ndarray
    """int32[n]"""
    units: np.ndarray
    """UNIT[n]: the name that each was found in."""


class Expander:
    """Runs `kernels_expand.expand` for the literals of one index."""

    def __init__(self, literals: LiteralRules, plan: Plan) -> None:
        self.literals = literals
        self._headers = plan.headers
        self._last = np.empty(len(plan.rules) + 1, np.int32), np.empty(len(plan.rules) + 1, np.int32)
        n = 1 << 15
        self._out: tuple[np.ndarray, ...] = tuple(np.empty(n, t) for t in (np.int32, np.int32, np.int32, np.int64))

    def find(self, hits: Hits, what: Bytes) -> Found:
        """Return the rules that hits may stand for."""
        x, head = self.literals, self._headers
        self._last[0].fill(-1)
        state = np.zeros(4, np.int64)
        parts: list[tuple[np.ndarray, ...]] = []
        while state[0] < hits.lit.size:
            n = expand(
                hits.lit, hits.unit, what.data, what.units, what.framed, what.rows, what.flows, head.table, head.ports,
                head.flow_masks, x.first, x.rules, x.other_first, x.other_at, x.other_len, x.other_cased, x.pool,
                what.unit_of, *self._last, *self._out, state,
            )  # fmt: skip
            sizes = n, n, int(state[2]), int(state[2])
            parts.append(tuple(column[:size].copy() for column, size in zip(self._out, sizes, strict=True)))
        if not parts:
            return Found(*(column[:0] for column in self._out))
        return Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Selector:
    """Turns the scan's hits into candidates. Keeps, per side, recent hits of stream rules: windows overlap blocks."""

    def __init__(self, plan: Plan, groups: Groups, inspect_window: int, frames: Sequence[Frames] = (),
                 datagrams: Sequence[FrameDatagrams] = ()) -> None:  # fmt: skip
        self._plan = plan
        self._groups = groups
        self.frames, self.datagrams = frames, datagrams
        self._contents = Contents(plan.contents)
        # Without rules of several steps what the gatherer carries is enough.
        self._window = inspect_window if plan.multi_step else max(plan.literals.index.longest - 1, 0)
        self._raw, self._names = Expander(plan.literals, plan), Expander(plan.names, plan)
        self._cutter = DnsCutter()
        self.counters = FrameCounters()
        self._scopes, self._last = plan.table.scopes, plan.table.last
        self._apps, self._low, self._high = (plan.headers.table[name] for name in ("apps", "pay_low", "pay_high"))
        self._lengths = np.array(plan.literals.index.lengths, np.int64)
        self._escaping = np.zeros(plan.literals.index.size, np.bool_)
        self._escaping[[lit for lit, *_ in plan.literals.escapes]] = True
        self.recent = RecentHits()
        self._stream_hits: list[StreamHits] = []
        """Of the block at hand."""
        self._late = Late()
        self._unit_of = np.zeros(0, np.int32)
        self._inherited = Candidates()
        """Flows to be parsed from the next block on, for what was seen before a reload."""

    @property
    def window(self) -> int:
        """Bytes before a segment that a stream rule sees."""
        return self._window

    def select(self, rows: np.ndarray, buf: np.ndarray, gathered: Gathered, flows: np.ndarray,
               messages: tuple[np.ndarray, np.ndarray], changes: AppChanges,
               segments: np.ndarray | None = None, told: np.ndarray | None = None,
               heads: Heads = NO_HEADS) -> Candidates:  # fmt: skip
        """Return the candidates of a block. rows: ROW[n], messages: rows and protocols of UDP payloads.

        segments: uint64[n], values of `tcp.event`; told: bool[n], of `app.told`; None: no rule asks. heads: of flows.
        """
        found, self._inherited = self._inherited, Candidates()
        plan = self._plan
        plan.headers.note(rows, flows)
        sift = self._sift = Sift(plan, flows, changes, heads)
        self._messages = gathered.messages
        self._bare_packets(rows, buf, segments, told)
        self._bare_untied(rows, buf)
        self._stream_hits = []
        if (plan.segs.size or plan.sides.size) and gathered.segs.size:
            self._bare_windows(gathered, flows, heads)
        if gathered.units.size and (plan.literals.index.size or self.frames):
            self._literals(found, rows, gathered, flows, messages)
        self._bridge(found, gathered, flows)
        self._count_smb(found, flows)
        for app, slots in self._contents.look(gathered, flows) if plan.contents else ():
            self.counters.smb_flows_contents += len([slot for slot in slots if slot not in found.flows])
            found.parse(slots, 1 << app)
        for one in self.datagrams:
            found.datagrams |= one.wanted(rows, buf, messages, flows)
        if self._stream_hits or len(self.recent):
            self._windows(gathered.segs)
        found.packets, found.windows = sift.packets(rows, buf), sift.windows(gathered, self._window)
        if plan.names.index.size or plan.short_names:
            self._questions(found, rows, buf, gathered, flows, messages)
        self._netbios(found, gathered, flows)
        return found

    def _bridge(self, found: Candidates, gathered: Gathered, flows: np.ndarray) -> None:
        """Have losses looked at, once the block has been framed."""
        gaps = gathered.segs[gathered.segs["kind"] == SEG_GAP]
        gaps = gaps[gaps["flow"] >= 0]
        for frames in self.frames:
            if gaps.size:
                frames.bridge(gaps, gathered.units, flows)
            found.bridged |= frames.bridged

    def _count_smb(self, found: Candidates, flows: np.ndarray) -> None:
        """Count the flows that become hot for literals."""
        slots = [slot for slot, apps in found.flows.items() if apps >> ids.SMB & 1]
        if slots:
            mine = (flows["app"][slots] == ids.SMB) & (flows["hot"][slots] == COLD)
            self.counters.smb_flows_matched += int(np.count_nonzero(mine))

    def adopt(self, old: Selector, renumbered: Mapping[int, int]) -> None:
        """Take over recent hits at a reload. renumbered: old rule number → new, of unchanged rules."""
        self.recent.adopt(old.recent, renumbered)
        # What waits for other literals waits no more: the new rules number theirs differently.
        pairs = old._late.drain()
        for rule, side, pos in zip(pairs.rules.tolist(), pairs.sides.tolist(), pairs.pos.tolist(), strict=True):
            number = renumbered.get(rule)
            if number is not None and self._scopes[number] & STREAM:
                self.recent.add(side, number, pos)
            elif number is not None:
                self._inherited.parse([side >> 1], int(self._apps[number]))

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        slots = list(slots)
        self._late.forget(np.array(slots, np.int32))
        self.recent.forget(slots)
        for frames in self.frames:
            frames.forget(slots)

    def _bare_packets(self, rows: np.ndarray, buf: np.ndarray, segments: np.ndarray | None,
                      told: np.ndarray | None) -> None:  # fmt: skip
        """Choose packets by headers."""
        if not self._plan.rows.size:
            return
        index, base, apps = self._plan.rows, np.zeros(rows.size, np.int64), np.full(rows.size, _ANY_APP)
        at, size = (np.ascontiguousarray(rows[name]) for name in ("pay", "paylen"))
        odd = (oddities(rows, buf, segments, told),) if index.asks_odd else ()
        self._sift.add_rows(*index.select(self._plan.headers, rows, buf, at, size, base, apps, *odd))

    def _bare_untied(self, rows: np.ndarray, buf: np.ndarray) -> None:
        """Choose stream rules by headers for payload that is in no stream: mostly there is none."""
        where = np.flatnonzero(rows["stream"] == STREAM_IGNORED) if self._plan.untied.size else ()
        if not len(where):
            return
        part, base, apps = rows[where], np.zeros(len(where), np.int64), np.full(len(where), _ANY_APP)
        at, size = (np.ascontiguousarray(part[name]) for name in ("pay", "paylen"))
        found, rules = self._plan.untied.select(self._plan.headers, part, buf, at, size, base, apps)
        self._sift.add_rows(where[found].astype(np.int32), rules)

    def _bare_windows(self, gathered: Gathered, flows: np.ndarray, heads: Heads) -> None:
        """Choose windows by headers, and by literals that are too short for the scan."""
        segs, units, plan = gathered.segs, gathered.units, self._plan
        rows = _stand_ins(segs, flows, segs["kind"] != SEG_DATA)
        plan.headers.note(rows, flows)
        pos, origins = segs["pos"].astype(np.int64), gathered.messages.origins
        base = np.maximum(pos - origins - self._window, 0)
        begin = gathered.begins()
        begin[base > 0] = -1
        size = np.where(begin < 0, -1, pos - origins + segs["len"]).astype(np.int32)
        apps = _spoken(segs, flows)
        # The first bytes of a later message are not at hand when its block is gone.
        for first in (True, False) if gathered.messages.several else (True,):
            mine = np.flatnonzero((origins == 0) == first)
            at, rules = plan.segs.select(
                plan.headers, rows[mine], gathered.data, begin[mine], size[mine], base[mine], apps[mine],
                heads=heads if first else NO_HEADS,
            )  # fmt: skip
            self._sift.add_windows(mine.astype(np.int32)[at], rules)
        stream = units[units["kind"] == UNIT_STREAM]
        rows = _stand_ins(stream, flows, np.zeros(stream.size, np.bool_))
        at, size = stream["start"].astype(np.int32), (stream["end"] - stream["start"]).astype(np.int32)
        base, apps = np.zeros(stream.size, np.int64), _spoken(stream, flows)
        where, rules = plan.sides.select(plan.headers, rows, gathered.data, at, size, base, apps)
        self._note_sides(stream[where], rules)

    def _note_sides(self, units: np.ndarray, rules: np.ndarray) -> None:
        """Note rules as if their literal stood all over a unit. units: UNIT[n], of each rule."""
        first = units["pos"] - (units["fresh"] - units["start"])
        last = units["pos"] + (units["end"] - units["fresh"])
        sides = 2 * units["flow"].astype(np.int64) + units["side"]
        self._stream_hits.append(StreamHits(sides, rules, first, last))

    # ---- literals in the raw bytes

    def _literals(self, found: Candidates, rows: np.ndarray, gathered: Gathered, flows: np.ndarray,
                  messages: tuple[np.ndarray, np.ndarray]) -> None:  # fmt: skip
        data, units, index = gathered.data, gathered.units, self._plan.literals.index
        framed = [frames.cut(data, units, flows) for frames in self.frames]
        plain = np.zeros(units.size, np.uint8)
        for cut in framed:
            plain |= cut.plain
        what = Bytes(data, units, rows, flows, self._no_units(flows), plain)
        hits = index.scan(data, units, self._groups.unit_bits(units, rows, flows))
        kernels_sides.mark(units, what.unit_of)
        if self._late.size:
            self._streams(found, self._completed(what))
        for frames, cut in zip(self.frames, framed, strict=True):
            self._want(found, frames.app, frames.look(cut, data, units, flows, hits))
        if hits.lit.size:
            self._escapes(found, hits, units, plain)
            self._pairs(found, hits, what, gathered, messages)
        kernels_sides.clear(units, what.unit_of)

    def _want(self, found: Candidates, app: int, wanted: Wanted) -> None:
        found.parse(wanted.parse, 1 << app)
        found.quiet |= wanted.quiet
        found.over |= wanted.over

    def _no_units(self, flows: np.ndarray) -> np.ndarray:
        """Return the table of the sides' units with nothing in it; one for all blocks, it may be 2 MB."""
        if self._unit_of.size != 2 * flows.size:
            self._unit_of = np.full(2 * flows.size, kernels_sides.NONE, np.int32)
        return self._unit_of

    def _in_reach(self, rules: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return bool[n]: whether literals may begin at these offsets of the payload or stream."""
        last = self._last[rules]
        reached: np.ndarray = (last < 0) | (at <= last)
        return reached

    def _may_speak(self, rules: np.ndarray, slots: np.ndarray, flows: np.ndarray) -> np.ndarray:
        """Return bool[n]: whether streams may speak a protocol of rules. What was decided of a stream stays so."""
        apps, app = self._apps[rules], flows["app"][slots]
        spoken: np.ndarray = (apps == 0) | (app == APP_UNDECIDED) | (apps >> app.astype(np.uint64) & np.uint64(1) != 0)
        return spoken

    def _pairs(self, found: Candidates, hits: Hits, what: Bytes, gathered: Gathered,
               messages: tuple[np.ndarray, np.ndarray]) -> None:  # fmt: skip
        units, rows = what.units, what.rows
        pairs = self._raw.find(hits, what)
        unit = hits.unit[pairs.hit]
        kind = units["kind"][unit]
        stream = (kind == UNIT_STREAM) & self._may_speak(pairs.rules, units["flow"][unit], what.flows)
        at = hits.pos[pairs.hit]
        single = (kind != UNIT_STREAM) & self._in_reach(pairs.rules, at - units["start"][unit])
        self._datagrams(found, pairs.rules[single], units["row"][unit[single]], messages, rows)
        mine = Hits(pairs.rules[stream], unit[stream], at[stream])
        self._packets_of_segments(mine, units, gathered, rows)
        here = self._at(pairs.rules[stream], pairs.hit[stream], hits, units)
        late_hit = (pairs.late_hit & 0xFFFFFFFF).astype(np.int64)
        waiting = self._at(pairs.late_rules, late_hit, hits, units)
        self._streams(found, here)
        self._streams(found, self._late.add(waiting, pairs.late_hit >> 32))

    def _at(self, rules: np.ndarray, hit: np.ndarray, hits: Hits, units: np.ndarray) -> Pairs:
        """Return pairs with the place in the stream of their hits."""
        unit = hits.unit[hit]
        sides = 2 * units["flow"][unit].astype(np.int64) + units["side"][unit]
        return Pairs(rules, sides, hits.lit[hit], units["pos"][unit] + (hits.pos[hit] - units["fresh"][unit]))

    def _completed(self, what: Bytes) -> Pairs:
        """Return the pairs of earlier blocks whose other literals have come now."""
        return self._late.complete(self._plan.literals, what.data, what.units, what.unit_of)

    def _datagrams(self, found: Candidates, rules: np.ndarray, rows: np.ndarray,
                   messages: tuple[np.ndarray, np.ndarray], table: np.ndarray) -> None:  # fmt: skip
        """Take the rules found in payloads that are no streams: packet rules, and messages to be parsed."""
        size = table["paylen"][rows]
        packet = (self._scopes[rules] & PACKET != 0) & (size >= self._low[rules]) & (size <= self._high[rules])
        packet |= (self._scopes[rules] & LOOSE != 0) & (table["stream"][rows] == STREAM_IGNORED)
        self._sift.add_rows(rows[packet], rules[packet])
        tx = self._scopes[rules] == TX
        if messages[0].size and tx.any():
            at = np.searchsorted(messages[0], rows[tx])
            at[at == messages[0].size] = 0
            app = messages[1][at].astype(np.uint64)
            fits = (messages[0][at] == rows[tx]) & (self._apps[rules[tx]] >> app & np.uint64(1) != 0)
            found.datagrams.update(rows[tx][fits].tolist())

    def _streams(self, found: Candidates, pairs: Pairs) -> None:
        """Have flows parsed for transaction rules, and note hits of stream rules."""
        scope = self._scopes[pairs.rules]
        tx = scope == TX
        apps = self._apps[pairs.rules[tx]]
        for slot, mask in dict.fromkeys(zip((pairs.sides[tx] >> 1).tolist(), apps.tolist(), strict=True)):
            found.flows[slot] = found.flows.get(slot, 0) | mask
        reached = self._messages.reached(pairs.sides, pairs.pos, self._last[pairs.rules], REPEAT)
        stream = (scope & STREAM != 0) & reached
        rules, sides, lits, pos = (column[stream] for column in pairs)
        self._stream_hits.append(StreamHits(sides, rules, pos + self._lengths[lits], pos))

    def _packets_of_segments(self, pairs: Hits, units: np.ndarray, gathered: Gathered, table: np.ndarray) -> None:
        """In-order segments are scanned as stream: find the rows whose payload holds a hit (or a suppressed repeat).

        pairs: rule numbers in the place of literals.
        """
        packet = self._scopes[pairs.lit] & PACKET != 0
        if not packet.any():
            return
        segs, seg_at = gathered.segs, gathered.seg_at
        data = gathered.by_place()
        starts = seg_at[data]
        pos = pairs.pos[packet]
        first = np.searchsorted(starts, np.maximum(pos, units["fresh"][pairs.unit[packet]]), "right") - 1
        last = np.searchsorted(starts, pos + REPEAT, "left")
        # In the segment of a hit it must be in reach; what a suppressed repeat has in the next ones, nobody knows.
        first += ~self._in_reach(pairs.lit[packet], pos - starts[first])
        rows = segs["row"][data]
        here = rows >= 0  # what waited behind a gap may come into the stream when its packets are long gone
        sizes = np.zeros(rows.size, np.int64)
        sizes[here] = table["paylen"][rows[here]]
        rules = pairs.lit[packet].astype(np.int32)
        keys = (2 * units["flow"].astype(np.int64) + units["side"])[pairs.unit[packet]]
        hits = first.astype(np.int64), last.astype(np.int64), keys, rules, self._low[rules], self._high[rules]
        sides = 2 * segs["flow"][data].astype(np.int64) + segs["side"][data]
        where = sides, sizes, rows
        none = np.empty(0, np.int32)
        count = packets_of_hits(*hits, *where, none, none, False)
        out = np.empty(count, np.int32), np.empty(count, np.int32)
        packets_of_hits(*hits, *where, *out, True)
        known = out[0] >= 0
        self._sift.add_rows(out[0][known], out[1][known])

    def _windows(self, segs: np.ndarray) -> None:
        """Mark the windows that hold a hit, of this block or of shortly before."""
        data = np.flatnonzero(segs["kind"] == SEG_DATA)
        sides = segs["flow"][data].astype(np.int64) * 2 + segs["side"][data]
        first = segs["pos"][data].astype(np.int64)
        last = first + segs["len"][data]
        at, rules = self.recent.windows(self._stream_hits, sides, first, last, self._window + REPEAT)
        self._sift.add_windows(data.astype(np.int32)[at], rules)

    # ---- what normalisation may hide from the scan of raw bytes

    def _escapes(self, found: Candidates, hits: Hits, units: np.ndarray, plain: np.ndarray) -> None:
        """Have flows parsed whose bodies are coded. plain: uint8[units], 1: it is known that they are not."""
        mine = self._escaping[hits.lit] & (units["kind"][hits.unit] == UNIT_STREAM) & (plain[hits.unit] == 0)
        if not mine.any():
            return
        lits, at = hits.lit[mine], hits.unit[mine]
        for lit, app, side in self._plan.literals.escapes:
            unit = at[lits == lit]
            slots = distinct(units["flow"][unit[(side < 0) | (units["side"][unit] == side)]])
            found.parse(slots.tolist(), 1 << app)

    def _questions(self, found: Candidates, rows: np.ndarray, buf: np.ndarray, gathered: Gathered, flows: np.ndarray,
                   messages: tuple[np.ndarray, np.ndarray]) -> None:  # fmt: skip
        """Look for literals in the names of DNS questions."""
        dns = messages[0][messages[1] == ids.DNS]
        if dns.size:
            asked = derive.datagrams(rows, dns)
            named, odd = self._named(asked, buf, rows, flows)
            found.datagrams.update(asked["row"][odd].tolist())
            self._datagrams(found, named.rules, named.units["row"], messages, rows)
            found.datagrams.update(self._short_names(named.made)["row"].tolist())
        cut, slots = self._cutter.cut(gathered.data, gathered.units, flows)
        refused = set(slots)
        if cut.size:
            named, odd = self._named(cut, gathered.data, rows, flows)
            refused.update(cut["flow"][odd].tolist())
            matched = {*named.units["flow"].tolist(), *self._short_names(named.made)["flow"].tolist()}
            self.counters.dns_flows_matched += len(matched - refused)
            found.parse(matched, 1 << ids.DNS)
        self.counters.dns_flows_not_plain += len(refused)
        found.parse(refused, 1 << ids.DNS)

    def _named(self, asked: np.ndarray, octets: np.ndarray, rows: np.ndarray,
               flows: np.ndarray) -> tuple[Named, np.ndarray]:  # fmt: skip
        """Return what is found in the names of messages (UNIT[n]), and the numbers of those that must be parsed."""
        made, odd = derive.names(asked, octets, responses=self._plan.questions_back)
        plain = np.zeros(made.units.size, np.uint8)
        what = Bytes(made.data, made.units, rows, flows, self._no_units(flows), plain)
        hits = self._plan.names.index.scan(made.data, made.units, self._groups.unit_bits(made.units, rows, flows))
        pairs = self._names.find(hits, what)
        return Named(made, pairs.rules, made.units[hits.unit[pairs.hit]]), odd

    def _short_names(self, made: derive.Derived) -> np.ndarray:
        """Return UNIT[n]: names with bytes that are too short for the scan.

        Names of a block are some ten KB, and such rules are few.
        """
        if not made.units.size:
            return made.units
        text = made.data[: made.units["end"][-1]].tobytes().lower()
        starts = made.units["start"]
        units: list[int] = []
        for pattern, _ in self._plan.short_names:
            at = text.find(pattern)
            while at >= 0:
                unit = int(np.searchsorted(starts, at, "right")) - 1
                units.append(unit)
                following = unit + 1
                at = text.find(pattern, int(starts[following])) if following < starts.size else -1
        return made.units[units]

    def _netbios(self, found: Candidates, gathered: Gathered, flows: np.ndarray) -> None:
        """Have messages parsed that hold a NetBIOS name: on the wire it is another text."""
        units = gathered.units
        mask = self._plan.escaped.get(RAW_NAME, 0)
        if not mask or not units.size:
            return
        app = np.where(units["flow"] >= 0, flows["app"][units["flow"]], APP_UNDECIDED)
        wanted = _MAY_NAME[app] & (units["flow"] >= 0)
        holds = np.empty(wanted.size, np.bool_)
        if contains_netbios(gathered.data, units, wanted, holds):
            stream = units["kind"] == UNIT_STREAM
            found.parse(units["flow"][holds & stream].tolist(), mask)
            found.datagrams.update(units["row"][holds & ~stream].tolist())


def _spoken(parts: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Return uint64[n]: of each part of a stream (flow), mask of what it may speak: what was decided stays so."""
    app = flows["app"][parts["flow"]]
    return np.where(app == APP_UNDECIDED, _ANY_APP, np.uint64(1) << app.astype(np.uint64))


def _stand_ins(parts: np.ndarray, flows: np.ndarray, passed_over: np.ndarray) -> np.ndarray:
    """Return ROW-shaped stand-ins of parts of streams (flow, side), for header predicates.

    passed_over: bool[n], what is never chosen.
    """
    rows, slots = new_rows(parts.size), parts["flow"]
    back = parts["side"] == 1
    # Column by column: a record of the table has 192 bytes.
    source, destination = flows["sport"][slots], flows["dport"][slots]
    rows["sport"], rows["dport"] = np.where(back, destination, source), np.where(back, source, destination)
    rows["proto"], rows["ipv"] = flows["proto"][slots], flows["ipv"][slots]
    rows["flow"], rows["side"] = slots, parts["side"]
    # Windows reach back: a short segment may complete a long payload.
    rows["paylen"] = 2**31 - 1
    rows["dup"] = passed_over
    return rows


def everything(plan: Plan, rows: np.ndarray, segs: np.ndarray) -> Candidates:
    """Return every (row, packet rule) and (window, stream rule) pair: what `--no-triage` judges."""
    found = Candidates()
    if plan.packet:
        part = rows["frag"] == FRAG_PART
        rules = set(plan.packet)
        found.packets = dict.fromkeys(np.flatnonzero((rows["dup"] == 0) & ~part).tolist(), rules)
        for version in (4, 6):
            rules = {n for n in plan.packet if on_fragments(plan.rules[n], version)}
            mine = part & (rows["ipv"] == version) & (rows["dup"] == 0)
            found.packets |= dict.fromkeys(np.flatnonzero(mine).tolist(), rules)
    if plan.loose:
        for row in np.flatnonzero((rows["dup"] == 0) & (rows["stream"] == STREAM_IGNORED)).tolist():
            found.packets[row] = found.packets.get(row, set()) | set(plan.loose)
    if plan.stream:
        rules = set(plan.stream)
        found.windows = dict.fromkeys(np.flatnonzero(segs["kind"] == SEG_DATA).tolist(), rules)
    return found
