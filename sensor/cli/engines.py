"""What judges packets in `xensor run`: one pipeline in this process, or workers in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sensor.cli import assembly
from sensor.cli.collector import settle

if TYPE_CHECKING:
    from sensor.capture.afpacket import LiveSource
    from sensor.detect.state.threshold import FarRates
    from sensor.engine.crew.hostbits import Deferred, Ids
    from sensor.engine.crew.outbox import Outbox
    from sensor.engine.crew.supervisor import Staff
    from sensor.engine.live.ctlsocket import ControlSocket
    from sensor.engine.live.daemon import Surroundings
    from sensor.engine.live.figures import Figures
    from sensor.engine.live.signals import Signals
    from sensor.engine.offline.replay import Summary
    from sensor.engine.packetclock import ClockSteps
    from sensor.engine.pipeline import Pipeline
    from sensor.engine.records.writer import Writer
    from sensor.metrics.names import Snapshot
    from sensor.rules.outside import Outside


class Alone:
    """One pipeline, driven by this process. failed: rules that do not run."""

    def __init__(self, pipeline: Pipeline, source: LiveSource, failed: int) -> None:
        self._pipeline = pipeline
        self._source = source
        self.failed = failed
        self.wake = source.wake
        self.close = source.close

    def fork(self, _closes: Sequence[Callable[[], None]]) -> None:
        """Start nothing."""

    def figures(self, figures: Figures, writer: Writer) -> Snapshot:
        """Return the values of metrics before there is any packet."""
        from sensor.engine.live.figures import worker_figures

        return figures.snapshot(
            self._pipeline.plan, writer, self._pipeline.thresholds, worker_figures(self._pipeline, self._source)
        )

    def started(self) -> str:
        """Return what runs."""
        return f"{self._pipeline.plan.table.loaded()} rules, {', '.join(ring.name for ring in self._source.rings)}"

    def watch(self, writer: Writer, around: Surroundings, figures: Figures, signals: Signals,
              control: ControlSocket | None) -> Summary:  # fmt: skip
        """Run until a signal."""
        from sensor.engine.live.daemon import Daemon

        outlets = figures.outlets
        if outlets is not None and outlets.evidence is not None:
            writer.keep_evidence(outlets.evidence.alerted, outlets.evidence.capture_file)
            self._pipeline.observer = outlets.evidence.observe
        daemon = Daemon(self._pipeline, writer, self._source, around, figures, signals)
        if control is not None:
            control.start(daemon.asks.put)
        with assembly.kept_sets(lambda: self._pipeline.judge.sets, self._pipeline.options.settings, around.log):
            return daemon.watch()


class Crew:
    """Workers, and this process as the one that collects.

    sources: one for each; ends: what the pipeline was given to emit to, and to ask; steps: of the clock, which give
    keys to what is emitted; deferred: what is not judged by
    them; outside: loads the operator's files that rules ask; log: takes lines.
    """

    def __init__(self, pipeline: Pipeline, sources: list[LiveSource], ends: tuple[Outbox, FarRates],
                 steps: ClockSteps, failed: int, deferred: Mapping[Ids, Deferred], outside: Callable[[], Outside],
                 log: Callable[[str], None]) -> None:  # fmt: skip
        from sensor.engine.crew.supervisor import Waker

        self._pipeline = pipeline
        self._sources = sources
        self._outbox, self._rates = ends
        self._steps = steps
        self._deferred, self._outside = deferred, outside
        self._log = log
        self._staff: Staff | None = None
        self._waker = Waker()
        self.failed = failed
        self.wake = self._waker.wake

    def fork(self, closes: Sequence[Callable[[], None]]) -> None:
        """Start the process that starts workers."""
        from sensor.engine.crew.liveworker import LiveKit, live_work
        from sensor.engine.crew.nursery import Nursery
        from sensor.engine.crew.pulse import Pulse
        from sensor.engine.crew.supervisor import Staff

        settings, pulse = self._pipeline.options.settings, Pulse(len(self._sources))
        kit = LiveKit(
            self._pipeline, self._steps, self._sources, self._outbox, self._rates, pulse, self._log, self._outside,
            self.failed, settings.run.worker_cpus,
            evidence=settings.evidence if settings.evidence.enabled else None,
        )  # fmt: skip
        settle()  # pages that the collector does not touch stay shared
        self._staff = Staff(Nursery(live_work(kit), closes), self._sources, pulse, self._waker, self._deferred)

    def figures(self, figures: Figures, writer: Writer) -> Snapshot:
        """Return the values of metrics before there is any packet."""
        return figures.snapshot(self._pipeline.plan, writer, self._pipeline.thresholds, {})

    def started(self) -> str:
        """Return what runs."""
        names = ", ".join(ring.name for ring in self._sources[0].rings)
        return f"{self._pipeline.plan.table.loaded()} rules, {names}, {len(self._sources)} workers"

    def watch(self, writer: Writer, around: Surroundings, figures: Figures, signals: Signals,
              control: ControlSocket | None) -> Summary:  # fmt: skip
        """Run until a signal. Raises SensorError where workers cannot be replaced any more."""
        from sensor.engine.crew.supervisor import Supervisor

        if self._staff is None:
            raise RuntimeError("the workers' nursery was not forked")
        supervisor = Supervisor(self._staff, self._pipeline, writer, around, figures, signals)
        outlets = figures.outlets
        if outlets is not None and outlets.evidence is not None:
            writer.keep_evidence(supervisor.evidence, outlets.evidence.capture_file)
        if control is not None:
            control.start(supervisor.asks.put)
        with assembly.kept_sets(lambda: supervisor.sets, self._pipeline.options.settings, around.log):
            return supervisor.watch()

    def close(self) -> None:
        """Give interfaces back."""
        for source in self._sources:
            source.close()
