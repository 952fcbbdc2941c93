"""Plans of rule sets kept on disk, so that a start works nothing out again: with 34,000 rules it saves seconds.

A file is named by all that decides the plan but the contents of the rule files and lists, whose digests stand in it:
so there is one for each way in which Xensor is started. The rules themselves are read one by one when traffic first
reaches them. They are not mapped: the kernel maps 64 KB around each place that is touched, so that of 50 MB all were
soon in memory, and a mapped file that somebody cuts off ends the process.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

import sensor
from sensor.detect.kept import packed, unpacked
from sensor.detect.planning.judged import JudgedRules, Places, Written, write
from sensor.detect.planning.plan import Plan
from sensor.errors import RuleError
from sensor.rules.cache import drop_oldest, no_gc
from sensor.rules.lists import digest_of
from sensor.rules.load import MAX_FILE
from sensor.rules.nodes import Rule, Suppression
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.problems import Problem

_MAGIC: Final = b"xensor-book-1\n\0\0"
_HEAD: Final = len(_MAGIC) + 16
"""Behind the magic number: bytes of the head, CRC-32 of the head, bytes of the rules, CRC-32 of the rules."""
_CHUNK: Final = 1 << 20
MOST_FILES: Final = 8
"""Kept in a folder, the last used; a file for ET Open has 70 MB."""
_SUFFIX: Final = ".book"


class Report(msgspec.Struct, frozen=True):
    """What became of rules when they were loaded."""

    files: tuple[str, ...]
    """In the order in which they were read."""
    rules: int
    problems: tuple[Problem, ...]
    unmatchable: dict[str, int]
    """Reason → number of rules that can never match for it."""


class _Book(msgspec.Struct, frozen=True):
    digests: dict[str, bytes]
    """Rule file or list → SHA-256, empty: it could not be read."""
    report: Report
    suppressions: tuple[Suppression, ...]
    aside: tuple[Rule, ...]
    places: Places
    plan: Plan


@dataclass(frozen=True, slots=True)
class Image:
    """The file that a plan was read from: other processes may read it, too."""

    path: Path
    start: bytes
    """Its first bytes, lengths and checksums among them."""

    def open(self) -> int:
        """Return a descriptor of it. Raises RuleError where it has changed, OSError where it has gone."""
        file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        if os.pread(file, _HEAD, 0) != self.start:
            os.close(file)
            raise RuleError("the rules were planned anew meanwhile")
        return file


class _Rows:
    """The rules in an open file."""

    def __init__(self, file: int, start: int) -> None:
        """file: left open; start: where the first rule stands."""
        self._file, self._start = os.dup(file), start
        weakref.finalize(self, os.close, self._file)

    def __call__(self, begin: int, end: int) -> bytes:
        """Return the bytes from one place to another. Raises RuleError where the file was cut, OSError."""
        found = os.pread(self._file, end - begin, self._start + begin)
        if len(found) != end - begin:
            raise RuleError("the file of the plan was cut off while it was in use")
        return found


@dataclass(frozen=True, slots=True)
class ReadyRules:
    """A rule set with its plan."""

    plan: Plan
    suppressions: tuple[Suppression, ...]
    outside: Outside
    report: Report
    aside: tuple[Rule, ...] = ()
    """Of a set for several workers: the rules that were changed for them, as loaded."""
    image: Image | None = None
    """None: the plan is in memory only."""

    def __len__(self) -> int:
        return self.report.rules


class _Summed:
    """A file that is written, how much has been, and its CRC-32."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = self.crc = 0

    def write(self, octets: bytes) -> None:
        """Write some more. Raises OSError."""
        self._file.write(octets)
        self.size += len(octets)
        self.crc = zlib.crc32(octets, self.crc)


