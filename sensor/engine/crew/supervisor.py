"""The live sensor with several workers: what they raise is merged, judged as one, and written here.

No packet comes through this process. It has what `engine.live.daemon` has beside its packet loop: outputs, metrics,
commands.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from sensor.capture.afpacket import LiveSource
from sensor.detect.state.datasets import Datasets
from sensor.detect.state.threshold import Closed
from sensor.engine.crew.hostbits import Deferred, Ids
from sensor.engine.crew.liveworker import live_part
from sensor.engine.crew.members import Member, Members
from sensor.engine.crew.merge import Merge
from sensor.engine.crew.nursery import Nursery
from sensor.engine.crew.pulse import Pulse
from sensor.engine.crew.reloads import Reloads
from sensor.engine.crew.totals import Totals
from sensor.engine.crew.verdicts import Verdicts
from sensor.engine.crew.wire import (
    AskFlow,
    Beat,
    Begin,
    Drain,
    Flow,
    FromWorker,
    Keep,
    Lot,
    Packets,
    Quit,
    Ready,
    Shut,
    encode,
)
from sensor.engine.live import mirror
from sensor.engine.live.asks import Answer, Ask, Asks
from sensor.engine.live.daemon import DRAIN_SECONDS, QUIET_NS, SECOND_EVERY, STATS_EVERY, TICK, Every, Surroundings
from sensor.engine.live.figures import Figures
from sensor.engine.live.figures_caps import of_hosts
from sensor.engine.live.signals import Signals
from sensor.engine.live.verbs import Controls, run
from sensor.engine.offline.replay import Summary, summary
from sensor.engine.packetclock import PacketClock
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.writer import Writer
from sensor.model.scene import Match, Scene

AHEAD: Final = 20_000
"""Records of one worker that wait here (for others, or to be written) before it is made to wait, too."""
BATCH: Final = 256
"""Records that are written between two looks at what workers say: 30 ms."""
UNHEARD: Final = 1 << 20
"""Bytes that wait for a worker, beyond which it is told less."""
HOLD_SECONDS: Final = 1.0
"""What a record waits at most for a worker that does not tell how far it has come."""
LAST_SECONDS: Final = 5.0
"""What the end waits for workers beside their own draining."""


class Waker:
    """Ends the wait of the loop; may be called from a signal handler or another thread."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def wake(self) -> None:
        """End the wait, or the next one."""
        os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        """Wait again."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return


@dataclass(frozen=True, slots=True)
class Staff:
    """What is made before the first thread: the process that starts workers, and what is shared with them."""

    nursery: Nursery
    sources: list[LiveSource]
    pulse: Pulse
    waker: Waker
    deferred: Mapping[Ids, Deferred]
    """What is not judged by workers."""


@dataclass(slots=True)
class _Order:
    """How far each worker has come, and since when."""

    at: dict[int, tuple[int, float]] = field(default_factory=dict)

    def stalled(self, worker: int, upto: int, now: float) -> bool:
        """Tell whether a worker has not come any further for some time."""
        before = self.at.get(worker)
        if before is None or before[0] != upto:
            self.at[worker] = upto, now
            return False
        return now - before[1] > HOLD_SECONDS


class Supervisor:
    """Collects what workers raise until it is told to stop. pipeline: as each worker has one; it gets no packets."""

    def __init__(self, staff: Staff, pipeline: Pipeline, writer: Writer, around: Surroundings, figures: Figures,
                 signals: Signals) -> None:  # fmt: skip
        self._waker, self._pulse = staff.waker, staff.pulse
        self._writer, self._around, self._figures, self._signals = writer, around, figures, signals
        self._options = pipeline.options
        workers = len(staff.sources)
        self._members = Members(staff.nursery, staff.sources, staff.pulse, around.log, self._died)
        self._members.watch(staff.waker.fd)
        self._merge = Merge(workers)
        self._order = _Order()
        kinds = pipeline.options.log_kinds
        flows = workers * pipeline.options.settings.flow.max_flows if "flow" in kinds else 0
        self._verdicts = Verdicts(writer, pipeline.plan, staff.deferred, flows, self._shut)
        nothing = live_part(pipeline, staff.sources[0], around.rules_failed)
        self._totals = Totals(self._members.all, nothing)
        self._reloads = Reloads(pipeline, around, figures, self._members, self._verdicts)
        self.asks = Asks(staff.waker.wake)
        """Commands."""
        self._flows: dict[int, tuple[Ask, set[int]]] = {}
        """Flows that are looked for: number → who asked, workers that have not answered."""
        self._asked = 0
        self._raising: tuple[int, Scene] | None = None
        """The worker and scene of the record at hand."""
        self._ready = False
        self._packets_before = -1
        now = time.monotonic()
        self._started = now
        self._clock = PacketClock(time.time_ns(), now, QUIET_NS)
        self._names = [ring.name for ring in staff.sources[0].rings]
        self._controls = self._make_controls()
        self._second, self._stats = Every(SECOND_EVERY, now), Every(STATS_EVERY, now)

    @property
    def sets(self) -> Datasets:
        """Sets of values that rules fill."""
        return self._verdicts.sets

    def watch(self) -> Summary:
        """Run until SIGTERM or SIGINT; then let the workers drain, flush, and return what was seen.

        Raises SensorError where workers cannot be replaced any more.
        """
        try:
            more = False
            while not self._signals.stop:
                more = self._round(0 if more else TICK)
                self._duties(time.monotonic())
            return self._finish()
        finally:
            self._members.close()

    def evidence(self, match: Match) -> None:
        """Have the packets of an alert kept by the worker that has seen it; to be called for each that is written."""
        keep = encode(Keep(match.scene))
        if self._raising is not None and match.scene is self._raising[1]:
            self._members.post(self._members.all[self._raising[0]], keep)
        elif match.scene.flow_id:  # an alert that stands for others, which any worker may have raised
            for member in self._members.all:
                self._members.post(member, keep)

    def _make_controls(self) -> Controls:
        seen = self._totals.sight(self._names, lambda: self._reloads.loaded)
        return Controls(
            seen=seen, figures=self._figures, counters=self._counters, settings=self._around.settings,
            failed=lambda: self._around.failed_rules, reload=self._reloads.start,
            reopen=lambda: self._around.reopen(self._writer), stop=self._signals.ask_stop, started=self._started,
        )  # fmt: skip

    # ---- what workers say

    def _round(self, seconds: float) -> bool:
        """Hear the workers once, and write some of what they have raised as far as its order is known.

        Hearing costs a tenth of writing: what cannot be written at once waits here, and not in workers that would
        have to leave their packets. Returns whether there may be more to write.
        """
        for member, message in self._members.hear(seconds, lambda worker: self._merge.waiting(worker) < AHEAD):
            self._take(member, message)
        self._waker.clear()
        written = 0
        for worker, record in islice(self._merge.take(), BATCH):
            self._raising = worker, record.scene
            self._verdicts.take(record)
            written += 1
        self._raising = None
        self._writer.flush()
        return written == BATCH

    def _take(self, member: Member, message: FromWorker) -> None:
        match message:
            case Lot():
                self._merge.add(member.number, message.keys, message.records, message.upto)
            case Ready():
                self._reloads.ready(member.number, message)
            case Flow():
                self._found(member.number, message)
            case Packets():
                outlets = self._figures.outlets
                if outlets is not None and outlets.captures is not None:
                    outlets.captures.write(message.records, message.ts)
            case Beat() if message.final:
                self._merge.close(member.number)

    def _shut(self, closed: Closed) -> None:
        message = encode(Shut(closed))
        for member in self._members.all:
            if member.channel is not None and member.channel.unsent < UNHEARD:
                member.channel.post(message)

    def _died(self, member: Member) -> None:
        self._merge.close(member.number)
        self._totals.bury(member)
        self._reloads.died(member.number)
        for ask in list(self._flows):
            self._found(member.number, Flow(ask, None))

    def _begin(self, member: int) -> tuple[bytes, int]:
        self._merge.reopen(member)
        force = self._reloads.force
        return encode(Begin(force.rules, planned=force.file >= 0)), force.file

    # ---- duties

    def _duties(self, now: float) -> None:
        if self._signals.take_reopen():
            self._around.reopen(self._writer)
        if self._signals.take_reload() and not self._reloads.start(None, forced=False):
            self._around.log("a reload is under way already")
        for ask in self.asks.take():
            self._answer(ask)
        self._reloads.look()
        self._members.look(now, self._begin)
        for member in self._members.all:
            if self._order.stalled(member.number, self._merge.upto(member.number), now):
                self._merge.excuse(member.number)
        if not self._ready and self._members.well():
            self._ready = True
            self._around.notifier.ready(self._status())
        if self._second.due(now):
            self._each_second()
        if self._stats.due(now):
            self._write_stats()

    def _answer(self, ask: Ask) -> None:
        number = ask.arguments.get("flow_id")
        if ask.command != "get-flow-stats-by-id" or not isinstance(number, int) or not 0 < number < 1 << 63:
            run(self._controls, ask)
            return
        self._asked += 1
        there = {member.number for member in self._members.all if member.channel is not None}
        self._flows[self._asked] = ask, there
        self._members.tell_all(AskFlow(self._asked, number))

    def _found(self, worker: int, flow: Flow) -> None:
        """Answer who asked for a flow when a worker has it, or none has."""
        if flow.ask not in self._flows:
            return
        ask, missing = self._flows[flow.ask]
        missing.discard(worker)
        if flow.found is not None or not missing:
            del self._flows[flow.ask]
            ask.reply(Answer(flow.found is not None, flow.found or "Not found"))

    def _each_second(self) -> None:
        packets, now = self._totals.packets, self._totals.last
        if packets == self._packets_before:
            now = self._clock.quiet(time.monotonic())
        else:
            self._clock.seen(now, time.monotonic())
        self._packets_before = packets
        self._writer.pass_time(now)
        if self._around.mirror is not None:
            for change in self._around.mirror.look(time.monotonic()):
                self._around.log(str(change))
                if change.begun:
                    self._writer.own_alert(mirror.alert(change, time.time_ns()))
        if self._around.guests is not None:
            self._around.guests.look(time.monotonic(), time.time_ns())
        self._publish()
        if self._members.well():
            self._around.notifier.alive(self._status())

    def _publish(self) -> None:
        outlets = self._figures.outlets
        if outlets is not None and outlets.evidence is not None:
            self._totals.tell(outlets.evidence)
        measured = self._totals.figures(of_hosts(self._verdicts.host_bits)) | {
            "xensor_workers": {(): len(self._members.all)},
            "xensor_workers_running": {(): sum(member.channel is not None for member in self._members.all)},
            "xensor_worker_heartbeat_time_seconds": self._members.heartbeats(),
            "xensor_worker_restarts_total": {(why,): n for why, n in self._members.restarts.items()},
            "xensor_worker_late_records_total": {(): self._merge.late},
        }
        values = dict(self._figures.snapshot(self._reloads.plan, self._writer, self._verdicts.thresholds, measured))
        if self._around.mirror is not None:
            values |= self._around.mirror.snapshot(time.monotonic())
        if self._around.guests is not None:
            values |= self._around.guests.snapshot(time.monotonic())
        self._around.publish(values)

    def _write_stats(self) -> None:
        if "stats" in self._options.log_kinds:
            self._writer.stats(time.time_ns(), self._counters())

    def _counters(self) -> Mapping[str, Any]:
        outlets = self._figures.outlets
        return self._totals.stats(self._verdicts) | {
            "uptime": int(time.monotonic() - self._started), "outputs": outlets.stats() if outlets is not None else {},
            "workers": {"running": sum(member.channel is not None for member in self._members.all),
                        **self._members.restarts, "late": self._merge.late, "unknown_rules": self._verdicts.unknown},
        }  # fmt: skip

    def _status(self) -> str:
        return f"{self._totals.packets} packets, {self._totals.drops} dropped, {self._writer.by_rule.total()} alerts"

    # ---- the end

    def _finish(self) -> Summary:
        self._around.notifier.stopping()
        self._members.ending = True
        self._members.tell_all(Drain())
        self._until(DRAIN_SECONDS + LAST_SECONDS, lambda m: m.channel is None or (m.beat is not None and m.beat.final))
        for member in self._members.all:
            self._merge.close(member.number)
        while self._round(0):
            pass
        self._writer.close_floods()
        self._members.tell_all(Quit())
        self._until(LAST_SECONDS, lambda m: m.channel is None)
        self._writer.flush()
        self._write_stats()
        self._publish()
        self._writer.finish()
        found = summary(self._totals.parts(), self._writer, self._reloads.plan)
        if self._totals.drops:
            text = "packets dropped by the kernel, a ring being full"
            found.not_inspected = {text: self._totals.drops} | found.not_inspected
        if self._totals.orphaned:
            text = "packets that a worker had in hand when it died"
            found.not_inspected = {text: self._totals.orphaned} | found.not_inspected
        return found

    def _until(self, seconds: float, done: Callable[[Member], bool]) -> None:
        """Hear the workers until each is done, or time is over."""
        end, more = time.monotonic() + seconds, False
        while not all(map(done, self._members.all)) and (left := end - time.monotonic()) > 0:
            more = self._round(0 if more else min(left, TICK))
        if not all(map(done, self._members.all)):
            self._around.log("a worker does not end: what it had left was not inspected")
