"""Rotating captures: chosen frames as classic pcap files with nanoseconds (pcap-savefile(5))."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock
from sensor.model.counters import Counters
from sensor.outputs.limits import EvidenceOptions
from sensor.outputs.logfile import rotated_name

_SNAPLEN: Final = 1 << 20
_HEADER: Final = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _SNAPLEN, LINKTYPE_ETHERNET)
_RECORD: Final = struct.Struct("<IIII")
_SECOND: Final = 1_000_000_000
_PAUSE: Final = 10 * _SECOND
"""Packet time between attempts to write to a disk that took nothing."""
_MACS: Final = 12
"""Bytes of a frame before its VLAN tag."""
_TAG: Final = struct.Struct(">HH")
_ETHERTYPES: Final = {4: b"\x08\x00", 6: b"\x86\xdd"}


class PcapCounters(Counters):
    """The captures."""

    __slots__ = ("bytes", "deleted", "errors", "files", "lost", "packets")

    packets: int
    """Written."""
    bytes: int
    """Of the records of those."""
    files: int
    """Begun."""
    deleted: int
    """Old files deleted."""
    errors: int
    """Times that writing began to fail."""
    lost: int
    """Packets that could not be written."""


@dataclass(slots=True)
class Frames:
    """Frames that outlive their block: see PacketBlock for the columns."""

    buf: np.ndarray
    off: np.ndarray
    caplen: np.ndarray
    wirelen: np.ndarray
    ts: np.ndarray
    linktype: np.ndarray
    vlan_tci: np.ndarray | None
    vlan_tpid: np.ndarray | None

    @classmethod
    def of(cls, block: PacketBlock) -> Frames:
        """Copy the frames of a block, and of its buffer what they lie in."""
        first = int(block.off.min()) if block.n else 0
        last = int((block.off + block.caplen).max()) if block.n else 0
        return cls(
            block.buf[first:last].copy(), block.off - first, block.caplen, block.wirelen, block.ts, block.linktype,
            block.vlan_tci, block.vlan_tpid,
        )  # fmt: skip

    def record(self, i: int) -> bytes:
        """Return a frame as a record of a file.

        A VLAN tag that came out of band is put back; an IP packet without a frame gets one with empty addresses.
        """
        at = int(self.off[i])
        data = self.buf[at : at + int(self.caplen[i])].tobytes()
        more = 0
        if self.linktype[i] != LINKTYPE_ETHERNET:
            head = bytes(_MACS) + _ETHERTYPES.get(data[0] >> 4 if data else 0, b"\0\0")
            data, more = head + data, len(head)
        elif self.vlan_tci is not None and self.vlan_tpid is not None and self.vlan_tci[i] >= 0 and len(data) >= _MACS:
            tag = _TAG.pack(int(self.vlan_tpid[i]), int(self.vlan_tci[i]))
            data, more = data[:_MACS] + tag + data[_MACS:], len(tag)
        seconds, rest = divmod(int(self.ts[i]), _SECOND)
        return _RECORD.pack(seconds & 0xFFFFFFFF, rest, len(data), int(self.wirelen[i]) + more) + data


class PcapLog:
    """Files of one folder, one after the other. tell: hears when writing begins to fail, and when it works again."""

    def __init__(self, folder: Path, options: EvidenceOptions, tell: Callable[[str], None]) -> None:
        self._base = folder / options.filename
        self._options = options
        self._tell = tell
        self._pattern = re.compile(rf"{re.escape(self._base.stem)}-[0-9TZ-]+{re.escape(self._base.suffix)}")
        self._next: Path | None = None
        self._fd = -1
        self._size = 0
        self._failing = False
        self._retry_at = 0
        self.counters = PcapCounters()

    def name(self, ts: int) -> str:
        """Return the name of the file that packets go to now. ts: ns, names a new file."""
        if self._next is None:
            try:
                self._next = rotated_name(self._base, ts / _SECOND)
            except OSError:
                return ""
        return self._next.name

    def write(self, records: Iterable[bytes], ts: int) -> None:
        """Append records; what cannot be written is lost, and counted. ts: ns, names a new file."""
        found = list(records)
        data = b"".join(found)
        if not data:
            return
        if self._failing and 0 < self._retry_at - ts <= _PAUSE:
            self.counters.lost += len(found)
            return
        before = self._size
        try:
            if self._fd < 0:
                self._open(ts)
                before = self._size
            self._append(data)
        except OSError as e:
            self._failed(e, len(found), before)
            self._retry_at = ts + _PAUSE
            return
        self.counters.packets += len(found)
        self.counters.bytes += len(data)
        if self._failing:
            self._failing = False
            self._tell(f"{self._base}: is written again; {self.counters.lost} packets were lost up to now")
        if self._size >= self._options.limit:
            self.close()

    def _open(self, ts: int) -> None:
        self.name(ts)
        if self._next is None:
            raise FileExistsError(17, "too many files of one second")
        self.prune(self._options.max_files - 1)
        self._next.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._next, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._size = 0
        self.counters.files += 1
        self._append(_HEADER)

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.write(self._fd, view)
            self._size += done
            view = view[done:]

    def _failed(self, error: OSError, packets: int, size: int) -> None:
        """Leave a file of whole records."""
        self.counters.lost += packets
        if not self._failing:
            self._failing = True
            self.counters.errors += 1
            self._tell(f"{self._base}: {error.strerror}: packets of alerts are not kept")
        if self._fd < 0:
            self._next = None
        elif size < len(_HEADER):
            with suppress(OSError):
                (self._next or self._base).unlink()
            self.close()
        else:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
                os.lseek(self._fd, size, os.SEEK_SET)
            self._size = size

    def prune(self, keep: int) -> bool:
        """Delete the oldest files until so many are left, never the one at hand; tell whether any was deleted."""
        found = []
        with suppress(OSError):
            found = [p for p in self._base.parent.iterdir() if self._pattern.fullmatch(p.name) and p != self._next]
        gone = False
        for path in sorted(found)[: max(0, len(found) - keep)]:  # names begin with their time
            with suppress(OSError):
                path.unlink()
                self.counters.deleted += 1
                gone = True
        return gone

    def make_room(self) -> bool:
        """Delete the oldest file; tell whether there was one."""
        left = 0
        with suppress(OSError):
            left = sum(bool(self._pattern.fullmatch(p.name)) for p in self._base.parent.iterdir())
        return self.prune(max(0, left - 2 if self._next is not None else left - 1))

    def close(self) -> None:
        """End the file at hand; the next packet begins a new one."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._next = -1, None
