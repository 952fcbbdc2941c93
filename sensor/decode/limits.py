"""Caps of the decode stage: what bounds the work that one packet can cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LAYERS: Final = 16
"""Link, VLAN, PPP, LLC, NSH and IP headers of one frame, tunnels included (Suricata's default too)."""
MAX_TUNNELS: Final = 4
"""Tunnels inside tunnels."""
MAX_ROWS_PER_PACKET: Final = MAX_TUNNELS + 1
MAX_VLAN_TAGS: Final = 3
"""More tags are walked, counted and flagged."""
MAX_MPLS_LABELS: Final = 16
MAX_IPV6_EXT_HEADERS: Final = 16
"""RFC 8200 names eight kinds. Linux accepts longer chains: a tighter cap would hide the transport header."""
MAX_IPV6_EXT_BYTES: Final = 4096
"""The longest single header has 2048 bytes."""
MAX_ETHERNET_FRAME: Final = 1522
"""Header, 1,500 bytes and two VLAN tags. Longer frames are counted: super-frames of segmentation offload."""
TEREDO_PORT: Final = 3544
"""RFC 4380: of either end."""
MAX_TUNNEL_PORTS: Final = 4
"""UDP ports per kind of tunnel."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What the operator may choose. Raises ValueError for too many ports, or one outside 1-65535."""

    vxlan_ports: tuple[int, ...] = (4789,)
    """UDP destination ports whose payload is VXLAN (RFC 7348); empty: none."""
    geneve_ports: tuple[int, ...] = (6081,)
    """UDP destination ports whose payload is GENEVE (RFC 8926); empty: none."""

    def __post_init__(self) -> None:
        for ports in (self.vxlan_ports, self.geneve_ports):
            if len(ports) > MAX_TUNNEL_PORTS:
                raise ValueError(f"at most {MAX_TUNNEL_PORTS} ports per kind of tunnel")
            if not all(0 < port < 65536 for port in ports):
                raise ValueError("tunnel ports are 1-65535")
