"""Which ports of a bridge are copied: guests, the uplink on request, never the sensor's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from xensor_mirror.record import Mirror
from xensor_mirror.system import bridge_ports, interface
from xensor_mirror.xenstore import vif_mac

_VIF = re.compile(r"(?:vif|tap)(\d+)\.(\d+)")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class Choice:
    """The ports of a bridge."""

    copied: tuple[str, ...]
    exempt: tuple[str, ...]
    """The sensor's own, and what the operator named."""


def choose(mirror: Mirror, ports: Iterable[str]) -> Choice:
    """Sort the ports of a bridge. Links that belong to a mirror (`record.hub`'s) are never among them."""
    own = sensor_domains(mirror.hub)
    copied, exempt = [], []
    for port in ports:
        if domain_of(port) in own or _is_exempt(mirror, port):
            exempt.append(port)
        elif mirror.uplink or is_guest(mirror, port):
            copied.append(port)
    return Choice(tuple(copied), tuple(exempt))


def is_guest(mirror: Mirror, port: str) -> bool:
    """Tell whether a guest is behind a port: by its driver (a vif may have any name), else by its name."""
    link = interface(port) / "device/subsystem"
    return (link.exists() and link.resolve().name == "xen-backend") or _matches(port, mirror.guests)


def domain_of(port: str) -> int:
    """Return the domain behind a vif by its usual name, 0: unknown."""
    found = _VIF.match(port)
    return int(found[1]) if found else 0


def sensor_domains(hub: str) -> frozenset[int]:
    """Return the domains that have a vif on the hub: theirs is the sensor, whatever number it has this time."""
    return frozenset(map(domain_of, bridge_ports(hub))) - {0}


def _is_exempt(mirror: Mirror, port: str) -> bool:
    macs = {text.lower() for text in mirror.exempt if _MAC.fullmatch(text.lower())}
    if macs and (found := _VIF.match(port)) and vif_mac(int(found[1]), int(found[2])) in macs:
        return True
    return _matches(port, mirror.exempt)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
