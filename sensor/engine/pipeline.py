"""Blocks in, records out: one worker's way through all stages. Replay, tests and benchmarks use this very code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from sensor.decode.kernels import decode_block
from sensor.detect.headers.groups import Groups
from sensor.detect.planning.plan import Plan
from sensor.detect.state.threshold import Rates, Thresholds
from sensor.engine.appmemory import AppMemory
from sensor.engine.block.gathered import Gathered
from sensor.engine.block.stations import Stations
from sensor.engine.block.turns import Turns
from sensor.engine.counts import sight
from sensor.engine.counts.stopwatch import Stopwatch
from sensor.engine.counts.tally import Tally
from sensor.engine.faults import Faults
from sensor.engine.files.filelog import FileLog
from sensor.engine.framing.contents import look_back
from sensor.engine.framing.frames import FrameCounters
from sensor.engine.judge import Judge
from sensor.engine.options import EngineOptions
from sensor.engine.packetclock import ClockSteps
from sensor.engine.protodetect.answered import Answers
from sensor.engine.protodetect.expect import Expectations
from sensor.engine.protodetect.heads import Detector
from sensor.engine.protodetect.told import Told
from sensor.engine.records.logs import Logs
from sensor.engine.rulesets.bookstore import ReadyRules
from sensor.engine.rulesets.rulebook import Rulebook, make_rulebook, renumbered
from sensor.engine.scenes import BlockView
from sensor.engine.select import Candidates, everything
from sensor.engine.walk import BlockWork, Walk
from sensor.flow.dedup import Dedup
from sensor.flow.defrag import Defragmenter
from sensor.flow.gather import Gatherer
from sensor.flow.journal import Journal
from sensor.flow.table import FlowTable
from sensor.flow.watch import Watcher
from sensor.model.app import RAW_NAME, RAW_VERBATIM
from sensor.model.block import LINKTYPE_RAW, PacketBlock
from sensor.model.distinct import distinct
from sensor.model.rows import APP_UNDECIDED, COLD, KEEP_ALL, KEEP_NONE, SEG_END, new_rows
from sensor.model.scene import Record
from sensor.proto import ids
from sensor.proto.registry import APP_ID, SPECS
from sensor.rules.ruleset import RuleSet

_NETBIOS_LABEL = 32


class Pipeline:
    """All stages of one worker. `emit` gets the records of each block in packet order.

    rates: tells which matches alert; where several workers share the traffic, somebody behind `emit` does.
    """

    def __init__(
        self, rules: RuleSet | ReadyRules, options: EngineOptions, emit: Callable[[Record], None], seed: int = 0,
        rates: Rates | None = None,
    ) -> None:  # fmt: skip
        self.options = options
        self._decoder = decode_block if options.triage else _through_dpkt()
        settings = options.settings
        policies, default = settings.os_policies, settings.default_policy
        self._groups = Groups()
        self.table = FlowTable(settings.flow, seed, policies, default, APP_ID["smb"])
        slots = self.table.flows.size
        self.dedup = Dedup(dataclasses.replace(settings.dedup, enabled=settings.run.dedup))
        self.defrag = Defragmenter(settings.defrag, default, seed)
        window = max(settings.journal.window, settings.run.inspect_window)
        self.journal = Journal(dataclasses.replace(settings.journal, window=window), slots)
        self._detector = Detector(slots, settings.dns)
        self._answers = Answers(slots)
        self._turns = Turns()
        self._watcher = Watcher(midstream=settings.flow.midstream)
        self._told = Told()
        self._stations = Stations(slots)
        self.expected = Expectations()
        self._emit = emit
        self.thresholds = Thresholds()
        self._rates = self.thresholds if rates is None else rates
        self._logs = Logs(options.log_kinds, emit)
        self._files = FileLog(options.settings, emit)
        self.app_memory = AppMemory(settings.app.memcap)
        self._tail = -1
        self.frame_counters = FrameCounters()
        self._use(self.prepare(rules))
        self.tally = Tally()
        self.stopwatch = Stopwatch()
        self.sight = sight.SightCounters()
        self._app_names = ("", "failed", *(SPECS[n].name if n in SPECS else "" for n in range(2, ids.LIMIT)))
        self._last: PacketBlock | None = None
        self.clock_steps = 0
        """Times that the machine's clock was set, live."""
        self.observer: Callable[[BlockView], None] | None = None
        """Sees each block once all its alerts are raised."""

    def prepare(self, rules: RuleSet | ReadyRules) -> Rulebook:
        """Plan and compile rules beside those that run; may be called from another thread. Raises RuleError."""
        return make_rulebook(rules, self._groups, self.options.settings.run.inspect_window)

    def replace_rules(self, book: Rulebook) -> None:
        """Judge by other rules from the next block on.

        Flows, streams, parsers, flow variables, thresholds and counters stay. A new rule sees of the flows that are
        under way what comes from now on, and as much before it as the stages still hold.
        """
        plan, selector, judge, walk = self.plan, self._selector, self.judge, self.walk
        self._use(book)
        numbers = renumbered(plan, book.plan)
        self._selector.adopt(selector, numbers)
        self.judge.adopt(judge, numbers)
        self.walk.adopt(walk, self.table.flows)

    @property
    def faults(self) -> Faults:
        """What has failed in the sensor itself."""
        return self.judge.faults

    @property
    def files_forgotten(self) -> int:
        """Flows whose files a rule wanted stored, forgotten because there were too many."""
        return self._files.wanted.forgotten

    @property
    def files_cut(self) -> int:
        """Files that were to be stored and are not kept whole: those under way took too much memory."""
        return self._files.shelf.refused if self._files.shelf is not None else 0

    def forgotten(self) -> dict[str, int]:
        """Return what detection has forgotten of streams because there was too much of it, by kind."""
        return {
            "hits": self._selector.recent.forgotten, "fired": self.judge.fired.forgotten,
            "echoes": self.walk.echoes.forgotten,
        }  # fmt: skip

    def _use(self, book: Rulebook) -> None:
        self.plan, self._selector = book.plan, book.selector
        book.selector.counters = self.frame_counters
        for datagrams in book.selector.datagrams:
            datagrams.counters = self.frame_counters
        for frames in book.selector.frames:
            frames.counters = self.frame_counters
            frames.logs_odd = self._logs.wants("anomaly")
        tail = _tail_of(book.plan)
        if tail > self._tail:
            self._gatherer, self._tail = Gatherer(self.table.flows.size, tail), tail
        self._files.use(book.plan)
        self.judge = Judge(
            book.plan, book.compiled, self.options, self._rates, book.suppressor, self._emit, self._files.wanted,
            book.selector.frames,
        )
        self.walk = Walk(
            book.plan, self.judge, self._logs, self.journal, book.selector.window,
            self.options.settings.run.inspect_window, self.expected.announced, self._files, self.app_memory,
            triage=self.options.triage,
        )  # fmt: skip

    def process(self, block: PacketBlock) -> None:
        """Take one block through all stages."""
        watch = self.stopwatch
        watch.start()
        rows = self._decode(block)
        watch.lap("decode")
        buf = block.buf
        self.dedup.mark(rows, buf)
        watch.lap("duplicates")
        rows, buf = self.defrag.process(rows, buf, self._decode_datagram, self._decode_datagrams)
        watch.lap("fragments")
        numbers = block.packet_numbers()
        segs = self.table.track(rows, buf, numbers)
        watch.lap("flows")
        self._finish_block(block, rows, buf, numbers, segs)

    def process_parts(self, block: PacketBlock, steps: ClockSteps) -> None:
        """Take a live block through all stages, in parts if the machine's clock was set within it."""
        self.clock_steps = steps.count
        for first, last, ahead in steps.parts(block.ts):
            if ahead:
                self.table.clock_set(ahead)
                self.tally.last_ts = None  # the latest packet is the latest by the clock as it is now
            self.process(block.part(first, last))

    def expire(self, now_ns: int) -> None:
        """Let time pass without a packet (a quiet link): flows end whose time has come."""
        self._without_packets(self.table.expire(now_ns))

    def finish(self, now_ns: int = 0) -> None:
        """End of the input: every flow ends. now_ns: the latest packet time that others have come to."""
        self._without_packets(self.table.finish(max(self.tally.last_ts or 0, now_ns)))

    def _without_packets(self, segs: np.ndarray) -> None:
        if self._last is not None:
            nothing = np.zeros(0, np.int64)
            self.stopwatch.start()
            self._finish_block(_empty(self._last), new_rows(0), np.zeros(0, np.uint8), nothing, segs)

    def _finish_block(self, block: PacketBlock, rows: np.ndarray, buf: np.ndarray, numbers: np.ndarray,
                      segs: np.ndarray) -> None:  # fmt: skip
        flows, watch = self.table.flows, self.stopwatch
        self.journal.follow(flows.size)
        units = self._gatherer.gather(rows, buf, segs, self.table.queue_buf, flows)
        watch.lap("gather")
        streams = self._detector.streams(segs, units.seg_at, units.data, flows)
        messages = self._turns.take(segs, units.seg_at, units.data, flows, streams)
        gathered = Gathered(units.data, units.units, units.seg_at, segs, messages)
        streams = self.expected.apply(rows, gathered, flows, streams)
        if self.expected.announced:
            self._detector.take_back(segs, self.expected.announced)
        silent = self._answers.take(streams, rows, flows)
        at, apps, datagrams = self._detector.datagrams(rows, buf, flows)
        watch.lap("protocols")
        self._stations.learn(block, rows, buf, flows.size)
        view = BlockView(
            block, rows, buf, flows, numbers, self._app_names, self._stations, streams + datagrams, silent,
            self._watcher.look(rows, buf, flows) if self.plan.segments else None,
            self._told.look(streams + datagrams, rows, flows) if self.plan.told else None, self._detector.voices,
            self._detector.told,
        )  # fmt: skip
        found = self._candidates(view, gathered, (at, apps))
        watch.lap("scan")
        work = BlockWork(view, segs, gathered, found, at, apps, self._detector.mismatches)
        self.walk.run(work)
        if self.observer is not None:
            self.observer(view)
        watch.lap("walk")
        self.tally.add(block, rows, segs)
        watch.lap("count")
        self._retain(work)
        self._recycle(segs)
        watch.lap("journal")
        self._last = block

    def _decode(self, block: PacketBlock) -> np.ndarray:
        rows: np.ndarray = self._decoder(
            block, verify_checksums=self.options.verify_checksums, options=self.options.settings.decode
        )
        return rows

    def _decode_datagrams(self, buf: np.ndarray, offs: np.ndarray, lens: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Decode reassembled datagrams, each from its IP header. offs: int64[n], lens: int32[n], last: ROW[n]."""
        return self._decode(
            PacketBlock(
                buf=buf, off=offs, caplen=lens, wirelen=lens, ts=np.ascontiguousarray(last["ts"]),
                linktype=np.full(offs.size, LINKTYPE_RAW, np.uint16),
            )
        )  # fmt: skip

    def _decode_datagram(self, buf: np.ndarray, off: int, length: int, row: np.void) -> np.ndarray:
        """Decode one of them."""
        return self._decode_datagrams(buf, np.array([off]), np.array([length], np.int32), np.array([row]))

    def _candidates(self, view: BlockView, gathered: Gathered, messages: tuple[np.ndarray, np.ndarray]) -> Candidates:
        """Find what must be judged: everything, or what the scan and the header predicates could not rule out."""
        if not self.options.triage:
            return everything(self.plan, view.rows, gathered.segs)
        found = self._selector.select(
            view.rows, view.buf, gathered, view.flows, messages, view.changes, view.tcp_events, view.told,
            self._detector.heads,
        )
        mask = self.plan.escaped.get(RAW_VERBATIM, 0) & 1 << ids.TLS
        if mask:  # a record header may stand inside a hello
            found.parse(self._detector.split_hellos(view.flows, gathered.segs).tolist(), mask)
        return found

    def _retain(self, work: BlockWork) -> None:
        """Decide what the journal keeps of the flows of this block, and keep it."""
        segs, flows, rows = work.segs, work.view.flows, work.view.rows
        slots = distinct(segs["flow"])
        app = flows["app"][slots]
        interest = self.walk.parses.copy()
        interest[APP_UNDECIDED] = interest.any()
        base = self.walk.keeps
        keep = np.where((flows["hot"][slots] == COLD) & interest[app], KEEP_ALL, base)
        if base == KEEP_NONE:  # what was kept until the protocol was known
            self.journal.drop_many(slots[(flows["keep"][slots] == KEEP_ALL) & (keep == KEEP_NONE)])
        flows["keep"][slots] = keep
        full = self.journal.append(
            segs, rows, work.view.numbers[rows["pkt"]], work.gathered.seg_at, work.gathered.data, flows
        )
        if full.size:
            self.walk.start_now(work, distinct(full).tolist())

    def _recycle(self, segs: np.ndarray) -> None:
        """Forget flows that ended."""
        ended = segs["flow"][segs["kind"] == SEG_END]
        if ended.size:
            sight.count(self.sight, self.table.flows[ended])
            slots = ended.tolist()
            self.walk.forget(slots)
            self._selector.forget(slots)
            self._detector.forget(ended)
            self._answers.forget(ended)
            self._turns.forget(ended)
            self._told.forget(ended)
            self.expected.forget(slots)
            self.journal.drop_many(ended)
        self.table.recycle()


def _through_dpkt() -> Callable[..., np.ndarray]:
    """Return the slow decoder. dpkt brings all its protocols along (50 ms), and most runs need none."""
    from sensor.decode.dpkt_view import decode_block_dpkt  # noqa: PLC0415 - see above

    return decode_block_dpkt


def _tail_of(plan: Plan) -> int:
    """Return how many bytes of earlier blocks the scan must see again: none that a literal may begin with is missed."""
    longest = max(plan.literals.index.longest, *(tests.longest for tests in plan.frames.values()), 0) - 1
    longest = max(longest, look_back(plan.contents))
    return max(longest, _NETBIOS_LABEL if RAW_NAME in plan.escaped else 0)


def _empty(block: PacketBlock) -> PacketBlock:
    """Return a block of the same source without packets."""
    none = np.zeros(0, np.int64)
    return PacketBlock(
        buf=np.zeros(0, np.uint8), off=none, caplen=none.astype(np.int32), wirelen=none.astype(np.int32), ts=none,
        linktype=none.astype(np.uint16), source=block.source,
    )  # fmt: skip
