"""Files from the traffic, each under the SHA-256 of what is kept of it, in folders by its first two digits.

The layout is Suricata's (`file-store`, version 2): `ab/abcd…`, and beside it `abcd….SECONDS.NUMBER.json` where that is
asked for. A file is there whole or not at all: it is written under another name and moved.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from sensor.model.counters import Counters
from sensor.outputs.limits import FileStoreOptions

_MODE: Final = 0o640
_FEW: Final = 8
"""Old files that are deleted for each that is left out because the disk is nearly full."""
_TRIES: Final = 256
"""Old files that may be deleted to make room for one."""


class StoreCounters(Counters):
    """The file store."""

    __slots__ = ("bytes", "deleted", "errors", "files", "known", "lost")

    files: int
    """Written."""
    bytes: int
    """Of those."""
    known: int
    """Files that were there already."""
    deleted: int
    """Old files deleted to make room."""
    errors: int
    """Times that writing began to fail."""
    lost: int
    """Files that could not be written, or were left out because the disk was nearly full."""


class FileStore:
    """A bounded folder of files. tell: hears when writing begins to fail, and when it works again.

    sheds: tells whether nothing is to be written at present, the disk being nearly full.
    """

    def __init__(self, folder: Path, options: FileStoreOptions, tell: Callable[[str], None],
                 sheds: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
        self._folder = folder / options.folder
        self._options = options
        self._tell = tell
        self._sheds = sheds
        self._failing = False
        self._sizes: dict[Path, int] | None = None
        """Path → bytes, the oldest first; read from the folder when first needed."""
        self.size = 0
        """Bytes of all files."""
        self.counters = StoreCounters()

    @property
    def describes(self) -> bool:
        """Tell whether a description is kept beside each file."""
        return self._options.describe

    def put(self, digest: str, data: bytes) -> bool:
        """Store a file; tell whether it is there now. digest: its SHA-256, in hex digits."""
        if self._sheds():
            self._give_way()
            return False
        path = self._folder / digest[:2] / digest
        try:
            sizes = self._known()
            if path in sizes:
                os.utime(path)
                sizes[path] = sizes.pop(path)
                self.counters.known += 1
            else:
                self._write(path, data)
                self.counters.files += 1
                self.counters.bytes += len(data)
        except OSError as e:
            self._failed(e)
            return False
        if self._failing:
            self._failing = False
            self._tell(f"{self._folder}: files are stored again; {self.counters.lost} were lost up to now")
        return True

    def describe(self, digest: str, seconds: int, number: int, text: bytes) -> None:
        """Write what is known of a stored file beside it. seconds: since the epoch, of its end; number: of the file."""
        path = self._folder / digest[:2] / f"{digest}.{seconds}.{number}.json"
        try:
            self._write(path, text)
        except OSError as e:
            self._failed(e)

    def _write(self, path: Path, data: bytes) -> None:
        self._make_room(len(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        try:
            with open(part, "wb", opener=_private) as file:
                file.write(data)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
        self._known()[path] = len(data)
        self.size += len(data)

    def _make_room(self, nbytes: int) -> None:
        sizes = self._known()
        for _ in range(_TRIES):
            if self.size + nbytes <= self._options.total or not sizes:
                break
            self._delete(next(iter(sizes)))
        if self.size + nbytes > self._options.total:
            raise OSError(errno.ENOSPC, "no room for a file of this size")

    def _give_way(self) -> None:
        """Leave a file out for want of room on the disk, and delete some old ones."""
        self.counters.lost += 1
        with suppress(OSError):
            for path in list(islice(self._known(), _FEW)):
                self._delete(path)

    def _delete(self, path: Path) -> None:
        self.size -= self._known().pop(path)
        with suppress(FileNotFoundError):
            path.unlink()
        self.counters.deleted += 1

    def _known(self) -> dict[Path, int]:
        if self._sizes is None:
            found = []
            for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
                with suppress(OSError):
                    what = path.stat()
                    found.append((what.st_mtime_ns, path, what.st_size))
            self._sizes = {path: size for _, path, size in sorted(found)}
            self.size = sum(self._sizes.values())
        return self._sizes

    def _failed(self, error: OSError) -> None:
        self.counters.lost += 1
        if not self._failing:
            self._failing = True
            self.counters.errors += 1
            self._tell(f"{self._folder}: {error.strerror}: files are not stored")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
