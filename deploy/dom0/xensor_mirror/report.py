"""What only this host can know about the mirror, as the sensor reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from xensor_mirror import xenstore
from xensor_mirror.hub import sensor_ports
from xensor_mirror.ports import Choice
from xensor_mirror.record import Mirror
from xensor_mirror.system import MirrorError, figure, run_json

VERSION = 1
NAME = "mirror"
"""Of the value in xenstore, below the sensor's folder."""
_NAMES = 40
"""Names in a list; the counts beside the lists are never cut."""


class Bridge(Protocol):
    """What a report asks of a mirrored bridge."""

    def choice(self) -> Choice:
        """Sort the bridge's ports."""

    def missing(self) -> list[str]:
        """Return the ports that are not copied though they should be."""

    def figures(self) -> tuple[int, int]:
        """Return frames copied, and those that could not be handed to the hub."""

    def longest(self) -> int:
        """Return the largest MTU among the ports that are copied."""


@dataclass(frozen=True)
class BridgeReport:
    """One mirrored bridge."""

    bridge: str
    kind: str
    hub: str
    ports: int
    """That are to be copied."""
    missing: int
    exempt: int
    copied: int
    """Frames."""
    failed: int
    """Frames that could not be handed to the hub."""
    mtu: int
    """The largest among the ports."""
    names: tuple[str, ...]
    """Of the ports, as many as fit."""
    missing_names: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True)
class VifReport:
    """A vif of the sensor on the hub."""

    name: str
    carrier: bool
    """False: nobody takes its frames."""
    mtu: int
    frames: int
    dropped: int
    """Frames lost on the way to the sensor, which cannot know of them."""


def survey(mirror: Mirror, bridge: Bridge) -> BridgeReport:
    """Look at one mirrored bridge; what cannot be looked at becomes the report's error."""
    try:
        choice, missing, (copied, failed) = bridge.choice(), bridge.missing(), bridge.figures()
    except MirrorError as e:
        return BridgeReport(mirror.bridge, mirror.kind, mirror.hub, 0, 0, 0, 0, 0, 0, (), (), str(e)[:200])
    return BridgeReport(
        mirror.bridge, mirror.kind, mirror.hub, len(choice.copied), len(missing), len(choice.exempt), copied, failed,
        bridge.longest(), choice.copied[:_NAMES], tuple(missing[:_NAMES]),
    )  # fmt: skip


def vifs(hub: str) -> list[VifReport]:
    """Look at the sensor's vifs on a hub."""
    return [
        VifReport(name, bool(figure(name, "carrier")), figure(name, "mtu"), figure(name, "statistics/tx_packets"),
                  dropped(name))
        for name in sensor_ports(hub)
    ]  # fmt: skip


def dropped(name: str) -> int:
    """Return frames lost at an interface: in its queue, and by its driver."""
    try:
        queues = run_json("tc", "-j", "-s", "qdisc", "show", "dev", name)
    except MirrorError:
        queues = []
    # A queue of queues counts the drops of those below it in its own figure.
    waiting = sum(int(queue.get("drops", 0)) for queue in queues if queue.get("root"))
    return waiting + figure(name, "statistics/tx_dropped")


def problems(bridges: Sequence[BridgeReport], sensors: Sequence[VifReport]) -> list[str]:
    """Return what is wrong, a line each."""
    found = []
    longest = 0
    for one in bridges:
        longest = max(longest, one.mtu)
        if one.error:
            found.append(f"{one.bridge}: {one.error}")
        if one.missing:
            found.append(f"{one.bridge}: not copied: {', '.join(one.missing_names)}")
        if one.failed:
            found.append(f"{one.bridge}: {one.failed} frames could not be handed to {one.hub}")
    if bridges and not sensors:
        found.append("the sensor has no vif on the hub")
    for vif in sensors:
        if not vif.carrier:
            found.append(f"{vif.name}: no carrier: the sensor's guest does not take its frames")
        if vif.mtu < longest:
            found.append(f"{vif.name}: its MTU of {vif.mtu} is below the guests' {longest}: longer frames are lost")
        if vif.dropped:
            found.append(f"{vif.name}: {vif.dropped} frames were lost on the way to the sensor")
    return found


def text(bridges: Sequence[BridgeReport], sensors: Sequence[VifReport], generation: int, repaired: int) -> str:
    """Return the report as JSON that fits into one value of xenstore."""
    names = _NAMES
    while True:
        cut = [replace(b, names=b.names[:names], missing_names=b.missing_names[:names]) for b in bridges]
        whole = {
            "version": VERSION, "generation": generation, "time": int(time.time()), "repaired": repaired,
            "bridges": [asdict(one) for one in cut], "vifs": [asdict(one) for one in sensors],
        }  # fmt: skip
        made = json.dumps(whole, separators=(",", ":"))
        if len(made) <= xenstore.PAYLOAD - 256 or names == 0:
            return made
        names //= 2


def publish(report: str, sensors: Iterable[int], path: Path) -> list[str]:
    """Hand a report to the sensor: by xenstore where there is one, and by a file; return what went wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(report + "\n")
    fresh.replace(path)
    wrong = []
    for domain in sorted(sensors) if xenstore.present() else ():
        try:
            xenstore.publish(domain, NAME, report)
        except MirrorError as e:  # noqa: PERF203 - one sensor
            wrong.append(str(e))
    return wrong

