"""`xensor doctor`: looks at the machine as an operator would, and says what to do."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli import assembly, common, exits
from sensor.cli.parser import Parser, add_config
from sensor.cli.screen import coloured, out, plural
from sensor.cli.terminal import COLOURS, DIM, RESET
from sensor.errors import CaptureError, SensorError, UsageError

if TYPE_CHECKING:
    from sensor.capture.afpacket import LiveSource
    from sensor.config.settings import Settings
    from sensor.model.finding import Finding

PROG = "xensor doctor"

DESCRIPTION = """Look at the machine that the sensor runs on (or is to run on): interfaces, memory, disk, clock, kernel;
listen for some seconds: does a mirror arrive, whole, once, and from both sides; and ask a running sensor how it is.
Nothing is changed. Each warning comes with what mends it, where that is known."""

_RING_BLOCK = 1 << 20
_PATIENCE = 5.0
"""Seconds that a running sensor has for an answer."""


def parser() -> Parser:
    """Return the parser of this subcommand."""
    found = Parser(PROG, DESCRIPTION, exits.text(), f"{PROG} [options] -i INTERFACE …")
    found.add_argument("-i", dest="interfaces", action="append", default=[], metavar="INTERFACE", help="repeatable")
    found.add_argument("-l", dest="log_dir", metavar="DIR", help="the log folder (default: default-log-dir)")
    found.add_argument("--seconds", type=float, default=5.0, metavar="N", help="time to listen (default: 5; 0: not)")
    found.add_argument("--ring-blocks", type=int, default=32, metavar="N", help="as for `xensor run`")
    add_config(found)
    return found


def main(words: Sequence[str]) -> int:
    """Run the subcommand; return the exit status: 0: nothing is wrong but what warnings say."""
    from sensor.model.finding import ERROR, WARNING, worst

    args = parser().parse_args(words)
    settings = common.settings(args.config, args.overrides)
    args.interfaces = args.interfaces or list(settings.run.interfaces)
    if not args.interfaces and not settings.run.erspan_interface:
        raise UsageError(f"no interface is named: -i INTERFACE, or af-packet.interface (see `{PROG} --help`)")
    findings = []
    for finding in _findings(args, settings):
        findings.append(finding)
        out(_line(finding))
    bad = sum(f.state == ERROR for f in findings)
    odd = sum(f.state == WARNING for f in findings)
    out(f"{len(findings) - bad - odd} good, {plural(odd, 'warning')}, {plural(bad, 'error')}")
    return SensorError.exit_code if worst(findings) == ERROR else 0


def _findings(args: argparse.Namespace, settings: Settings) -> Iterator[Finding]:
    from sensor.engine.doctor import checkup
    from sensor.engine.doctor.listening import judge, listen
    from sensor.engine.options import EngineOptions
    from sensor.model.finding import ERROR, Finding

    try:
        source = _open(args, settings)
    except CaptureError as e:
        source = None
        yield Finding("mirror", ERROR, str(e))
    try:
        for name in args.interfaces:
            yield from checkup.interface(name, capturing=source is not None)
        if settings.run.erspan_interface:
            yield from checkup.erspan(settings.run.erspan_interface)
        yield checkup.permission()
        if source is not None:
            yield from judge(listen(source, args.seconds, EngineOptions(settings)))
    finally:
        if source is not None:
            source.close()
    yield from _dom0(settings)
    yield from _guests(settings)
    yield from checkup.memory(len(args.interfaces) * args.ring_blocks * _RING_BLOCK)
    yield checkup.kernel()
    if settings.run.landlock:
        yield checkup.confinement()
    folder = args.log_dir or settings.run.log_dir
    if folder:
        yield from checkup.disk(Path(folder), settings.disk, settings.keep)
    yield checkup.clock()
    yield from checkup.programs()
    yield from _running(settings.run.control_socket)


def _dom0(settings: Settings) -> Iterator[Finding]:
    """Read what dom0 tells about the mirror, if anybody is to tell."""
    from sensor.engine.doctor.dom0 import SUBJECT, check
    from sensor.model.finding import ERROR, Finding
    from sensor.xen.report import ReportError
    from sensor.xen.sources import open_source

    try:
        source = open_source(settings.run.mirror_report)
    except ReportError as e:
        yield Finding(SUBJECT, ERROR, f"mirror.report: {e}")
        return
    if source is not None:
        try:
            yield from check(source, settings.run.mirror_max_age)
        finally:
            source.close()


def _guests(settings: Settings) -> Iterator[Finding]:
    """Read who is which guest, if anybody is to tell."""
    from sensor.engine.doctor import dom0

    source = assembly.inventory(settings)
    if source is not None:
        try:
            yield dom0.inventory(source)
        finally:
            source.close()


def _open(args: argparse.Namespace, settings: Settings) -> LiveSource | None:
    """Open the interfaces, unless nobody wants to listen. Raises CaptureError."""
    from sensor.capture.afpacket import LiveSource
    from sensor.capture.ring import RingOptions

    if args.seconds <= 0:
        return None
    try:
        options = RingOptions(blocks=args.ring_blocks)
        return LiveSource(args.interfaces, options, erspan=assembly.erspan(settings))
    except ValueError as e:
        raise UsageError(f"--ring-blocks: {e}") from e


def _running(path: str) -> Iterator[Finding]:
    """Ask a running sensor, if there is one, whether it loses anything."""
    from sensor.cli.ctl import ask
    from sensor.model.finding import ERROR, GOOD, WARNING, Finding

    if not Path(path).exists():
        return
    try:
        counters = ask(path, "dump-counters", {}, _PATIENCE)["message"]
        outputs = ask(path, "output-stats", {}, _PATIENCE)["message"]
    except (OSError, KeyError) as e:
        why = "a running sensor may be asked by its owner and group only" if not os.access(path, os.W_OK) else str(e)
        yield Finding("sensor", WARNING, f"{path}: no sensor answers: {why}")
        return
    capture = counters["capture"]
    drops = capture["kernel_drops"]
    if drops:
        yield Finding("sensor", WARNING, f"it has lost {drops} of {capture['kernel_packets']} packets, its ring being "
                      "full", "--ring-blocks, or fewer rules")  # fmt: skip
    for output in outputs:
        if output["failing"]:
            yield Finding("sensor", ERROR, f"{output['output']}: {output['failing']}; {output['waiting']} events wait")
        if output["lost"]:
            yield Finding("sensor", WARNING, f"{output['output']}: {output['lost']} alerts were lost")
    if not drops and not any(o["failing"] or o["lost"] for o in outputs):
        yield Finding("sensor", GOOD, f"it runs, and lost none of {capture['kernel_packets']} packets")


def _line(finding: Finding) -> str:
    colour = coloured(sys.stdout)
    shade = {"error": COLOURS[1], "warning": COLOURS[2], "good": DIM}[finding.state]
    word = f"{shade}{finding.state:8}{RESET}" if colour else f"{finding.state:8}"
    return f"{word} {finding}"
