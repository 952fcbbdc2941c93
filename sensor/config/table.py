"""The table of settings: names (Suricata's where it has one), how a value is read and written, where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sensor.config.readers import (
    SECOND,
    below,
    boolean,
    boolean_or_auto,
    count,
    cpus,
    eve_types,
    interval,
    networks,
    one_of,
    ports,
    ports_or_any,
    seconds,
    size,
    some_of,
    within,
    words,
)
from sensor.model.files import HASHES
from sensor.outputs.limits_remote import FACILITIES, LEVELS, parse_address


@dataclass(frozen=True, slots=True)
class Setting:
    """One name."""

    name: str
    read: Callable[[Any], Any]
    target: str
    """`part.field` or `part.field.subfield` of `Settings`."""
    help: str
    show: Callable[[Any], str] = str
    """Writes the value so that `read` gives it back."""


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _list(value: tuple[object, ...]) -> str:
    return "[" + ", ".join(map(str, value)) + "]"


def _list_or_any(value: tuple[object, ...] | None) -> str:
    return "any" if value is None else _list(value)


def _in_seconds(value: int) -> str:
    return f"{value / SECOND:g}"


def _as_interval(value: int) -> str:
    return f"{value}s"


def _yes(name: str, target: str, text: str) -> Setting:
    return Setting(name, boolean, target, text, _yes_no)


_FLOWS = {"tcp": "TCP flow", "udp": "UDP flow", "icmp": "ICMP flow", "default": "flow of another protocol"}
_STATES = {"new": "a new", "established": "an established", "closed": "a closed"}


def _timeouts() -> Iterator[Setting]:
    for proto in ("tcp", "udp", "icmp", "default"):
        for state in ("new", "established", "closed") if proto == "tcp" else ("new", "established"):
            yield Setting(
                f"flow-timeouts.{proto}.{state}", count, f"flow.timeouts.{proto}_{state}",
                f"seconds of silence that end {_STATES[state]} {_FLOWS[proto]}",
            )  # fmt: skip


def _dns_ports() -> Iterator[Setting]:
    for transport in ("udp", "tcp"):
        yield Setting(
            f"app-layer.protocols.dns.{transport}.detection-ports.dp", ports_or_any, f"dns.{transport}",
            f"ports of servers at which DNS over {transport.upper()} is looked for; any: by content", _list_or_any,
        )  # fmt: skip


SETTINGS: tuple[Setting, ...] = (
    _yes("vlan.use-for-tracking", "flow.vlan_tracking", "VLAN ids and tunnels' networks are part of a flow's key"),
    _yes("stream.midstream", "flow.midstream", "reassemble TCP flows whose start was not seen"),
    _yes("stream.checksum-validation", "flow.checksum_validation", "keep TCP segments with wrong checksums out"),
    Setting("stream.reassembly.depth", size, "flow.depth", "bytes of a side that are reassembled, 0: all"),
    Setting("app-layer.protocols.smb.stream-depth", size, "flow.smb_depth", "the same of SMB"),
    Setting("stream.reassembly.memcap", size, "flow.memcap", "bytes of out-of-order segments held"),
    Setting("stream.reassembly.urgent.policy", one_of("oob", "inline"), "flow.urgent",
            "an urgent byte is not part of the stream (oob), or is (inline)"),
    Setting("stream.inspect-window", within(size, 0, 1 << 20), "run.inspect_window",
            "bytes before the new ones that a stream rule sees"),
    Setting("flow.max-flows", count, "flow.max_flows", "live flows"),
    *_timeouts(),
    Setting("defrag.memcap", size, "defrag.memcap", "bytes of fragments held"),
    Setting("defrag.trackers", count, "defrag.trackers", "datagrams under reassembly"),
    Setting("defrag.timeout", seconds, "defrag.timeout_ns", "seconds until fragments are given up", _in_seconds),
    _yes("dedup.enabled", "run.dedup", "drop a mirror's second copies"),
    Setting("dedup.window", seconds, "dedup.window_ns", "seconds between a packet and its copy", _in_seconds),
    Setting("journal.memcap", size, "journal.memcap", "bytes of stream data kept for parsers that start late"),
    Setting("decoder.vxlan.ports", ports, "decode.vxlan_ports", "UDP ports of VXLAN", _list),
    Setting("decoder.geneve.ports", ports, "decode.geneve_ports", "UDP ports of GENEVE", _list),
    Setting("app-layer.memcap", size, "app.memcap", "bytes that parsers hold of transactions and files under way"),
    *_dns_ports(),
    Setting("app-layer.protocols.tls.ja3-fingerprints", boolean_or_auto, "run.ja3",
            "rules may require the feature ja3", _yes_no),
    Setting("app-layer.protocols.tls.ja4-fingerprints", boolean_or_auto, "run.ja4",
            "rules may require the feature ja4", _yes_no),
    Setting("outputs.eve-log.types", eve_types, "eve.types", "event types to write", _list),
    Setting("outputs.eve-log.filename", str, "eve.filename", "name of the file in the log folder"),
    _yes("outputs.eve-log.payload", "eve.payload", "alerts carry a payload excerpt"),
    Setting("outputs.eve-log.payload-buffer-size", within(size, 0, 1 << 20), "eve.payload_size",
            "bytes of that excerpt"),
    _yes("outputs.eve-log.packet", "eve.packet", "alerts carry the frame"),
    _yes("outputs.eve-log.tagged-packets", "eve.tagged_packets", "packets that a rule's tag asks for are written"),
    _yes("outputs.eve-log.ethernet", "eve.ethernet", "events carry the MAC addresses"),
    _yes("outputs.eve-log.pcap-file", "eve.pcap_file", "events carry the capture's file name"),
    _yes("outputs.eve-log.community-id", "eve.community_id", "events carry the flow's community id"),
    Setting("outputs.eve-log.community-id-seed", within(count, 0, 65535), "eve.community_seed", "seed of that id"),
    Setting("outputs.eve-log.force-hash", some_of(*HASHES), "eve.force_hash",
            "hashes of files in fileinfo events", _list),
    Setting("outputs.eve-log.rotate-size", size, "files.rotate_size",
            "bytes at which files of the log folder are rotated out, 0: never"),
    Setting("outputs.eve-log.rotate-interval", interval, "files.rotate_seconds",
            "time of which a file holds one period, 0: any", _as_interval),
    Setting("outputs.hold", size, "files.hold", "bytes of events that wait while a file cannot be written"),
    _yes("outputs.syslog.enabled", "syslog.enabled", "send events to a syslog receiver"),
    Setting("outputs.syslog.server", parse_address, "syslog.server",
            "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH"),
    Setting("outputs.syslog.types", eve_types, "syslog.types", "event types to send", _list),
    Setting("outputs.syslog.content", one_of("eve", "fast"), "syslog.content",
            "eve: the JSON object, fast: the line of fast.log (alerts only)"),
    Setting("outputs.syslog.facility", one_of(*FACILITIES), "syslog.facility", "facility of the messages"),
    Setting("outputs.syslog.level", one_of("auto", *LEVELS, emergency="emerg", critical="crit", error="err"),
            "syslog.level",
            "level of the messages; auto: by the severity of the alert"),
    Setting("outputs.syslog.identity", str, "syslog.identity", "APP-NAME of the messages"),
    Setting("outputs.syslog.ca-file", str, "syslog.ca_file",
            "authorities for a tls receiver (PEM), empty: those of the system"),
    Setting("outputs.syslog.cert-file", str, "syslog.cert_file", "certificate of the sensor (PEM), empty: none"),
    Setting("outputs.syslog.key-file", str, "syslog.key_file", "its key (PEM), empty: in the same file"),
    _yes("outputs.unix-socket.enabled", "stream.enabled", "send EVE lines to a unix stream socket"),
    Setting("outputs.unix-socket.filename", str, "stream.filename",
            "the socket that somebody listens on; a relative path starts from the log folder"),
    Setting("outputs.unix-socket.types", eve_types, "stream.types", "event types to send", _list),
    _yes("outputs.file-store.enabled", "file_store.enabled", "keep files from the traffic that rules want (filestore)"),
    Setting("outputs.file-store.dir", str, "file_store.folder", "their folder, in the log folder"),
    _yes("outputs.file-store.force-filestore", "file_store.force", "keep every file"),
    _yes("outputs.file-store.write-fileinfo", "file_store.describe", "keep the fileinfo record beside each file"),
    Setting("outputs.file-store.stream-depth", size, "file_store.per_file", "bytes kept of one file"),
    Setting("outputs.file-store.memcap", size, "file_store.memory", "bytes of files that are under way"),
    Setting("outputs.file-store.max-total", size, "file_store.total", "bytes of all files; the oldest give way"),
    _yes("outputs.pcap-log.enabled", "evidence.enabled", "keep the packets of flows that alert"),
    Setting("outputs.pcap-log.filename", str, "evidence.filename",
            "name in the log folder; the time is put before its suffix"),
    Setting("outputs.pcap-log.limit", size, "evidence.limit", "bytes at which the next file is begun"),
    Setting("outputs.pcap-log.max-files", count, "evidence.max_files", "files that are kept"),
    Setting("outputs.pcap-log.before", size, "evidence.before", "bytes of packets remembered from before an alert"),
    Setting("outputs.pcap-log.per-flow", size, "evidence.per_flow", "bytes of packets kept of one flow"),
    Setting("outputs.spool.limit", size, "spool.limit", "bytes that wait on the disk for each receiver"),
    Setting("outputs.retention.max-size", size, "keep.max_bytes",
            "bytes of rotated files; beyond it the oldest are cut down to their alerts, 0: any"),
    Setting("outputs.retention.max-days", count, "keep.max_days",
            "days after which a rotated file is cut down to its alerts, 0: never"),
    Setting("outputs.retention.alert-max-size", size, "keep.alert_bytes",
            "bytes of those; beyond it the oldest are deleted, 0: any"),
    Setting("outputs.retention.alert-max-days", count, "keep.alert_days",
            "days after which those are deleted, 0: never"),
    Setting("outputs.disk.min-free", size, "disk.min_free",
            "bytes of the disk to leave free: with less, events give way, 0: any"),
    _yes("outputs.fast.enabled", "run.fast", "write fast.log, too"),
    Setting("sensor-name", str, "eve.sensor_name", "EVE `host`"),
    Setting("flood.burst", count, "run.flood_burst", "alerts of a rule and pair that are written, 0: all"),
    Setting("flood.window", within(count, 1, 86_400), "run.flood_window", "seconds until they are counted anew"),
    Setting("af-packet.interface", words, "run.interfaces", "interfaces that `xensor run` listens on", _list),
    Setting("workers", within(count, 1, 64), "run.workers",
            "processes that share the traffic: what two hosts say to each other is in one of them"),
    Setting("worker-cpus", cpus, "run.worker_cpus", "CPUs that they are bound to in turn, empty: to none", _list),
    Setting("erspan.interface", str, "run.erspan_interface", "interface to which a mirror is sent as GRE (ERSPAN)"),
    Setting("erspan.senders", networks, "run.erspan_senders", "addresses or networks that may send it", _list),
    Setting("metrics.address", str, "metrics.address", "ADDRESS:PORT where Prometheus may ask"),
    Setting("metrics.tls-cert", str, "metrics.certificate", "file with the certificate of that listener (PEM)"),
    Setting("metrics.tls-key", str, "metrics.key", "file with its key, if that is not in the same file"),
    Setting("metrics.tls-client-ca", str, "metrics.client_ca", "file of the authority whose clients are answered"),
    Setting("metrics.password-file", str, "metrics.password", "file with a line USER:PASSWORD that clients must know"),
    Setting("metrics.token-file", str, "metrics.token", "file with a bearer token that clients must know"),
    _yes("metrics.per-rule", "metrics.per_rule", "count alerts by rule, too (at most 1000 rules)"),
    Setting("mirror.report", str, "run.mirror_report",
            "where dom0 tells about the mirror: auto, xenstore, no, a file"),
    Setting("mirror.max-age", within(count, 1, 86_400), "run.mirror_max_age",
            "seconds without a report that are a fault"),
    Setting("guests.inventory", str, "run.inventory",
            "where it stands who is which guest: auto, xenstore, no, a file"),
    _yes("security.landlock.enabled", "run.landlock",
         "let the kernel keep the running sensor from all files and ports that its settings do not name"),
    Setting("security.landlock.directories.write", words, "run.landlock_writable", "folders it may write, too", _list),
    Setting("unix-command.enabled", boolean_or_auto, "run.control",
            "take commands on a unix socket (`xensor ctl`)", _yes_no),
    Setting("unix-command.filename", below("/run/xensor"), "run.control_socket", "that socket"),
    Setting("rule-files", words, "run.rule_files", "rule files and folders", _list),
    Setting("default-rule-path", str, "run.rule_path", "folder that relative rule files start from"),
    Setting("threshold-file", str, "run.threshold_file", "limits of alert rates and suppressions, Suricata's form"),
    Setting("classification-file", str, "run.classification_file", "classes of alerts, Suricata's form"),
    Setting("reference-config-file", str, "run.reference_file", "kinds of references, Suricata's form"),
    Setting("reputation-categories-file", str, "run.reputation_categories", "categories of reputations (iprep)"),
    Setting("default-reputation-path", str, "run.reputation_path", "folder that relative reputation files start from"),
    Setting("reputation-files", words, "run.reputation_files", "files with scores of addresses", _list),
    Setting("geoip-database", str, "run.geoip_database", "countries of addresses (MaxMind DB)"),
    Setting("datasets.directory", str, "run.dataset_folder", "folder of the sets of values that rules fill"),
    Setting("disable-conf", str, "run.disable_conf", "rules to switch off, suricata-update's form, as are the next"),
    Setting("enable-conf", str, "run.enable_conf", "rules to switch on, those behind `#`, too"),
    Setting("drop-conf", str, "run.drop_conf", "rules that get the action drop: they alert, and say so"),
    Setting("modify-conf", str, "run.modify_conf", "changes of rules"),
    Setting("default-log-dir", str, "run.log_dir", "folder of the outputs"),
)  # fmt: skip

FOREIGN = frozenset({
    "action-order", "af-packet", "af-xdp", "app-layer", "asn1-max-frames", "capture",
    "coredump", "datasets", "decoder", "default-packet-size", "defrag", "detect", "dpdk", "engine-analysis",
    "exception-policy", "flow", "flow-timeouts", "heartbeat", "host", "host-mode", "ips", "ippair", "ipfw",
    "landlock", "legacy", "livedev", "logging", "lua", "luajit", "magic-file", "max-pending-packets", "mpm-algo",
    "multi-detect", "napatech", "netmap", "nfq", "nflog", "output", "outputs", "pcap", "pcap-file", "pcap-log",
    "pcre", "pfring", "pid-file", "plugins", "profiling", "rule-reload", "run-as",
    "runmode", "security", "spm-algo", "stats", "stream", "suricata-version", "threading",
    "umask", "unix-command", "vars", "vlan", "windivert",
})  # fmt: skip
"""Top names of Suricata's configuration: what stands below them and is not in the table is reported, not refused, so
that its configurations can be used."""
