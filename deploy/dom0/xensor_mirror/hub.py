"""The hub: a bridge that learns nothing, so that each frame goes to all its ports, of which there is one: the sensor's.

Mirroring to the sensor's vif itself would be simpler, but such a filter is dead for ever once that vif goes; the hub
stays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from xensor_mirror.system import MirrorError, bridge_ports, exists, figure, is_bridge, run, set_sysctl

_OFFLOADS = ("tso", "off", "gso", "off", "sg", "off", "tx", "off")


def ensure(hub: str) -> None:
    """Make the hub, or put right what is there. Raises MirrorError."""
    if not exists(hub):
        run("ip", "link", "add", hub, "type", "bridge")
    elif not is_bridge(hub):
        raise MirrorError(f"{hub} is there, but is no bridge of the kernel: choose another name with --hub")
    # What bridges keep to themselves (LLDP and others) must pass where Open vSwitch feeds the hub; STP, PAUSE and LACP
    # are kept back by the kernel whatever the mask says.
    run("ip", "link", "set", hub, "type", "bridge", "ageing_time", "0", "mcast_snooping", "0", "stp_state", "0",
        "group_fwd_mask", "0xfff8")  # fmt: skip
    set_sysctl(f"net/ipv6/conf/{hub}/disable_ipv6", "1")
    run("ip", "link", "set", "dev", hub, "arp", "off", "up")


def fit(hub: str, mtu: int, *, wire_like: bool) -> None:
    """Let frames of `mtu` bytes through the hub; make the sensor's frames wire-like where that is asked for."""
    for name in (*sensor_ports(hub), hub):
        if figure(name, "mtu") < mtu:
            # A vif whose guest has not come up yet may refuse: then `status` tells.
            with contextlib.suppress(MirrorError):
                run("ip", "link", "set", "dev", name, "mtu", str(mtu))
    for name in sensor_ports(hub) if wire_like else ():
        run("ethtool", "-K", name, *_OFFLOADS)


def sensor_ports(hub: str) -> list[str]:
    """Return the ports of the hub but those that feed it."""
    return [port for port in bridge_ports(hub) if not port.endswith(FEED)]


FEED = ".feed"
"""How the name of a link from Open vSwitch into the hub ends."""


def remove(hub: str, others: Iterable[str]) -> None:
    """Remove the hub unless another mirror uses it or the sensor is still plugged in."""
    if hub not in others and is_bridge(hub) and not bridge_ports(hub):
        run("ip", "link", "del", hub)
