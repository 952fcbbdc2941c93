"""What dom0 tells about the mirror, for `xensor doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from sensor.engine.checkup import ERROR, GOOD, WARNING, Finding
from sensor.xen.faults import Growth, faults
from sensor.xen.report import Report, ReportError, parse
from sensor.xen.sources import Source

SUBJECT: Final = "dom0"
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
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        text = source.poll()
        if text is not None:
            return parse(text)
        time.sleep(_PAUSE)
    return None


def _judge(report: Report, age: float, max_age: float) -> Iterator[Finding]:
    if age > max_age:
        yield Finding(SUBJECT, WARNING, f"its report about the mirror is {age:.0f} s old", _MEND)
    for text in faults(report, Growth()).values():
        yield Finding(SUBJECT, ERROR, text, "in dom0: xensor-mirror repair")
    lost = sum(vif.dropped for vif in report.vifs)
    if lost:
        yield Finding(SUBJECT, WARNING, f"{lost} frames were lost on their way to this guest since its vif was made")
