"""Who had a MAC or an IP address when: an inventory, and those before it as far as they still matter.

A directory is never changed; a new inventory makes a new one (`renewed`). Times are packet time, ns since the epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from sensor.xen.inventory import Guest, Inventory, Vif

Key = str | bytes
"""A MAC address as text, an IP address packed."""

PAST_MAX: Final = 4096
"""Addresses of guests that have gone which are remembered, about 0.3 KiB each; the oldest are forgotten first."""
_OWNERS_MAX: Final = 4
"""Owners that one address has had."""
_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Tenure:
    """A time in which an address was a vif's."""

    vif: Vif
    since: int
    until: int = _NEVER

    def covers(self, ts: int) -> bool:
        """Tell whether a time is within."""
        return self.since <= ts < self.until


@dataclass(frozen=True, slots=True)
class Directory:
    """Finds guests by their addresses."""

    inventory: Inventory = field(default_factory=Inventory)
    tenures: Mapping[Key, tuple[Tenure, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Address → its owners, the latest last."""

    def find(self, key: Key, ts: int) -> Vif | None:
        """Return the vif that had an address at a time.

        The first owner known had it before, too: dom0 tells of a guest some seconds after it has begun to speak.
        """
        owners = self.tenures.get(key)
        if owners is None:
            return None
        for tenure in reversed(owners):
            if tenure.covers(ts):
                return tenure.vif
        return owners[0].vif if ts < owners[0].since else None

    def renewed(self, fresh: Inventory, now: int) -> Directory:
        """Return the directory for a new inventory. now: packet time from which on it holds."""
        owners = dict(_owners(fresh.vifs))
        found: dict[Key, tuple[Tenure, ...]] = {}
        for key, tenures in self.tenures.items():
            vif = owners.pop(key, None)
            found[key] = tenures if vif == _present(tenures) else _succeeded(tenures, vif, now)
        found |= {key: (Tenure(vif, 0),) for key, vif in owners.items()}
        return Directory(fresh, MappingProxyType(_remembered(found)))

    @property
    def guests(self) -> tuple[Guest, ...]:
        """The guests there are now."""
        return self.inventory.guests


def _owners(vifs: Iterable[Vif]) -> Iterable[tuple[Key, Vif]]:
    """Yield each address with its vif. One that several guests claim says nothing about any of them."""
    pairs: list[tuple[Key, Vif]] = []
    for vif in vifs:
        pairs.append((vif.mac, vif))
        pairs += ((address, vif) for address in vif.addresses)
    claims = Counter(key for key, _ in pairs)
    return ((key, vif) for key, vif in pairs if claims[key] == 1)


def _present(tenures: tuple[Tenure, ...]) -> Vif | None:
    last = tenures[-1]
    return last.vif if last.until == _NEVER else None


def _succeeded(tenures: tuple[Tenure, ...], vif: Vif | None, now: int) -> tuple[Tenure, ...]:
    """End the tenure that lasts, and begin that of another vif, if there is one."""
    last = tenures[-1]
    if last.until == _NEVER:
        tenures = (*tenures[:-1], Tenure(last.vif, last.since, max(now, last.since)))
    if vif is not None:
        tenures = (*tenures, Tenure(vif, now))
    return tenures[-_OWNERS_MAX:]


def _remembered(tenures: dict[Key, tuple[Tenure, ...]]) -> dict[Key, tuple[Tenure, ...]]:
    """Forget the addresses that are longest without an owner, where there are too many."""
    gone = sorted((key for key, owners in tenures.items() if owners[-1].until != _NEVER),
                  key=lambda key: tenures[key][-1].until)  # fmt: skip
    for key in gone[: max(0, len(gone) - PAST_MAX)]:
        del tenures[key]
    return tenures
