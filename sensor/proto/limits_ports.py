"""Where DNS is looked for: what it says is too little to know it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NOWHERE, BY_CONTENT, USUAL = 0, 1, 2
"""At a port: nothing is DNS; what reads as one sane question is; whatever can be read as its header is."""
_RELATIVES = (53, 137, 5353, 5355)
"""DNS, and what has its form: NetBIOS names (RFC 1002), mDNS (RFC 6762), LLMNR (RFC 4795)."""


@dataclass(frozen=True, slots=True)
class DnsPorts:
    """Ports of servers (`app-layer.protocols.dns`), None: any. Raises ValueError for one outside 1-65535."""

    udp: tuple[int, ...] | None = (53,)
    tcp: tuple[int, ...] | None = (53,)

    def __post_init__(self) -> None:
        if not all(0 < port < 65536 for port in (*(self.udp or ()), *(self.tcp or ()))):
            raise ValueError("ports are 1-65535")


def dns_at(ports: tuple[int, ...] | None) -> npt.NDArray[np.uint8]:
    """Return uint8[65536]: at a server's port NOWHERE, BY_CONTENT or USUAL."""
    table = np.full(1 << 16, NOWHERE if ports is not None else BY_CONTENT, np.uint8)
    table[list(_RELATIVES if ports is None else ports)] = USUAL
    table.flags.writeable = False
    return table
