"""What dom0 tells about the mirror, for `xensor doctor`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from sensor.model.finding import ERROR, GOOD, WARNING, Finding
from sensor.xen.faults import Growth, faults
from sensor.xen.inventory import parse as parse_inventory
from sensor.xen.report import Report, ReportError, parse
from sensor.xen.sources import Source

SUBJECT: Final = "dom0"
GUESTS: Final = "guests"
_MEND: Final = "in dom0: xensor-mirror status; systemctl status xensor-mirror"
_PATIENCE: Final = 3.0
"""Seconds that xenstore has for an answer."""
_PAUSE: Final = 0.05


def check(source: Source, max_age: float, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Read one report and judge it. max_age: seconds after which it is too old, by the clocks of both machines."""
    try:
        report = _read(source)
    except ReportError as e:
        yield Finding(SUBJECT, WARNING, f"its report about the mirror cannot be read: {e}", _MEND)
        return
    if report is None:
        yield Finding(SUBJECT, WARNING, "it does not tell about the mirror", _MEND)
        return
    found = list(_judge(report, now() - report.time, max_age))
    ports = sum(bridge.ports for bridge in report.bridges)
    yield from found or [Finding(SUBJECT, GOOD, f"it mirrors all {ports} ports of guests, and has lost no frame")]


def _read(source: Source) -> Report | None:
    text = _text(source)
    return None if text is None else parse(text)


def _text(source: Source) -> str | None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        text = source.poll()
        if text is not None:
            return text
        time.sleep(_PAUSE)
    return None


def inventory(source: Source) -> Finding:
    """Read who is which guest. Without that, events name addresses only."""
    try:
        text = _text(source)
        found = None if text is None else parse_inventory(text)
    except ReportError as e:
        return Finding(GUESTS, WARNING, f"the inventory cannot be read: {e}", _MEND)
    if found is None or not found.guests:
        return Finding(GUESTS, WARNING, "none are known: events name no guests", _MEND)
    cards = Counter(vif.mac for vif in found.vifs)
    twice = sorted(mac for mac, n in cards.items() if n > 1)
    if twice:
        return Finding(GUESTS, WARNING, f"several have the MAC address {twice[0]}: neither of them will be named")
    return Finding(GUESTS, GOOD, f"{len(found.guests)} are known, with {len(found.vifs)} vifs")


def _judge(report: Report, age: float, max_age: float) -> Iterator[Finding]:
    if age > max_age:
        yield Finding(SUBJECT, WARNING, f"its report about the mirror is {age:.0f} s old", _MEND)
    for text in faults(report, Growth()).values():
        yield Finding(SUBJECT, ERROR, text, "in dom0: xensor-mirror repair")
    lost = sum(vif.dropped for vif in report.vifs)
    if lost:
        yield Finding(SUBJECT, WARNING, f"{lost} frames were lost on their way to this guest since its vif was made")
