"""The events of one block in packet order: candidate packets, stream windows, hot flows, ends of flows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import cast

import numpy as np

from sensor.detect.planning.plan import Plan
from sensor.engine.appmemory import AppMemory
from sensor.engine.apps import AppLayer, FlowApp
from sensor.engine.block.gathered import Gathered
from sensor.engine.echoes import Echo, Echoes
from sensor.engine.files.filelog import FileLog
from sensor.engine.judge import Judge, Reached
from sensor.engine.place import Place, place_of_row
from sensor.engine.protodetect import kernels_heads
from sensor.engine.records.logs import Logs
from sensor.engine.scenes import BlockView
from sensor.engine.segcolumns import NO_SEGMENTS, SegColumns, place_of_segment, seg_columns
from sensor.engine.select import Candidates
from sensor.engine.tails import Tails
from sensor.flow.journal import Journal
from sensor.model import addr
from sensor.model.anomaly import AppAnomaly, StreamAnomaly
from sensor.model.app import Expects, HandsOver, KnowsEnds, ProtocolSpec, TxStage
from sensor.model.distinct import distinct
from sensor.model.expected import Announced
from sensor.model.rows import (
    APP_UNDECIDED,
    APP_UNKNOWN,
    COLD,
    DONE,
    END_TIMEOUT,
    HOT,
    KEEP_NONE,
    KEEP_WINDOW,
    SEG_DATA,
    SEG_END,
    SEG_GAP,
    SEG_NOTE,
    STATE_FREE,
    TCP_CLOSED,
    TCP_ESTABLISHED,
)
from sensor.proto.ids import KRB5, PGSQL, SMTP, SSH, TELNET, TLS
from sensor.proto.ids import LIMIT as APP_LIMIT
from sensor.proto.registry import APP_ID, SPECS, TRAITS

_VOICES: Mapping[AppAnomaly, int] = MappingProxyType({
    AppAnomaly.PROTOCOL_MISMATCH: kernels_heads.TWO_PROTOCOLS,
    AppAnomaly.DETECT_PROTOCOL_ONLY_ONE_DIRECTION: kernels_heads.ONE_SIDE,
    AppAnomaly.WRONG_DIRECTION_FIRST_DATA: kernels_heads.SERVER_FIRST,
    AppAnomaly.PROTO_DETECTION_SKIPPED: kernels_heads.SKIPPED,
})  # fmt: skip
_UNFINISHED: Mapping[int, tuple[int, ...]] = MappingProxyType({
    SSH: (0, 1), KRB5: (0, 1), SMTP: (0, 1), TLS: (1,), TELNET: (1,), PGSQL: (1,),
})  # fmt: skip
"""Sides whose exchanges Suricata is never done with, so that it looks at them once more even behind a close."""
_TIME_OUT, _ODD, _PACKET, _STREAM, _MISMATCH, _READING = range(6)
"""Order of events at one row."""


@dataclass(slots=True)
class BlockWork:
    """What the stages before found in a block."""

    view: BlockView
    segs: np.ndarray
    """SEG[m]"""
    gathered: Gathered
    found: Candidates
    datagram_rows: np.ndarray
    """int64[k]: UDP rows with payload."""
    datagram_apps: np.ndarray
    """uint8[k]: their protocols."""
    mismatches: np.ndarray
    """int32[j]: SEG numbers at which it showed that the sides of a flow speak two protocols."""
    apps: dict[int, int] = field(default_factory=dict)
    """UDP row → app id, for rows whose message must be parsed."""
    early: dict[int, list[int]] = field(default_factory=dict)
    """Slot → segments that came before the flow's protocol was known."""
    columns: SegColumns = NO_SEGMENTS
    """The segments that are events: those of an event are told by their place in it."""

    def place(self, n: int) -> Place:
        """Return where a segment is."""
        return place_of_segment(self.view, self.columns, n)

    def bytes_of(self, n: int) -> bytes:
        """Return the bytes of a DATA segment."""
        return self.gathered.piece(self.columns.begins[n], self.columns.sizes[n])


@dataclass(slots=True)
class _Held:
    """Bytes of one side of a flow that its parser has not got yet: they complete nothing (`Foresees`)."""

    work: BlockWork
    last: int
    """Number of the last segment."""
    side: int
    parts: list[bytes]


