"""A live worker: the packet loop over its rings, and what it is told between two blocks."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

import msgspec

from sensor.capture.afpacket import LiveSource
from sensor.capture.files import FileSource
from sensor.detect.state.threshold import FarRates
from sensor.engine.crew.channel import Channel
from sensor.engine.crew.evidence import Relay, counters_of
from sensor.engine.crew.outbox import Outbox
from sensor.engine.crew.pulse import Pulse
from sensor.engine.crew.wire import (
    AskFlow,
    Beat,
    Begin,
    Drain,
    Flow,
    Keep,
    Part,
    Prepare,
    Quit,
    Ready,
    Rules,
    Shut,
    Swap,
    ToWorker,
    encode,
)
from sensor.engine.faults import line
from sensor.engine.live.figures import capture_stats, worker_figures
from sensor.engine.live.reload import Reloaded, Reloader
from sensor.engine.live.seen import flow_stats
from sensor.engine.offline.replay import part_of
from sensor.engine.packetclock import ClockSteps, PacketClock, told
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.evidence import Evidence
from sensor.engine.rulesets.bookstore import ReadyRules, opened
from sensor.errors import RuleError
from sensor.model.block import PacketBlock
from sensor.model.scene import Match, Scene
from sensor.outputs.limits import EvidenceOptions
from sensor.rules.outside import Outside
from sensor.rules.ruleset import RuleSet

TICK: Final = 0.1
"""Seconds that a worker without packets waits before it tells that there were none: alerts of others wait for that."""
BEHIND_NS: Final = 100_000_000
"""How far a worker without packets stays behind the clock, beside the time that a block may wait in its ring."""
BEAT_SECONDS: Final = 1.0
QUIET_NS: Final = 2_000_000_000
"""How far time on a quiet link stays behind the clock, as `engine.live.daemon` has it."""
DRAIN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class LiveKit:
    """What each worker gets a copy of.

    The outbox is where the pipeline's records go; their keys are packet times, as they would be had the clock not
    been set since the start (`scene_key`).
    """

    pipeline: Pipeline
    steps: ClockSteps
    """Of the start: what the clock was set by since then is the same to all workers, whenever they begin."""
    sources: list[LiveSource]
    """One for each worker."""
    outbox: Outbox
    rates: FarRates
    pulse: Pulse
    log: Callable[[str], None]
    outside: Callable[[], Outside]
    """Loads the operator's files that rules ask."""
    rules_failed: int = 0
    cpus: tuple[int, ...] = ()
    retire_ms: int = 50
    evidence: EvidenceOptions | None = None
    """None: packets are not kept."""


