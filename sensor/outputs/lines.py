"""Files of whole lines: `eve.json` and `fast.log`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sensor.errors import OutputError
from sensor.model.records import Event

_BUFFER = 1 << 20


class Lines(Protocol):
    """Takes lines (without their end)."""

    def write(self, line: bytes, *, dear: bool = False) -> None:
        """Add a line. dear: an alert, which other lines give way to."""

    def flush(self) -> None:
        """Hand on what is pending."""

    def reopen(self) -> None:
        """Open the file that has the name now."""

    def close(self) -> None:
        """Hand on what is pending, and end."""


class LineFile:
    """Appends whole lines: a reader never sees a part of one, short of a full disk or a crash of the machine.

    Raises OutputError where the file cannot be opened or written; lines that were not written stay pending.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except FileExistsError as e:
            raise OutputError(f"{path.parent}: is not a folder") from e
        except OSError as e:
            raise OutputError(f"{path}: {e.strerror or e}") from e
        self._pending: list[bytes] = []
        self._size = 0

    def write(self, line: bytes, *, dear: bool = False) -> None:  # noqa: ARG002 - a replay drops no line
        """Add a line (without its end)."""
        self._pending.append(line)
        self._size += len(line) + 1
        if self._size >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Hand pending lines to the kernel in one piece."""
        if not self._pending:
            return
        data = memoryview(b"\n".join(self._pending) + b"\n")
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as e:
            self._pending, self._size = [bytes(data[:-1])], len(data)
            raise OutputError(f"{self.path}: {e.strerror or e}") from e
        self._pending.clear()
        self._size = 0

    def reopen(self) -> None:
        """Do nothing: a replay ends before anybody moves its files."""

    def close(self) -> None:
        """Flush and close."""
        try:
            self.flush()
        finally:
            self._file.close()


class EventEncoder:
    """Events to JSON, UTF-8, without line end."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode

    def encode(self, event: Event) -> bytes:
        """Return one JSON object."""
        try:
            return self._encode(event.fields)
        except UnicodeEncodeError:
            # A file name that is not UTF-8 holds lone surrogates, which no JSON can carry.
            return self._encode(_without_surrogates(event.fields))


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any part of an event
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(v) for v in value]
    return value


class _OnLines:
    """Shared by the sinks that write lines."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def flush(self) -> None:
        """Hand on what is pending."""
        self.lines.flush()

    def reopen(self) -> None:
        """Open the file that has the name now."""
        self.lines.reopen()

    def close(self) -> None:
        """Flush and close."""
        self.lines.close()


class EveFile(_OnLines):
    """`eve.json`: one JSON object a line. kinds: the event types to write; None: all."""

    def __init__(self, lines: Lines, kinds: Collection[str] | None = None) -> None:
        super().__init__(lines)
        self._kinds = None if kinds is None else frozenset(kinds)
        self._encode = EventEncoder().encode

    def write(self, event: Event) -> None:
        """Write an event."""
        if self._kinds is None or event.kind in self._kinds:
            self.lines.write(self._encode(event), dear=event.kind == "alert")


class FastFile(_OnLines):
    """`fast.log`: one line an alert, in the format that Snort and Suricata share."""

    def write(self, event: Event) -> None:
        """Write an alert; other events have no line."""
        if event.kind == "alert":
            self.lines.write(fast_line(event).encode(errors="backslashreplace"), dear=True)


def fast_line(event: Event) -> str:
    """Return `date-time  [**] [gid:sid:rev] msg [**] [Classification: …] [Priority: n] {TCP} a:1 -> b:2`."""
    f = event.fields
    stamp = f["timestamp"]
    when = f"{stamp[5:7]}/{stamp[8:10]}/{stamp[:4]}-{stamp[11:26]}"
    a = f["alert"]
    head = (
        f"{when}  [**] [{a['gid']}:{a['signature_id']}:{a['rev']}] {title(event)} [**] "
        f"[Classification: {a['category'] or '(null)'}] [Priority: {a['severity']}]"
    )
    if "src_ip" not in f:
        return f"{head} {{{f.get('proto', 'ETH')}}}"
    return f"{head} {{{f['proto']}}} {_end(f, 'src', 'icmp_type')} -> {_end(f, 'dest', 'icmp_code')}"


def title(event: Event) -> str:
    """Return what an alert says, as one line; a summary says how many alerts it stands for."""
    text = " ".join(event.fields["alert"]["signature"].split())
    held = event.fields.get("xen", {}).get("flood_alerts")
    return text if held is None else f"{text} ({held} alerts)"


def _end(fields: dict[str, Any], end: str, icmp: str) -> str:
    """Return address and port; ICMP has type and code in place of ports."""
    port = fields.get(f"{end}_port", fields.get(icmp, 0))
    return f"{fields[f'{end}_ip']}:{port}"
