"""Files that a client fetches in byte ranges (RFC 9110 section 14), put together from the responses of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensor.proto.files import FileBuilder
from sensor.proto.http1 import limits, odd

if TYPE_CHECKING:
    from sensor.model.files import FileInfo
    from sensor.model.keeping import FilePolicy
    from sensor.model.losses import Losses
    from sensor.proto.http1.parse import Headers


class Part(NamedTuple):
    """Where the bytes of a response belong."""

    start: int
    total: int


def part_of(headers: Headers | None) -> Part | None:
    """Return which part of a file a response says that it is; None: of none, or all of it."""
    value = headers.get(b"content-range") if headers is not None else None
    found = odd.RANGE.fullmatch(value) if value else None
    if found is None or None in found.groups():
        return None
    start, last, total = map(int, found.groups())
    return Part(start, total) if start <= last < total and last - start + 1 < total else None


class Ranges:
    """The files of a connection that are not complete: at most `limits.RANGED_FILES` and `limits.RANGED_BYTES`."""

    def __init__(self) -> None:
        self._files: dict[tuple[bytes, bytes, int], FileBuilder] = {}

    def add(self, host: bytes, name: bytes, part: Part, data: bytes, policy: FilePolicy,
            losses: Losses) -> FileInfo | None:  # fmt: skip
        """Take a part of a file; return the file if that completes it."""
        key = (host, name, part.total)
        file = self._files.pop(key, None) or FileBuilder(name, limits.RESPONSE_BODY, policy)
        file.put(part.start, data[: part.total - part.start])
        if file.size == part.total:
            return file.close()
        self._files[key] = file
        while len(self._files) > limits.RANGED_FILES or self.held > limits.RANGED_BYTES:
            self._files.pop(next(iter(self._files))).drop()
            losses.ranges += 1
        return None

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return sum(file.held for file in self._files.values())
