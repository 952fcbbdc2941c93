"""Messages over a stream socket: four bytes of length, then the message."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Final

from sensor.errors import SensorError

MAX_MESSAGE: Final = 64 << 20
"""Bytes; the rules of a reload are the longest: 34,000 take 25 MB."""
_READ: Final = 1 << 20
_LENGTH: Final = 4
_INT: Final = struct.Struct("i")
_FILES: Final = 4
"""Descriptors taken at once; the kernel hands over those of one message at a time."""
BUFFER: Final = 4 << 20
"""Bytes on their way from a worker: what it may raise before it waits for the one that collects."""


class ChannelError(SensorError):
    """The other side does not keep to the form."""


class Channel:
    """One end. What has been sent is read even if the sender has died since; an incomplete message is dropped.

    takes_files: descriptors that come with messages are taken; elsewhere the kernel drops them.
    """

    def __init__(self, sock: socket.socket, *, takes_files: bool = False) -> None:
        self._sock = sock
        self._takes_files = takes_files
        self._files: deque[int] = deque()
        """That have come."""
        self._going: deque[tuple[int, int]] = deque()
        """That have not gone yet: (where their message begins in `_unsent`, descriptor)."""
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

    def post(self, message: bytes, file: int = -1) -> None:
        """Send what the kernel takes at once, and keep the rest for `flush`. Where nobody is there, it is dropped.

        file: a descriptor that goes with it; it stays the caller's, too.
        """
        if file >= 0:
            self._going.append((len(self._unsent), os.dup(file)))
        self._unsent += len(message).to_bytes(_LENGTH, "big") + message
        self.flush()

    def flush(self) -> None:
        """Send more of what has been posted."""
        try:
            while self._unsent:
                self._send_some()
        except BlockingIOError:
            return
        except OSError:
            self._forget()

    def _send_some(self) -> None:
        """Send bytes up to a message with a descriptor, or those behind that with it (unix(7): it goes with the first).

        Raises OSError.
        """
        begins = [at for at, _ in self._going]
        with_file = begins[:1] == [0]
        end = next((at for at in begins if at), len(self._unsent))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _INT.pack(self._going[0][1]))] if with_file else []
        with memoryview(self._unsent) as octets:
            sent = self._sock.sendmsg([octets[:end]], rights, socket.MSG_DONTWAIT)
        if with_file:
            os.close(self._going.popleft()[1])
        del self._unsent[:sent]
        self._going = deque((at - sent, file) for at, file in self._going)

    def _forget(self) -> None:
        self._unsent.clear()
        while self._going:
            os.close(self._going.pop()[1])
        while self._files:
            os.close(self._files.pop())

    def take_file(self) -> int:
        """Return the descriptor that came with the earliest message that had one, now the caller's; -1: none came."""
        return self._files.popleft() if self._files else -1

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
            data = self._receive()
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return
        self._got += data
        yield from self._messages()

    def _receive(self) -> bytes:
        """Return bytes that have come. Raises BlockingIOError, ConnectionError."""
        if not self._takes_files:
            return self._sock.recv(_READ, socket.MSG_DONTWAIT)
        # (The functions of Python 3.11 for descriptors leave out the flags.)
        room, flags = socket.CMSG_SPACE(_FILES * _INT.size), socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        data, control, _, _ = self._sock.recvmsg(_READ, room, flags)
        for level, kind, octets in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._files += (file for (file,) in _INT.iter_unpack(octets[: len(octets) // _INT.size * _INT.size]))
        return data

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
        self._forget()
        self._sock.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the collector's end, which never waits, and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ours, theirs
