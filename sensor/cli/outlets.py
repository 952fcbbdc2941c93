"""Opens the outputs of a live run as the settings say."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.assembly import FAST_LOG
from sensor.errors import ConfigError

if TYPE_CHECKING:
    from sensor.config.settings import Settings
    from sensor.engine.live.outlets import Outlets, Watched
    from sensor.engine.records.evidence import Evidence
    from sensor.engine.records.sinks import Sink
    from sensor.outputs.courier import Courier
    from sensor.outputs.disk import Disk
    from sensor.outputs.filestore import FileStore
    from sensor.outputs.pcaplog import PcapLog
    from sensor.outputs.transports import Transport

Tell = Callable[[str], None]
"""Takes a line for the log; called from any thread."""

SPOOL = "spool"
"""Folder of what waits for receivers, below the log folder."""


def outlets(settings: Settings, tell: Tell) -> Outlets:
    """Open everything: without a log folder that is standard output. Raises OutputError, ConfigError."""
    from sensor.cli.screen import Screen
    from sensor.cli.terminal import FastStdout
    from sensor.engine.live.outlets import Outlets

    check(settings)
    if not settings.run.log_dir:
        return Outlets([FastStdout(Screen())], [])
    return _in_folder(settings, Path(settings.run.log_dir), tell)


def check(settings: Settings) -> None:
    """Raise ConfigError where settings of outputs do not go together."""
    if not settings.run.log_dir and (settings.syslog.enabled or settings.stream.enabled):
        raise ConfigError("outputs.syslog and outputs.unix-socket need default-log-dir (or -l): events wait there")
    if not settings.run.log_dir and settings.evidence.enabled:
        raise ConfigError("outputs.pcap-log needs default-log-dir (or -l)")
    if not settings.run.log_dir and settings.file_store.enabled:
        raise ConfigError("outputs.file-store needs default-log-dir (or -l)")
    if settings.syslog.enabled:
        from sensor.outputs.transports import syslog_transport

        syslog_transport(settings.syslog).close()


def _in_folder(settings: Settings, folder: Path, tell: Tell) -> Outlets:
    from sensor.engine.live.housekeeping import Housekeeper
    from sensor.engine.live.outlets import Outlets
    from sensor.outputs.archive import Archive
    from sensor.outputs.disk import ROOMY, Disk
    from sensor.outputs.lines import EveFile, FastFile
    from sensor.outputs.logfile import LogFile
    from sensor.outputs.pcaplog import PcapLog

    receivers = _receivers(settings, folder, tell)

    def spooled() -> None:
        """See to it that no alert is in a file that a kill could keep from a receiver."""
        for sink, _ in receivers:
            sink.flush()

    files = [LogFile(folder / settings.eve.filename, settings.files, tell, ahead=spooled)]
    sinks: list[Sink] = [EveFile(files[0], settings.eve.kinds)]
    if settings.run.fast:
        files.append(LogFile(folder / FAST_LOG, settings.files, tell, ahead=spooled))
        sinks.append(FastFile(files[1]))
    couriers = [courier for _, courier in receivers]
    watched: list[Watched] = [*files, *couriers]
    archive = Archive([file.path for file in files], settings.keep, tell)
    disk = Disk(folder, settings.disk, tell)
    captures = PcapLog(folder, settings.evidence, tell) if settings.evidence.enabled else None
    keeper = Housekeeper(disk, archive, captures)
    evidence = _evidence(settings, captures, disk) if captures is not None else None
    store = file_store(settings, tell, lambda: disk.level != ROOMY)
    return Outlets([*(sink for sink, _ in receivers), *sinks], watched, couriers, keeper, evidence, captures, store)


def file_store(settings: Settings, tell: Tell, sheds: Callable[[], bool] = lambda: False) -> FileStore | None:
    """Open the store of files; None: none are kept."""
    from sensor.outputs.filestore import FileStore

    if not settings.file_store.enabled:
        return None
    return FileStore(Path(settings.run.log_dir), settings.file_store, tell, sheds)


def _evidence(settings: Settings, captures: PcapLog, disk: Disk) -> Evidence:
    from sensor.engine.records.evidence import Evidence
    from sensor.outputs.disk import ROOMY

    return Evidence(settings.evidence, captures, lambda: disk.level != ROOMY)


def _receivers(settings: Settings, folder: Path, tell: Tell) -> list[tuple[Sink, Courier]]:
    from sensor.outputs.lines import EventEncoder
    from sensor.outputs.remote import RemoteSink
    from sensor.outputs.syslog import SyslogEncoder
    from sensor.outputs.transports import syslog_transport, unix_stream

    found: list[tuple[Sink, Courier]] = []
    if settings.syslog.enabled:
        courier = _courier("syslog", syslog_transport(settings.syslog), settings, folder, tell)
        host = settings.eve.sensor_name or socket.gethostname()
        encode = SyslogEncoder(settings.syslog, host, os.getpid()).encode
        kinds = settings.syslog.types if settings.syslog.content == "eve" else ("alert",)
        found.append((RemoteSink(courier, kinds, encode), courier))
    if settings.stream.enabled:
        courier = _courier("unix-socket", unix_stream(folder / settings.stream.filename), settings, folder, tell)
        found.append((RemoteSink(courier, settings.stream.types, EventEncoder().encode), courier))
    return found


def _courier(name: str, transport: Transport, settings: Settings, folder: Path, tell: Tell) -> Courier:
    from sensor.outputs.backlog import OutputCounters
    from sensor.outputs.courier import Courier
    from sensor.outputs.spool import Spool

    counters = OutputCounters()
    spool = Spool(folder / SPOOL / name, settings.spool.limit, counters, tell)
    return Courier(name, spool, transport, counters, tell)
