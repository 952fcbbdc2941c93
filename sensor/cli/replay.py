"""`xensor replay`: captures in, alerts out."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensor.cli import assembly, common, exits
from sensor.cli.collector import settle
from sensor.cli.parser import Parser, add_config, add_rules, add_traffic, add_workers
from sensor.cli.runnable import Runnable, rules_to_run
from sensor.cli.screen import Screen, coloured, out
from sensor.errors import UsageError

if TYPE_CHECKING:
    from sensor.capture.files import FileSource
    from sensor.config.settings import Settings
    from sensor.engine.offline.replay import Summary
    from sensor.engine.options import EngineOptions
    from sensor.engine.records.sinks import Sink, Sinks
    from sensor.engine.records.writer import Writer

PROG = "xensor replay"

DESCRIPTION = """Read captures and raise alerts.

Captures are pcap or pcapng files, plain or packed with gzip or zstd, folders of them, or - for standard input.
Alerts go to standard output (a table on a terminal, lines of fast.log else), or with -l to DIR/eve.json.
What follows after -- is a capture filter in tcpdump's language: xensor replay x.pcap -- host 10.0.0.1"""


def parser() -> Parser:
    """Return the parser of this subcommand."""
    usage = f"{PROG} [options] FILE|DIR|- … [-- FILTER]"
    found = Parser(PROG, DESCRIPTION, exits.text(), usage)
    found.add_argument("files", nargs="*", metavar="FILE|DIR|-", help="captures")
    found.add_argument("-r", dest="more", action="append", default=[], metavar="FILE", help="a capture (repeatable)")
    add_config(found)
    add_rules(found)
    add_workers(found)
    add_traffic(found)
    found.add_argument("--fast", action="store_true", help="append alerts to DIR/fast.log, too")
    found.add_argument("--eve-stdout", action="store_true", help="write events to standard output")
    found.add_argument("-T", dest="test", action="store_true", help="try configuration, rules and outputs, then exit")
    found.add_argument("--follow", action="store_true", help="go on reading the last file while it is written")
    found.add_argument("--recursive", action="store_true", help="descend into the folders of folders")
    found.add_argument(
        "--no-triage", action="store_true", help="judge every packet and byte by every rule (slow; gives the same)"
    )
    found.add_argument("--dump-config", action="store_true", help="print the settings in force, then exit")
    found.add_argument("-q", dest="quiet", action="store_true", help="no alerts on standard output, no summary")
    return found


def main(words: Sequence[str]) -> int:
    """Run the subcommand; return the exit status."""
    gc.disable()  # nothing that start-up makes is garbage; `_replay` turns the collector on again (saves 60-200 ms)
    try:
        return _main(words)
    finally:
        gc.enable()


def _main(words: Sequence[str]) -> int:
    at = words.index("--") if "--" in words else len(words)
    args = parser().parse_intermixed_args(words[:at])
    settings = _settings(args)
    if args.dump_config:
        from sensor.config.load import dump

        out(dump(settings))
        return 0
    expression = assembly.capture_filter(args.filter_file, words[at + 1 :])
    files = [*args.files, *args.more]
    if not files and not args.test:
        raise UsageError(f"no capture is named (see `{PROG} --help`)")
    paths = common.rule_paths(args.only, args.extra, settings)
    if args.test:
        from sensor.cli.trial import trial

        loaded = common.rules_to_run(paths, settings, fatal=args.init_errors_fatal)
        trial(loaded, settings.run.log_dir, files, expression, fatal=args.init_errors_fatal)
        return 0
    runnable = rules_to_run(paths, settings, fatal=args.init_errors_fatal)
    return _replay(args, settings, runnable, files, expression)


def _settings(args: argparse.Namespace) -> Settings:
    """Return the settings with what options say on top."""
    made = common.settings(args.config, [*args.overrides, *([f"workers={args.workers}"] if args.workers else [])])
    run, flow = made.run, made.flow
    if args.log_dir:
        run = dataclasses.replace(run, log_dir=args.log_dir)
    if args.fast:
        run = dataclasses.replace(run, fast=True)
    if args.checksums:
        flow = dataclasses.replace(flow, checksum_validation=args.checksums == "all")
    if run.fast and not run.log_dir:
        raise UsageError("fast.log needs a folder: name it with -l")
    if made.file_store.enabled and not run.log_dir:
        raise UsageError("the file store needs a folder: name it with -l")
    return dataclasses.replace(made, run=run, flow=flow)


