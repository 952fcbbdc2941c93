"""Forks workers, again and again: a process of its own without threads, since only such a one may fork safely.

It is forked before the sensor starts threads, keeps the rings open, and has the rules and kernels loaded, so a worker
that takes the place of another is there at once and finds the ring as it was left. If the process that asked for
it is gone, it ends, and all workers with it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

_PR_SET_PDEATHSIG: Final = 1
"""linux/prctl.h"""
_SIZE: Final = 1024
"""Bytes of one message of this conversation."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
"""Service managers send these to every process; workers are told what to do by the one that collects."""

Work = Callable[[int, socket.socket], None]
"""Is the worker of a number, with its end of the channel."""


class Order(msgspec.Struct, frozen=True):
    """To the nursery: fork a worker (a descriptor comes with it), or kill one."""

    worker: int
    kill: bool = False


class News(msgspec.Struct, frozen=True):
    """From the nursery: a worker was born; or has died, with what waitpid(2) told."""

    worker: int
    pid: int
    status: int = -1
    """-1: it was born."""


class Nursery:
    """The end of the process that asks. closes: called in the new processes, for what is only the asker's."""

    def __init__(self, work: Work, closes: Sequence[Callable[[], None]] = ()) -> None:
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _never_return(lambda: _nurse(theirs, work, [self._sock.close, *closes], parent))
        theirs.close()
        self._sock.setblocking(False)
        self.ended = False
        """It is gone: no worker can be replaced any more."""

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._sock.fileno()

    def spawn(self, worker: int, sock: socket.socket) -> None:
        """Ask for a worker; the socket becomes its own."""
        with sock:
            self._order(Order(worker), [sock.fileno()])

    def kill(self, worker: int) -> None:
        """Kill a worker, whatever it is doing."""
        self._order(Order(worker, kill=True), [])

    def news(self) -> list[News]:
        """Return what has happened."""
        found = []
        try:
            while data := self._sock.recv(_SIZE):
                found.append(msgspec.json.decode(data, type=News))
        except BlockingIOError:
            return found
        except ConnectionError:
            pass
        self.ended = True
        return found

    def close(self) -> None:
        """End it and all workers."""
        self._sock.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _order(self, order: Order, fds: Sequence[int]) -> None:
        try:
            socket.send_fds(self._sock, [msgspec.json.encode(order)], fds)
        except (ConnectionError, BlockingIOError):
            self.ended = True


def _never_return(task: Callable[[], None]) -> None:
    """Do a task and end the process: what stands above this on the stack is the parent's."""
    status = 1
    try:
        task()
        status = 0
    except ConnectionError:
        status = 0  # nobody is there any more
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def _nurse(sock: socket.socket, work: Work, closes: Sequence[Callable[[], None]], parent: int) -> None:
    _die_with(parent)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for close in closes:
        close()
    children: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd != sock.fileno():
                worker, pid = children.pop(fd)
                poll.unregister(fd)
                os.close(fd)
                _, status = os.waitpid(pid, 0)
                sock.send(msgspec.json.encode(News(worker, pid, status)))
                continue
            data, fds, _, _ = socket.recv_fds(sock, _SIZE, 1)
            if not data:
                return
            order = msgspec.json.decode(data, type=Order)
            if order.kill:
                _kill(order.worker, children)
                continue
            pid = _bear(order.worker, fds[0], work, [sock.close, *(lambda fd=fd: os.close(fd) for fd in children)])
            os.close(fds[0])
            handle = os.pidfd_open(pid)
            children[handle] = order.worker, pid
            poll.register(handle, select.POLLIN)
            sock.send(msgspec.json.encode(News(order.worker, pid)))


def _bear(worker: int, fd: int, work: Work, closes: Sequence[Callable[[], None]]) -> int:
    """Fork a worker; return its process id."""
    nurse = os.getpid()
    pid = os.fork()
    if pid == 0:
        def live() -> None:
            _die_with(nurse)
            for close in closes:
                close()
            work(worker, socket.socket(fileno=fd))

        _never_return(live)
    return pid


def _kill(worker: int, children: dict[int, tuple[int, int]]) -> None:
    for handle, (number, _) in children.items():
        if number == worker:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)


def _die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has died meanwhile
        os._exit(1)
