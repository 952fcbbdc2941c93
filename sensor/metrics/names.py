"""The table of metrics: everything that is exported is named here, and nothing else can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

COUNTER, GAUGE = "counter", "gauge"

Snapshot = Mapping[str, Mapping[tuple[str, ...], float]]
"""Metric name → label values (in the table's order; empty: no labels) → value. Never changed once it is published."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Prometheus conventions: base units, counters end in `_total`."""

    name: str
    kind: str
    unit: str
    help: str
    labels: tuple[str, ...] = ()


def _counter(name: str, unit: str, text: str, *labels: str) -> Metric:
    return Metric(f"xensor_{name}_total", COUNTER, unit, text, labels)


def _gauge(name: str, unit: str, text: str, *labels: str) -> Metric:
    return Metric(f"xensor_{name}", GAUGE, unit, text, labels)


METRICS: Final[tuple[Metric, ...]] = (
    _gauge("build_info", "", "Always 1; the label tells the version.", "version"),
    _gauge("start_time_seconds", "seconds", "When the sensor started, since the epoch."),
    _gauge("last_packet_time_seconds", "seconds", "Time stamp of the last packet, since the epoch; 0: none yet."),
    # capture
    _counter("capture_packets", "packets", "Packets handed to the engine.", "interface"),
    _counter("capture_bytes", "bytes", "Captured bytes of those.", "interface"),
    _counter("capture_kernel_packets", "packets", "Packets that reached the ring, dropped ones included.", "interface"),
    _counter("capture_kernel_drops", "packets", "Packets dropped because the ring was full: not inspected.",
             "interface"),
    _counter("capture_kernel_freezes", "times", "Times the ring was full.", "interface"),
    _counter("capture_interface_losses", "times", "Times the interface went down or away.", "interface"),
    _counter("capture_interface_returns", "times", "Times the interface was bound anew after it had gone.",
             "interface"),
    _counter("capture_refused", "packets", "GRE packets of senders that are not in `erspan.senders`: ignored.",
             "interface"),
    _counter("capture_orphaned", "packets", "Packets that a worker had in hand when it died: not inspected.",
             "interface"),
    _gauge("capture_interface_present", "", "1: the ring is bound to the interface, 0: the interface has gone.",
           "interface"),
    # workers
    _gauge("workers", "processes", "Workers that are to share the traffic."),
    _gauge("workers_running", "processes", "Workers that do."),
    _gauge("worker_heartbeat_time_seconds", "seconds", "When a worker last went round its packet loop.", "worker"),
    _counter("worker_packets", "packets", "Packets that a worker has taken.", "worker"),
    _counter("worker_restarts", "times", "Workers replaced, after they had died or had been killed because they hung.",
             "reason"),
    _counter("worker_late_records", "records", "Alerts and records that came out of order because their worker had not "
             "answered for a second."),
    # where the time goes
    _counter("stage_seconds", "seconds", "Time that the packet loop spent in a stage.", "stage"),
    # decode
    _counter("decode_packets", "packets", "Packets decoded."),
    _counter("decode_bytes", "bytes", "Bytes of those on the wire."),
    _counter("decode_protocol_packets", "packets", "IP packets by transport, tunnelled ones included.", "protocol"),
    _counter("decode_anomalies", "events", "What was odd about packets and streams; `event` as in EVE.", "event"),
    _counter("truncated", "packets", "Packets of which the end is missing: the mirror cuts them."),
    _counter("checksums", "packets", "Transport checksums by state; partial: left to the hardware by a guest.",
             "state"),
    _counter("fragments_lost", "datagrams", "Datagrams whose fragments never came together."),
    _counter("duplicates", "packets", "Second copies made by a mirror."),
    # flows and streams
    _counter("flows", "flows", "Flows seen."),
    _gauge("flows_active", "flows", "Flows in the table."),
    _gauge("flows_limit", "flows", "Flows that the table can hold."),
    _gauge("flow_memory_bytes", "bytes", "Memory of flows and out-of-order segments."),
    _counter("tcp_flows_ended", "flows", "TCP flows that ended and in which somebody acknowledged something."),
    _counter("tcp_flows_one_way", "flows", "Of those, with packets of one side only: half of the mirror is missing."),
    _counter("flow_evictions", "flows", "Flows that gave way at the table's cap."),
    _counter("clock_steps", "times", "Times that the clock was set by 10 s or more."),
    _counter("stream_gaps", "gaps", "Places in TCP streams where bytes were lost before the sensor."),
    _counter("stream_gap_bytes", "bytes", "Bytes lost there."),
    _counter("stream_memcap_drops", "segments", "Out-of-order segments dropped at the memory cap."),
    _counter("stream_depth_reached", "streams", "Streams longer than the reassembly depth."),
    _counter("stream_ignored_segments", "segments", "TCP segments outside their stream, judged as packets only."),
    # tables that have a cap
    _gauge("table_entries", "", "Entries of a table: flows, datagrams (under reassembly), parsers, thresholds, "
           "host_bits, tags (flows and hosts whose packets are logged), floods (rule, source and destination "
           "of repeated alerts).", "table"),
    _gauge("table_limit", "", "How many it can hold.", "table"),
    _gauge("journal_bytes", "bytes", "Stream data kept for parsers that start late."),
    _gauge("journal_limit_bytes", "bytes", "What may be kept (`journal.memcap`)."),
    _gauge("app_memory_bytes", "bytes", "What parsers hold of transactions and files under way, beyond 4 KB of each "
           "flow."),
    _gauge("app_memory_limit_bytes", "bytes", "What they may hold (`app-layer.memcap`)."),
    _counter("given_way", "", "What was dropped because its table was full; beside the tables above: fragments (of "
             "one datagram), journal (records), app_memory (flows that are parsed no further), announced "
             "(connections), announcers (control connections), file_memory (files cut that were to be stored), "
             "file_wants (flows of whose files some were to be stored), flow_names (bits, numbers and texts that rules "
             "keep).", "table"),
    # the mirror, as dom0 sees it
    _gauge("mirror_fault", "", "1: something is wrong with the mirror; `event` tells what.", "event"),
    _gauge("mirror_report_age_seconds", "seconds", "Since dom0 last told about the mirror."),
    _gauge("mirror_ports", "ports", "Ports of a bridge that are to be mirrored.", "bridge"),
    _gauge("mirror_ports_missing", "ports", "Of those, not mirrored: what these guests send is not seen.", "bridge"),
    _counter("mirror_frames", "frames", "Frames copied in dom0 since the sensor started."),
    _counter("mirror_frames_lost", "frames", "Frames that dom0 lost on their way to the sensor: not inspected.", "way"),
    _counter("mirror_repairs", "ports", "Ports whose mirroring had stopped and was mended by dom0."),
    # who is who
    _gauge("guests_known", "guests", "Guests of the inventory."),
    _gauge("inventory_age_seconds", "seconds", "Since the inventory was last read."),
    _counter("inventory_errors", "times", "Times that the inventory could not be read: the last one stays."),
    # detection
    _gauge("rules_loaded", "rules", "Rules that run."),
    _gauge("rules_failed", "rules", "Rules that could not be loaded or compiled at the start."),
    _gauge("rules_loaded_time_seconds", "seconds", "When they were loaded, since the epoch."),
    _counter("rule_reloads", "times", "Rule reloads by result; failed: the old rules stayed.", "result"),
    _counter("judgements", "judgements", "Rules judged on packets, windows and transactions."),
    _counter("judgements_cut", "judgements", "Judgements cut off at their budget."),
    _counter("judgements_skipped", "judgements", "Judgements left out because their rule is suspended."),
    _gauge("rules_suspended", "rules", "Rules that are suspended now."),
    _counter("rule_suspensions", "times", "Times a rule was suspended because it exceeded its budget again and again."),
    _counter("rule_errors", "judgements", "Judgements that failed: a fault of the sensor."),
    _counter("stream_marks_forgotten", "marks", "Marks in streams that gave way. hits: a rule whose literals came long "
             "before the rest was not judged on it; fired: a rule may have alerted twice on the same bytes; echoes: "
             "what is odd was judged on one side only.", "kind"),
    _counter("http_flows_parsed", "flows", "HTTP/1 flows that were parsed though no log asks for them. matched: a rule "
             "may match one of their messages; not_plain: a message came of which only parsing tells how it reads.",
             "reason"),
    _counter("tls_flows_parsed", "flows", "The same of TLS.", "reason"),
    _counter("smb_flows_parsed", "flows", "The same of SMB. contents: they may read or write what a rule asks for; "
             "matched: a literal of a rule stands in them.", "reason"),
    _counter("ssh_flows_parsed", "flows", "The same of SSH.", "reason"),
    _counter("dhcp_messages_parsed", "messages", "The same of DHCP, by message.", "reason"),
    _counter("dns_flows_parsed", "flows", "The same of DNS over TCP.", "reason"),
    _counter("app_not_kept", "", "What parsers had to forget within the bounds of one flow, or could not look at: "
             "files, handles (open files, shares, interfaces), ranges (files in byte ranges), transactions, tunnels "
             "(connections that went on as a protocol that is not known).", "what"),
    _counter("parser_errors", "flows", "Parsers that failed: a fault of the sensor."),
    _counter("alerts", "alerts", "Alerts raised, those in flood summaries included.", "severity"),
    _counter("alerts_by_category", "alerts", "The same by category of the rule.", "category"),
    _counter("alerts_by_guest", "alerts", "The same by guest at either end; `other`: neither end is a guest of the "
             "inventory, or one beyond 256.", "guest"),
    _counter("rule_alerts", "alerts", "The same by rule, with `metrics.per-rule`; `other`: beyond 1000 rules.", "rule"),
    _counter("alerts_summarized", "alerts", "Alerts collapsed into flood summaries."),
    # outputs
    _counter("events", "events", "EVE events written.", "type"),
    _counter("events_shed", "events", "Events left out because the disk was nearly full.", "type"),
    _counter("output_lines", "lines", "Lines in the file, or known to have arrived.", "output"),
    _counter("output_errors", "times", "Times an output began to fail.", "output"),
    _counter("output_lost", "alerts", "Alerts lost because an output could not be written for too long.", "output"),
    _counter("output_shed", "lines", "Other lines that gave way meanwhile.", "output"),
    _counter("output_rotations", "files", "Files rotated out.", "output"),
    _gauge("output_waiting_lines", "lines", "Lines that wait for an output.", "output"),
    _gauge("output_failing", "", "1: the output cannot be written at present.", "output"),
    _gauge("spool_bytes", "bytes", "Events on the disk that wait for a receiver.", "output"),
    _gauge("spool_limit_bytes", "bytes", "What may wait there.", "output"),
    _counter("evidence_packets", "packets", "Packets of flows that alerted, written to captures."),
    _counter("evidence_bytes", "bytes", "Bytes of those."),
    _counter("evidence_files_deleted", "files", "Old captures deleted."),
    _counter("evidence_errors", "times", "Times that captures could not be written."),
    _counter("evidence_left_out", "packets", "Packets of such flows that were not kept: disk (nearly full), error.",
             "reason"),
    _counter("evidence_flows_cut", "flows", "Flows of which not all was kept: limit (of one flow), evicted (by other "
             "flows that alerted).", "reason"),
    _gauge("evidence_memory_bytes", "bytes", "Packets remembered for flows that alert later."),
    _counter("file_store_files", "files", "Files from the traffic that were stored."),
    _counter("file_store_bytes", "bytes", "Bytes of those."),
    _counter("file_store_known", "files", "Files that were stored already."),
    _counter("file_store_deleted", "files", "Old files deleted to make room."),
    _counter("file_store_errors", "times", "Times that files could not be stored."),
    _counter("file_store_lost", "files", "Files not stored: error, or the disk was nearly full."),
    _gauge("file_store_size_bytes", "bytes", "All files stored."),
    _counter("output_faults", "times", "Errors inside an output: a fault of the sensor."),
    _gauge("disk_free_bytes", "bytes", "Free on the disk of the log folder."),
    _gauge("disk_level", "", "0: there is room; 1: flow records are left out, 2: all records but alerts and "
           "statistics, 3: all but alerts."),
    _gauge("archive_bytes", "bytes", "Rotated files, those with all events and those cut down to alerts.", "holds"),
    _counter("archive_files_cut", "files", "Rotated files cut down to their alerts."),
    _counter("archive_files_deleted", "files", "Files of old alerts deleted."),
    _counter("archive_errors", "times", "Rotated files that could not be cleared away."),
)  # fmt: skip

BY_NAME: Final[Mapping[str, Metric]] = MappingProxyType({m.name: m for m in METRICS})


def document() -> str:
    """Return docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "What `xensor run --metrics ADDRESS:PORT` exports for Prometheus, as of the last second. Made from",
        "`sensor/metrics/names.py` by `python -m sensor.metrics.names`. Beside these, `process_*` tell of the",
        "process itself (memory, CPU seconds, open files).",
        "",
        "| name | type | unit | labels | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for m in METRICS:
        labels = ", ".join(f"`{label}`" for label in m.labels)
        lines.append(f"| `{m.name}` | {m.kind} | {m.unit} | {labels} | {m.help} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(document())
