"""Messages over a stream socket: four bytes of length, then the message."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from typing import Final

from sensor.errors import SensorError

MAX_MESSAGE: Final = 64 << 20
"""Bytes; the rules of a reload are the longest: 34,000 take 25 MB."""
_READ: Final = 1 << 20
_LENGTH: Final = 4
BUFFER: Final = 4 << 20
"""Bytes on their way from a worker: what it may raise before it waits for the one that collects."""


class ChannelError(SensorError):
    """The other side does not keep to the form."""


class Channel:
    """One end. What has been sent is read even if the sender has died since; an incomplete message is dropped."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._got = bytearray()
        self._unsent = bytearray()
        self.ended = False
        """The other side has closed, or died."""

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._sock.fileno()

    def send(self, message: bytes) -> None:
        """Send a message; waits until the kernel has all of it. Raises OSError where nobody is there any more."""
        self._sock.sendall(len(message).to_bytes(_LENGTH, "big") + message)

    def post(self, message: bytes) -> None:
        """Send what the kernel takes at once, and keep the rest for `flush`. Where nobody is there, it is dropped."""
        self._unsent += len(message).to_bytes(_LENGTH, "big") + message
        self.flush()

    def flush(self) -> None:
        """Send more of what has been posted."""
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()

    @property
    def unsent(self) -> int:
        """Bytes that wait for `flush`."""
        return len(self._unsent)

    def wait(self) -> Iterator[bytes]:
        """Wait for messages; yield those that come first."""
        select.select([self._sock], [], [])
        return self.read()

    def read(self) -> Iterator[bytes]:
        """Take what has come, without waiting; yield whole messages."""
        try:
            data = self._sock.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return
        self._got += data
        yield from self._messages()

    def _messages(self) -> Iterator[bytes]:
        at, size = 0, len(self._got)
        while size - at >= _LENGTH:
            length = int.from_bytes(self._got[at : at + _LENGTH], "big")
            if length > MAX_MESSAGE:
                raise ChannelError(f"a message of {length} bytes")
            if size - at - _LENGTH < length:
                break
            at += _LENGTH
            yield bytes(self._got[at : at + length])
            at += length
        del self._got[:at]

    def close(self) -> None:
        """End the conversation."""
        self._sock.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the collector's end, which never waits, and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ours, theirs
