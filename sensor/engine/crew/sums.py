"""Bodies of `stats` events of several workers as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_LARGEST: Final = frozenset({"uptime", "max_pkt_size", "emerg_mode_entered", "rules_loaded", "rules_failed", "id"})
"""Numbers of which the largest counts; all others are sums."""


def total(bodies: Sequence[Mapping[str, Any]], alerts: int) -> dict[str, Any]:
    """Return the sums. alerts: those that were raised; workers only know what matched."""
    found = _merged(bodies)
    if "detect" in found:
        found["detect"]["alert"] = alerts
    decoder = found.get("decoder")
    if decoder is not None:
        decoder["avg_pkt_size"] = decoder["bytes"] // decoder["pkts"] if decoder["pkts"] else 0
        decoder["event"] = dict(sorted(decoder["event"].items()))
    return found


def _merged(bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for body in bodies for name in body)
    return {name: _value(name, [body[name] for body in bodies if name in body]) for name in names}


def _value(name: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - what a stats event holds
    first = values[0]
    if isinstance(first, Mapping):
        return _merged(values)
    if isinstance(first, list):  # the engines, one of each worker
        return [_merged([one for value in values for one in value])]
    return max(values) if name in _LARGEST else sum(values)
