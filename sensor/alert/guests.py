"""The flat `xen` object of an event: which guests are at its ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sensor.model.scene import Scene
from sensor.xen.directory import Directory
from sensor.xen.inventory import Vif


def identity(directory: Directory, scene: Scene) -> dict[str, Any]:
    """Return what is known of both ends at the time of the event; empty: neither is a guest of this host."""
    out = {**dict(_end("src", *ends(directory, scene, "src"))), **dict(_end("dest", *ends(directory, scene, "dest")))}
    if out and directory.inventory.host:
        out["host"] = directory.inventory.host
    return out


def ends(directory: Directory, scene: Scene, end: str) -> tuple[Vif | None, Vif | None]:
    """Return the vif by which one end (`src`, `dest`) is connected, and the one that its IP address belongs to."""
    mac, address = (scene.src_mac, scene.src) if end == "src" else (scene.dest_mac, scene.dest)
    return directory.find(mac, scene.ts), directory.find(address, scene.ts) if address else None


def names(directory: Directory, scene: Scene) -> set[str]:
    """Return the names of the guests at the ends of a scene."""
    found = (ends(directory, scene, end) for end in ("src", "dest"))
    return {vif.guest.name for by_mac, by_address in found if (vif := by_mac or by_address) is not None}


def _end(end: str, by_mac: Vif | None, by_address: Vif | None) -> Iterator[tuple[str, Any]]:
    """Yield the fields of one end. The card is what the toolstack made; an address anybody can take."""
    vif = by_mac or by_address
    if vif is None:
        return
    guest = vif.guest
    yield f"{end}_guest", guest.name
    if guest.uuid:
        yield f"{end}_uuid", guest.uuid
    if guest.domid >= 0:
        yield f"{end}_domid", guest.domid
    if vif.name:
        yield f"{end}_vif", vif.name
    yield f"{end}_by", "mac" if by_mac is not None else "address"
    if by_mac is not None and by_address is not None and by_address.guest != guest:
        yield f"{end}_address_of", by_address.guest.name
