"""A file that a protocol carried: what rules, EVE `fileinfo` and the file store know of it."""

from __future__ import annotations

import msgspec


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
    md5: bytes = b""
    """Lowercase hex digits of the whole file; empty where something is missing."""
    sha1: bytes = b""
    sha256: bytes = b""

    def buffer(self, name: str) -> tuple[bytes, ...]:
        """Return the instance of a `file.*` buffer; `file.size` is eight bytes, big-endian."""
        base = name.partition("@")[0]
        value = self.size.to_bytes(8, "big") if base == "file.size" else getattr(self, base.removeprefix("file."), b"")
        return (value,) if value else ()
