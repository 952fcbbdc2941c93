"""A frame of our own on its way through the mirror: it must arrive at the sensor's vif, and once.

It comes in at a port made for it, so that it takes the way of a guest's frame. Its destination is an address that
bridges do not forward (IEEE 802.1Q, table 8-1): no guest sees it, but the filter does.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Protocol

from xensor_mirror.system import MirrorError, run

ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802)."""
_TO = bytes.fromhex("0180c200000e")
_FROM = bytes.fromhex("02005e780000")
_INSIDE, _PORT = "xmprobe0", "xmprobe1"
_ALL = 0x0003
"""ETH_P_ALL (linux/if_ether.h): other types are not shown what leaves this machine."""
WAIT = 2.0
"""Seconds for the first copy."""
AFTER = 0.2
"""Seconds for a second one."""


class Bridge(Protocol):
    """What a probe needs of a mirrored bridge."""

    def attach(self, port: str) -> None:
        """Make an interface a port that is copied."""

    def detach(self, port: str) -> None:
        """Undo that."""


def probe(bridge: Bridge, sensor_vif: str) -> int:
    """Send a frame into the bridge; return how many copies leave for the sensor. Raises MirrorError."""
    frame = _TO + _FROM + ETHERTYPE.to_bytes(2, "big") + b"xensor-mirror probe " + os.urandom(26)
    with _probe_port(bridge), _packets(sensor_vif, _ALL) as seeing, _packets(_INSIDE, 0) as saying:
        saying.send(frame)
        return _count(seeing, frame)


@contextlib.contextmanager
def _probe_port(bridge: Bridge) -> Iterator[None]:
    with contextlib.suppress(MirrorError):  # left by a run that was killed
        run("ip", "link", "del", _INSIDE)
    run("ip", "link", "add", _INSIDE, "type", "veth", "peer", "name", _PORT)
    try:
        for name in (_INSIDE, _PORT):
            run("ip", "link", "set", "dev", name, "addrgenmode", "none", "arp", "off", "up")
        bridge.attach(_PORT)
        try:
            yield
        finally:
            bridge.detach(_PORT)
    finally:
        run("ip", "link", "del", _INSIDE)


def _packets(name: str, protocol: int) -> socket.socket:
    try:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.bind((name, protocol))
    except OSError as e:
        raise MirrorError(f"{name}: cannot look at its frames: {e.strerror}") from e
    return made


def _count(seeing: socket.socket, frame: bytes) -> int:
    """Count copies until they have had their time; other frames of the mirror pass by meanwhile."""
    copies, end = 0, time.monotonic() + WAIT
    while (left := end - time.monotonic()) > 0:
        if select.select([seeing], [], [], left)[0] and seeing.recv(256)[: len(frame)] == frame:
            copies += 1
            end = time.monotonic() + AFTER
    return copies
