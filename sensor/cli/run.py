"""`xensor run`: live interfaces in, alerts out."""

from __future__ import annotations

import argparse
import dataclasses
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sensor import __version__
from sensor.cli import assembly, common, exits
from sensor.cli.collector import settle
from sensor.cli.outlets import outlets as open_outlets
from sensor.cli.parser import Parser, add_config, add_rules, add_traffic, add_workers
from sensor.cli.runnable import Runnable, rules_to_run
from sensor.errors import CaptureError, OutputError, RuleError, UsageError

if TYPE_CHECKING:
    from sensor.capture.afpacket import LiveSource
    from sensor.capture.team import Team
    from sensor.config.settings import Settings
    from sensor.engine.live.ctlsocket import ControlSocket
    from sensor.engine.live.daemon import Surroundings
    from sensor.engine.live.figures import Figures
    from sensor.engine.live.guests import GuestWatch
    from sensor.engine.live.mirror import MirrorWatch
    from sensor.engine.live.signals import Signals
    from sensor.engine.offline.replay import Summary
    from sensor.engine.records.writer import Writer
    from sensor.engine.rulesets.bookstore import ReadyRules
    from sensor.metrics.access import Access
    from sensor.metrics.names import Snapshot
    from sensor.rules.outside import Outside
    from sensor.rules.problems import Problem
    from sensor.rules.ruleset import RuleSet

PROG = "xensor run"

DESCRIPTION = """Watch interfaces and raise alerts, until SIGTERM or SIGINT.

Events go to DIR/eve.json (-l, or default-log-dir); without a folder alerts go to standard output, as lines of
fast.log. SIGHUP opens the outputs anew (logrotate), SIGUSR2 reloads the rules (with an
error in them the old ones stay). An interface that goes away is waited for.
What follows after -- is a capture filter in tcpdump's language: xensor run -i eth1 -- not port 22"""


_LATER = (
    "sensor.engine.records.evidence", "sensor.engine.live.daemon", "sensor.engine.live.headroom",
    "sensor.engine.live.housekeeping", "sensor.metrics.http",
    "sensor.outputs.filestore", "sensor.outputs.logfile", "sensor.outputs.lines", "sensor.outputs.remote",
    "sensor.outputs.syslog", "sensor.outputs.transports", "sensor.cli.screen", "sensor.cli.summary",
    "sensor.cli.terminal",
)  # fmt: skip
"""Used after privileges are given up: kernels cannot be loaded then, nor any module that only root may read."""


def parser() -> Parser:
    """Return the parser of this subcommand."""
    found = Parser(PROG, DESCRIPTION, exits.text(), f"{PROG} [options] -i INTERFACE … [-- FILTER]")
    found.add_argument("-i", dest="interfaces", action="append", default=[], metavar="INTERFACE",
                       help="repeatable (default: af-packet.interface)")  # fmt: skip
    add_config(found)
    add_rules(found)
    add_workers(found)
    add_traffic(found)
    found.add_argument("-T", dest="test", action="store_true", help="try everything a run needs, then exit")
    found.add_argument("--user", metavar="NAME", help="become NAME once the interfaces are open")
    found.add_argument("--pidfile", metavar="FILE", help="write the process id to FILE")
    found.add_argument("--metrics", metavar="ADDRESS:PORT", help="serve metrics for Prometheus")
    found.add_argument("--ring-blocks", type=int, default=32, metavar="N",
                       help="blocks per interface that ride out a stall, of 1 MiB, with several workers of 512 KiB "
                       "(default: 32)")  # fmt: skip
    found.add_argument("-q", dest="quiet", action="store_true", help="no summary at the end")
    return found


def main(words: Sequence[str]) -> int:
    """Run the subcommand; return the exit status."""
    at = words.index("--") if "--" in words else len(words)
    args = parser().parse_args(words[:at])
    settings = _settings(args)
    args.interfaces = args.interfaces or list(settings.run.interfaces)
    erspan = assembly.erspan(settings)
    if not args.interfaces and erspan is None:
        raise UsageError(f"no interface is named: -i INTERFACE, or af-packet.interface (see `{PROG} --help`)")
    expression = assembly.capture_filter(args.filter_file, words[at + 1 :])
    paths = common.rule_paths(args.only, args.extra, settings)
    if args.test:
        loaded = common.rules_to_run(paths, settings, fatal=args.init_errors_fatal)
        return _trial(args, settings, loaded, expression)
    runnable = rules_to_run(paths, settings, fatal=args.init_errors_fatal)
    return _run(args, settings, runnable, expression)


