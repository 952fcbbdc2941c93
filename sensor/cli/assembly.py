"""From settings and rules to the parts of a run: pipeline, event builder, files. Replay and live use the same."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli import common
from sensor.errors import ConfigError, RuleError, UsageError

if TYPE_CHECKING:
    from sensor.capture.erspan import Erspan
    from sensor.capture.shares import Share
    from sensor.cli.runnable import Runnable
    from sensor.config.settings import Settings
    from sensor.detect.state.datasets import Datasets
    from sensor.detect.state.threshold import Rates
    from sensor.engine.crew.hostbits import Deferred, Ids
    from sensor.engine.options import EngineOptions
    from sensor.engine.pipeline import Pipeline
    from sensor.engine.records.sinks import Sink, Sinks
    from sensor.engine.records.writer import Writer
    from sensor.model.scene import Record
    from sensor.rules.problems import Problem
    from sensor.xen.directory import Directory
    from sensor.xen.sources import Source


FAST_LOG = "fast.log"


def capture_filter(file: str | None, words: Sequence[str]) -> str | None:
    """Return the capture filter, from behind `--` or from the file of -F. Raises UsageError."""
    expression = " ".join(words).strip()
    if file is None:
        return expression or None
    if expression:
        raise UsageError("a capture filter stands both behind -- and in the file of -F")
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise UsageError(f"-F {file}: {e.strerror or e}") from e
    except ValueError as e:
        raise UsageError(f"-F {file}: not a text file") from e
    return " ".join(line for line in lines if not line.lstrip().startswith("#")).strip() or None


def pipeline(
    loaded: Runnable, options: EngineOptions, emit: Callable[[Record], None], rates: Rates | None = None, *,
    fatal: bool,
) -> tuple[Pipeline, int]:  # fmt: skip
    """Return the pipeline and the number of rules that it lacks. emit, rates: see `Pipeline`.

    Raises RuleError where a rule cannot be compiled and `fatal`, or none can.
    """
    from sensor.engine.pipeline import Pipeline
    from sensor.engine.rulesets.bookstore import ReadyRules

    seed = secrets.randbits(63)  # of the hash tables; it never shows in any output
    failed = len(loaded.problems)
    try:
        return Pipeline(loaded.rules, options, emit, seed, rates), failed
    except RuleError:
        if isinstance(loaded.rules, ReadyRules):  # those that are stored have been compiled before
            raise
        # One rule that loads but does not compile must not cost the others.
        rules, problems = common.compilable(loaded.rules)
        common.report(problems)
        if fatal or not len(rules):
            raise
        return Pipeline(rules, options, emit, seed, rates), failed + len(problems)


def shares(settings: Settings) -> list[Share]:
    """Return what each worker takes of captures: the same at each run."""
    from sensor.capture.shares import Share

    return [Share(i, settings.run.workers) for i in range(settings.run.workers)]


@contextmanager
def kept_sets(
    sets: Callable[[], Datasets], settings: Settings, tell: Callable[[str], None]
) -> Iterator[None]:
    """Have the sets that rules fill as the last run left them, and leave them to the next.

    sets: gives them, at the end those of the last reload.
    """
    from sensor.engine.rulesets import setfiles

    setfiles.restore(sets(), settings.run.dataset_folder, tell)
    try:
        yield
    finally:
        setfiles.save(sets(), settings.run.dataset_folder, tell)


def for_crew(loaded: Runnable) -> tuple[Runnable, Mapping[Ids, Deferred]]:
    """Return the rules for workers, and what of them is judged where all meet; say what is not."""
    from sensor.engine.crew.hostbits import split
    from sensor.engine.rulesets.bookstore import ReadyRules
    from sensor.rules.ruleset import RuleSet

    rules = loaded.rules
    if isinstance(rules, ReadyRules):
        found = split(RuleSet(rules.aside))
    else:
        found = split(rules)
        loaded = dataclasses.replace(loaded, rules=found.rules)
    if found.local:
        common.warn(
            f"{found.local} rules with bits of hosts, or with sets: each worker sees those only that it has set itself"
        )
    return loaded, found.deferred


def writer(settings: Settings, sinks: Sinks, *, pcap_names: bool = False, live: bool = False) -> Writer:
    """Return the last stage."""
    from sensor.alert.eve import EveBuilder
    from sensor.alert.flood import SECOND, FloodControl, FloodLimits
    from sensor.engine.records.writer import Writer

    eve = settings.eve
    problems: list[Problem] = []
    kinds = common.references_of(settings, problems)
    common.report(problems)
    builder = EveBuilder(
        payload=eve.payload, packet=eve.packet, ethernet=eve.ethernet, sensor_name=eve.sensor_name,
        pcap_names=pcap_names or eve.pcap_file, live=live,
        community_seed=eve.community_seed if eve.community_id else None, references=kinds,
    )  # fmt: skip
    flood = FloodControl(FloodLimits(settings.run.flood_burst, settings.run.flood_window * SECOND))
    return Writer(builder, flood, sinks)


def inventory(settings: Settings) -> Source | None:
    """Open where it stands who is which guest; None: nowhere. Raises UsageError."""
    from sensor.xen.report import ReportError
    from sensor.xen.sources import open_inventory

    try:
        return open_inventory(settings.run.inventory)
    except ReportError as e:
        raise UsageError(f"guests.inventory: {e}") from e


def directory(settings: Settings) -> Directory | None:
    """Read the inventory once, if it is a file: captures know of no time at which it changed. Raises ConfigError."""
    from sensor.xen.directory import Directory
    from sensor.xen.inventory import MAX_BYTES, parse
    from sensor.xen.report import ReportError
    from sensor.xen.sources import FileSource

    if settings.run.inventory in {"", "no", "auto", "xenstore"}:
        return None
    try:
        return Directory().renewed(parse(FileSource(settings.run.inventory, MAX_BYTES).poll() or ""), 0)
    except ReportError as e:
        raise ConfigError(f"guests.inventory: {e}") from e


def files(settings: Settings) -> list[Sink]:
    """Open the files of a replay in the log folder; none where no folder is set. Raises OutputError."""
    from sensor.outputs.lines import EveFile, FastFile, LineFile

    if not settings.run.log_dir:
        return []
    folder = Path(settings.run.log_dir)
    found: list[Sink] = [EveFile(LineFile(folder / settings.eve.filename), settings.eve.kinds)]
    if settings.run.fast:
        found.append(FastFile(LineFile(folder / FAST_LOG)))
    return found


def erspan(settings: Settings) -> Erspan | None:
    """Return what is configured about a mirror that comes as GRE. Raises UsageError."""
    from sensor.capture.erspan import Erspan

    run = settings.run
    if not run.erspan_interface and not run.erspan_senders:
        return None
    if not run.erspan_interface:
        raise UsageError("erspan.senders are named, but no erspan.interface")
    try:
        return Erspan(run.erspan_interface, run.erspan_senders)
    except ValueError as e:
        raise UsageError(f"erspan.senders: {e}") from e
