"""dom0's report about the mirror: JSON of `xensor-mirror publish`, read with care (`deploy/dom0/xensor_mirror`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

VERSION: Final = 1
MAX_BYTES: Final = 64 << 10
"""Of a report; xenstore's own limit is 4 KiB."""
_MAX_BRIDGES: Final = 16
_MAX_VIFS: Final = 16
_MAX_NAME: Final = 64
_MAX_TEXT: Final = 200
_MAX_NUMBER: Final = 1 << 63


class ReportError(ValueError):
    """A report that is not one."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A mirrored bridge."""

    name: str
    ports: int
    """That are to be copied."""
    missing: int
    """Of those, not copied."""
    missing_names: tuple[str, ...]
    """Not all where there are many."""
    copied: int
    """Frames."""
    failed: int
    """Frames that did not reach the hub."""
    mtu: int
    """The largest of its ports."""
    error: str


@dataclass(frozen=True, slots=True)
class Vif:
    """A vif by which the sensor is fed, seen from dom0."""

    name: str
    mtu: int
    dropped: int
    """Frames lost on the way, of which the sensor cannot know."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report."""

    generation: int
    time: int
    """Seconds since the epoch, by dom0's clock."""
    repaired: int
    """Ports whose copying had stopped and was mended, since the publisher started."""
    bridges: tuple[Bridge, ...]
    vifs: tuple[Vif, ...]


def parse(text: str) -> Report:
    """Return the report. Raises ReportError."""
    if len(text) > MAX_BYTES:
        raise ReportError(f"longer than {MAX_BYTES} bytes")
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ReportError("no JSON") from e
    if not isinstance(whole, dict) or whole.get("version") != VERSION:
        raise ReportError(f"not of version {VERSION}")
    return Report(
        _number(whole, "generation"), _number(whole, "time"), _number(whole, "repaired"),
        tuple(map(_bridge, _maps(whole, "bridges", _MAX_BRIDGES))), tuple(map(_vif, _maps(whole, "vifs", _MAX_VIFS))),
    )  # fmt: skip


def _bridge(item: Mapping[str, Any]) -> Bridge:
    names = item.get("missing_names")
    return Bridge(
        _text(item, "bridge", _MAX_NAME), _number(item, "ports"), _number(item, "missing"),
        tuple(str(name)[:_MAX_NAME] for name in names[:_MAX_NAME]) if isinstance(names, list) else (),
        _number(item, "copied"), _number(item, "failed"), _number(item, "mtu"), _text(item, "error", _MAX_TEXT),
    )  # fmt: skip


def _vif(item: Mapping[str, Any]) -> Vif:
    return Vif(_text(item, "name", _MAX_NAME), _number(item, "mtu"), _number(item, "dropped"))


def _maps(whole: Mapping[str, Any], name: str, most: int) -> list[Mapping[str, Any]]:
    found = whole.get(name)
    if not isinstance(found, list) or len(found) > most or not all(isinstance(item, dict) for item in found):
        raise ReportError(f"{name} must be a list of at most {most} objects")
    return found


def _number(item: Mapping[str, Any], name: str) -> int:
    value = item.get(name)
    if not isinstance(value, int) or not 0 <= value < _MAX_NUMBER:
        raise ReportError(f"{name} must be a whole number, 0 or more")
    return value


def _text(item: Mapping[str, Any], name: str, most: int) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise ReportError(f"{name} must be text")
    return value[:most]
