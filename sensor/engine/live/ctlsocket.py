"""The control socket: Suricata's protocol for commands (as its client `suricatasc` speaks it).

Client and sensor exchange JSON objects over a unix stream socket. The client begins with `{"version": "0.2"}` and is
answered `{"return": "OK"}`; then each `{"command": NAME, "arguments": {…}}` is answered
`{"message": …, "return": "OK"}`, or "NOK". From version 0.2 on each object ends with a line end.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sensor.engine.live.asks import Answer, Ask
from sensor.errors import OutputError

VERSIONS: Final = ("0.1", "0.2")
CLIENTS_MAX: Final = 8
REQUEST_MAX: Final = 1 << 16
"""Bytes of one command."""
REPLY_MAX: Final = 1 << 24
"""Bytes of answers that wait for a client to read them."""


class Client:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.out = b""
        """What waits to be sent."""
        self.asking = False
        """A command is under way: the next waits until it is answered."""
        self.version = ""
        self._text = ""
        self._data = b""
        sock.setblocking(False)

    def receive(self) -> bool:
        """Take what came; tell whether the connection goes on."""
        try:
            data = self.sock.recv(REQUEST_MAX)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._data += data
        return bool(data) and len(self._data) <= REQUEST_MAX

    def request(self) -> dict[str, Any] | None:
        """Return the next whole object; None: there is none yet. Raises ValueError for what cannot become one."""
        text = self._data.decode().lstrip()
        if not text:
            return None
        try:
            found, end = json.JSONDecoder().raw_decode(text)
        except RecursionError as e:
            raise ValueError("nested too deeply") from e
        except ValueError:
            if text[0] == "{" and "\n" not in text:
                return None  # the rest is still to come
            raise
        self._data = text[end:].encode()
        if not isinstance(found, dict):
            raise ValueError("not an object")  # noqa: TRY004 - of the text, not of a caller's value
        return found

    def send(self, answer: dict[str, Any]) -> None:
        """Queue an object."""
        self.out += json.dumps(answer).encode() + (b"\n" if self.version != VERSIONS[0] else b"")

    def transmit(self) -> bool:
        """Send what waits, as far as it goes; tell whether the connection goes on."""
        try:
            self.out = self.out[self.sock.send(self.out) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return len(self.out) <= REPLY_MAX


class ControlSocket:
    """Listens from the start, serves once `start` is called. ask: takes each command. Raises OutputError."""

    def __init__(self, path: Path, mode: int = 0o660) -> None:
        self._path = path
        self._clients: dict[int, Client] = {}
        self._answers: list[tuple[int, Client, Answer]] = []
        self._lock = threading.Lock()
        self._end = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _clear(path)
            self._sock = _listening(path, mode)
        except OSError as e:
            raise OutputError(f"unix-command.filename {path}: {e.strerror or e}") from e
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._ask: Callable[[Ask], None] = _nobody

    def start(self, ask: Callable[[Ask], None]) -> None:
        """Begin to serve. ask: takes each command."""
        self._ask = ask
        self._thread.start()

    def disown(self) -> None:
        """Let a forked process listen no more: its parent does."""
        self._sock.close()

    def close(self) -> None:
        """End: answers that are under way are still sent, as far as the clients take them at once."""
        self._end = True
        if self._thread.is_alive():
            os.eventfd_write(self._wake, 1)
            self._thread.join()
        self._sock.close()
        os.close(self._wake)
        with suppress(OSError):  # its folder may not be ours any more
            self._path.unlink()

    def _run(self) -> None:
        while True:
            ended = self._end
            self._deliver()
            if ended:
                break
            self._wait()
        for client in self._clients.values():
            client.transmit()
            client.sock.close()
        self._clients.clear()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if len(self._clients) < CLIENTS_MAX:
            poll.register(self._sock, select.POLLIN)
        for fd, client in self._clients.items():
            # While a command is under way only its end is looked for: what the client says next waits in the kernel.
            poll.register(fd, (0 if client.asking else select.POLLIN) | (select.POLLOUT if client.out else 0))
        for fd, what in poll.poll():
            if fd == self._wake:
                os.eventfd_read(self._wake)
            elif fd == self._sock.fileno():
                self._accept()
            elif not self._serve(fd, what):
                self._clients.pop(fd).sock.close()

    def _accept(self) -> None:
        with suppress(OSError):  # gone again
            sock, _ = self._sock.accept()
            self._clients[sock.fileno()] = Client(sock)

    def _serve(self, fd: int, what: int) -> bool:
        """Read from and write to a client; tell whether the connection goes on."""
        client = self._clients[fd]
        if what & (select.POLLERR | select.POLLNVAL) or (what & select.POLLHUP and not what & select.POLLIN):
            return False
        if what & select.POLLOUT and not client.transmit():
            return False
        return not what & select.POLLIN or (client.receive() and self._understand(fd, client))

    def _understand(self, fd: int, client: Client) -> bool:
        """Take the next command of a client; tell whether the connection goes on."""
        try:
            request = client.request()
        except ValueError:
            return False
        if request is None:
            return True
        if not client.version:
            return self._greet(client, request)
        command, arguments = request.get("command"), request.get("arguments", {})
        if not isinstance(command, str) or not isinstance(arguments, dict):
            client.send({"message": "a command has a name, and arguments by name", "return": "NOK"})
            return True
        client.asking = True
        self._ask(Ask(command, arguments, lambda answer: self._reply(fd, client, answer)))
        return True

    @staticmethod
    def _greet(client: Client, request: dict[str, Any]) -> bool:
        version = request.get("version")
        if version not in VERSIONS:
            return False
        client.version = version
        client.send({"return": "OK"})
        return True

    def _reply(self, fd: int, client: Client, answer: Answer) -> None:
        """Take an answer, from any thread."""
        with self._lock:
            self._answers.append((fd, client, answer))
        os.eventfd_write(self._wake, 1)

    def _deliver(self) -> None:
        """Queue answers that have come for clients that are still there."""
        with self._lock:
            answers, self._answers = self._answers, []
        for fd, client, answer in answers:
            if self._clients.get(fd) is client:
                client.asking = False
                client.send({"message": answer.message, "return": "OK" if answer.good else "NOK"})
                if not self._understand(fd, client):
                    self._clients.pop(fd).sock.close()


def _nobody(ask: Ask) -> None:
    ask.reply(Answer(False, "the sensor is not up yet"))


def _listening(path: Path, mode: int) -> socket.socket:
    """Return a socket that listens. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)  # nobody may connect before the mode is set
    try:
        sock.bind(str(path))
        path.chmod(mode)
        sock.listen(CLIENTS_MAX)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on any more. Raises OSError where somebody does."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(98, "another sensor listens there")