def _settings(args: argparse.Namespace) -> Settings:
    made = common.settings(args.config, [*args.overrides, *([f"workers={args.workers}"] if args.workers else [])])
    if args.metrics:
        made = dataclasses.replace(made, metrics=dataclasses.replace(made.metrics, address=args.metrics))
    if args.log_dir:
        made = dataclasses.replace(made, run=dataclasses.replace(made.run, log_dir=args.log_dir))
    if args.checksums:
        flow = dataclasses.replace(made.flow, checksum_validation=args.checksums == "all")
        made = dataclasses.replace(made, flow=flow)
    return made


def _trial(args: argparse.Namespace, settings: Settings, loaded: common.Loaded, expression: str | None) -> int:
    """Try everything that a run needs: rules, filter, outputs, addresses, permission, interfaces. Nothing is kept open.

    Raises the error that a run would.
    """
    from sensor.capture.afpacket import compile_filter
    from sensor.cli.trial import findings, try_addresses, try_outputs
    from sensor.cli.trial import trial as try_rules
    from sensor.model.finding import ERROR, GOOD, worst

    if expression is not None:
        compile_filter(expression)
    try_outputs(settings)
    try_addresses(settings.metrics.address, args.user)
    try_rules(loaded, settings.run.log_dir, [], None, fatal=args.init_errors_fatal)
    _access(settings)
    assembly.directory(settings)
    found = [finding for finding in findings(settings, args.interfaces) if finding.state != GOOD]
    for finding in found:
        common.warn(f"{finding.state}: {finding}")
    return CaptureError.exit_code if worst(found) == ERROR else 0


def _run(args: argparse.Namespace, settings: Settings, loaded: Runnable, expression: str | None) -> int:
    from sensor.cli.confinement import confine
    from sensor.engine.live.ctlsocket import ControlSocket
    from sensor.engine.live.figures import Figures
    from sensor.engine.live.signals import Signals
    from sensor.engine.records.sinks import Sinks

    # Everything that is loaded, compiled or needs a privilege comes first, then that is given up for good.
    for name in _LATER:
        import_module(name)
    writer = assembly.writer(settings, Sinks([]), live=True)
    make = _alone if settings.run.workers == 1 else _crew
    engine = make(args, settings, loaded, writer, expression)
    access, mirror, guests = _access(settings), _mirror(settings), _guests(settings, writer)
    if mirror is not None and guests is not None:
        mirror.named = guests.named
    signals = Signals(engine.wake)
    pidfile = control = None
    try:
        signals.install()
        pidfile = _write_pid(args.pidfile)
        control = ControlSocket(Path(settings.run.control_socket)) if settings.run.control else None
        _harden(args.user)
        confine(settings, args.pidfile, _log)
        figures = Figures(
            __version__, time.time_ns(), rules_failed=engine.failed, per_rule=settings.metrics.per_rule
        )  # fmt: skip
        # Threads may be started from here on, but by `fork` only single ones can be copied.
        engine.fork([] if control is None else [control.disown])
        parts = _Parts(engine, writer, signals, figures, mirror, guests, access, control)
        summary = _watch(args, settings, parts, _Failed(engine.failed, loaded.problems))
    finally:
        signals.restore()
        engine.close()
        for told in (mirror, guests):
            if told is not None:
                told.close()
        if control is not None:
            control.close()
        if pidfile is not None:
            with suppress(OSError):  # its folder may not be ours any more
                pidfile.unlink()
    return _end(args, summary, writer)


class _Engine(Protocol):
    """What judges packets: in this process, or in several."""

    failed: int
    """Rules that do not run."""

    def wake(self) -> None:
        """End a wait of the loop."""

    def fork(self, closes: Sequence[Callable[[], None]]) -> None:
        """Start processes. closes: called in them, for what is not theirs."""

    def figures(self, figures: Figures, writer: Writer) -> Snapshot:
        """Return the values of metrics before there is any packet."""

    def started(self) -> str:
        """Return what runs."""

    def watch(self, writer: Writer, around: Surroundings, figures: Figures, signals: Signals,
              control: ControlSocket | None) -> Summary:  # fmt: skip
        """Run until a signal."""

    def close(self) -> None:
        """Give interfaces back."""


