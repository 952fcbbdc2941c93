"""What is wrong with a mirror, from one report and the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sensor.xen.report import Bridge, Report

NOT_COPIED: Final = "mirror.not_copied"
LOST: Final = "mirror.frames_lost"
FAILED: Final = "mirror.frames_not_handed_on"
BROKEN: Final = "mirror.bridge_error"
TOO_LONG: Final = "mirror.mtu"
SILENT: Final = "mirror.report_missing"

SIDS: Final = ((SILENT, 1), (NOT_COPIED, 2), (LOST, 3), (FAILED, 4), (BROKEN, 5), (TOO_LONG, 6))
"""(event, signature id). Numbers are never given anew."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What was lost between two reports."""

    lost: int = 0
    """Frames, on the way from the hub to the sensor."""
    failed: int = 0
    """Frames, on the way to the hub."""
    copied: int = 0
    repaired: int = 0


def growth(before: Report | None, now: Report) -> Growth:
    """Return what the counters grew by; a vif or publisher that started anew counts from 0.

    The first report's figures are of the time before this sensor looked, and count nothing.
    """
    if before is None:
        return Growth()
    vifs = {vif.name: vif.dropped for vif in before.vifs}
    bridges = {bridge.name: bridge for bridge in before.bridges}
    return Growth(
        lost=sum(_more(vifs.get(vif.name, 0), vif.dropped) for vif in now.vifs),
        failed=sum(_more(_figure(bridges.get(b.name), "failed"), b.failed) for b in now.bridges),
        copied=sum(_more(_figure(bridges.get(b.name), "copied"), b.copied) for b in now.bridges),
        repaired=_more(before.repaired, now.repaired),
    )


def _figure(bridge: Bridge | None, name: str) -> int:
    return 0 if bridge is None else int(getattr(bridge, name))


def _more(before: int, now: int) -> int:
    return now - before if now >= before else now


def faults(report: Report, grown: Growth, named: Callable[[str], str] = str) -> dict[str, str]:
    """Return event → what is wrong, for the operator. named: says more of a vif than its name."""
    return dict(_faults(report, grown, named))


def _faults(report: Report, grown: Growth, named: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    missing = [bridge for bridge in report.bridges if bridge.missing]
    if missing:
        each = "; ".join(
            f"{b.name}: {b.missing} of {b.ports} ports ({', '.join(map(named, b.missing_names))})" for b in missing
        )
        yield NOT_COPIED, f"guests are not mirrored: {each}"
    if grown.lost:
        yield LOST, f"{grown.lost} frames were lost on the way from dom0 to the sensor"
    if grown.failed:
        yield FAILED, f"{grown.failed} frames did not reach the hub in dom0"
    broken = [f"{bridge.name}: {bridge.error}" for bridge in report.bridges if bridge.error]
    if broken or not report.bridges:
        yield BROKEN, "; ".join(broken) or "no bridge is mirrored"
    longest = max((bridge.mtu for bridge in report.bridges), default=0)
    small = [vif for vif in report.vifs if vif.mtu < longest]
    if small:
        yield TOO_LONG, f"frames of up to {longest} bytes do not fit into {small[0].name} ({small[0].mtu} bytes)"
