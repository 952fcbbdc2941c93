"""ERSPAN: a mirror that comes as GRE packets to an address of this guest, from senders that are named.

What anybody else sends as GRE is not looked at: a watched guest must not be able to forge traffic. The kernel's filter
holds it back, and a second socket, which nobody ever reads, counts it.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sensor.capture import uapi
from sensor.capture.libpcap import Compiler
from sensor.capture.rawinput import reason
from sensor.capture.tap import set_filter
from sensor.errors import CaptureError
from sensor.model.block import LINKTYPE_ETHERNET

MAX_SENDERS: Final = 64
"""A filter has at most 4096 instructions; a sender costs about five."""
_GRE: Final = "((ip proto 47) or (ip6 and (ip6[6] == 47 or (ip6[6] == 44 and ip6[40] == 47))))"
"""Fragments included. IPv6 has the next header at 6, and behind a fragment header (44) at 40."""


@dataclass(frozen=True, slots=True)
class Erspan:
    """Where a mirror comes in, and whose."""

    interface: str
    senders: tuple[str, ...]
    """Addresses or networks of dom0s, 1-64. Raises ValueError for others."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.senders) <= MAX_SENDERS:
            raise ValueError(f"1-{MAX_SENDERS} senders must be named")
        for sender in self.senders:
            ipaddress.ip_network(sender)


Program = list[tuple[int, int, int, int]]


def programs(erspan: Erspan) -> tuple[Program, Program]:
    """Return the filters that pass GRE of the senders, and GRE of anybody else."""
    named = " or ".join(map(_source, erspan.senders))
    compiler = Compiler()
    return (
        compiler.compile(f"{_GRE} and ({named})", LINKTYPE_ETHERNET),
        compiler.compile(f"{_GRE} and not ({named})", LINKTYPE_ETHERNET),
    )


def _source(sender: str) -> str:
    network = ipaddress.ip_network(sender)
    return f"({'ip6' if network.version == 6 else 'ip'} src net {network})"


class Refused:
    """Counts the packets that pass a filter. Its buffer is full at once: a packet costs the kernel next to nothing."""

    def __init__(self, interface: str, program: Program) -> None:
        self._interface = interface
        try:
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            try:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                set_filter(self._sock, program)
                self._sock.bind((interface, uapi.ETH_P_ALL))
            except OSError:
                self._sock.close()
                raise
        except OSError as e:
            raise CaptureError(f"{interface}: cannot count strange senders: {reason(e)}") from e

    def take(self) -> int:
        """Return the packets since the last call."""
        if not self._sock.getsockname()[0]:
            with suppress(OSError):  # it has not come back yet
                self._sock.bind((self._interface, uapi.ETH_P_ALL))
        raw = self._sock.getsockopt(uapi.SOL_PACKET, uapi.PACKET_STATISTICS, uapi.PLAIN_STATS.size)
        return int(uapi.PLAIN_STATS.unpack(raw)[0])

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()
