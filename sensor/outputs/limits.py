"""Bounds of the outputs: what a file may grow to, how much is kept, what waits for a disk or a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensor.model.bounds import within

SWEEP_SECONDS: Final = 5.0
"""Between two looks at the disk and at what is kept."""

SUFFIX_MAX: Final = 1000
"""Files of one name that may be rotated out within one second."""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Rotation of the files of the log folder. Raises ValueError outside the ranges given."""

    rotate_size: int = 64 << 20
    """Bytes at which a file is rotated out, 4 KiB or more; 0: never."""
    rotate_seconds: int = 86_400
    """A file holds one such period of UTC time at most, 60 or more; 0: any time."""
    hold: int = 8 << 20
    """Bytes of lines that wait in memory while the file cannot be written, 64 KiB-1 GiB."""

    def __post_init__(self) -> None:
        if self.rotate_size:
            within("rotate-size", self.rotate_size, 4096, 1 << 50)
        if self.rotate_seconds:
            within("rotate-interval", self.rotate_seconds, 60, 366 * 86_400)
        within("outputs.hold", self.hold, 1 << 16, 1 << 30)


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """What is kept of rotated files. Bytes 0 and days 0: no bound."""

    max_bytes: int = 512 << 20
    """Of rotated files that hold all kinds of events. Beyond it the oldest are cut down to their alerts."""
    max_days: int = 30
    """Days after which a file is cut down to its alerts."""
    alert_bytes: int = 512 << 20
    """Of rotated files that hold nothing but alerts; beyond it the oldest are deleted."""
    alert_days: int = 365
    """Days after which alerts are deleted."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            within(f"outputs.retention: {name}", getattr(self, name), 0, 1 << 50)


@dataclass(frozen=True, slots=True)
class DiskOptions:
    """What is left alone of the disk. Raises ValueError outside the range given."""

    min_free: int = 128 << 20
    """Bytes, up to 1 TiB; 0: the disk is not looked at. With less than this free, flow records and evidence captures
    are left out; with less than half, all records but alerts and statistics; with less than a quarter, all but
    alerts."""

    def __post_init__(self) -> None:
        within("outputs.disk.min-free", self.min_free, 0, 1 << 40)


@dataclass(frozen=True, slots=True)
class FileStoreOptions:
    """`outputs.file-store`: files from the traffic. Raises ValueError outside the ranges given."""

    enabled: bool = False
    folder: str = "filestore"
    """In the log folder."""
    force: bool = False
    """Every file is stored, not only those that rules want."""
    describe: bool = False
    """Keep the `fileinfo` record beside each file."""
    total: int = 1 << 30
    """Bytes of all files, 1 MiB-1 TiB; the oldest give way."""
    per_file: int = 10 << 20
    """Bytes that are kept of one file, 100 KiB-32 MiB: it goes from a worker to the store in one message."""
    memory: int = 64 << 20
    """Bytes of files that are kept until they are complete, 1 MiB-16 GiB."""

    def __post_init__(self) -> None:
        within("outputs.file-store.stream-depth", self.per_file, 100 << 10, 32 << 20)
        within("outputs.file-store.memcap", self.memory, 1 << 20, 1 << 34)
        within("outputs.file-store.max-total", self.total, 1 << 20, 1 << 40)


FOLLOWED_MAX: Final = 1024
"""Flows whose packets are kept after an alert; the one that alerted longest ago gives way."""


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """`outputs.pcap-log`: the packets of flows that alerted. Raises ValueError outside the ranges given."""

    enabled: bool = False
    filename: str = "evidence.pcap"
    limit: int = 32 << 20
    """Bytes at which the next file is begun, 64 KiB-1 TiB."""
    max_files: int = 16
    """Files kept, 1-1,000,000: the oldest is deleted."""
    before: int = 16 << 20
    """Bytes of packets that are remembered, for flows that alert later; up to 1 GiB."""
    per_flow: int = 1 << 20
    """Bytes kept of one flow, 1-2**40."""

    def __post_init__(self) -> None:
        within("outputs.pcap-log.limit", self.limit, 1 << 16, 1 << 40)
        within("outputs.pcap-log.max-files", self.max_files, 1, 1_000_000)
        within("outputs.pcap-log.before", self.before, 0, 1 << 30)
        within("outputs.pcap-log.per-flow", self.per_flow, 1, 1 << 40)
