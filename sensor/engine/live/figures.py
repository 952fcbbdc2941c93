"""The live sensor in figures: the snapshot that metrics export, and the capture part of EVE `stats`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensor.capture.afpacket import LiveSource
from sensor.detect.planning.plan import Plan
from sensor.detect.state.threshold import Thresholds
from sensor.engine.framing.frames import FrameCounters
from sensor.engine.live.figures_alerts import AlertFigures
from sensor.engine.live.figures_caps import by_label, caps, decided
from sensor.engine.live.outlets import Outlets
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.evidence import Evidence
from sensor.engine.records.writer import Writer
from sensor.metrics.names import Snapshot
from sensor.outputs.filestore import FileStore
from sensor.outputs.pcaplog import PcapCounters

_NONE: tuple[str, ...] = ()
_FRAMED = ("dhcp_messages", "dns_flows", "http_flows", "ssh_flows", "tls_flows")
"""What is parsed where its frames say so."""
_PROTOCOLS = ("arp", "ipv4", "ipv6", "tcp", "udp", "icmpv4", "icmpv6", "sctp")


def capture_stats(source: LiveSource) -> dict[str, Any]:
    """Return EVE `stats.capture`, with Suricata's names for AF_PACKET where it counts the same."""
    total = source.totals()
    return {
        "kernel_packets": total.kernel_packets, "kernel_drops": total.kernel_drops, "kernel_ifdrops": 0, "errors": 0,
        "kernel_freezes": total.kernel_freezes, "orphaned": total.orphaned, "interface_losses": total.lost,
        "interface_returns": total.reopened, "refused": total.refused,
    }  # fmt: skip


class Figures:
    """Makes snapshots."""

    def __init__(self, version: str, started_ns: int, *, rules_failed: int = 0, per_rule: bool = False) -> None:
        self._version = version
        self._started = started_ns / 1e9
        self.rules_failed = rules_failed
        self._alerts = AlertFigures(per_rule=per_rule)
        self.reloads = {"done": 0, "failed": 0}
        self.last_reload = self._started
        """When the rules in force were loaded, seconds since the epoch."""
        self.outlets: Outlets | None = None
        """Set once they are open."""

    def snapshot(self, plan: Plan, writer: Writer, thresholds: Thresholds, measured: Snapshot) -> Snapshot:
        """Return the values of all metrics as they are now. measured: what `worker_figures` tells, of all workers."""
        self._alerts.learn(plan)
        tables = decided(thresholds, writer)
        return {
            **measured,
            **{name: {**measured.get(name, {}), **values} for name, values in tables.items()},
            "xensor_build_info": {(self._version,): 1.0},
            "xensor_start_time_seconds": {_NONE: self._started},
            "xensor_rule_reloads_total": by_label(self.reloads),
            "xensor_rules_loaded_time_seconds": {_NONE: self.last_reload},
            "xensor_output_faults_total": {_NONE: writer.sinks.failures},
            **(_outlets(self.outlets) if self.outlets is not None else {}),
            "xensor_rules_loaded": {_NONE: self._alerts.rules},
            "xensor_rules_failed": {_NONE: self.rules_failed},
            **self._alerts.values(writer.by_rule),
            **writer.by_guest.snapshot(),
            "xensor_alerts_summarized_total": {_NONE: writer.flood.counters.summarized},
            "xensor_events_total": by_label(writer.events),
        }


def worker_figures(pipeline: Pipeline, source: LiveSource) -> Snapshot:
    """Return the values of the metrics about the packets that one worker has seen."""
    return {
        "xensor_last_packet_time_seconds": {_NONE: (pipeline.tally.last_ts or 0) / 1e9}, **_capture(source),
        "xensor_stage_seconds_total": by_label({name: ns / 1e9 for name, ns in pipeline.stopwatch.ns.items()}),
        **_decode(pipeline), **_flows(pipeline), **_judged(pipeline), **caps(pipeline),
    }  # fmt: skip


def _judged(pipeline: Pipeline) -> dict[str, Mapping[tuple[str, ...], float]]:
    counters, budget = pipeline.judge.counters, pipeline.judge.budget.counters
    return {
        "xensor_judgements_total": {_NONE: counters.judgements},
        "xensor_judgements_cut_total": {_NONE: budget.budget_exceeded},
        "xensor_judgements_skipped_total": {_NONE: budget.judgements_skipped},
        "xensor_rule_errors_total": {_NONE: counters.rule_errors},
        "xensor_stream_marks_forgotten_total": by_label(pipeline.forgotten()),
        "xensor_smb_flows_parsed_total": _parsed(pipeline.frame_counters, "smb_flows", "contents"),
        **{f"xensor_{what}_parsed_total": _parsed(pipeline.frame_counters, what, "not_plain") for what in _FRAMED},
        "xensor_parser_errors_total": {_NONE: pipeline.walk.apps.counters.parser_errors},
        "xensor_rule_suspensions_total": {_NONE: budget.suspended},
    }


def _parsed(counters: FrameCounters, what: str, other: str) -> dict[tuple[str, ...], float]:
    """Return how much of a protocol had to be parsed, by why: a rule may match, or something else."""
    return by_label({why: getattr(counters, f"{what}_{why}") for why in ("matched", other)})


