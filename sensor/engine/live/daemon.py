"""The live sensor: one packet loop over the interfaces, and the little that happens between two blocks.

The only place in the engine with a clock. Packets carry their own time; the clock paces statistics and the
watchdog, and lets time pass for flows while no packet comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sensor.capture.afpacket import LiveSource
from sensor.capture.files import FileSource
from sensor.engine.counts.stats import stats
from sensor.engine.faults import line
from sensor.engine.live import mirror
from sensor.engine.live.asks import Answer, Ask, Asks
from sensor.engine.live.figures import Figures, capture_stats, worker_figures
from sensor.engine.live.guests import GuestWatch
from sensor.engine.live.notify import Notifier
from sensor.engine.live.reload import Reloaded, Reloader, implausible, release
from sensor.engine.live.seen import Seen
from sensor.engine.live.signals import Signals
from sensor.engine.live.verbs import Controls, run
from sensor.engine.offline.replay import Replay, Summary
from sensor.engine.packetclock import ClockSteps, PacketClock, told
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.writer import Writer
from sensor.engine.rulesets.bookstore import ReadyRules
from sensor.metrics.names import Snapshot
from sensor.rules.ruleset import RuleSet

TICK: Final = 0.25
"""Seconds that the loop waits for packets before it looks at its other duties."""
SECOND_EVERY: Final = 1.0
STATS_EVERY: Final = 8.0
"""Suricata's `stats.interval`."""
DRAIN_SECONDS: Final = 10.0
"""What SIGTERM waits for packets that are in the rings already."""
QUIET_NS: Final = 2_000_000_000
"""How far time on a quiet link stays behind the clock: a block may wait in the ring, and be of an earlier second."""