class LiveWorker:
    """To be made and run in a process of its own."""

    def __init__(self, number: int, kit: LiveKit, channel: Channel) -> None:
        self._number = number
        self._kit = kit
        self._channel = channel
        self._pipeline, self._source, self._outbox = kit.pipeline, kit.sources[number], kit.outbox
        self._outbox.send = channel.send
        self._steps = kit.steps
        self._clock = PacketClock(time.time_ns(), time.monotonic(), QUIET_NS)
        self._decoder = msgspec.msgpack.Decoder(ToWorker)
        self._begun: Begin | None = None
        self._told: Drain | Quit | None = None
        self._prepared: Reloaded | None = None
        self._preparing: tuple[int, Reloader] | None = None
        self._beat_at = 0.0
        self._packets_before = 0
        self._rules_failed = kit.rules_failed
        self._evidence: Evidence | None = None
        if kit.evidence is not None:
            self._evidence = Evidence(kit.evidence, Relay(self._send), lambda: False)
            self._pipeline.observer = self._evidence.observe

    def run(self) -> None:
        """Work until told to end, or nobody is there to be told anything."""
        self._bind()
        self._source.take_over()
        self._begin()
        while self._told is None and not self._channel.ended:
            block = self._source.next_block(TICK)
            self._look_at_clock()
            if block is not None:
                self._process(block)
            else:
                self._outbox.upto(self._steps.unset() - BEHIND_NS - self._kit.retire_ms * 1_000_000)
            self._between(time.monotonic())
        if isinstance(self._told, Drain):
            self._drain()

    def _look_at_clock(self) -> None:
        step = self._steps.look(time.time_ns(), time.monotonic_ns())
        if step and self._number == 0:
            self._kit.log(told(step))

    def _process(self, block: PacketBlock) -> None:
        self._pipeline.process_parts(block, self._steps)
        if block.n:
            self._clock.seen(int(block.ts[-1]), time.monotonic())
            self._outbox.upto(int(block.ts[-1]) - self._steps.ahead)

    def _bind(self) -> None:
        if not self._kit.cpus:
            return
        cpu = self._kit.cpus[self._number % len(self._kit.cpus)]
        try:
            os.sched_setaffinity(0, {cpu})
        except OSError as e:
            self._kit.log(f"worker {self._number}: cannot be bound to CPU {cpu}: {e.strerror}")

    def _begin(self) -> None:
        while self._begun is None and not self._channel.ended:
            for message in self._channel.wait():
                self._hear(self._decoder.decode(message))
        begun = self._begun
        if begun is not None and (begun.planned or begun.rules is not None):
            self._pipeline.replace_rules(self._pipeline.prepare(self._rules_of(begun.rules)()))
            self._rules_failed = 0

    def _between(self, now: float) -> None:
        self._kit.pulse.beat(self._number)
        for message in self._channel.read():
            self._hear(self._decoder.decode(message))
        self._look_at_rules()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_SECONDS
            self._each_second()

    def _each_second(self) -> None:
        self._source.read_statistics()
        packets = self._source.totals().packets
        if packets == self._packets_before:
            self._pipeline.expire(self._clock.quiet(time.monotonic()))
        self._packets_before = packets
        for fault in self._pipeline.faults.news():
            self._kit.log(line(fault))
        self._beat()

    def _hear(self, message: ToWorker) -> None:
        match message:
            case Begin():
                self._begun = message
            case Drain() | Quit():
                self._told = message
            case Keep():
                if self._evidence is not None:
                    self._evidence.alerted(Match(rule=None, scene=message.scene))
            case AskFlow():
                self._send(Flow(message.ask, flow_stats(self._pipeline, message.flow_id)))
            case Shut():
                self._kit.rates.close(message.closed)
            case Prepare():
                self._preparing = message.number, Reloader(self._rules_of(message.rules), self._pipeline.prepare)
                self._preparing[1].start()
            case Swap():
                self._swap(use=message.number >= 0)

    def _rules_of(self, rules: Rules | None) -> Callable[[], RuleSet | ReadyRules]:
        """Return what loads rules: those of a message, or the plan in the file that came with it."""
        if rules is not None:
            return lambda: RuleSet(rules.rules, rules.suppressions, self._kit.outside())
        return partial(self._planned, self._channel.take_file())

    def _planned(self, file: int) -> ReadyRules:
        """Open a plan. Raises RuleError."""
        try:
            return opened(file, self._kit.outside())
        except OSError as e:
            raise RuleError(f"the plan of the rules cannot be read: {e.strerror}") from e
        finally:
            if file >= 0:
                os.close(file)

    def _look_at_rules(self) -> None:
        """Tell when the rules of a reload are ready."""
        if self._preparing is None or (done := self._preparing[1].take()) is None:
            return
        number, self._preparing, self._prepared = self._preparing[0], None, done
        self._send(Ready(number, done.error, done.interpreted))

    def _swap(self, *, use: bool) -> None:
        if use and self._prepared is not None and self._prepared.book is not None:
            self._pipeline.replace_rules(self._prepared.book)
            self._kit.rates.clear()
            self._rules_failed = 0
        self._prepared = None

    def _drain(self) -> None:
        """Judge what is in the rings; then tell so, and keep packets until told to end."""
        deadline = time.monotonic() + DRAIN_SECONDS
        for block in self._source.drain():
            self._process(block)
            self._kit.pulse.beat(self._number)
            if time.monotonic() >= deadline:
                self._kit.log("stopped with packets left in the ring: they were not inspected")
                break
        self._source.read_statistics()
        self._pipeline.finish()
        self._outbox.upto(self._outbox.last)
        self._beat(final=True)
        while not isinstance(self._told, Quit) and not self._channel.ended:
            for message in self._channel.wait():
                self._hear(self._decoder.decode(message))
            if self._evidence is not None:
                self._evidence.catch_up()

    def _beat(self, *, final: bool = False) -> None:
        part = live_part(self._pipeline, self._source, self._rules_failed)
        part.not_inspected.update(self._outbox.losses())
        figures = {name: dict(values) for name, values in worker_figures(self._pipeline, self._source).items()}
        self._send(Beat(figures, part, counters_of(self._evidence), final))

    def _send(self, message: object) -> None:
        self._channel.send(encode(message))


def live_part(pipeline: Pipeline, source: LiveSource, rules_failed: int) -> Part:
    """Return what a pipeline has seen of interfaces."""
    # Of a source, a part asks for `counters`, `errors` and `problems`, which a live one has, too.
    part = part_of(pipeline, cast("FileSource", source), rules_failed)
    part.stats["capture"] = capture_stats(source)
    return part


def scene_key(steps: ClockSteps) -> Callable[[Scene], int]:
    """Return what makes keys of scenes."""
    return lambda scene: scene.ts - steps.ahead


def live_work(kit: LiveKit) -> Callable[[int, socket.socket], None]:
    """Return what a nursery is to call."""

    def work(number: int, sock: socket.socket) -> None:
        LiveWorker(number, kit, Channel(sock, takes_files=True)).run()

    return work
