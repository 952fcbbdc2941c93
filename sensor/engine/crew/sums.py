"""Statistics and metrics of several workers as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from sensor.engine.crew.verdicts import Verdicts
from sensor.engine.crew.wire import Part
from sensor.metrics.names import BY_NAME, COUNTER, Snapshot

_LARGEST: Final = frozenset({
    "uptime", "max_pkt_size", "emerg_mode_entered", "clock_steps", "rules_loaded", "rules_failed", "id",
})  # fmt: skip
"""Numbers of which the largest counts; all others are sums."""


def total(bodies: Sequence[Mapping[str, Any]], verdicts: Verdicts) -> dict[str, Any]:
    """Return the sums. verdicts: know what was raised; workers only know what matched."""
    found = _merged(bodies)
    if "detect" in found:
        found["detect"]["alert"] = verdicts.alerts
        found["detect"]["host_bits_dropped"] += verdicts.host_bits.counters.host_bits_dropped
        for name, count in verdicts.sets.counters.snapshot().items():
            found["detect"][name] += count
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


_MOST: Final = frozenset({"xensor_clock_steps_total", "xensor_last_packet_time_seconds", "xensor_rules_suspended"})
_LEAST: Final = frozenset({"xensor_capture_interface_present"})
_NOW: Final = ("active", "memuse")
"""Of `stats.flow`: as it is now, and gone with the worker."""


def figures(snapshots: Iterable[Snapshot]) -> dict[str, dict[tuple[str, ...], float]]:
    """Return metrics of all workers: sums, but for the few of which the largest or smallest counts."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for snapshot in snapshots:
        for name, values in snapshot.items():
            sums = found.setdefault(name, {})
            join = max if name in _MOST else min if name in _LEAST else float.__add__
            for labels, value in values.items():
                sums[labels] = join(float(sums[labels]), float(value)) if labels in sums else value
    return found


def counters_only(snapshot: Snapshot) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what stays of a worker's metrics when it has died."""
    return {name: dict(values) for name, values in snapshot.items() if BY_NAME[name].kind == COUNTER}


def retired(parts: Sequence[Part]) -> Part:
    """Return what workers that have died had seen, as one part."""
    merged = _merged([part.stats for part in parts])
    merged["flow"] = merged.get("flow", {}) | dict.fromkeys(_NOW, 0)
    merged["app_layer"] = merged.get("app_layer", {}) | {"memuse": 0}
    began = [part.first for part in parts if part.first]
    return replace(
        parts[0],
        packets=sum(part.packets for part in parts), octets=sum(part.octets for part in parts),
        first=min(began, default=0), last=max(part.last for part in parts), flows=sum(part.flows for part in parts),
        not_inspected=_merged([part.not_inspected for part in parts]),
        suspended=sorted({ids for part in parts for ids in part.suspended}),
        anomalies=_merged([part.anomalies for part in parts]), stats=merged,
    )  # fmt: skip
