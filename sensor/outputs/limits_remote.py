"""Receivers of events, and how much waits for them: values, defaults, units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensor.model.bounds import within

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
"""In the order of their numbers (RFC 5424, 6.2.1)."""
LEVELS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""In the order of their numbers (RFC 5424, 6.2.1)."""
_PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}
"""RFC 5426, 3.3; RFC 6587, 3.2 has none of its own (601: syslog-conn); RFC 5425, 4.1."""

SEGMENT: Final = 1 << 20
"""Bytes from which a file of a spool is followed by a new one: so much stays on the disk after it was delivered."""
BATCH: Final = 1 << 18
"""Bytes of messages that are handed to a receiver at once."""
SETTLE_SECONDS: Final = 3.0
"""How long a connection must live on after a message before that counts as delivered: a receiver that dies takes what
it had not read with it, and all that came less than this before its end is sent again."""
PATIENCE: Final = 10.0
"""Seconds that a receiver may take for a connection, or for taking the next bytes."""
PAUSES: Final = (1.0, 30.0)
"""Seconds between attempts to reach a receiver: the first pause, and the longest."""
STOP_SECONDS: Final = 3.0
"""What the end of the sensor waits for receivers; the rest stays in the spool."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver is."""

    scheme: str
    host: str
    """Name or address; of `unix`, the path."""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix://{self.host}" if self.scheme == "unix" else f"{self.scheme}://{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `udp://HOST:PORT`, `tcp://…`, `tls://…` (the port may be left out) or `unix:///PATH`. Raises ValueError."""
    scheme, _, rest = text.strip().partition("://")
    if scheme == "unix" and rest.startswith("/"):
        return Address(scheme, rest)
    if scheme not in _PORTS or not rest:
        raise ValueError("expected udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH")
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = rest.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16)):
        raise ValueError(f"expected {scheme}://HOST:PORT")
    return Address(scheme, host, int(port) if port else _PORTS[scheme])


@dataclass(frozen=True, slots=True)
class SpoolOptions:
    """What waits on the disk for a receiver. Raises ValueError outside the range given."""

    limit: int = 64 << 20
    """Bytes for each receiver, 1 MiB-1 TiB; events other than alerts take half of it at most."""

    def __post_init__(self) -> None:
        within("outputs.spool.limit", self.limit, 1 << 20, 1 << 40)


@dataclass(frozen=True, slots=True)
class SyslogOptions:
    """`outputs.syslog`."""

    enabled: bool = False
    server: Address = Address("unix", "/dev/log")
    types: tuple[str, ...] = ("alert",)
    content: str = "eve"
    """`eve`: the JSON object; `fast`: the line of fast.log, alerts only."""
    facility: str = "local5"
    level: str = "auto"
    """A level, or `auto`: that of the alert."""
    identity: str = "xensor"
    ca_file: str = ""
    """PEM file of authorities for the receiver's certificate; empty: those of the system."""
    cert_file: str = ""
    """PEM file with the sensor's own certificate; empty: none."""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """`outputs.unix-socket`: EVE lines to whoever listens on a stream socket."""

    enabled: bool = False
    filename: str = "eve.sock"
    """Path; a relative one starts from the log folder."""
    types: tuple[str, ...] = ("alert",)
