"""`xensor replay -T`, `xensor run -T`: whatever a run needs is tried, nothing is run and nothing is written."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.common import Loaded, compilable, report, warn
from sensor.errors import OutputError, RuleError, UsageError

if TYPE_CHECKING:
    from sensor.config.settings import Settings
    from sensor.model.finding import Finding


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


def try_outputs(settings: Settings) -> None:
    """Look at what the outputs of a live run need. Raises ConfigError or OutputError."""
    from sensor.cli.outlets import SPOOL, check

    check(settings)
    folder = Path(settings.run.log_dir)
    if settings.syslog.enabled or settings.stream.enabled:
        writable(folder / SPOOL)
    if settings.run.control:
        path = Path(settings.run.control_socket)
        writable(path.parent)
        if len(os.fsencode(path)) > _SOCKET_NAME_MAX:
            raise OutputError(f"unix-command.filename {path}: longer than {_SOCKET_NAME_MAX} bytes")
        if path.exists() and not path.is_socket():
            raise OutputError(f"unix-command.filename {path}: is not a socket")


_SOCKET_NAME_MAX = 107
"""struct sockaddr_un, unix(7)."""


def try_addresses(metrics: str | None, user: str | None) -> None:
    """Look at the listener's address and the user to become. Raises UsageError."""
    from sensor.metrics.http import parse_address

    if metrics:
        parse_address(metrics)
    if user:
        try:
            pwd.getpwnam(user)
        except KeyError as e:
            raise UsageError(f"--user {user}: there is no such user") from e


def findings(settings: Settings, interfaces: Sequence[str]) -> Iterator[Finding]:
    """Look at the permission to capture, the interfaces and the disk."""
    from sensor.engine.doctor import checkup

    for name in interfaces:
        yield from checkup.interface(name)
    if settings.run.erspan_interface:
        yield from checkup.erspan(settings.run.erspan_interface)
    yield checkup.permission()
    if settings.run.log_dir:
        yield from checkup.disk(Path(settings.run.log_dir), settings.disk, settings.keep)
