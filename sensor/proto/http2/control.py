"""What frames say about connections and streams (RFC 9113 section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sensor.proto.http2 import frames
from sensor.proto.http2.frames import Frame
from sensor.proto.reader import Reader, WireError

_MAX_SETTINGS = 64
"""Settings of one frame that are read."""


class Facts(NamedTuple):
    """What a frame says: numbers for rules, fields for EVE."""

    numbers: dict[str, Sequence[int]]
    fields: dict[str, Any]


def facts(frame: Frame) -> Facts | None:
    """Return what a frame says; None: it is malformed."""
    numbers: dict[str, Sequence[int]] = {} if _sets_nothing(frame) else {"http2.frametype": (frame.kind,)}
    fields: dict[str, Any] = {}
    read = _READERS.get(frame.kind)
    if read is not None:
        try:
            read(frame, Reader(frame.payload), numbers, fields)
        except WireError:
            return None
    return Facts(numbers, fields)


def _sets_nothing(frame: Frame) -> bool:
    """Tell whether a frame of settings has none: rules on kinds of frames pass over it, as in Suricata."""
    return frame.kind == frames.SETTINGS and not frame.length


def _settings(frame: Frame, reader: Reader, numbers: dict[str, Sequence[int]], fields: dict[str, Any]) -> None:
    if frame.length % 6 or frame.stream:
        raise WireError("length of SETTINGS", 0)
    listed: list[dict[str, Any]] = []
    while reader.left() and len(listed) < _MAX_SETTINGS:
        number, value = reader.u16(), reader.u32()
        known = 1 <= number <= len(frames.SETTINGS_NAMES)
        name = frames.SETTINGS_NAMES[number - 1] if known else ""
        if known:
            key = f"http2.settings.{name}"
            numbers[key] = (*numbers.get(key, ()), value)
        listed.append({"settings_id": f"SETTINGS{name.upper().replace('_', '')}" if known else str(number),
                       "settings_value": value})  # fmt: skip
    if listed:
        fields["settings"] = listed


def _error(frame: Frame, reader: Reader, numbers: dict[str, Sequence[int]], fields: dict[str, Any]) -> None:
    """RST_STREAM, GOAWAY."""
    if frame.kind == frames.GOAWAY:
        reader.skip(4)
    code = reader.u32()
    numbers["http2.errorcode"] = (code,)
    word = next((name for name, value in frames.ERRORS.items() if value == code), str(code))
    fields["error_code"] = word.upper().replace("_", "")  # as Suricata writes them


def _window(_frame: Frame, reader: Reader, numbers: dict[str, Sequence[int]], fields: dict[str, Any]) -> None:
    numbers["http2.window"] = (reader.u32() & 0x7FFFFFFF,)
    fields["window"] = numbers["http2.window"][0]


def _priority(frame: Frame, reader: Reader, numbers: dict[str, Sequence[int]], fields: dict[str, Any]) -> None:
    """PRIORITY, HEADERS."""
    if frame.kind == frames.HEADERS:
        if not frame.flags & frames.WITH_PRIORITY:
            return
        if frame.flags & frames.PADDED:
            reader.skip(1)
    reader.skip(4)
    numbers["http2.priority"] = (reader.u8(),)
    fields["priority"] = numbers["http2.priority"][0]


_READERS = {
    frames.SETTINGS: _settings,
    frames.RST_STREAM: _error,
    frames.GOAWAY: _error,
    frames.WINDOW_UPDATE: _window,
    frames.PRIORITY: _priority,
    frames.HEADERS: _priority,
}
