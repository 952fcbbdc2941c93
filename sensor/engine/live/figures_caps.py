"""Bounds in figures: how near the tables are to their caps, and what gave way where one was full."""

from __future__ import annotations

from collections.abc import Mapping

from sensor.detect.state.hostbits import MAX_BITS, HostBits
from sensor.detect.state.threshold import Thresholds
from sensor.engine.apps import MAX_PARSERS
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.tagging import MAX_SUBJECTS
from sensor.engine.records.writer import Writer

Values = Mapping[tuple[str, ...], float]


def caps(pipeline: Pipeline) -> dict[str, Values]:
    """Return the values of the metrics about what one worker keeps."""
    return {
        "xensor_table_entries": by_label(_used(pipeline)),
        "xensor_table_limit": by_label(_limits(pipeline)),
        "xensor_journal_bytes": {(): pipeline.journal.counters.pages * pipeline.journal.limits.page},
        "xensor_journal_limit_bytes": {(): pipeline.options.settings.journal.memcap},
        "xensor_app_memory_bytes": {(): pipeline.app_memory.held},
        "xensor_app_memory_limit_bytes": {(): pipeline.app_memory.limit},
        "xensor_given_way_total": by_label(given_way(pipeline)),
        "xensor_app_not_kept_total": by_label(pipeline.walk.apps.losses.snapshot()),
        "xensor_rules_suspended": {(): pipeline.judge.budget.suspended_at(pipeline.tally.last_ts or 0)},
    }


def decided(thresholds: Thresholds, writer: Writer) -> dict[str, Values]:
    """Return the same of what decides on the alerts of all workers."""
    return {
        "xensor_table_entries": by_label({"thresholds": len(thresholds), "floods": len(writer.flood)}),
        "xensor_table_limit": by_label({"thresholds": thresholds.limits.entries, "floods": writer.flood.limits.keys}),
        "xensor_given_way_total": by_label(
            {"thresholds": thresholds.counters.threshold_evictions, "floods": writer.flood.counters.evicted}
        ),
    }


def of_hosts(bits: HostBits) -> dict[str, Values]:
    """Return the same of bits of hosts that no single worker keeps."""
    return {
        "xensor_table_entries": by_label({"host_bits": len(bits)}),
        "xensor_table_limit": by_label({"host_bits": MAX_BITS}),
        "xensor_given_way_total": by_label({"host_bits": bits.counters.host_bits_dropped}),
    }


def given_way(pipeline: Pipeline) -> dict[str, int]:
    """Return what was dropped because its table was full, by table."""
    judge, fragments = pipeline.judge, pipeline.defrag.counters
    return {
        "flows": pipeline.table.counters.snapshot()["emergency_evictions"],
        "datagrams": fragments.evicted_trackers + fragments.evicted_memory,
        "fragments": fragments.max_fragments + fragments.max_overlaps,
        "journal": pipeline.journal.counters.memcap_drop,
        "parsers": pipeline.walk.apps.counters.parsers_evicted,
        "app_memory": pipeline.walk.apps.counters.memcap,
        "announced": pipeline.expected.counters.dropped,
        "announcers": pipeline.expected.counters.forgotten,
        "file_memory": pipeline.files_cut,
        "file_wants": pipeline.files_forgotten,
        "flow_names": judge.var_counters.flow_names_dropped,
        "host_bits": judge.host_bits.counters.host_bits_dropped,
        "tags": judge.tagging.counters.tags_evicted,
    }


def _used(pipeline: Pipeline) -> dict[str, int]:
    return {
        "flows": pipeline.table.counters.snapshot()["active"],
        "datagrams": pipeline.defrag.pending,
        "parsers": len(pipeline.walk.apps),
        "host_bits": len(pipeline.judge.host_bits),
        "tags": len(pipeline.judge.tagging),
    }


def _limits(pipeline: Pipeline) -> dict[str, int]:
    settings = pipeline.options.settings
    return {
        "flows": settings.flow.max_flows, "datagrams": settings.defrag.trackers, "parsers": MAX_PARSERS,
        "host_bits": MAX_BITS, "tags": 2 * MAX_SUBJECTS,
    }  # fmt: skip


def by_label(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    """Return the values of a metric with one label, by the values of that label."""
    return {(name,): value for name, value in values.items()}