class Every:
    """Tells when a period is over."""

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._next = now + seconds

    def due(self, now: float) -> bool:
        """Tell whether the period is over, and begin the next."""
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the daemon is given to touch the world with."""

    log: Callable[[str], None]
    publish: Callable[[Snapshot], None]
    load_rules: Callable[[], RuleSet | ReadyRules]
    """Loads the rules anew, for a reload. Raises RuleError."""
    notifier: Notifier
    rules_failed: int = 0
    failed_rules: list[dict[str, Any]] = field(default_factory=list)
    """What the control socket tells of those."""
    settings: Callable[[], Mapping[str, str]] = dict
    """Returns each setting as text."""
    mirror: mirror.MirrorWatch | None = None
    """What dom0 tells about the mirror; None: nobody tells."""
    guests: GuestWatch | None = None
    """Who is which guest; None: nobody tells."""

    def reopen(self, writer: Writer) -> None:
        """Open the outputs anew, as after a rotation, and say so."""
        writer.sinks.reopen()
        self.log("outputs reopened")


class Daemon(Replay):
    """Drives one pipeline over live interfaces until it is told to stop."""

    def __init__(self, pipeline: Pipeline, writer: Writer, source: LiveSource, around: Surroundings, figures: Figures,
                 signals: Signals) -> None:  # fmt: skip
        super().__init__(pipeline, writer, around.rules_failed)
        self._source = source
        self._around = around
        self._figures = figures
        self._signals = signals
        self._reloader = Reloader(around.load_rules, pipeline.prepare)
        self._reload_ask: Ask | None = None
        self._reload_forced = False
        self.asks = Asks(source.wake)
        """Commands for the packet loop."""
        self._packets_before = 0
        now = time.monotonic()
        self._started = now
        self._clock = PacketClock(time.time_ns(), now, QUIET_NS)
        self._steps = ClockSteps(time.time_ns(), int(now * 1e9))
        self._controls = self._make_controls()
        self._second = Every(SECOND_EVERY, now)
        self._stats = Every(STATS_EVERY, now)

    def watch(self) -> Summary:
        """Run until SIGTERM or SIGINT; then drain, flush and return what was seen."""
        self._around.notifier.ready(self._status())
        while not self._signals.stop:
            block = self._source.next_block(TICK)
            now = time.monotonic()
            if step := self._steps.look(time.time_ns(), int(now * 1e9)):
                self._around.log(told(step))
            if block is not None:
                self._pipeline.process_parts(block, self._steps)
                if block.n:
                    self._clock.seen(int(block.ts[-1]), time.monotonic())
            self._duties(time.monotonic())
        return self._finish()

    def _make_controls(self) -> Controls:
        return Controls(
            seen=Seen(self._pipeline, self._source), figures=self._figures, counters=self._counters,
            settings=self._around.settings, failed=lambda: self._around.failed_rules,
            reload=self._reload, reopen=lambda: self._around.reopen(self._writer), stop=self._signals.ask_stop,
            started=self._started,
        )  # fmt: skip

    def _reload(self, ask: Ask | None, forced: bool) -> bool:
        """Begin a reload; `ask` is answered when it is done. False: one is under way already."""
        if not self._reloader.start():
            return False
        self._reload_ask, self._reload_forced = ask, forced
        return True

    def _duties(self, now: float) -> None:
        if self._signals.take_reopen():
            self._around.reopen(self._writer)
        if self._signals.take_reload() and not self._reload(None, forced=False):
            self._around.log("a reload is under way already")
        for ask in self.asks.take():
            run(self._controls, ask)
        self._swap_rules()
        self._writer.flush()
        if self._second.due(now):
            self._each_second()
        if self._stats.due(now):
            self._write_stats()

    def _each_second(self) -> None:
        self._source.read_statistics()
        packets = self._source.totals().packets
        now = self._pipeline.tally.last_ts or 0
        if packets == self._packets_before:
            now = self._clock.quiet(time.monotonic())
            self._pipeline.expire(now)
        self._packets_before = packets
        self._writer.pass_time(now)
        for fault in self._pipeline.faults.news():
            self._around.log(line(fault))
        self._look_at_mirror()
        if self._around.guests is not None:
            self._around.guests.look(time.monotonic(), time.time_ns())
        self._publish()
        self._around.notifier.alive(self._status())

    def _look_at_mirror(self) -> None:
        if self._around.mirror is None:
            return
        for change in self._around.mirror.look(time.monotonic()):
            self._around.log(str(change))
            if change.begun:
                self._writer.own_alert(mirror.alert(change, time.time_ns()))

    def _publish(self) -> None:
        measured = {**worker_figures(self._pipeline, self._source), **self._only_worker()}
        values = dict(self._figures.snapshot(self._pipeline.plan, self._writer, self._pipeline.thresholds, measured))
        if self._around.mirror is not None:
            values |= self._around.mirror.snapshot(time.monotonic())
        if self._around.guests is not None:
            values |= self._around.guests.snapshot(time.monotonic())
        self._around.publish(values)

    def _only_worker(self) -> Snapshot:
        """Return what there is to say of workers where this process is the only one."""
        packets = self._pipeline.tally.decode.pkts
        return {
            "xensor_workers": {(): 1}, "xensor_workers_running": {(): 1},
            "xensor_worker_packets_total": {("0",): packets},
            "xensor_worker_heartbeat_time_seconds": {("0",): time.time()},
        }  # fmt: skip

    def _write_stats(self) -> None:
        if "stats" not in self._pipeline.options.log_kinds:
            return
        self._writer.stats(time.time_ns(), self._counters())

    def _counters(self) -> dict[str, Any]:
        fields = stats(self._pipeline, self._source.counters, self._rules_failed)
        outlets = self._figures.outlets
        return fields | {
            "uptime": int(time.monotonic() - self._started), "capture": capture_stats(self._source),
            "outputs": outlets.stats() if outlets is not None else {},
        }  # fmt: skip

    def _swap_rules(self) -> None:
        """Use the rules of a reload that is done, or say why the old ones stay."""
        done = self._reloader.take()
        if done is None:
            return
        error = done.error
        if done.book is not None and not self._reload_forced:
            error = implausible(self._pipeline.plan.table.loaded(), done.book.plan.table.loaded())
        ask, self._reload_ask = self._reload_ask, None
        if done.book is None or error:
            self._figures.reloads["failed"] += 1
            self._around.log(f"reload failed, the rules in force stay: {error}")
        else:
            self._use(done)
        if ask is not None:
            ask.reply(Answer(not error, error or "done"))

    def _use(self, done: Reloaded) -> None:
        """Judge by reloaded rules from now on."""
        if done.book is None:
            return
        self._pipeline.replace_rules(done.book)
        release()
        self._rules_failed = 0  # with one that failed there would be no reload
        self._around.failed_rules.clear()
        self._figures.reloads["done"] += 1
        self._figures.last_reload = time.time()
        self._figures.rules_failed = 0
        self._around.log(f"rules reloaded: {done.book.plan.table.loaded()}")
        if done.interpreted:
            self._around.log(f"{done.interpreted} regexes are interpreted until a restart: PCRE2 made no code for them")

    def _finish(self) -> Summary:
        self._around.notifier.stopping()
        deadline = time.monotonic() + DRAIN_SECONDS
        for block in self._source.drain():
            self._pipeline.process_parts(block, self._steps)
            if time.monotonic() >= deadline:
                self._around.log("stopped with packets left in the ring: they were not inspected")
                break
        self._source.read_statistics()
        self._pipeline.finish()
        self._writer.close_floods()
        self._writer.flush()
        self._write_stats()
        self._publish()
        self._writer.finish()
        return self._live_summary()

    def _live_summary(self) -> Summary:
        # Of a source, a summary asks for `counters`, `errors` and `problems`, which a live one has, too.
        found = self._summary(cast("FileSource", self._source))
        dropped = self._source.totals().kernel_drops
        if dropped:
            found.not_inspected = {"packets dropped by the kernel, the ring being full": dropped} | found.not_inspected
        return found

    def _status(self) -> str:
        total = self._source.totals()
        return f"{total.packets} packets, {total.kernel_drops} dropped, {self._writer.by_rule.total()} alerts"
