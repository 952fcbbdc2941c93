"""A packet socket on an interface: what is bound to it, what it filters, and how it finds it again."""

from __future__ import annotations

import ctypes
import fcntl
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sensor.capture import uapi
from sensor.capture.bpf import Instruction
from sensor.capture.rawinput import reason
from sensor.errors import CaptureError
from sensor.model.block import LINKTYPE_ETHERNET, LINKTYPE_RAW

_LINKTYPES: Final = {
    uapi.ARPHRD_ETHER: LINKTYPE_ETHERNET,
    uapi.ARPHRD_LOOPBACK: LINKTYPE_ETHERNET,
    uapi.ARPHRD_NONE: LINKTYPE_RAW,
    uapi.ARPHRD_TUNNEL: LINKTYPE_RAW,
    uapi.ARPHRD_TUNNEL6: LINKTYPE_RAW,
    uapi.ARPHRD_SIT: LINKTYPE_RAW,
}


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface as it is now; when it comes back, its number is another."""

    name: str
    index: int
    linktype: int
    loopback: bool


class Tap:
    """A socket that is bound to its interface. Raises CaptureError where the privilege is missing.

    Frames that this machine sends are heard, too (the operator may look at a host's own interface), except on
    loopback, where each would come twice: as sent and as received (PACKET_IGNORE_OUTGOING, Linux 4.20).
    """

    def __init__(self, name: str) -> None:
        self.sock = packet_socket(name)
        """Receives."""
        self.door = self.sock
        """Is bound to the interface, and told when it goes."""

    def listen(self, interface: Interface, program: Sequence[Instruction]) -> None:
        """Hear what a program (empty: anything) passes of an interface. Raises OSError."""
        if program:  # before the first frame may come
            set_filter(self.sock, program)
        self.sock.bind((interface.name, uapi.ETH_P_ALL))
        self.sock.setsockopt(uapi.SOL_PACKET, uapi.PACKET_IGNORE_OUTGOING, int(interface.loopback))

    def close(self) -> None:
        """Give the sockets back."""
        self.sock.close()
        self.door.close()


def look_up(name: str, sock: socket.socket) -> Interface:
    """Return the interface of a name. Raises OSError where it is not there, CaptureError for a strange one."""
    index = socket.if_nametoindex(name)
    answer = fcntl.ioctl(sock, uapi.SIOCGIFHWADDR, uapi.IFREQ_ADDRESS.pack(name.encode(), 0))
    kind = int(uapi.IFREQ_ADDRESS.unpack(answer)[1])
    if kind not in _LINKTYPES:
        raise CaptureError(f"{name}: frames of this kind of interface ({kind}) cannot be decoded")
    return Interface(name, index, _LINKTYPES[kind], kind == uapi.ARPHRD_LOOPBACK)


def packet_socket(name: str, protocol: int = 0) -> socket.socket:
    """Return a packet socket: bound to no interface; of protocol 0 it receives nothing before it is bound."""
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(protocol))
    except PermissionError as e:
        raise CaptureError(f"{name}: capturing needs root or CAP_NET_RAW") from e
    except OSError as e:
        raise CaptureError(f"{name}: no packet sockets here: {reason(e)}") from e


def set_filter(sock: socket.socket, program: Sequence[Instruction]) -> None:
    """Let a socket receive only frames for which a program returns a length. Raises OSError."""
    attach(sock, socket.SOL_SOCKET, uapi.SO_ATTACH_FILTER, program)


def attach(sock: socket.socket, level: int, option: int, program: Sequence[Instruction]) -> None:
    """Give a socket a classic BPF program. Raises OSError, also where it is too long (EINVAL)."""
    code = ctypes.create_string_buffer(b"".join(uapi.FILTER_INSTRUCTION.pack(*i) for i in program))
    sock.setsockopt(level, option, uapi.FILTER_PROGRAM.pack(len(program), ctypes.addressof(code)))
