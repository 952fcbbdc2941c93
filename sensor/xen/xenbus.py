"""Questions to xenstore through the kernel's device, one at a time and without ever waiting (xen/io/xs_wire.h)."""

from __future__ import annotations

import os
import struct
from typing import Final

from sensor.xen.report import MAX_BYTES, ReportError

DEVICE: Final = "/dev/xen/xenbus"

_HEADER: Final = struct.Struct("=IIII")
"""xsd_sockmsg: type, request id, transaction id, length of what follows."""
_READ: Final = 2
_ERROR: Final = 16


class Xenbus:
    """fd: the device, or what speaks like it. It must be opened while that is allowed (mode 0600, root)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._id = 0
        self._path = ""
        self._got = b""
        self.asked = False
        """A question is open."""
        os.set_blocking(fd, False)

    def ask(self, path: str) -> None:
        """Ask for a value; a relative path begins at this guest's own folder. Raises BlockingIOError, ReportError."""
        self._id, self._path = (self._id + 1) & 0xFFFFFFFF, path
        name = path.encode() + b"\0"
        try:
            os.write(self._fd, _HEADER.pack(_READ, self._id, 0, len(name)) + name)
        except BlockingIOError:
            raise
        except OSError as e:
            raise ReportError(f"xenstore: {e.strerror}") from e
        self.asked = True

    def answer(self) -> bytes | None:
        """Return the value asked for, None: it is not there yet. Raises ReportError where there is none."""
        try:
            self._got += os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return None
        except OSError as e:
            raise ReportError(f"xenstore: {e.strerror}") from e
        while (found := self._message()) is not None:
            kind, number, body = found
            if number == self._id:
                return self._judged(kind, body)
        return None

    def _judged(self, kind: int, body: bytes) -> bytes:
        self.asked = False
        if kind == _READ:
            return body
        name = body.rstrip(b"\0").decode(errors="replace") if kind == _ERROR else f"answer of type {kind}"
        raise ReportError(f"xenstore: {self._path}: {name}")

    def _message(self) -> tuple[int, int, bytes] | None:
        """Return (type, request id, body) of a whole message."""
        if len(self._got) < _HEADER.size:
            return None
        kind, number, _, length = _HEADER.unpack_from(self._got)
        if length > MAX_BYTES:
            self._got, self.asked = b"", False
            raise ReportError(f"xenstore: an answer of {length} bytes")
        end = _HEADER.size + length
        if len(self._got) < end:
            return None
        body, self._got = self._got[_HEADER.size : end], self._got[end:]
        return kind, number, body

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)