def _replay(
    args: argparse.Namespace, settings: Settings, loaded: Runnable, files: list[str], expression: str | None
) -> int:
    from sensor.capture.files import open_source
    from sensor.cli.outlets import file_store
    from sensor.cli.progress import Bar
    from sensor.cli.signals import Stop
    from sensor.engine.options import EngineOptions
    from sensor.engine.records.sinks import Sinks

    screen, alone = Screen(), settings.run.workers == 1
    source = open_source(
        files, follow=args.follow, recursive=args.recursive, bpf=expression,
        on_error=lambda e: screen.note(f"xensor: {e}") if alone else None,
    )  # fmt: skip
    try:
        if sys.stderr.isatty() and not args.quiet and alone:
            screen.attach(Bar(source.position, sys.stderr))
        kept, shown = assembly.files(settings), _shown(args, settings, screen)
        sinks = Sinks([*kept, *shown], lambda e: screen.note(f"xensor: {e}"))
        writer = assembly.writer(settings, sinks, pcap_names=len(source.files) > 1)
        known = assembly.directory(settings)
        if known is not None:
            writer.identify(known)
        store = file_store(settings, screen.note)
        if store is not None:
            writer.keep_files(store)
        options = EngineOptions(settings, triage=not args.no_triage, verify_checksums=args.checksums != "none")
        make = _alone if alone else _crew
        runner = make(loaded, options, writer, source, fatal=args.init_errors_fatal)
        if not kept:
            screen.on_gone = runner.stop  # nobody is left to read anything
        settle()
        gc.enable()
        screen.note(f"engine started: {runner.rules} rules")
        with Stop(runner.stop) as stop:
            summary = runner.run(screen.update)
        for error in () if alone else summary.errors:
            screen.note(f"xensor: {error}")
    finally:
        source.close()
        screen.close()
    return _end(args, summary, sinks, screen, stop.number)


@dataclass(frozen=True, slots=True)
class _Runner:
    """A replay that may begin. run: takes what is to be called now and then. stop: ends it soon."""

    rules: int
    run: Callable[[Callable[[], None]], Summary]
    stop: Callable[[], None]


def _alone(
    loaded: Runnable, options: EngineOptions, writer: Writer, source: FileSource, *, fatal: bool
) -> _Runner:
    from sensor.engine.offline.replay import Replay

    pipeline, failed = assembly.pipeline(loaded, options, writer, fatal=fatal)

    def run(tick: Callable[[], None]) -> Summary:
        with assembly.kept_sets(lambda: pipeline.judge.sets, options.settings, common.warn):
            return Replay(pipeline, writer, failed).run(source, tick)

    return _Runner(pipeline.plan.table.loaded(), run, source.stop)


def _crew(
    loaded: Runnable, options: EngineOptions, writer: Writer, source: FileSource, *, fatal: bool
) -> _Runner:
    from sensor.capture.rawinput import STDIN
    from sensor.detect.state.threshold import FarRates
    from sensor.engine.crew.outbox import Outbox
    from sensor.engine.crew.replay import CrewReplay, Kit, PacketKey

    if STDIN in source.files or source.follows:
        raise UsageError("with several workers each reads the captures: standard input and --follow need --workers 1")
    key = PacketKey()
    outbox = Outbox(key)
    rates = FarRates()
    rules, deferred = assembly.for_crew(loaded)
    pipeline, failed = assembly.pipeline(rules, options, outbox, rates, fatal=fatal)
    kit = Kit(pipeline, source, outbox, rates, key, failed, deferred)
    crew = CrewReplay(kit, writer, assembly.shares(options.settings))

    def run(tick: Callable[[], None]) -> Summary:
        with assembly.kept_sets(lambda: crew.sets, options.settings, common.warn):
            return crew.run(tick)

    return _Runner(pipeline.plan.table.loaded(), run, crew.stop)


def _shown(args: argparse.Namespace, settings: Settings, screen: Screen) -> list[Sink]:
    """Return what goes to standard output: events if asked for, else alerts if somebody is there to read them."""
    from sensor.cli.terminal import EveStdout, FastStdout, Table

    if args.eve_stdout:
        return [EveStdout(screen, settings.eve.kinds)]
    if args.quiet:
        return []
    if sys.stdout.isatty():
        return [Table(screen, colour=coloured(sys.stdout))]
    return [] if settings.run.log_dir else [FastStdout(screen)]


def _end(args: argparse.Namespace, summary: Summary, sinks: Sinks, screen: Screen, stopped: int) -> int:
    """Print the summary; return the exit status."""
    from sensor.cli.summary import render

    if stopped:
        screen.note(f"xensor: stopped by {signal.Signals(stopped).name}")
    elif screen.gone and screen.on_gone is not None:
        screen.note("xensor: stopped early: standard output was closed")
    if not args.quiet:
        screen.note(render(summary, colour=coloured(sys.stderr)))
    if stopped:
        return exits.SIGNALLED + stopped
    failed = [*sinks.errors, *summary.errors]
    return failed[0].exit_code if failed else 0
