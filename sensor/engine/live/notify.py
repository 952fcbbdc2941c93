"""Word to systemd: one datagram each (sd_notify(3)); without a NOTIFY_SOCKET nothing is sent."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


class Notifier:
    """Talks to the service manager named in the environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None

    def ready(self, status: str) -> None:
        """Tell that start-up is over."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self, status: str) -> None:
        """Tell that the packet loop went round."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Tell that no more packets are taken in."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Give the socket back."""
        if self._sock is not None:
            self._sock.close()

    def _send(self, text: str) -> None:
        if self._sock is not None:
            # Not being heard must not stop the sensor: systemd notices silence by itself.
            with contextlib.suppress(OSError):
                self._sock.sendto(text.encode(), self._address)
