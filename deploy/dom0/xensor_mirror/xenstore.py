"""xenstore by its command-line programs, where this host has one."""

from __future__ import annotations

import shutil

from xensor_mirror.system import MirrorError, run

ROOT = "/local/domain/{domain}/data/ids"
"""Below it the sensor's guest reads. libxl gives `data` to the guest: without a permission of its own this folder could
be overwritten by the guest that it informs."""
PAYLOAD = 4096
"""XENSTORE_PAYLOAD_MAX (xen/io/xs_wire.h): path and value of one write."""


def present() -> bool:
    """Tell whether there is a xenstore to write to."""
    return all(shutil.which(f"xenstore-{name}") for name in ("write", "chmod", "read", "ls"))


def vif_mac(domain: int, number: int) -> str:
    """Return the MAC address that the toolstack gave a vif, empty: unknown."""
    if not present():
        return ""
    try:
        return run("xenstore-read", f"/local/domain/0/backend/vif/{domain}/{number}/mac").strip().lower()
    except MirrorError:
        return ""


def value(domain: int, name: str) -> str:
    """Return what a guest reads under a name, empty: nothing."""
    try:
        return run("xenstore-read", f"{ROOT.format(domain=domain)}/{name}").strip()
    except MirrorError:
        return ""


def publish(domain: int, name: str, text: str) -> None:
    """Write a value that a guest may read but not change. Raises MirrorError."""
    root = ROOT.format(domain=domain)
    # The folder is restricted first: what is made below it inherits its permissions.
    run("xenstore-write", root, "")
    run("xenstore-chmod", root, "n0", f"r{domain}")
    run("xenstore-write", f"{root}/{name}", text)
    run("xenstore-chmod", f"{root}/{name}", "n0", f"r{domain}")
