"""What a running sensor is left with: the folders that its settings name, and their TCP ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sensor.cli.common import cache_dir
from sensor.config.settings import Settings
from sensor.engine.live import landlock
from sensor.metrics.http import parse_address

_DNS = 53
"""Over TCP, too: an answer may be long."""


def confine(settings: Settings, pidfile: str | None, log: Callable[[str], None]) -> None:
    """Give up what the settings do not ask for. To be called before the first thread is started."""
    if not settings.run.landlock:
        return
    if not landlock.confine(writable(settings, pidfile), listen(settings), connect(settings)):
        log(f"{landlock.missing() or 'Landlock refuses the settings'}: going on without")


def writable(settings: Settings, pidfile: str | None) -> Iterator[Path]:
    """Yield the folders (and devices) that are written."""
    run = settings.run
    if run.log_dir:
        folder = Path(run.log_dir)
        yield folder
        yield (folder / settings.eve.filename).parent
        yield (folder / settings.evidence.filename).parent
        yield folder / settings.file_store.folder
    if run.dataset_folder:
        yield Path(run.dataset_folder)
    if run.control:
        yield Path(run.control_socket).parent
    if pidfile is not None:
        yield Path(pidfile).absolute().parent
    yield cache_dir().parent
    yield Path("/dev/null")
    yield from map(Path, run.landlock_writable)


def listen(settings: Settings) -> Iterator[int]:
    """Yield the ports that are listened on."""
    if settings.metrics.address:
        yield parse_address(settings.metrics.address)[1]


def connect(settings: Settings) -> Iterator[int]:
    """Yield the ports that are connected to."""
    server = settings.syslog.server
    if settings.syslog.enabled and server.scheme != "unix":
        yield _DNS
        yield server.port
