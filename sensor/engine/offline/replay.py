"""Offline: captures in, events out, a summary at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sensor.capture.files import FileSource
from sensor.detect.planning.plan import Plan
from sensor.engine.counts.stats import stats
from sensor.engine.crew.wire import Part
from sensor.engine.faults import line
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.writer import Writer
from sensor.errors import CaptureError
from sensor.model.anomaly import DecodeAnomaly


@dataclass(frozen=True, slots=True)
class RuleAlerts:
    """How often one rule alerted."""

    gid: int
    sid: int
    message: str
    severity: int
    alerts: int


@dataclass(slots=True)
class Summary:
    """What a replay saw."""

    captures: int = 0
    packets: int = 0
    octets: int = 0
    seconds: float = 0.0
    """Packet time from the first to the last packet."""
    flows: int = 0
    alerts: int = 0
    by_rule: list[RuleAlerts] = field(default_factory=list)
    """Worst severity first, then most alerts."""
    events: dict[str, int] = field(default_factory=dict)
    """Event type → events written."""
    filtered: int = 0
    """Packets that the capture filter left out."""
    not_inspected: dict[str, int] = field(default_factory=dict)
    """What was seen but not (or not wholly) judged: reason → count."""
    suspended: list[tuple[int, int]] = field(default_factory=list)
    """(gid, sid) of rules that were suspended for what they cost."""
    anomalies: dict[str, int] = field(default_factory=dict)
    """EVE event → count, most first."""
    notes: list[str] = field(default_factory=list)
    """What the captures held that could not be used, and faults of the sensor."""
    errors: list[CaptureError] = field(default_factory=list)


class Replay:
    """Drives one pipeline over a source."""

    def __init__(self, pipeline: Pipeline, writer: Writer, rules_failed: int = 0) -> None:
        self._pipeline = pipeline
        self._writer = writer
        self._rules_failed = rules_failed

    def run(self, source: FileSource, progress: Callable[[], None] | None = None) -> Summary:
        """Replay everything, or what comes until the source is stopped.

        Damage ends its capture, not the replay; it is in the summary. `progress` is called after each block, when
        everything that the block raised has been handed to the sinks.
        """
        pipeline, writer = self._pipeline, self._writer
        for block in source.blocks():
            pipeline.process(block)
            writer.flush()
            if progress is not None:
                progress()
        pipeline.finish()
        writer.close_floods()
        if "stats" in pipeline.options.log_kinds:
            writer.stats(pipeline.tally.last_ts or 0, stats(pipeline, source.counters, self._rules_failed))
        writer.finish()
        return self._summary(source)

    def _summary(self, source: FileSource) -> Summary:
        return summary([part_of(self._pipeline, source, self._rules_failed)], self._writer, self._pipeline.plan)


def part_of(pipeline: Pipeline, source: FileSource, rules_failed: int) -> Part:
    """Return what one pipeline has seen of a source."""
    tally = pipeline.tally
    notes = [*source.problems, *map(line, pipeline.faults.found)]
    return Part(
        captures=source.counters.files, packets=tally.decode.pkts, octets=tally.decode.bytes,
        first=tally.first_ts or 0, last=tally.last_ts or 0, flows=pipeline.table.counters.snapshot()["total"],
        filtered=source.counters.packets_filtered, not_inspected=not_inspected(pipeline, source),
        suspended=_suspended(pipeline), anomalies=pipeline.tally.anomalies, notes=notes,
        errors=[str(error) for error in source.errors], stats=stats(pipeline, source.counters, rules_failed),
    )  # fmt: skip


def summary(parts: Sequence[Part], writer: Writer, plan: Plan) -> Summary:
    """Return the sum of what workers have seen, and what became of it."""
    anomalies = _sums(part.anomalies for part in parts)
    began = [part.first for part in parts if part.first]
    not_seen = _sums(part.not_inspected for part in parts)
    if held := writer.flood.counters.summarized:
        not_seen["alerts collapsed into summaries"] = held
    return Summary(
        captures=sum(part.captures for part in parts),
        packets=sum(part.packets for part in parts),
        octets=sum(part.octets for part in parts),
        seconds=(max(part.last for part in parts) - min(began, default=0)) / 1e9,
        flows=sum(part.flows for part in parts),
        alerts=writer.by_rule.total(),
        by_rule=_by_rule(writer, plan),
        events=dict(writer.events),
        filtered=sum(part.filtered for part in parts),
        not_inspected=not_seen,
        suspended=sorted({ids for part in parts for ids in part.suspended}),
        anomalies=dict(sorted(anomalies.items(), key=lambda item: (-item[1], item[0]))),
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
        errors=[CaptureError(error) for part in parts for error in part.errors],
    )


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, n in one.items():
            total[name] = total.get(name, 0) + n
    return total


def _by_rule(writer: Writer, plan: Plan) -> list[RuleAlerts]:
    counts = writer.by_rule
    numbers = {key: plan.table.number_of(*key) for key in counts}
    rules = {key: plan.rules[number] for key, number in numbers.items() if number >= 0}
    found = [RuleAlerts(*key, r.msg, r.severity, counts[key]) for key, r in rules.items()]
    return sorted(found, key=lambda r: (r.severity, -r.alerts, r.gid, r.sid))


def _suspended(pipeline: Pipeline) -> list[tuple[int, int]]:
    plans = pipeline.plan.rules
    numbers = sorted(number for number, _ in pipeline.judge.budget.drain_suspensions())
    return [(plans[number].gid, plans[number].sid) for number in numbers]


_OPAQUE = {
    DecodeAnomaly.ESP_UNINSPECTED: "packets encrypted by IPsec",
    DecodeAnomaly.GRE_UNSUPPORTED: "GRE packets of a kind that is not decoded",
    DecodeAnomaly.ERSPAN_UNSUPPORTED: "ERSPAN packets of a version that is not decoded",
    DecodeAnomaly.VXLAN_UNKNOWN_PAYLOAD: "VXLAN packets with something else than Ethernet inside",
    DecodeAnomaly.GENEVE_UNKNOWN_PAYLOAD: "GENEVE packets with something else than Ethernet inside",
    DecodeAnomaly.TOO_MANY_LAYERS: "packets nested too deeply",
    DecodeAnomaly.FRAG_IGNORED: "fragments that could not be put together",
}


_LOST = {
    "tunnels": "connections that went on as a protocol that is not known",
    "ranges": "files in byte ranges dropped for want of room",
    "files": "files that are not kept whole, there are too many in their flow",
    "transactions": "transactions that gave way to others of their flow",
    "handles": "names of open files, shares and interfaces forgotten, there are too many in their flow",
}


def not_inspected(pipeline: Pipeline, source: FileSource) -> dict[str, int]:
    """Return what was seen but not (or not wholly) judged, and why; zero counts left out."""
    judge, decode, lost = pipeline.judge, pipeline.tally.decode, pipeline.defrag.counters
    flow = pipeline.table.counters.snapshot()
    odd = pipeline.tally.anomalies
    found = {
        "captures damaged: the rest of each was not read": len(source.errors),
        "packets of a link type that is not decoded": source.counters.packets_unsupported,
        "packets of a protocol that is not decoded": decode.not_ip,
        **{text: odd.get(anomaly.event, 0) for anomaly, text in _OPAQUE.items()},
        "packets cut by the capture's snaplen": decode.truncated,
        "datagrams whose fragments never came together":
            lost.timeouts + lost.evicted_trackers + lost.evicted_memory + pipeline.defrag.pending,
        "second copies made by a mirror": decode.duplicates,
        "flows evicted at the cap": flow["emergency_evictions"],
        "TCP segments outside their stream (judged as packets only)": decode.tcp_not_in_stream,
        "stream bytes lost before the sensor": flow["gap_bytes"],
        "streams beyond the reassembly depth": flow["depth_reached"],
        "out-of-order segments beyond the memory cap": flow["segment_memcap_drop"],
        "stream bytes lost before their parser started (journal full)": pipeline.journal.counters.memcap_drop_bytes,
        "flows whose parser failed": pipeline.walk.apps.counters.parser_errors,
        "flows whose parser gave way at the cap": pipeline.walk.apps.counters.parsers_evicted,
        "flows whose parser gave way at the memory cap": pipeline.walk.apps.counters.memcap,
        "control connections forgotten, there were too many": pipeline.expected.counters.forgotten,
        "files that are not stored whole for want of memory": pipeline.files_cut,
        "flows whose files were to be stored, forgotten for others": pipeline.files_forgotten,
        **{_LOST[name]: n for name, n in pipeline.walk.apps.losses.snapshot().items()},
        "judgements cut off at their budget": judge.budget.counters.budget_exceeded,
        "judgements skipped (rule suspended)": judge.budget.counters.judgements_skipped,
        "judgements that failed": judge.counters.rule_errors,
    }  # fmt: skip
    return {name: n for name, n in found.items() if n}
