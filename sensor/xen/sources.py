"""Where reports come from: xenstore through the kernel's device, or a file. Nothing here waits."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final, Protocol

from sensor.xen.report import MAX_BYTES, ReportError

DEVICE: Final = "/dev/xen/xenbus"
NODE: Final = "data/ids/mirror"
"""Below this guest's own folder (`/local/domain/ID`); dom0 writes it and lets this guest only read it."""

# xen/io/xs_wire.h
_HEADER: Final = struct.Struct("=IIII")
"""xsd_sockmsg: type, request id, transaction id, length of what follows."""
_READ: Final = 2
_ERROR: Final = 16


class Source(Protocol):
    """Gives reports."""

    def poll(self) -> str | None:
        """Return a text that has not been returned before, None: there is none. Raises ReportError."""

    def close(self) -> None:
        """Give back what is open."""


class FileSource:
    """A file that is replaced as a whole. most: bytes that it may have."""

    def __init__(self, path: str, most: int = MAX_BYTES) -> None:
        self._path = Path(path)
        self._most = most
        self._seen: tuple[int, int] | None = None

    def poll(self) -> str | None:
        """Return the file's text if it is another file than before."""
        try:
            state = self._path.stat()
            mark = (state.st_mtime_ns, state.st_ino)
            if mark == self._seen:
                return None
            with self._path.open("rb") as file:
                data = file.read(self._most + 1)
        except OSError as e:
            self._seen = None
            raise ReportError(f"{self._path}: {e.strerror}") from e
        self._seen = mark
        return data.decode(errors="replace")

    def close(self) -> None:
        """Nothing is open."""


class StoreSource:
    """One value of xenstore, asked for again and again: a question with one `poll`, its answer with a later one.

    fd: the device, or what speaks like it. It must be opened while that is allowed (mode 0600, root). A dom0 that does
    not answer costs nothing but the answer.
    """

    def __init__(self, fd: int, node: str = NODE) -> None:
        self._fd = fd
        self._path = node.encode() + b"\0"
        self._id = 0
        self._asked = False
        self._got = b""
        self._last = b""
        os.set_blocking(fd, False)

    def poll(self) -> str | None:
        """Take the answer to the last question if it is there, and ask again."""
        try:
            value = self._take() if self._asked else None
            if not self._asked:
                self._ask()
        except BlockingIOError:
            return None
        except OSError as e:
            raise ReportError(f"xenstore: {e.strerror}") from e
        if value is None or value == self._last:
            return None
        self._last = value
        return value.decode(errors="replace")

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)

    def _ask(self) -> None:
        self._id = (self._id + 1) & 0xFFFFFFFF
        os.write(self._fd, _HEADER.pack(_READ, self._id, 0, len(self._path)) + self._path)
        self._asked = True

    def _take(self) -> bytes | None:
        """Return the value of a whole answer, and ask the next question; None: it is not whole yet."""
        self._got += os.read(self._fd, 1 << 16)
        if len(self._got) < _HEADER.size:
            return None
        kind, number, _, length = _HEADER.unpack_from(self._got)
        if length > MAX_BYTES:
            self._got, self._asked = b"", False
            raise ReportError(f"xenstore: an answer of {length} bytes")
        if len(self._got) < _HEADER.size + length:
            return None
        body, self._got = self._got[_HEADER.size : _HEADER.size + length], self._got[_HEADER.size + length :]
        if number != self._id:
            return None
        self._ask()
        if kind != _READ:
            name = body.rstrip(b"\0").decode(errors="replace") if kind == _ERROR else f"answer of type {kind}"
            self._last = b""
            raise ReportError(f"xenstore: {NODE}: {name}")
        return body


def open_source(where: str) -> Source | None:
    """Return the source that a setting names; None: reports are not wanted, or (`auto`) there is no xenstore here.

    where: `no`, `auto`, `xenstore`, or a file. Raises ReportError where `xenstore` cannot be opened.
    """
    if where in {"", "no"}:
        return None
    if where not in {"auto", "xenstore"}:
        return FileSource(where)
    try:
        return StoreSource(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as e:
        if where == "auto":
            return None
        raise ReportError(f"{DEVICE}: {e.strerror}") from e
