"""Events as syslog messages (RFC 5424)."""

from __future__ import annotations

from collections.abc import Callable

from sensor.model.records import Event
from sensor.outputs.limits_remote import FACILITIES, LEVELS, SyslogOptions
from sensor.outputs.lines import EventEncoder, fast_line

_OF_SEVERITY = (5, 2, 3, 4, 5)
"""Level of an alert by its severity (1 is worst): crit, err, warning, notice."""
_OTHERS = LEVELS.index("info")
_HOST_MAX, _APP_MAX = 255, 48
"""RFC 5424, 6."""


class SyslogEncoder:
    """Events to messages. host: HOSTNAME; process: PROCID."""

    def __init__(self, options: SyslogOptions, host: str, process: int) -> None:
        self._facility = FACILITIES.index(options.facility)
        self._level = None if options.level == "auto" else LEVELS.index(options.level)
        self._names = f"{_printable(host, _HOST_MAX)} {_printable(options.identity, _APP_MAX)} {process}"
        self._content: Callable[[Event], bytes] = EventEncoder().encode if options.content == "eve" else _fast

    def encode(self, event: Event) -> bytes:
        """Return `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID - MSG`, the event type being the MSGID."""
        stamp = event.fields["timestamp"][:26] + "Z"
        head = f"<{self._facility * 8 + self._level_of(event)}>1 {stamp} {self._names} {event.kind} - "
        return head.encode() + self._content(event)

    def _level_of(self, event: Event) -> int:
        if self._level is not None:
            return self._level
        if event.kind != "alert":
            return _OTHERS
        severity: int = event.fields["alert"]["severity"]
        return _OF_SEVERITY[severity] if 0 < severity < len(_OF_SEVERITY) else _OF_SEVERITY[0]


def _fast(event: Event) -> bytes:
    return fast_line(event).encode(errors="backslashreplace")


def _printable(text: str, longest: int) -> str:
    """Return a name of printable ASCII without blanks (RFC 5424, 6), `-` for none."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:longest] or "-"
