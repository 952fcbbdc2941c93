"""Compiled rule files kept on disk, so that a start does not parse them again.

An entry is named by the SHA-256 of all that decides the result: the file's name and content, the variables,
the classes, the buffers that exist, the source of this package; the lists that its rules name are compared by
digest when it is found. A damaged entry is counted and made anew.
"""

from __future__ import annotations

import gc
import hashlib
import os
import tempfile
import zlib
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sensor.model.counters import Counters
from sensor.proto.registry import BUFFERS, BY_WORD
from sensor.rules import fields
from sensor.rules.lists import digest_of
from sensor.rules.parse import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensor.rules.classification import Classification
    from sensor.rules.variables import Variables

FORMAT = b"xensor-rules-1\n"
_CRC = 4
_SUFFIX = ".msgpack"
MOST_FILES, MOST_BYTES = 4096, 1 << 29
"""Kept in a folder, the last used; what is compiled of ET Open has 53 MB."""


class CacheCounters(Counters):
    """Look-ups by outcome, and entries that could not be written."""

    __slots__ = ("cache_corrupt", "cache_hits", "cache_misses", "cache_unwritable")
    cache_corrupt: int
    cache_hits: int
    cache_misses: int
    cache_unwritable: int


def base_key(variables: Variables, classes: Mapping[str, Classification], besides: bytes = b"") -> bytes:
    """Return 32 bytes that stand for everything but the file. besides: fingerprint of what else decides."""
    digest = hashlib.sha256(FORMAT + besides)
    digest.update(variables.fingerprint())
    digest.update(repr(sorted(classes.items())).encode())
    owned = [(name, [(spec.name, one) for spec, one in BUFFERS[name]]) for name in sorted(BUFFERS)]
    digest.update(repr(owned).encode())
    words = [(word, [(spec.name, spec.transports) for spec in BY_WORD[word]]) for word in sorted(BY_WORD)]
    digest.update(repr(words).encode())
    digest.update(repr([(f.name, f.high, f.form, dict(f.names), f.aliases) for f in fields.FIELDS]).encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.digest()


class Cache:
    """One directory of compiled files. Without a directory every look-up misses."""

    def __init__(self, directory: Path | None, base: bytes) -> None:
        self.directory = directory
        self.base = base
        self.counters = CacheCounters()
        self._decoder = msgspec.msgpack.Decoder(Unit)
        self._encoder = msgspec.msgpack.Encoder()

    def _path(self, file: str, content: bytes) -> Path | None:
        if self.directory is None:
            return None
        name = os.fsencode(file)
        digest = hashlib.sha256(self.base + len(name).to_bytes(4, "big") + name)
        digest.update(content)
        return self.directory / f"{digest.hexdigest()}{_SUFFIX}"

    def get(self, file: str, content: bytes) -> Unit | None:
        """Return the compiled file; None: there is none, or a list that it was made from has changed."""
        path = self._path(file, content)
        try:
            raw = path.read_bytes() if path else None
        except OSError:
            raw = None
        if raw is None:
            self.counters.cache_misses += 1
            return None
        body = memoryview(raw)[_CRC:]
        try:
            with no_gc():
                unit = self._decoder.decode(body) if zlib.crc32(body).to_bytes(_CRC, "big") == raw[:_CRC] else None
        except msgspec.DecodeError:
            unit = None
        if unit is None:
            self.counters.cache_corrupt += 1
            return None
        if any(digest_of(Path(name)) != digest for name, digest in unit.lists):
            self.counters.cache_misses += 1
            return None
        self.counters.cache_hits += 1
        if path is not None:
            with suppress(OSError):
                os.utime(path)
        return unit

    def put(self, file: str, content: bytes, unit: Unit) -> None:
        """Keep a compiled file: written aside, then renamed. What cannot be written is counted."""
        path = self._path(file, content)
        if path is None:
            return
        body = self._encoder.encode(unit)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(zlib.crc32(body).to_bytes(_CRC, "big") + body)
                Path(temporary).replace(path)
            except OSError:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError:
            self.counters.cache_unwritable += 1
        else:
            drop_oldest(path.parent, f"*{_SUFFIX}", MOST_FILES, MOST_BYTES)


def drop_oldest(folder: Path, pattern: str, files: int, total: int | None = None) -> None:
    """Remove the files of a cache that were used longest ago, beyond a number of files, and of bytes.

    The newest stays, whatever its size. Another process may do the same: what has gone is no error.
    """
    with suppress(OSError):
        found = sorted(((stat.st_mtime_ns, stat.st_size, path) for path in folder.glob(pattern)
                        for stat in [path.stat()]), reverse=True)  # fmt: skip
        sums = accumulate(size for _, size, _ in found)
        for n, (used, (_, _, path)) in enumerate(zip(sums, found, strict=True)):
            if n >= files or (n and total is not None and used > total):
                path.unlink(missing_ok=True)


@contextmanager
def no_gc() -> Iterator[None]:
    """Keep the cycle collector off, and spare it what was made meanwhile.

    It would walk the growing heap again and again: 10,000 rules decode in 180 ms with it, in 45 ms without. Merely
    turned on again it would at once walk all that is new (20 ms), so that is moved to the oldest generation first.
    Rules hold no cycles: nothing is lost by looking at them late.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
