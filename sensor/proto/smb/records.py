"""What both versions of SMB say of files, in their own forms."""

from __future__ import annotations

import msgspec


class Create(msgspec.Struct, frozen=True, gc=False):
    """A request to open."""

    name: bytes
    """Path in the share, UTF-8 if it was UTF-16."""
    disposition: int
    """What is to happen if it exists."""
    directory: bool
    delete_on_close: bool


class Opened(msgspec.Struct, frozen=True, gc=False):
    """The answer to it."""

    handle: bytes
    """16 bytes, or 2 little-endian in SMB 1."""
    size: int
    times: tuple[int, ...]
    """Created, accessed, written, changed; seconds since 1970."""


class Data(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a file or pipe, as far as they are in the message's beginning."""

    handle: bytes
    offset: int
    size: int
    """All of them."""
    data: bytes
