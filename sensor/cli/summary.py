"""The closing summary of a replay: what was seen, what alerted, what was not inspected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sensor.cli.screen import plural
from sensor.cli.terminal import BOLD, COLOURS, DIM, RESET, SEVERITIES

if TYPE_CHECKING:
    from sensor.engine.offline.replay import Summary

_RULES_SHOWN = 30
_ANOMALIES_SHOWN = 8


def render(summary: Summary, *, colour: bool = False) -> str:
    """Return the summary as lines of text."""
    style = (BOLD, DIM, RESET) if colour else ("", "", "")
    return "\n".join(["", *_seen(summary, style), *_alerts(summary, style, colour=colour), *_rest(summary, style)])


def duration(seconds: float) -> str:
    """Return a length of time in the two units that matter."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _seen(summary: Summary, style: tuple[str, str, str]) -> Iterator[str]:
    bold, _, reset = style
    where = f" of {summary.captures} captures" if summary.captures > 1 else ""
    seen = f"{bold}{plural(summary.packets, 'packet')}{reset}{where}"
    octets, flows = plural(summary.octets, "byte"), plural(summary.flows, "flow")
    yield f"{seen}, {octets}, {flows} in {duration(summary.seconds)} of traffic"
    if summary.filtered:
        yield f"the capture filter left out {plural(summary.filtered, 'packet')}"
    yield from summary.notes


def _alerts(summary: Summary, style: tuple[str, str, str], *, colour: bool) -> Iterator[str]:
    bold, dim, reset = style
    if not summary.alerts:
        yield f"{bold}no alerts{reset}"
        return
    yield f"{bold}{plural(summary.alerts, 'alert')}{reset} of {plural(len(summary.by_rule), 'rule')}"
    for rule in summary.by_rule[:_RULES_SHOWN]:
        name = f"{rule.sid}" if rule.gid == 1 else f"{rule.gid}:{rule.sid}"
        tint = COLOURS.get(rule.severity, "") if colour else ""
        level = f"{tint}{SEVERITIES.get(rule.severity, str(rule.severity)):6}{reset if tint else ''}"
        yield f"  {rule.alerts:>9,}  {level}  {name:>10}  {' '.join(rule.message.split())}"
    more = len(summary.by_rule) - _RULES_SHOWN
    if more > 0:
        yield f"  {dim}… and {plural(more, 'rule')} more{reset}"


def _rest(summary: Summary, style: tuple[str, str, str]) -> Iterator[str]:
    bold, dim, reset = style
    others = {kind: n for kind, n in summary.events.items() if kind != "alert"}
    if others:
        yield "other events: " + ", ".join(f"{n:,} {kind}" for kind, n in sorted(others.items()))
    if summary.not_inspected:
        yield f"{bold}not (wholly) inspected{reset}"
        yield from _counts(summary.not_inspected, len(summary.not_inspected), style)
    else:
        yield "everything was inspected"
    if summary.suspended:
        names = ", ".join(f"{gid}:{sid}" for gid, sid in summary.suspended)
        yield f"{bold}rules suspended because they cost too much{reset}: {names}"
    if summary.anomalies:
        yield f"{dim}anomalies{reset}"
        yield from _counts(summary.anomalies, _ANOMALIES_SHOWN, style)


def _counts(found: Mapping[str, int], shown: int, style: tuple[str, str, str]) -> Iterator[str]:
    _, dim, reset = style
    for name, n in list(found.items())[:shown]:
        yield f"  {n:>9,}  {name}"
    if len(found) > shown:
        yield f"  {dim}… and {plural(len(found) - shown, 'kind')} more{reset}"