def _alone(args: argparse.Namespace, settings: Settings, loaded: Runnable, writer: Writer,
           expression: str | None) -> _Engine:  # fmt: skip
    from sensor.cli.engines import Alone
    from sensor.engine.options import EngineOptions

    options = EngineOptions(settings, verify_checksums=args.checksums != "none")
    pipeline, failed = assembly.pipeline(loaded, options, writer, fatal=args.init_errors_fatal)
    return Alone(pipeline, _source(args, settings, expression), failed)


def _crew(args: argparse.Namespace, settings: Settings, loaded: Runnable, _writer: Writer,
          expression: str | None) -> _Engine:  # fmt: skip
    from sensor.capture.team import Team
    from sensor.cli.engines import Crew
    from sensor.detect.state.threshold import FarRates
    from sensor.engine.crew.divide import divided
    from sensor.engine.crew.liveworker import scene_key
    from sensor.engine.crew.outbox import Outbox
    from sensor.engine.options import EngineOptions
    from sensor.engine.packetclock import ClockSteps

    steps = ClockSteps(time.time_ns(), time.monotonic_ns())
    workers, outbox = settings.run.workers, Outbox(scene_key(steps))
    options = EngineOptions(divided(settings, workers), verify_checksums=args.checksums != "none")
    rates = FarRates()
    rules, deferred = assembly.for_crew(loaded)
    pipeline, failed = assembly.pipeline(rules, options, outbox, rates, fatal=args.init_errors_fatal)
    sources: list[LiveSource] = []
    try:
        team = Team(workers, secrets.randbits(32))
        while len(sources) < workers:
            sources.append(_source(args, settings, expression, team, first=not sources))
    except CaptureError:
        for source in sources:
            source.close()
        raise
    return Crew(pipeline, sources, (outbox, rates), steps, failed, deferred, _outside(settings), _log)


def _outside(settings: Settings) -> Callable[[], Outside]:
    """Return what loads the operator's files that rules ask; what is wrong with them, the start has told."""
    return lambda: common.outside_of(settings, [])


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a run is made of."""

    engine: _Engine
    writer: Writer
    signals: Signals
    figures: Figures
    mirror: MirrorWatch | None
    guests: GuestWatch | None
    access: Access
    control: ControlSocket | None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Rules that do not run."""

    number: int
    problems: Sequence[Problem]

    def listed(self) -> list[dict[str, Any]]:
        """Return them as the control socket tells of them."""
        return [{"tenant_id": 0, "rule": "", "filename": p.file, "line": p.line, "error": p.message}
                for p in self.problems[:_FAILED_MAX]]  # fmt: skip


_FAILED_MAX = 1000
"""Rules that the control socket names."""


def _harden(user: str | None) -> None:
    """Give up privileges. Some go thread by thread, so no thread may have been started."""
    from sensor.engine.live import hardening

    if user:
        hardening.drop_privileges(user)
    if os.geteuid() != 0:  # root without capabilities could not write where others own the folder
        hardening.drop_capabilities()
    hardening.no_new_privileges()
    if not hardening.deny_new_code():
        _log("this kernel cannot refuse new executable memory (Linux 6.3 can): going on without")


def _watch(args: argparse.Namespace, settings: Settings, parts: _Parts, failed: _Failed) -> Summary:
    """Open the outputs and watch until a signal."""
    from sensor.engine.records.sinks import Sinks
    from sensor.metrics.http import MetricsServer

    engine, writer = parts.engine, parts.writer
    latest = [engine.figures(parts.figures, writer)]
    around = _surroundings(args, settings, failed, parts, lambda snapshot: latest.__setitem__(0, snapshot))
    server = outlets = None
    try:
        if settings.metrics.address:
            server = MetricsServer(settings.metrics.address, lambda: latest[0], parts.access)
        outlets = open_outlets(settings, _log)
        parts.figures.outlets = outlets
        writer.sinks = Sinks(outlets.sinks, lambda e: _log(str(e)), lasting=True, sheds=outlets.sheds)
        if outlets.store is not None:
            writer.keep_files(outlets.store)
        outlets.start()
        settle()
        _log(f"engine started: {engine.started()}")
        return engine.watch(writer, around, parts.figures, parts.signals, parts.control)
    finally:
        around.notifier.close()
        if outlets is not None:
            outlets.stop()
        if server is not None:
            server.close()


