"""Ways to a receiver. All raise OSError where it cannot be reached or is gone, and connect anew when next used."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sensor.errors import ConfigError
from sensor.outputs.limits_remote import PATIENCE, Address, SyslogOptions

_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_USER_TIMEOUT_MS: Final = 30_000
"""A receiver that acknowledges nothing for this long is gone (TCP_USER_TIMEOUT, tcp(7))."""
_GONE: Final = select.POLLERR | select.POLLHUP | select.POLLRDHUP | select.POLLNVAL


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of messages."""

    octets: int
    """Bytes handed to the kernel."""
    too_long: int = 0
    """Messages that no datagram can carry."""


class Transport(Protocol):
    """A way to one receiver."""

    def send(self, lines: Sequence[bytes]) -> Sent:
        """Hand messages to the kernel. Raises OSError."""

    def under_way(self) -> int:
        """Return how many of the bytes sent last the receiver may not have. Raises OSError if it is gone."""

    def close(self) -> None:
        """Let go."""


class Datagrams:
    """A message each: UDP (RFC 5426), or a unix socket such as /dev/log."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._sock: socket.socket | None = None

    def send(self, lines: Sequence[bytes]) -> Sent:
        """See Transport. UDP tells nothing but that nobody listens, and that not always."""
        sock = self._sock or self._connect()
        octets = too_long = 0
        for line in lines:
            try:
                octets += sock.send(line)
            except OSError as e:
                if e.errno != errno.EMSGSIZE:
                    self.close()
                    raise
                too_long += 1
        return Sent(octets, too_long)

    def _connect(self) -> socket.socket:
        address = self._address
        family = int(socket.AF_UNIX)
        target: tuple[object, ...] = ()
        if address.scheme != "unix":
            family, _, _, _, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.settimeout(PATIENCE)
            sock.connect(target or address.host)
        except OSError:
            sock.close()
            raise
        self._sock = sock
        return sock

    def under_way(self) -> int:
        """See Transport."""
        if self._sock is not None:
            error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self.close()
                raise OSError(error, os.strerror(error))
        return 0

    def close(self) -> None:
        """Let go."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def octet_counted(lines: Sequence[bytes]) -> bytes:
    """Return messages with their length in front (RFC 6587, 3.4.1; RFC 5425, 4.3)."""
    return b"".join(b"%d %b" % (len(line), line) for line in lines)


def line_by_line(lines: Sequence[bytes]) -> bytes:
    """Return messages with a line end behind each."""
    return b"\n".join(lines) + b"\n"


class Stream:
    """One connection: TCP, TLS, or a unix socket. frame: puts messages into the stream."""

    def __init__(
        self, address: Address, frame: Callable[[Sequence[bytes]], bytes], tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = address
        self._frame = frame
        self._tls = tls
        self._sock: socket.socket | None = None

    def send(self, lines: Sequence[bytes]) -> Sent:
        """See Transport."""
        sock = self._sock or self._connect()
        data = self._frame(lines)
        try:
            self._refuse_gone(sock)
            sock.sendall(data)
        except OSError:
            self.close()
            raise
        return Sent(len(data))

    def under_way(self) -> int:
        """See Transport.

        The kernel knows what the receiver's kernel has not acknowledged (TCP) or the receiver has not read (unix).
        It counts more than our bytes, what TLS and its own buffers add, never less.
        """
        if self._sock is None:
            return 0
        try:
            self._refuse_gone(self._sock)
            (unsent,) = struct.unpack("i", fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)))
        except OSError:
            self.close()
            raise
        return int(unsent)

    @staticmethod
    def _refuse_gone(sock: socket.socket) -> None:
        """Raise OSError where the receiver has hung up: what is sent then goes nowhere."""
        poll = select.poll()
        poll.register(sock, _GONE)
        if poll.poll(0):
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.EPIPE
            raise OSError(error, "the receiver has closed the connection")

    def _connect(self) -> socket.socket:
        sock = self._connected()
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self._address.host)
        except OSError:
            sock.close()
            raise
        self._sock = sock
        return sock

    def _connected(self) -> socket.socket:
        if self._address.scheme == "unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(PATIENCE)
                sock.connect(self._address.host)
            except OSError:
                sock.close()
                raise
            return sock
        sock = socket.create_connection((self._address.host, self._address.port), PATIENCE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (*_KEEPALIVE, (socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        return sock

    def close(self) -> None:
        """Let go."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.close()
            self._sock = None


def unix_stream(path: Path) -> Transport:
    """Return the way to whoever listens on a unix stream socket."""
    return Stream(Address("unix", str(path)), line_by_line)


def syslog_transport(options: SyslogOptions) -> Transport:
    """Return the way to a syslog receiver. Raises ConfigError where a file of certificates cannot be used."""
    address = options.server
    if address.scheme in {"udp", "unix"}:
        return Datagrams(address)
    return Stream(address, octet_counted, _tls(options) if address.scheme == "tls" else None)


def _tls(options: SyslogOptions) -> ssl.SSLContext:
    """Return what to trust, and who we are. The receiver's name is checked (RFC 5425, 5.2)."""
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
        if options.cert_file:
            context.load_cert_chain(options.cert_file, options.key_file or None)
    except (OSError, ValueError) as e:
        files = ", ".join(f for f in (options.ca_file, options.cert_file, options.key_file) if f)
        raise ConfigError(f"outputs.syslog: certificates cannot be used ({files}): {e}") from e
    return context