def _capture(source: LiveSource) -> dict[str, Mapping[tuple[str, ...], float]]:
    kinds = {
        "packets": "packets", "bytes": "bytes", "kernel_packets": "kernel_packets", "kernel_drops": "kernel_drops",
        "kernel_freezes": "kernel_freezes", "lost": "interface_losses", "reopened": "interface_returns",
        "refused": "refused", "orphaned": "orphaned",
    }  # fmt: skip
    found: dict[str, Mapping[tuple[str, ...], float]] = {
        f"xensor_capture_{name}_total": {(ring.name,): getattr(ring.counters, field) for ring in source.rings}
        for field, name in kinds.items()
    }
    found["xensor_capture_interface_present"] = {(ring.name,): int(ring.attached) for ring in source.rings}
    return found


def _decode(pipeline: Pipeline) -> dict[str, Mapping[tuple[str, ...], float]]:
    tally, lost = pipeline.tally, pipeline.defrag.counters
    decode = tally.decode
    return {
        "xensor_decode_packets_total": {_NONE: decode.pkts},
        "xensor_decode_bytes_total": {_NONE: decode.bytes},
        "xensor_decode_protocol_packets_total": by_label({name: getattr(decode, name) for name in _PROTOCOLS}),
        "xensor_decode_anomalies_total": by_label(tally.anomalies),
        "xensor_checksums_total": by_label(tally.checksums),
        "xensor_fragments_lost_total": {_NONE: lost.timeouts + lost.evicted_trackers + lost.evicted_memory},
        "xensor_duplicates_total": {_NONE: decode.duplicates},
        "xensor_truncated_total": {_NONE: decode.truncated},
        "xensor_stream_ignored_segments_total": {_NONE: decode.tcp_not_in_stream},
    }


def _flows(pipeline: Pipeline) -> dict[str, Mapping[tuple[str, ...], float]]:
    count = pipeline.table.counters.snapshot()
    kinds = {
        "xensor_flows_total": "total", "xensor_flows_active": "active", "xensor_flow_memory_bytes": "memuse",
        "xensor_flow_evictions_total": "emergency_evictions", "xensor_stream_gaps_total": "reassembly_gap",
        "xensor_stream_gap_bytes_total": "gap_bytes", "xensor_stream_memcap_drops_total": "segment_memcap_drop",
        "xensor_stream_depth_reached_total": "depth_reached",
    }  # fmt: skip
    found: dict[str, Mapping[tuple[str, ...], float]] = {name: {_NONE: count[key]} for name, key in kinds.items()}
    return found | {"xensor_clock_steps_total": {_NONE: pipeline.clock_steps},
                    "xensor_flows_limit": {_NONE: pipeline.options.settings.flow.max_flows},
                    "xensor_tcp_flows_ended_total": {_NONE: pipeline.sight.tcp_ended},
                    "xensor_tcp_flows_one_way_total": {_NONE: pipeline.sight.one_way}}  # fmt: skip


def _outlets(outlets: Outlets) -> dict[str, Mapping[tuple[str, ...], float]]:
    kinds = {"lines": "written", "errors": "errors", "lost": "lost", "shed": "shed", "rotations": "rotations"}
    found: dict[str, Mapping[tuple[str, ...], float]] = {
        f"xensor_output_{name}_total": {(o.name,): getattr(o.counters, field) for o in outlets.watched}
        for name, field in kinds.items()
    }
    found["xensor_output_waiting_lines"] = {(o.name,): o.waiting for o in outlets.watched}
    found["xensor_output_failing"] = {(o.name,): int(bool(o.failing)) for o in outlets.watched}
    found["xensor_spool_bytes"] = {(o.name,): o.spool.size for o in outlets.spooled}
    found["xensor_spool_limit_bytes"] = {(o.name,): o.spool.limit for o in outlets.spooled}
    if outlets.evidence is not None and outlets.captures is not None:
        found |= _evidence(outlets.evidence, outlets.captures.counters)
    if outlets.store is not None:
        found |= _store(outlets.store)
    keeper = outlets.keeper
    return found if keeper is None else found | {
        "xensor_events_shed_total": by_label(keeper.disk.shed),
        "xensor_disk_free_bytes": {_NONE: keeper.disk.free},
        "xensor_disk_level": {_NONE: keeper.disk.level},
        "xensor_archive_bytes": by_label(keeper.archive.octets),
        "xensor_archive_files_cut_total": {_NONE: keeper.archive.counters.cut},
        "xensor_archive_files_deleted_total": {_NONE: keeper.archive.counters.deleted},
        "xensor_archive_errors_total": {_NONE: keeper.archive.counters.errors},
    }  # fmt: skip


def _store(store: FileStore) -> dict[str, Mapping[tuple[str, ...], float]]:
    names = ("files", "bytes", "known", "deleted", "errors", "lost")
    found: dict[str, Mapping[tuple[str, ...], float]] = {
        f"xensor_file_store_{name}_total": {_NONE: getattr(store.counters, name)} for name in names
    }
    return found | {"xensor_file_store_size_bytes": {_NONE: store.size}}


def _evidence(evidence: Evidence, log: PcapCounters) -> dict[str, Mapping[tuple[str, ...], float]]:
    own = evidence.counters
    return {
        "xensor_evidence_packets_total": {_NONE: log.packets},
        "xensor_evidence_bytes_total": {_NONE: log.bytes},
        "xensor_evidence_files_deleted_total": {_NONE: log.deleted},
        "xensor_evidence_errors_total": {_NONE: log.errors},
        "xensor_evidence_left_out_total": by_label({"disk": own.shed, "error": log.lost}),
        "xensor_evidence_flows_cut_total": by_label({"limit": own.cut, "evicted": own.evicted}),
        "xensor_evidence_memory_bytes": {_NONE: evidence.remembered},
    }