class BookStore:
    """One folder of plans."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: Path | None = None
        """A file that was found and could not be used, though this program wrote it."""
        self._encoder = msgspec.msgpack.Encoder(enc_hook=packed)
        self._decoder = _decoder()

    def find(self, key: bytes, files: Sequence[str], outside: Outside = NOTHING) -> ReadyRules | None:
        """Return the plan for these rule files as they are now; None: there is none."""
        path = self._path(key)
        try:
            with path.open("rb") as file, no_gc():
                found = self._read(file.fileno())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, msgspec.DecodeError):
            found = None
        if found is None:
            self.damaged = path
            return None
        book, start, rows = found
        if tuple(files) != book.report.files or not _unchanged(book.digests):
            return None
        with suppress(OSError):
            os.utime(path)
        return _ready(book, rows, outside, Image(path, start))

    def put(
        self, key: bytes, ready: ReadyRules, rules: Sequence[Rule], owners: Sequence[int], digests: Mapping[str, bytes]
    ) -> None:
        """Keep a plan: written aside, then renamed. Raises OSError.

        rules: as loaded; owners: for each judged rule the position of the one that it is judged for; digests: of the
        files that were read.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What stands behind the head is worked out first: beside the rules themselves it would be 50 MB in memory.
        with tempfile.TemporaryFile(dir=self.folder, prefix=".new-") as rest:
            rows = _Summed(rest)
            places = write(rules, list(zip(owners, ready.plan.rules, strict=True)), rows.write)
            plan = dataclasses.replace(ready.plan, rules=JudgedRules())
            head = self._encoder.encode(
                _Book(dict(digests), ready.report, ready.suppressions, ready.aside, places, plan)
            )
            sizes = (len(head), zlib.crc32(head), rows.size, rows.crc)
            rest.seek(0)
            self._keep(key, (_MAGIC, *(n.to_bytes(4, "big") for n in sizes), head), rest)
        self._tidy()

    def _keep(self, key: bytes, parts: Iterable[bytes], rest: IO[bytes]) -> None:
        """Write a file aside, then rename it."""
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.writelines(parts)
                shutil.copyfileobj(rest, out, _CHUNK)
            Path(temporary).replace(self._path(key))
        except OSError:
            with suppress(OSError):
                Path(temporary).unlink()
            raise

    def _path(self, key: bytes) -> Path:
        return self.folder / (hashlib.sha256(key + _surroundings()).hexdigest() + _SUFFIX)

    def _read(self, file: int) -> tuple[_Book, bytes, _Rows] | None:
        """Return what a file holds, its first bytes, and its rules; None: it is none of ours, or damaged."""
        start = os.read(file, _HEAD)
        parts = _parts(start, os.fstat(file).st_size)
        if parts is None:
            return None
        size, crc, rest_crc = parts
        with os.fdopen(os.dup(file), "rb") as rows:
            head = rows.read(size)
            if zlib.crc32(head) != crc or _crc(iter(lambda: rows.read(_CHUNK), b"")) != rest_crc:
                return None
        return self._decoder.decode(head), start, _Rows(file, _HEAD + size)

    def _tidy(self) -> None:
        """Remove the files that were used longest ago."""
        drop_oldest(self.folder, f"*{_SUFFIX}", MOST_FILES)


def opened(file: int, outside: Outside = NOTHING) -> ReadyRules:
    """Return the plan in a file that another process has found (`Image.open`). Raises RuleError, OSError."""
    parts = _parts(os.pread(file, _HEAD, 0), os.fstat(file).st_size)
    if parts is None:
        raise RuleError("no plan of this program")
    try:
        with no_gc():
            book = _decoder().decode(os.pread(file, parts[0], _HEAD))
    except (ValueError, msgspec.DecodeError) as e:
        raise RuleError(f"no plan of this program: {e}") from e
    return _ready(book, _Rows(file, _HEAD + parts[0]), outside, None)


def _decoder() -> msgspec.msgpack.Decoder[_Book]:
    return msgspec.msgpack.Decoder(_Book, dec_hook=unpacked)


def _parts(start: bytes, size: int) -> tuple[int, int, int] | None:
    """Return (bytes of the head, its CRC-32, that of the rules) as a file begins; None: it is none of ours."""
    if len(start) != _HEAD or not start.startswith(_MAGIC):
        return None
    at = len(_MAGIC)
    head, crc, rest, rest_crc = (int.from_bytes(start[n : n + 4], "big") for n in range(at, at + 16, 4))
    return (head, crc, rest_crc) if size == _HEAD + head + rest else None


def _ready(book: _Book, rows: _Rows, outside: Outside, image: Image | None) -> ReadyRules:
    """Return the rules of a file."""
    plan = dataclasses.replace(book.plan, rules=JudgedRules(store=Written(rows, book.places)))
    return ReadyRules(plan, book.suppressions, outside, book.report, book.aside, image)


def _unchanged(digests: Mapping[str, bytes]) -> bool:
    return all(digest_of(Path(name), MAX_FILE) == digest for name, digest in digests.items())


def _crc(chunks: Iterable[bytes]) -> int:
    total = 0
    for chunk in chunks:
        total = zlib.crc32(chunk, total)
    return total


def _surroundings() -> bytes:
    """Return what a plan depends on besides rules and settings: this program, Hyperscan, the processor."""
    digest = hashlib.sha256(importlib.metadata.version("hyperscan").encode())
    root = os.path.dirname(sensor.__file__)  # noqa: PTH120 - half the time of pathlib, at each start
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for name in sorted(files):
            if name.endswith(".py"):
                stat = os.stat(f"{folder}/{name}")  # noqa: PTH116
                digest.update(f"{folder[len(root):]}/{name} {stat.st_mtime_ns} {stat.st_size}\n".encode())
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        digest.update(next((line for line in lines if line.startswith("flags")), "").encode())
    return digest.digest()
