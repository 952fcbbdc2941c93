"""Bounds in figures: how near the tables are to their caps, and what gave way where one was full."""

from __future__ import annotations

from collections.abc import Mapping

from sensor.detect.hostbits import MAX_BITS
from sensor.engine.apps import MAX_PARSERS
from sensor.engine.pipeline import Pipeline
from sensor.engine.writer import Writer

Values = Mapping[tuple[str, ...], float]


def caps(pipeline: Pipeline, writer: Writer) -> dict[str, Values]:
    """Return the values of the metrics."""
    used, limits = _used(pipeline, writer), _limits(pipeline, writer)
    return {
        "xensor_table_entries": _by(used),
        "xensor_table_limit": _by(limits),
        "xensor_journal_bytes": {(): pipeline.journal.counters.pages * pipeline.journal.limits.page},
        "xensor_journal_limit_bytes": {(): pipeline.options.settings.journal.memcap},
        "xensor_given_way_total": _by(given_way(pipeline, writer)),
        "xensor_rules_suspended": {(): pipeline.judge.budget.suspended_at(pipeline.tally.last_ts or 0)},
    }


def given_way(pipeline: Pipeline, writer: Writer) -> dict[str, int]:
    """Return what was dropped because its table was full, by table."""
    judge, fragments = pipeline.judge, pipeline.defrag.counters
    return {
        "flows": pipeline.table.counters.snapshot()["emergency_evictions"],
        "datagrams": fragments.evicted_trackers + fragments.evicted_memory,
        "fragments": fragments.max_fragments + fragments.max_overlaps,
        "journal": pipeline.journal.counters.memcap_drop,
        "parsers": pipeline.walk.apps.counters.parsers_evicted,
        "announced": pipeline.expected.counters.dropped,
        "thresholds": pipeline.thresholds.counters.threshold_evictions,
        "flow_names": judge.var_counters.flow_names_dropped,
        "host_bits": judge.host_bits.counters.host_bits_dropped,
        "floods": writer.flood.counters.evicted,
    }


def _used(pipeline: Pipeline, writer: Writer) -> dict[str, int]:
    return {
        "flows": pipeline.table.counters.snapshot()["active"],
        "datagrams": pipeline.defrag.pending,
        "parsers": len(pipeline.walk.apps),
        "thresholds": len(pipeline.thresholds),
        "host_bits": len(pipeline.judge.host_bits),
        "floods": len(writer.flood),
    }


def _limits(pipeline: Pipeline, writer: Writer) -> dict[str, int]:
    settings = pipeline.options.settings
    return {
        "flows": settings.flow.max_flows, "datagrams": settings.defrag.trackers, "parsers": MAX_PARSERS,
        "thresholds": pipeline.thresholds.limits.entries, "host_bits": MAX_BITS, "floods": writer.flood.limits.keys,
    }  # fmt: skip


def _by(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(name,): value for name, value in values.items()}
