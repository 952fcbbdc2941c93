"""Alerts as `eve.json` tells of them: what finds their packets again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import msgspec

from sensor.errors import UsageError

_LINE_MAX: Final = 16 << 20
"""Bytes of one event."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; texts are as the event has them, so a guest may have chosen them."""

    timestamp: str
    gid: int
    sid: int
    message: str
    src_ip: str
    src_port: int | None
    dest_ip: str
    dest_port: int | None
    number: int
    """`pcap_cnt`; 0: the event has none."""
    pcap_filename: str
    capture_file: str

    @property
    def micros(self) -> int | None:
        """Microseconds since 1970; None: the time cannot be read."""
        try:
            return (datetime.fromisoformat(self.timestamp) - _EPOCH) // _MICROSECOND
        except (ValueError, TypeError):  # TypeError: no time zone
            return None

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """The ends as they stand in a packet."""
        try:
            return tuple(ip_address(text).packed for text in (self.src_ip, self.dest_ip) if text)
        except ValueError:
            return ()


def read(path: str, wanted: Callable[[Alert], bool], bad: Callable[[int], None]) -> Iterator[Alert]:
    """Yield the alerts of a file of EVE lines that are wanted. bad: hears the number of each line that is none.

    Raises UsageError where the file cannot be read.
    """
    decode = msgspec.json.Decoder().decode
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LINE_MAX), b""), 1):
                if b'"alert"' not in line:
                    continue
                try:
                    found = alert_of(decode(line))
                except (msgspec.DecodeError, UnicodeDecodeError):
                    bad(number)
                    continue
                if found is not None and wanted(found):
                    yield found
    except (OSError, ValueError) as e:
        raise UsageError(f"{path}: {getattr(e, 'strerror', None) or e}") from e


def alert_of(event: Any) -> Alert | None:  # noqa: ANN401 - whatever a line holds
    """Return the alert that an event is; None: it is something else."""
    if not isinstance(event, dict) or event.get("event_type") != "alert" or not isinstance(event.get("alert"), dict):
        return None
    about = event["alert"]
    return Alert(
        _text(event, "timestamp"), _number(about, "gid") or 1, _number(about, "signature_id") or 0,
        _text(about, "signature"), _text(event, "src_ip"), _number(event, "src_port"), _text(event, "dest_ip"),
        _number(event, "dest_port"), _number(event, "pcap_cnt") or 0, _text(event, "pcap_filename"),
        _text(event, "capture_file"),
    )  # fmt: skip


def _text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _number(event: dict[str, Any], name: str) -> int | None:
    value = event.get(name)
    return value if isinstance(value, int) and value >= 0 else None
