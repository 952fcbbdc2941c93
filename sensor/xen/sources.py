"""Where reports come from: xenstore through the kernel's device, or a file. Nothing here waits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from sensor.xen.guestlist import GuestListSource
from sensor.xen.inventory import MAX_BYTES as INVENTORY_BYTES
from sensor.xen.report import MAX_BYTES, ReportError
from sensor.xen.xenbus import DEVICE, Xenbus

NODE: Final = "data/ids/mirror"
"""Below this guest's own folder (`/local/domain/ID`); dom0 writes it and lets this guest only read it."""


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

    fd: the device, or what speaks like it. A dom0 that does not answer costs nothing but the answer.
    """

    def __init__(self, fd: int, node: str = NODE) -> None:
        self._bus = Xenbus(fd)
        self._node = node
        self._last = b""

    def poll(self) -> str | None:
        """Take the answer to the last question if it is there, and ask again."""
        try:
            value = self._take()
            if not self._bus.asked:
                self._bus.ask(self._node)
        except BlockingIOError:
            return None
        if value is None or value == self._last:
            return None
        self._last = value
        return value.decode(errors="replace")

    def close(self) -> None:
        """Close the device."""
        self._bus.close()

    def _take(self) -> bytes | None:
        """Return the value asked for, None: it is not there yet."""
        try:
            return self._bus.answer() if self._bus.asked else None
        except ReportError:
            self._last = b""
            with contextlib.suppress(BlockingIOError):
                self._bus.ask(self._node)
            raise


def open_source(where: str) -> Source | None:
    """Return the source of reports that a setting names; None: they are not wanted, or (`auto`) no xenstore is here.

    where: `no`, `auto`, `xenstore`, or a file. Raises ReportError where `xenstore` cannot be opened.
    """
    return _open(where, FileSource, StoreSource)


def open_inventory(where: str) -> Source | None:
    """Return the source of inventories that a setting names, in the same way."""
    return _open(where, lambda path: FileSource(path, INVENTORY_BYTES), lambda fd: GuestListSource(Xenbus(fd)))


def _open(where: str, file: Callable[[str], Source], store: Callable[[int], Source]) -> Source | None:
    if where in {"", "no"}:
        return None
    if where not in {"auto", "xenstore"}:
        return file(where)
    try:
        return store(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as e:
        if where == "auto":
            return None
        raise ReportError(f"{DEVICE}: {e.strerror}") from e
