"""Bytes of one input as they come: file, pipe, standard input, a file that is still being written."""

import fcntl
import os
import stat
import time

from sensor.capture.limits import FOLLOW_POLL, PIPE_BYTES, PIPE_PATIENCE
from sensor.capture.stopping import StoppedError, StopSignal
from sensor.errors import CaptureError

STDIN = "-"
"""The path that means standard input."""


class RawInput:
    """One open input. `name` is used in messages.

    Raises CaptureError where the file cannot be opened or read.
    """

    def __init__(self, name: str, stop: StopSignal, *, follow: bool = False) -> None:
        self.name = name
        self.stop = stop
        self.done = 0
        """Bytes read."""
        self._head = b""
        self._waited = 0.0
        try:
            self.fd = 0 if name == STDIN else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            info = os.fstat(self.fd)
        except (OSError, ValueError) as error:
            raise CaptureError(f"{name}: {reason(error)}") from error
        if stat.S_ISDIR(info.st_mode):
            self.close()
            raise CaptureError(f"{name}: is a directory")
        self.regular = stat.S_ISREG(info.st_mode)
        self.follow = follow and self.regular
        if stat.S_ISFIFO(info.st_mode):
            _enlarge(self.fd)

    def peek(self, n: int) -> bytes:
        """Return the first `n` bytes, fewer where the input is shorter; to be called before `read_into`."""
        head = bytearray(n)
        filled = 0
        while filled < n and (got := self._read_into(memoryview(head)[filled:], wait=True)):
            filled += got
        self._head = bytes(head[:filled])
        return self._head

    def read(self, n: int, *, wait: bool) -> bytes:
        """Return at most `n` bytes; see read_into."""
        data = bytearray(n)
        return bytes(data[: self.read_into(memoryview(data), wait=wait)])

    def read_into(self, room: memoryview, *, wait: bool) -> int:
        """Fill `room` from its start and return the number of bytes.

        0 means the end of the input where `wait`, and else that nothing more is there now.
        Raises StoppedError where a stop was asked for while it waited.
        """
        if self._head:
            data, self._head = self._head[: len(room)], self._head[len(room) :]
            room[: len(data)] = data
            return len(data)
        return self._read_into(room, wait=wait)

    def _read_into(self, room: memoryview, *, wait: bool) -> int:
        while True:
            if not self.regular and not self._wait_readable(wait=wait):
                return 0
            try:
                got = os.readv(self.fd, [room])
            except OSError as error:
                raise CaptureError(f"{self.name}: {reason(error)} at byte {self.done}") from error
            self.done += got
            if got or not (self.follow and wait):
                return got
            if self.stop.sleep(FOLLOW_POLL):
                raise StoppedError

    def _wait_readable(self, *, wait: bool) -> bool:
        """Wait for a pipe: for ever, or for what is left of PIPE_PATIENCE, so that a trickle flows."""
        if wait:
            if not self.stop.wait_readable(self.fd, None):
                raise StoppedError
            self._waited = time.monotonic()
            return True
        return self.stop.wait_readable(self.fd, max(0.0, self._waited + PIPE_PATIENCE - time.monotonic()))

    def close(self) -> None:
        """Give the descriptor back (standard input stays open)."""
        fd, self.fd = self.fd, -1
        if fd >= 0 and self.name != STDIN:
            os.close(fd)


def reason(error: Exception) -> str:
    """Return the system's words for an error, without the path."""
    return getattr(error, "strerror", None) or str(error)


def _enlarge(fd: int) -> None:
    """Give a pipe room: 64 KiB per read would make blocks of 170 packets."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return  # over the user's pipe quota: smaller blocks, nothing else
