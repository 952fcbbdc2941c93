"""A request to stop that also ends waits: for use from a signal handler or another thread."""

import os
import select


class StoppedError(Exception):
    """A wait was ended by a stop request; inside this package only, a source then just ends."""


class StopSignal:
    """One-way flag with waits on it. The descriptor behind it is made by the first wait."""

    __slots__ = ("_fd", "_flag")

    def __init__(self) -> None:
        self._fd = -1
        self._flag = False

    def set(self) -> None:
        """Ask to stop. May be called at any time, any number of times."""
        self._flag = True
        if self._fd >= 0:
            os.eventfd_write(self._fd, 1)

    def is_set(self) -> bool:
        """Tell whether a stop was asked for."""
        return self._flag

    def sleep(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether a stop was asked for."""
        self._wait(-1, seconds)
        return self._flag

    def wait_readable(self, fd: int, seconds: float | None) -> bool:
        """Wait at most `seconds` (None: for ever) for data or the end on `fd`; False: none, or a stop."""
        return self._wait(fd, seconds) and not self._flag

    def _wait(self, fd: int, seconds: float | None) -> bool:
        """Return whether `fd` (-1: none) became ready; a stop ends the wait."""
        if self._fd < 0:
            self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        if self._flag:  # looked at after the descriptor is there: a `set` from now on writes to it
            return False
        poll = select.poll()
        for each in (self._fd, fd):
            if each >= 0:
                poll.register(each, select.POLLIN)
        ready = poll.poll(None if seconds is None else seconds * 1000)
        return any(which == fd for which, _ in ready)

    def close(self) -> None:
        """Stop, and give the descriptor back."""
        self.set()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
