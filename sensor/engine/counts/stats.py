"""What a run counted, as the body of an EVE `stats` event: Suricata's names where it counts the same."""

from __future__ import annotations

from typing import Any

from sensor.capture.counters import CaptureCounters
from sensor.engine.pipeline import Pipeline


def stats(pipeline: Pipeline, capture: CaptureCounters, rules_failed: int = 0) -> dict[str, Any]:
    """Return the counters of all stages. The same input gives the same numbers: time is packet time."""
    tally = pipeline.tally
    return {
        "uptime": ((tally.last_ts or 0) - (tally.first_ts or 0)) // 10**9,
        "capture": {
            "kernel_packets": capture.packets, "kernel_drops": 0, "kernel_ifdrops": 0, "errors": capture.files_damaged,
            "filtered": capture.packets_filtered, "unsupported": capture.packets_unsupported,
        },
        "decoder": _decoder(pipeline),
        "checksum": dict(tally.checksums),
        "flow": _flow(pipeline),
        "tcp": _tcp(pipeline),
        "defrag": pipeline.defrag.counters.snapshot(),
        "dedup": pipeline.dedup.counters.snapshot(),
        "app_layer": {
            **pipeline.walk.apps.counters.snapshot(), "memuse": pipeline.app_memory.held,
            "not_kept": pipeline.walk.apps.losses.snapshot(),
            **pipeline.frame_counters.snapshot(),
        },
        "detect": _detect(pipeline, rules_failed),
    }  # fmt: skip


def _decoder(pipeline: Pipeline) -> dict[str, Any]:
    tally = pipeline.tally
    events = dict(sorted(tally.anomalies.items()))
    out: dict[str, Any] = dict(tally.decode.snapshot())
    out["avg_pkt_size"] = out["bytes"] // out["pkts"] if out["pkts"] else 0
    out["too_many_layers"] = events.get("decoder.too_many_layers", 0)
    out["event"] = _by_layer(events)
    return out


def _by_layer(events: dict[str, int]) -> dict[str, Any]:
    """Return `{"ipv4": {"trunc_pkt": 3}}` of `{"decoder.ipv4.trunc_pkt": 3}`."""
    found: dict[str, Any] = {}
    for name, count in events.items():
        layer, dot, rest = name.removeprefix("decoder.").partition(".")
        if dot:
            found.setdefault(layer, {})[rest] = count
        else:
            found[layer] = count
    return found


def _flow(pipeline: Pipeline) -> dict[str, int]:
    count = pipeline.table.counters.snapshot()
    return {
        "total": count["total"], "active": count["active"], "memuse": count["memuse"],
        "memcap": count["emergency_evictions"], "emerg_mode_entered": int(count["emergency_evictions"] > 0),
        "tcp": count["tcp"], "udp": count["udp"], "icmp": count["icmp"], "other": count["other"],
        "one_way": pipeline.sight.one_way, "untracked": count["untracked"],
        "timeouts": count["timeouts"], "closed": count["closed"], "clock_steps": pipeline.clock_steps,
    }  # fmt: skip


def _tcp(pipeline: Pipeline) -> dict[str, int]:
    count = pipeline.table.counters.snapshot()
    return {
        "sessions": count["tcp"], "syn": count["syn"], "synack": count["synack"], "rst": count["rst"],
        "invalid_checksum": pipeline.tally.checksums["bad"], "midstream_pickups": count["midstream_pickups"],
        "reassembly_gap": count["reassembly_gap"], "gap_bytes": count["gap_bytes"], "overlap": count["overlap"],
        "overlap_diff_data": count["overlap_diff_data"], "segment_memcap_drop": count["segment_memcap_drop"],
        "out_of_window": count["out_of_window"], "depth_reached": count["depth_reached"],
        "port_reuse": count["port_reuse"], "data_after_close": count["data_after_close"],
    }  # fmt: skip


def _detect(pipeline: Pipeline, rules_failed: int) -> dict[str, Any]:
    judge = pipeline.judge
    own = judge.counters.snapshot()
    return {
        "alert": own.pop("alerts"), "alert_queue_overflow": 0, "alerts_suppressed": own.pop("suppressed"), **own,
        **judge.budget.counters.snapshot(), **judge.var_counters.snapshot(), **judge.host_bits.counters.snapshot(),
        **judge.sets.counters.snapshot(), **judge.tagging.counters.snapshot(),
        **{f"{kind}_forgotten": n for kind, n in pipeline.forgotten().items()},
        "engines": [{"id": 0, "rules_loaded": pipeline.plan.table.loaded(), "rules_failed": rules_failed}],
    }  # fmt: skip