def _source(args: argparse.Namespace, settings: Settings, expression: str | None, team: Team | None = None, *,
            first: bool = True) -> LiveSource:  # fmt: skip
    """Open the interfaces. team: of several workers; the first tells what happens, and takes what comes as ERSPAN."""
    from sensor.capture import ifcheck
    from sensor.capture.afpacket import LiveSource
    from sensor.capture.ring import RingOptions
    from sensor.engine.crew.divide import ring_block

    try:
        options = RingOptions(blocks=args.ring_blocks, team=team)
    except ValueError as e:
        raise UsageError(f"--ring-blocks: {e}") from e
    options = dataclasses.replace(options, block_size=ring_block(options.block_size, settings.run.workers))
    source = LiveSource(args.interfaces, options, bpf=expression, erspan=assembly.erspan(settings) if first else None,
                        on_event=_log if first else _nobody)  # fmt: skip
    for name in args.interfaces if first else ():
        for finding in ifcheck.check(name, capturing=True):
            _log(f"warning: {finding}")
    return source


def _nobody(_text: str) -> None:
    """Tell nobody: another worker tells the same."""


def _access(settings: Settings) -> Access:
    """Read who may read the metrics. Raises UsageError."""
    from sensor.metrics.access import AccessFiles, open_access

    m = settings.metrics
    return open_access(AccessFiles(m.certificate, m.key, m.client_ca, m.password, m.token))


def _mirror(settings: Settings) -> MirrorWatch | None:
    """Open where dom0 tells about the mirror: the device of xenstore only root may open."""
    from sensor.engine.live.mirror import MirrorWatch
    from sensor.xen.report import ReportError
    from sensor.xen.sources import open_source

    try:
        source = open_source(settings.run.mirror_report)
    except ReportError as e:
        raise UsageError(f"mirror.report: {e}") from e
    return None if source is None else MirrorWatch(source, settings.run.mirror_max_age, time.monotonic())


def _guests(settings: Settings, writer: Writer) -> GuestWatch | None:
    """Open where it stands who is which guest, and read it."""
    from sensor.engine.live.guests import GuestWatch

    source = assembly.inventory(settings)
    if source is None:
        return None
    found = GuestWatch(source, _log, writer.identify)
    found.look(time.monotonic(), time.time_ns())
    return found


def _surroundings(
    args: argparse.Namespace, settings: Settings, failed: _Failed, parts: _Parts,
    publish: Callable[[Snapshot], None],
) -> Surroundings:
    from sensor.config.load import as_text
    from sensor.engine.live.daemon import Surroundings
    from sensor.engine.live.notify import Notifier

    if parts.mirror is not None and parts.guests is not None:
        parts.mirror.named = parts.guests.named
    return Surroundings(
        log=_log, publish=publish, notifier=Notifier(os.environ),
        load_rules=lambda: _reload(args, settings), rules_failed=failed.number, failed_rules=failed.listed(),
        mirror=parts.mirror, guests=parts.guests, settings=lambda: as_text(settings),
    )  # fmt: skip


def _make_sure_that_fits(paths: Sequence[Path]) -> None:
    """Raise RuleError where there is no memory for rules beside those that run."""
    from sensor.engine.live.headroom import available, refusal
    from sensor.rules.load import found_in

    reason = refusal(found_in(common.rule_files(paths), []), available())
    if reason:
        raise RuleError(reason)


def _reload(args: argparse.Namespace, settings: Settings) -> RuleSet | ReadyRules:
    """Read the configuration and the rules anew.

    Raises RuleError where any is bad (the old ones are better than fewer), ConfigError or UsageError.
    """
    from sensor.config.load import need_restart

    fresh = _settings(args)
    _make_sure_that_fits(common.rule_paths(args.only, args.extra, fresh))
    changed = need_restart(settings, fresh)
    if changed:
        _log(f"these settings take effect at the next start: {', '.join(changed)}")
    paths = common.rule_paths(args.only, args.extra, fresh)
    as_run = dataclasses.replace(fresh.run, workers=settings.run.workers)
    return rules_to_run(paths, dataclasses.replace(fresh, run=as_run), fatal=True).rules


def _write_pid(name: str | None) -> Path | None:
    if name is None:
        return None
    path = Path(name)
    try:
        path.write_text(f"{os.getpid()}\n")
    except OSError as e:
        raise OutputError(f"{name}: {e.strerror or e}") from e
    return path


def _end(args: argparse.Namespace, summary: Summary, writer: Writer) -> int:
    from sensor.cli.summary import render

    if not args.quiet:
        print(render(summary), file=sys.stderr, flush=True)
    return writer.sinks.errors[0].exit_code if writer.sinks.errors else 0


def _log(text: str) -> None:
    with suppress(OSError):  # a log on a full disk must not stop the sensor
        print(f"xensor: {text}", file=sys.stderr, flush=True)
