"""A file put together from the pieces in which a protocol carries it."""

from __future__ import annotations

import hashlib

from sensor.model.app import RAW_DERIVED, BufferSpec, TxStage
from sensor.model.files import HASHES, FileInfo
from sensor.model.keeping import FilePolicy

HEAD = 100 * 1024
"""Bytes of a file that rules see (Suricata's default inspection limits of HTTP bodies and SMTP attachments)."""
LONG_HEAD = 512 * 1024
"""The same of protocols that Suricata does not limit, but for the depth of the stream (1 MB by default)."""
HASHED = FilePolicy(hashed=True)
MAX_NAME = 4096
"""Bytes of a name that are kept."""
MAX_WAITING = 1024 * 1024
"""Bytes of pieces that came before their turn."""
MAX_PIECES = 64
"""Pieces that wait for their turn."""


def of_stage(stage: TxStage) -> tuple[FileInfo, ...]:
    """Return the file that is complete at a stage (see `sensor.model.app.ProtocolSpec.files`)."""
    return (stage.file,) if stage.file is not None else ()


def file_buffers(data: int, whole: int, side: str) -> tuple[BufferSpec, ...]:
    """Return the buffers of a file that goes one way, and whose pieces stand in messages of their own.

    data, whole: the stages at which there is a piece of it, and all.
    """
    return (
        BufferSpec(f"file.data{side}", data, RAW_DERIVED, True, (f"file_data{side}",)),
        BufferSpec(f"file.name{side}", data, RAW_DERIVED, aliases=(f"file_name{side}",)),
        BufferSpec(f"file.size{side}", whole, RAW_DERIVED),
        BufferSpec(f"file.magic{side}", whole, RAW_DERIVED, aliases=(f"file_magic{side}",)),
        *(BufferSpec(f"file.{name}{side}", whole, RAW_DERIVED, lowercase=True) for name in HASHES),
    )


class FileHash:
    """All hashes of a file, on the way: 4.5 ms a megabyte."""

    __slots__ = ("_running",)

    def __init__(self, data: bytes | bytearray = b"") -> None:
        self._running = {name: hashlib.new(name, data, usedforsecurity=False) for name in HASHES}

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        for running in self._running.values():
            running.update(data)

    def hex(self) -> dict[str, bytes]:
        """Return the hashes so far by name, in lowercase hex digits."""
        return {name: running.hexdigest().encode() for name, running in self._running.items()}


class FileBuilder:
    """Keeps the first `limit` bytes of one file, counts and hashes the rest.

    `add` takes bytes in order; `put` takes pieces at offsets, in any order, within bounds: what comes before its turn
    waits, what was seen already is passed over (the first copy counts), what finds no room to wait makes the file
    incomplete.
    """

    __slots__ = ("_hash", "_hashed", "_head", "_limit", "_sound", "_tail", "_waiting", "_waiting_bytes", "name", "size")

    def __init__(self, name: bytes = b"", limit: int = HEAD, policy: FilePolicy = HASHED) -> None:
        self.name = name[:MAX_NAME]
        self.size = 0
        """Bytes seen in order; lost ones count."""
        self._limit = limit
        self._head = bytearray()
        self._hashed = policy.hashed
        """Also what outgrows its head is hashed."""
        self._hash: FileHash | None = None
        """Made when the file outgrows its head."""
        self._tail = policy.tail(limit)
        self._sound = True
        self._waiting: dict[int, bytes] = {}
        """Offset → piece that came before its turn."""
        self._waiting_bytes = 0

    @property
    def sound(self) -> bool:
        """Nothing is missing so far."""
        return self._sound

    @property
    def crowded(self) -> bool:
        """As many pieces wait for their turn as may."""
        return len(self._waiting) >= MAX_PIECES

    @property
    def full(self) -> bool:
        """No further byte will be kept."""
        return self.size >= self._limit

    @property
    def held(self) -> int:
        """Bytes in memory that rules see or may come to see."""
        return len(self._head) + self._waiting_bytes

    def drop(self) -> None:
        """Forget all bytes; what comes is counted only."""
        self._head.clear()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._limit = 0
        self._sound = False
        self._hash = None
        self._end_tail()

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        if not data:
            return
        room = self._limit - self.size
        if self._hashed and self._sound and self._hash is None and len(data) > room:
            self._hash = FileHash(self._head)
        if self._hash is not None:
            self._hash.update(data)
        if room > 0:
            self._head += data[:room]
        if self._tail is not None and len(data) > room:
            self._tail.add(data[max(0, room) :])
        self.size += len(data)

    def gap(self, nbytes: int) -> None:
        """Note lost bytes: what rules see ends before them."""
        if nbytes > 0:
            self._sound = False
            self._limit = min(self._limit, self.size)
            self._hash = None
            if self._tail is not None:
                self._tail.stop()
            self.size += nbytes

    def put(self, offset: int, data: bytes) -> None:
        """Take a piece at an offset of the file."""
        if offset > self.size:
            self._wait(offset, data)
            return
        self.add(data[self.size - offset :])
        while self._waiting:
            start = min(self._waiting)
            if start > self.size:
                return
            piece = self._waiting.pop(start)
            self._waiting_bytes -= len(piece)
            self.add(piece[self.size - start :])

    def _wait(self, offset: int, data: bytes) -> None:
        known = self._waiting.get(offset)
        if known is not None and len(known) >= len(data):
            return
        grown = len(data) - (len(known) if known is not None else 0)
        if self._waiting_bytes + grown > MAX_WAITING or (known is None and len(self._waiting) >= MAX_PIECES):
            self._sound = False
            return
        self._waiting[offset] = data
        self._waiting_bytes += grown

    def _end_tail(self) -> bytes:
        """Return what was kept for the file store, and keep it no longer."""
        if self._tail is None:
            return b""
        kept = self._tail.bytes()
        self._tail.close()
        return kept

    def close(self, *, ended: bool = True) -> FileInfo:
        """Return the file, of which no more will come. ended: its end was seen."""
        return self._file(ended=ended, rest=self._end_tail())

    def so_far(self) -> FileInfo:
        """Return the file as it stands."""
        return self._file(ended=False, rest=b"")

    def _file(self, *, ended: bool, rest: bytes) -> FileInfo:
        """Pieces still waiting mean that something is missing."""
        complete = ended and self._sound and not self._waiting
        hashes = self._hash.hex() if complete and self._hash is not None else {}
        gaps = not self._sound or bool(self._waiting)
        return FileInfo(self.name, bytes(self._head), self.size, complete, gaps, hashes, rest)