def last_stage(spec: ProtocolSpec) -> int:
    """Return the stage at which a transaction is over: mere frames have one of their own."""
    return max(stage for stage in range(len(spec.stages)) if stage not in spec.frame_stages)


class Walk:
    """Walks blocks. Keeps parsers."""

    def __init__(self, plan: Plan, judge: Judge, logs: Logs, journal: Journal, window: int, earlier: int,
                 announced: Mapping[int, Announced], files: FileLog, memory: AppMemory, *,
                 triage: bool) -> None:  # fmt: skip
        self.keeps = KEEP_WINDOW if plan.multi_step else KEEP_NONE
        """What the journal keeps of a flow that no parser will ask for."""
        self._plan = plan
        self._unread: set[int] = set()
        """Rows of the block whose `plan.reading` rules are still to be judged."""
        asked = plan.transactions.everything
        self._framed = frozenset(
            spec.name for app, spec in SPECS.items() if any(asked(app, at, file=False) for at in spec.frame_stages)
        )
        """Protocols with rules about single messages."""
        self._heard = frozenset(
            spec.name for spec in SPECS.values()
            if spec.late_events and (logs.wants("anomaly") or not spec.late_events.isdisjoint(plan.events))
        )  # fmt: skip
        """Protocols with rules about what is odd where nothing else is to be learnt."""
        self._last = {spec.name: last_stage(spec) for spec in SPECS.values()}
        self._judge = judge
        self._logs = logs
        self._journal = journal
        self._window = window
        self._announced = announced
        """Slot → what another flow announced of it."""
        self._files = files
        self.apps = AppLayer(hash_files=plan.hashes or files.hashes, shelf=files.shelf, faults=judge.faults,
                             memory=memory)  # fmt: skip
        self._held: dict[int, _Held] = {}
        """By slot; nothing is kept from one block to the next."""
        self.apps.ask(self._framed, self._heard)
        judge.apps = self.apps
        self._tails = Tails(plan.mixed, earlier)
        self.echoes = Echoes()
        self._quiet: set[int] = set()
        """Slots of cold flows in which flowbits may be set that nobody has asked for yet."""
        self._due: dict[int, int] = {}
        """Slot → mask of the protocols as which a flow must be parsed: it may not have been decided yet which it is."""
        self._wanted = np.zeros(APP_LIMIT, np.bool_)
        """Protocols of which every flow is parsed."""
        self._logged = np.zeros(APP_LIMIT, np.bool_)
        """Protocols of which every flow is parsed, with triage or without."""
        self._of_interest = np.zeros(APP_LIMIT, np.bool_)
        """Protocols that some rule or log could ask for."""
        self._written = frozenset(spec.name for spec in SPECS.values() if logs.wants(spec.eve_key or spec.name))
        """Protocols whose transactions are logged."""
        self._filed = frozenset(spec.name for spec in SPECS.values() if files.wants(spec))
        """Protocols whose files are logged or stored."""
        self._mark_protocols(triage=triage)

    def _mark_protocols(self, *, triage: bool) -> None:
        """Find out of which protocols flows are parsed, for rules and for logs."""
        plan = self._plan
        for app, spec in SPECS.items():
            logged = self._logs.wants(spec.eve_key or spec.name) or self._logs.wants("anomaly")
            logged |= self._files.wants(spec)
            for one in (n for n, carrier in SPECS.items() if logged and spec.tunnelled and carrier.tunnels):
                self._logged[one] = True
            told = spec.framing.tells if spec.framing is not None and app in plan.frames else frozenset()
            logged |= not (plan.events.keys() & set(spec.events)) <= told
            for one in (app, *(APP_ID[name] for name in spec.carriers)):
                self._logged[one] |= logged
        for app in SPECS:
            logged = bool(self._logged[app])
            self._wanted[app] = logged or app in plan.always_tx or (not triage and app in plan.tx)
            self._of_interest[app] = logged or app in plan.tx
        if plan.stream:  # files end stretches of it
            self._wanted[SMTP] = self._of_interest[SMTP] = True

    def adopt(self, old: Walk, flows: np.ndarray) -> None:
        """Take over parsers at a reload.

        A flow that was not kept from its start, because nothing asked for its protocol then, cannot be parsed now.
        flows: FLOW[slots]
        """
        self.apps, self._due, self._quiet = old.apps, old._due, old._quiet
        self._judge.apps = self.apps
        self.apps.ask(self._framed, self._heard)
        self._tails.adopt(old._tails)
        self.echoes.adopt(old.echoes)
        kept = old.parses.copy()
        kept[APP_UNDECIDED] = kept.any()
        started = (flows["state"] != STATE_FREE) & (flows["hot"] == COLD)
        flows["hot"][started & ~kept[flows["app"]]] = DONE

    @property
    def parses(self) -> np.ndarray:
        """bool[apps]: protocols that some rule or log could ask for (the journal keeps their flows)."""
        return self._of_interest

    def run(self, work: BlockWork) -> None:
        """Judge and log everything due in a block."""
        self._heat(work)
        self._recall(work)
        self._pick_datagrams(work)
        for row, phase, index in self._judge.tagging.among(sorted(self._events(work)), work.view):
            if phase == _PACKET:
                self._packet(work, row)
            elif phase == _ODD:
                self._logs.packet(work.view, row)
            elif phase == _MISMATCH:
                self._mismatch(work, index)
            elif phase == _READING:
                self._read_text(work, row)
            else:
                self._segment(work, index)
        for slot in list(self._held):
            self._deliver(slot)
        self._relieve(work)
        self._judge.tagging.finish()

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        slots = list(slots)
        self.apps.drop(slots)
        self._tails.forget(slots)
        self.echoes.forget(slots)
        self._quiet.difference_update(slots)
        if self._due:
            for slot in self._due.keys() & slots:
                del self._due[slot]
        self._judge.forget(slots)
        self._files.wanted.forget(slots)

    # ---- which flows are hot

    def _heat(self, work: BlockWork) -> None:
        """Mark flows hot whose parser must see each byte."""
        flows = work.view.flows
        for slot, apps in work.found.flows.items():
            self._due[slot] = self._due.get(slot, 0) | apps
        # A buffer may join what stands before and behind a gap: no literal proves anything there.
        hidden, bridged = ~self._plan.past_gaps, work.found.bridged
        for slot in distinct(work.segs["flow"][work.segs["kind"] == SEG_GAP]).tolist():
            if slot not in bridged:
                self._due[slot] = self._due.get(slot, 0) | hidden
        slots = distinct(work.segs["flow"][work.segs["kind"] <= SEG_GAP])
        slots = slots[(flows["hot"][slots] == COLD) & self._of_interest[flows["app"][slots]]]
        for slot, app in zip(slots.tolist(), flows["app"][slots].tolist(), strict=True):
            # A gap that came before the protocol was known counts, too.
            due = self._due.get(slot, 0) | (hidden if flows["gaps"][slot].any() and slot not in bridged else 0)
            if self._wanted[app] or (app in self._plan.tx and due >> app & 1):
                flows["hot"][slot] = HOT
        for slot in work.found.over - self._due.keys() - self._quiet - work.found.quiet:
            if flows["hot"][slot] == COLD:
                flows["hot"][slot] = DONE

    def _recall(self, work: BlockWork) -> None:
        """Start the parsers of flows in which flowbits may be set, before anything asks for these.

        An alert on a packet or on the stream tells the flow's bits as well.
        """
        self._quiet |= work.found.quiet
        if not self._quiet:
            return
        flows, segs, rows = work.view.flows, work.segs, work.view.rows
        judged = set(rows["flow"][list(work.found.packets)].tolist())
        judged.update(segs["flow"][list(work.found.windows)].tolist())
        if self._plan.notes:
            judged.update(segs["flow"][segs["kind"] == SEG_NOTE].tolist())
        judged.update(segs["flow"][work.mismatches[:, 0]].tolist())
        for slot in sorted(self._quiet):
            if flows["hot"][slot] == COLD and slot not in judged:
                continue
            self._quiet.discard(slot)
            if flows["hot"][slot] != DONE and self.apps.get(slot) is None:
                flows["hot"][slot] = HOT
                self._start(work, Place(work.view, slot, 0, -1, 0, int(flows["last"][slot])))

    def start_now(self, work: BlockWork, slots: Iterable[int]) -> None:
        """Start parsers of flows whose journal is full; what they saw so far holds nothing that a rule waits for."""
        flows = work.view.flows
        for slot in slots:
            if flows["hot"][slot] == COLD and self._of_interest[flows["app"][slot]]:
                flows["hot"][slot] = HOT
                self._start(work, Place(work.view, slot, 0, -1, 0, int(flows["last"][slot])))
        self._relieve(work)

    def _start(self, work: BlockWork, place: Place) -> FlowApp:
        """Start a flow's parser with all that came before its protocol was known, or before it became hot.

        What that completes is seen now: its place is that of the segment at hand.
        """
        slot = place.slot
        sides = [replace(place, side=side) for side in (0, 1)]
        self._make_room(work)
        flow = self.apps.start(slot, work.view.flow["app"][slot])
        self._introduce(flow, work.view.flows[slot], slot)
        for record in self._journal.records(slot):
            if flow.done:
                break
            self._feed(sides[record.side], flow, record.data, record.gap, record.ts)
        self._journal.set_mode(slot, self.keeps)
        for n in work.early.pop(slot, ()):
            self._feed_seg(sides[work.columns.sides[n]], flow, work, n, work.columns.times[n])
        return flow

    def _introduce(self, flow: FlowApp, record: np.void, slot: int) -> None:
        """Tell a parser what it wants to know before the first byte."""
        traits = TRAITS[flow.spec.name]
        if traits.knows_ends:
            ipv = int(record["ipv"])
            ends = (addr.pack(ipv, int(record[f"{end}_hi"]), int(record[f"{end}_lo"])) for end in ("src", "dst"))
            cast("KnowsEnds", flow.parser).ends(*ends)
        if traits.expects and slot in self._announced:
            cast("Expects", flow.parser).announced(self._announced[slot])

    def _make_room(self, work: BlockWork) -> None:
        """At the cap of parsers end that of the flow that was silent longest, with what is pending in it."""
        slot = self.apps.victim
        if slot >= 0:
            self._end_early(work, slot, memory=False)

    def _relieve(self, work: BlockWork) -> None:
        """Do the same as long as parsers hold too much together. The flow at hand may be the one that must end."""
        while (slot := self.apps.memory.victim) >= 0:
            self._end_early(work, slot, memory=True)

    def _end_early(self, work: BlockWork, slot: int, *, memory: bool) -> None:
        flow, flows = self.apps.get(slot), work.view.flows
        if flow is not None:
            self._finish(Place(work.view, slot, 0, -1, 0, int(flows["last"][slot])), flow)
        self.apps.evict(slot, memory=memory)
        self._tails.forget((slot,))
        flows["hot"][slot] = DONE

    def _feed_seg(self, place: Place, flow: FlowApp, work: BlockWork, n: int, ts: int) -> None:
        """Give a parser a DATA or GAP segment of this block."""
        if work.columns.kinds[n] == SEG_DATA:
            self._feed(place, flow, work.bytes_of(n), 0, ts)
        else:
            self._feed(place, flow, b"", work.columns.sizes[n], ts)

    def _feed(self, place: Place, flow: FlowApp, data: bytes, gap: int, ts: int) -> None:
        """Give a parser bytes, or the news of a gap."""
        held = self._held.get(place.slot) if self._held else None
        if held is not None and (held.side != place.side or not data):
            self._deliver(place.slot)
            held = None
        if not data:
            self._tails.add(APP_ID[flow.spec.name], place.slot, place.side, b"")
            stages = self.apps.gap(place.slot, place.side, gap, ts)
        elif held is None:
            stages = self._parsed(place, flow, [data], ts)
        else:
            stages = self._parsed(place, flow, [*self._held.pop(place.slot).parts, data], ts)
        self._transactions(place, flow, stages, data)
        if flow.hands_over:
            self._succeed(place, flow, ts)

    def _parsed(self, place: Place, flow: FlowApp, parts: Sequence[bytes], ts: int) -> list[TxStage]:
        """Give a parser the bytes of segments that follow each other."""
        app = APP_ID[flow.spec.name]
        if app in self._tails.apps:
            for part in parts:
                self._tails.add(app, place.slot, place.side, part)
        return self.apps.feed(place.slot, place.side, parts[0] if len(parts) == 1 else b"".join(parts), ts)

    def _hold(self, work: BlockWork, n: int) -> None:
        """Keep the bytes of a segment that completes nothing, to be given to the parser with the next."""
        slot, side = work.columns.slots[n], work.columns.sides[n]
        held = self._held.get(slot)
        if held is not None and held.side == side:
            held.last = n
            held.parts.append(work.bytes_of(n))
            return
        self._deliver(slot)
        self._held[slot] = _Held(work, n, side, [work.bytes_of(n)])

    def _deliver(self, slot: int) -> None:
        """Give a parser what was kept for it."""
        held, flow = self._held.pop(slot, None), self.apps.get(slot)
        if held is not None and flow is not None:
            place = held.work.place(held.last)
            stages = self._parsed(place, flow, held.parts, place.ts)
            self._transactions(place, flow, stages, held.parts[-1])

    def _succeed(self, place: Place, flow: FlowApp, ts: int) -> None:
        """Let the protocol that follows on the connection take over, if it is time."""
        if not cast("HandsOver", flow.parser).becomes:
            return
        spec, waiting = flow.spec, list(flow.unlogged.values())
        rests = self.apps.succeed(flow)
        if rests:
            self._tails.forget((place.slot,))
        for stage in waiting if rests else ():
            self._logs.incomplete(place, spec, stage)
        for side, rest in rests:
            if rest:
                self._feed(replace(place, side=side), flow, rest, 0, ts)

    # ---- datagrams

    def _pick_datagrams(self, work: BlockWork) -> None:
        wanted = self._wanted[work.datagram_apps]
        for row, app in zip(work.datagram_rows[wanted].tolist(), work.datagram_apps[wanted].tolist(), strict=True):
            work.apps[row] = app
        if work.found.datagrams:
            apps = dict(zip(work.datagram_rows.tolist(), work.datagram_apps.tolist(), strict=True))
            for row in work.found.datagrams:
                app = apps.get(row, 0)
                if app in self._plan.tx:
                    work.apps[row] = app

    # ---- events

    def _events(self, work: BlockWork) -> list[tuple[int, int, int]]:
        events = [(row, _PACKET, row) for row in {*work.found.packets, *work.apps}]
        events += [(row, _ODD, row) for row in self._logs.odd_rows(work.view.rows)]
        if self._plan.reading:
            found = work.found.packets.items()
            self._unread = {row for row, rules in found if not self._plan.reading.isdisjoint(rules)}
            events += ((row, _READING, row) for row in self._unread)
        segs = work.segs
        if not segs.size:
            return events
        wanted = work.view.flows["hot"][segs["flow"]] == HOT
        if work.found.windows:
            wanted[list(work.found.windows)] = True
        if self._logs.flow_ends or self._plan.ending:
            wanted |= segs["kind"] == SEG_END
        if self._plan.notes or self._logs.wants("anomaly"):
            wanted |= segs["kind"] == SEG_NOTE
        at = np.flatnonzero(wanted)
        work.columns = seg_columns(work.view, work.gathered, at)
        early = (segs["kind"][at] == SEG_END) & (segs["arg"][at] == END_TIMEOUT)
        phases = np.where(early, _TIME_OUT, _STREAM).tolist()
        events += zip(segs["row"][at].tolist(), phases, range(at.size), strict=True)
        if work.mismatches.size and (not _VOICES.keys().isdisjoint(self._plan.events) or self._logs.wants("anomaly")):
            why = enumerate(work.mismatches[:, 0].tolist())
            events += ((int(segs["row"][at]), _MISMATCH, n) for n, at in why)
        return events

    def _packet(self, work: BlockWork, row: int) -> None:
        if row in work.apps and self._judge.passes_messages:
            self._judge.hold()
            self._row(work, row)
            self._judge.release(work.view.row["flow"][row])
        else:
            self._row(work, row)

    def _row(self, work: BlockWork, row: int) -> None:
        view = work.view
        rules = work.found.packets.get(row)
        if rules:
            self._judge_row(work, row, rules - self._plan.reading if self._plan.reading else rules)
        app = work.apps.get(row)
        if app is None:
            return
        self._read_text(work, row)
        place = place_of_row(view, row)
        side, slot, start = place.side, place.slot, view.row["pay"][row]
        data = view.buf[start : start + view.row["paylen"][row]].tobytes()
        spec = SPECS[app]
        if spec.flow_state:
            self._datagram_of_flow(work, place, app, data)
            return
        stages, odd = self.apps.datagram(app, side, data, place.ts)
        before = sum(view.counts_at(slot, row)[:2]) - 1 if stages else 0
        for stage in stages:
            stage.tx.id = before
        self._judge.transactions(
            place, app, [Reached(stage, data, data) for stage in stages if self._judge.asks(app, stage)]
        )
        for stage in stages:
            self._logs.transaction(place, spec, stage)
            self._files.stage(place, spec, stage)
        for anomaly, side in odd:
            self._odd(place, spec, anomaly, side, data, [stage.tx for stage in stages])

    def _read_text(self, work: BlockWork, row: int) -> None:
        """Judge packet rules about kept text: behind the other rules on payload, in front of transactions."""
        if row in self._unread:
            self._unread.discard(row)
            self._judge_row(work, row, work.found.packets[row] & self._plan.reading)

    def _judge_row(self, work: BlockWork, row: int, rules: set[int]) -> None:
        awake = self._judge.awake(work.view.row["flow"][row], rules) if rules else None
        if awake:
            self._judge.packet(work.view, row, sorted(awake))

    def _datagram_of_flow(self, work: BlockWork, place: Place, app: int, data: bytes) -> None:
        """Give a datagram to the parser of its flow."""
        flow = self.apps.get(place.slot)
        if flow is None or flow.spec is not SPECS[app]:
            self._make_room(work)
            flow = self.apps.start(place.slot, app, datagrams=True)
            work.view.flows["hot"][place.slot] = HOT  # its end is an event
        self._transactions(place, flow, self.apps.feed(place.slot, place.side, data, place.ts), data)
        self._relieve(work)

    def _segment(self, work: BlockWork, n: int) -> None:
        kind, slot = work.columns.kinds[n], work.columns.slots[n]
        if kind == SEG_DATA:
            self._windows(work, n)
            if self._unread:
                self._read_text(work, work.columns.rows[n])
        elif kind == SEG_NOTE:
            self._note(work, n)
        if kind <= SEG_GAP and work.view.flow["hot"][slot] == HOT:
            self._parse(work, n)
        elif kind == SEG_END:
            self._end(work, n)

    def _windows(self, work: BlockWork, n: int) -> None:
        """Judge stream rules on what a segment completes."""
        slot, index = work.columns.slots[n], work.columns.indexes[n]
        rules = work.found.windows.get(index)
        awake = self._judge.awake(slot, rules) if rules else None
        if awake:
            messages = work.gathered.messages
            origin, stretch = int(messages.origins[index]), int(messages.stretches[index])
            self._judge.window(work.place(n), self._window_of(work, n, origin), origin, stretch, sorted(awake))

    @staticmethod
    def _matters(work: BlockWork, n: int) -> bool:
        """Whether bytes of a known protocol were lost, or the first ones of a side."""
        first = work.gathered.segs["pos"][work.columns.indexes[n]] == 0
        return bool(first) or work.view.app_name(work.columns.slots[n], work.columns.rows[n]) not in ("", "failed")

    def _note(self, work: BlockWork, n: int) -> None:
        """Judge and log what the flow table found odd."""
        place, anomaly = work.place(n), work.columns.args[n]
        noting = self._plan.notes.get(anomaly)
        if noting:
            self._judge.note(place, anomaly, noting)
        lost = self._plan.notes.get(StreamAnomaly.REASSEMBLY_SEQ_GAP)
        if lost and anomaly == StreamAnomaly.REASSEMBLY_GAP and self._matters(work, n):
            self._judge.note(place, StreamAnomaly.REASSEMBLY_SEQ_GAP, lost)
        self._logs.stream_anomaly(place, anomaly)

    def _end(self, work: BlockWork, n: int) -> None:
        """End a flow."""
        view, place, slot = work.view, work.place(n), work.columns.slots[n]
        ended = self.apps.get(slot)
        if ended is not None:
            for echo in self.echoes.take_last(slot, view.flows[slot]):
                self._judge.echo(place, echo)
            self._finish(place, ended)
        app = view.flow["app"][slot]
        state = int(view.flow["tcpstate"][slot])
        if self._plan.ending and state >= TCP_ESTABLISHED and app > APP_UNKNOWN:
            self._judge.ending(place, self._plan.ending, _UNFINISHED.get(app, ()) if state == TCP_CLOSED else (0, 1))
        count = ended.transactions if ended is not None and self._logged[app] else 0
        self._logs.flow_end(place, work.columns.args[n], count)

    def _mismatch(self, work: BlockWork, number: int) -> None:
        """Judge and log that the sides of a flow do not speak as they should."""
        index, why = work.mismatches[number].tolist()
        anomaly = next(one for one, reason in _VOICES.items() if reason == why)
        alone = seg_columns(work.view, work.gathered, work.mismatches[number : number + 1, 0])
        place = place_of_segment(work.view, alone, 0)
        spec = SPECS.get(work.view.flow["app"][place.slot])
        if spec is not None or why == kernels_heads.SKIPPED:
            self._odd(place, spec, anomaly, place.side, work.gathered.data_of(index))

    def _parse(self, work: BlockWork, n: int) -> None:
        """Give the parser of a hot flow a segment, or keep it until the protocol is known, or more is there."""
        view, c = work.view, work.columns
        slot, side, size = c.slots[n], c.sides[n], c.sizes[n]
        flow = self.apps.get(slot)
        if flow is None:
            if view.app(slot, c.rows[n]) == APP_UNDECIDED:
                work.early.setdefault(slot, []).append(n)
                return
            flow = self._start(work, work.place(n))
        for echo in self.echoes.take(slot):
            self._judge.echo(work.place(n), echo)
        if size <= flow.idle[side] and c.kinds[n] == SEG_DATA:
            flow.idle[side] -= size
            self._hold(work, n)
            return
        self._feed_seg(work.place(n), flow, work, n, c.times[n])
        if flow.begins_anew:
            flow.begins_anew = False
            self._judge.begin_anew(work.place(n), int(work.segs["pos"][c.indexes[n]]) + size)
        if flow.done and slot not in self.echoes:
            view.flow["hot"][slot] = DONE
            self._tails.forget((slot,))
            self._give_up(work.place(n), flow)
            self.apps.spend(slot)
        self._relieve(work)

    def _window_of(self, work: BlockWork, n: int, origin: int) -> tuple[int, bytes]:
        """Return (stream offset, bytes) up to the end of a segment, with what stands before it in its message."""
        c, index = work.columns, work.columns.indexes[n]
        wanted = max(origin, int(work.segs["pos"][index]) - self._window)
        start, data = work.gathered.before(index, wanted)
        if start > wanted:
            earlier, head = self._journal.window(c.slots[n], c.sides[n], wanted, start)
            if head:
                return earlier, head + data
        return start, data

    def _finish(self, place: Place, flow: FlowApp) -> None:
        """End a parser."""
        self._deliver(place.slot)
        self._transactions(place, flow, self.apps.finish(place.slot, place.ts), b"")
        self._give_up(place, flow)

    def _give_up(self, place: Place, flow: FlowApp) -> None:
        """Log what will never come to the stage at which it would have been logged."""
        for stage in flow.clear():
            self._logs.incomplete(place, flow.spec, stage)

    def _transactions(self, place: Place, flow: FlowApp, stages: list[TxStage], data: bytes) -> None:
        spec = flow.spec
        if stages:
            app, last = APP_ID[spec.name], self._last[spec.name]
            flow.begins_anew |= app == SMTP and any(stage.file is not None for stage in stages)
            mixed, written, filed = app in self._tails.apps, spec.name in self._written, spec.name in self._filed
            noted = self._logged[app]
            memory = flow.twice if spec.message_ends else flow.matched
            remembered = [(stage, memory(stage)) for stage in stages]
            self._judge.transactions(place, app, [
                Reached(stage, data, self._tails.of(app, place.slot, stage.side, data), matched)
                for stage, matched in remembered if self._judge.asks(app, stage)
            ])  # fmt: skip
            for stage in stages:
                flow.transactions += stage.stage == last
                if written:
                    self._logs.transaction(place, spec, stage)
                if filed:
                    self._files.stage(place, spec, stage)
                late = flow.note(stage) if noted else None
                if late is not None:
                    self._logs.incomplete(place, spec, late)
            if mixed:
                for side in {stage.side for stage in stages if stage.stage in spec.message_ends}:
                    self._tails.end(place.slot, side)
        for anomaly, side in flow.anomalies():
            carriers = [stage.tx for stage in stages]
            self._odd(place, spec, anomaly, side, data, carriers)
            if rules := self._plan.events.get(anomaly):
                self.echoes.add(place.slot, Echo(spec, anomaly, side, rules, data, carriers))

    def _odd(
        self, place: Place, spec: ProtocolSpec | None, anomaly: AppAnomaly, side: int, data: bytes,
        carriers: list[object] | None = None,
    ) -> None:  # fmt: skip
        """Judge and log what is odd. spec: the protocol, if one is known; carriers: transactions in which it may be."""
        rules = self._plan.events.get(anomaly)
        if rules:
            self._judge.event(place, spec, anomaly, side, rules, data, carriers or [])
        self._logs.app_anomaly(place, anomaly, spec.name if spec else "")
