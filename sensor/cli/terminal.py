"""Sinks that write to standard output: EVE lines, fast.log lines, a table for people."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from sensor.outputs.lines import EventEncoder, fast_line, title

if TYPE_CHECKING:
    from sensor.cli.screen import Screen
    from sensor.model.records import Event

SEVERITIES = {1: "HIGH", 2: "MEDIUM", 3: "LOW", 4: "INFO"}
COLOURS = {1: "\x1b[1;31m", 2: "\x1b[33m", 3: "\x1b[36m"}
DIM, BOLD, RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


class _OnScreen:
    """Shared by the sinks of this module."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def flush(self) -> None:
        """Write what is pending."""
        self._screen.flush()

    def reopen(self) -> None:
        """Do nothing: standard output stays what it is."""

    def close(self) -> None:
        """Write what is pending."""
        self._screen.flush()


class EveStdout(_OnScreen):
    """EVE lines. kinds: the event types to write."""

    def __init__(self, screen: Screen, kinds: Collection[str]) -> None:
        super().__init__(screen)
        self._kinds = frozenset(kinds)
        self._encode = EventEncoder().encode

    def write(self, event: Event) -> None:
        """Write an event."""
        if event.kind in self._kinds:
            self._screen.line(self._encode(event).decode())


class FastStdout(_OnScreen):
    """A line of fast.log for each alert."""

    def write(self, event: Event) -> None:
        """Write an alert."""
        if event.kind == "alert":
            self._screen.line(fast_line(event))


class Table(_OnScreen):
    """Alerts as a table, with colours."""

    def __init__(self, screen: Screen, *, colour: bool) -> None:
        super().__init__(screen)
        self._colour = colour
        self._header = False

    def write(self, event: Event) -> None:
        """Write an alert."""
        if event.kind != "alert":
            return
        if not self._header:
            self._header = True
            head = f"{'TIME':15} {'SEVERITY':8} {'RULE':>9}  {'FROM':22} {'TO':22} ALERT"
            self._screen.line(self._in(BOLD, head))
        self._screen.line(self._row(event))

    def _row(self, event: Event) -> str:
        f = event.fields
        alert = f["alert"]
        severity = alert["severity"]
        colour = COLOURS.get(severity, "")
        level = f"{SEVERITIES.get(severity, str(severity)):8}"
        return (
            f"{self._in(DIM, f['timestamp'][11:26])} {self._in(colour, level)} {alert['signature_id']:>9}  "
            f"{_end(f, 'src'):22} {_end(f, 'dest'):22} {self._in(colour, title(event))}"
        )

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{RESET}" if self._colour and colour else text


def _end(fields: dict[str, Any], end: str) -> str:
    address = fields.get(f"{end}_ip", "-")
    if ":" in address:
        address = f"[{IPv6Address(address).compressed}]" if f"{end}_port" in fields else IPv6Address(address).compressed
    port = fields.get(f"{end}_port")
    return address if port is None else f"{address}:{port}"
