"""`xensor replay -T`: whatever a run needs is tried, nothing is run and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sensor.cli.common import Loaded, compilable, report, warn
from sensor.errors import OutputError, RuleError


def trial(loaded: Loaded, folder: str, files: Sequence[str], expression: str | None, *, fatal: bool) -> None:
    """Compile each rule and the capture filter, look at the captures and at the log folder.

    Raises RuleError, UsageError, CaptureError or OutputError.
    """
    rules, problems = compilable(loaded.rules)
    report(problems)
    if problems and (fatal or not len(rules)):
        raise RuleError(f"{len(problems)} rules cannot be compiled, {len(rules)} can")
    if files:
        from sensor.capture.files import open_source

        open_source(files, bpf=expression).close()
    elif expression is not None:
        from sensor.capture.bpf import Filter

        Filter(expression)
    if folder:
        writable(Path(folder))
    bad = len(loaded.problems) + len(problems)
    never = len(rules.unmatchable())
    warn(f"the configuration is good: {len(rules)} rules, {bad} left out, {never} can never match")


def writable(folder: Path) -> None:
    """Raise OutputError unless files can be made in a folder, or the folder can."""
    at = folder.absolute()
    while not at.exists() and at != at.parent:
        at = at.parent
    if not at.is_dir():
        raise OutputError(f"{folder}: {at} is not a folder")
    if not os.access(at, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: no permission to write in {at}")
