"""A file that a protocol carried: what rules, EVE `fileinfo` and the file store know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sensor.model.magic import describe

HASHES = ("md5", "sha1", "sha256")
FILE_BUFFERS = ("file.name", "file.size", "file.magic", *(f"file.{name}" for name in HASHES))
"""What rules may test of a file besides `file.data`."""


class FileInfo(msgspec.Struct, frozen=True, gc=False):
    """A file that is complete, or of which no more will come."""

    name: bytes
    """As the protocol names it; empty: it does not."""
    data: bytes
    """Its first bytes, up to the protocol's limit."""
    size: int
    """Bytes seen, those beyond `data` included."""
    complete: bool
    """Nothing is missing: neither its end nor bytes in the middle."""
    gaps: bool = False
    """Bytes in the middle are missing."""
    hashes: Mapping[str, bytes] = MappingProxyType({})
    """Hexadecimal hashes of a file of which `data` is the first part only."""
    rest: bytes = b""
    """What follows `data`, as far as it was kept for the file store."""
    open: bool = False
    """It breaks off where Suricata does not close files: neither size nor kind count."""

    @property
    def content(self) -> bytes:
        """What is kept of it, from its start."""
        return self.data + self.rest if self.rest else self.data

    @property
    def magic(self) -> bytes:
        """What kind of file it is, in words."""
        return describe(self.data).encode()

    def digest(self, algorithm: str) -> bytes:
        """Return a hash of `HASHES` of the whole file in lowercase hex digits; empty where something is missing."""
        if not self.complete:
            return b""
        if self.size == len(self.data) + len(self.rest):
            return hashlib.new(algorithm, self.content, usedforsecurity=False).hexdigest().encode()
        return self.hashes.get(algorithm, b"")

    def buffer(self, name: str) -> tuple[bytes, ...]:
        """Return the instance of a `file.*` buffer; `file.size` is eight bytes, big-endian.

        A file without a name has an empty one: what asks for no certain name means it, too.
        """
        word = name.partition("@")[0].removeprefix("file.")
        if word == "name":
            return (self.name,)
        if self.open and word in ("size", "magic"):
            return ()
        if word == "size":
            return (self.size.to_bytes(8, "big"),)
        value = self.digest(word) if word in HASHES else getattr(self, word, b"")
        return (value,) if value else ()
