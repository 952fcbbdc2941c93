"""What can be set: frozen values by part of the sensor, with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sensor.decode.limits import DecodeOptions
from sensor.flow.limits import FlowLimits
from sensor.flow.limits_fragments import DedupLimits, DefragLimits, JournalLimits
from sensor.outputs.limits import DiskOptions, EvidenceOptions, FileOptions, FileStoreOptions, KeepOptions
from sensor.outputs.limits_remote import SpoolOptions, StreamOptions, SyslogOptions
from sensor.proto.limits_memory import AppLimits
from sensor.proto.limits_ports import DnsPorts

EVE_TYPES = (
    "alert", "anomaly", "flow", "fileinfo",
    "http",
    "dns",
    "tls",
    "ssh",
    "dhcp",
    "krb5",
    "dcerpc",
    "smb",
    "nfs",
    "mysql",
    "pgsql",
    "mqtt",
    "ftp",
    "ftp_data",
    "smtp",
    "tftp",
    "snmp",
    "sip",
    "ntp",
    "bittorrent_dht",
    "websocket",
    "xen_migration",
    "rfb",
    "ike",
    "enip",
    "quic",
    "dnp3",
    "pop3",
    "imap",
    "telnet",
    "modbus",
    "ldap",
    "rdp",
    "arp", "packet", "stats",
)  # fmt: skip
"""Event types that can be written: one for each protocol, and some more."""

POLICIES = (
    "first", "last", "bsd", "bsd-right", "linux", "old-linux", "windows", "windows2k3", "vista", "solaris",
    "old-solaris", "hpux10", "hpux11", "irix", "macos",
)  # fmt: skip
"""Overlap policies by operating system, Suricata's names; stream reassembly and defragmentation know them all."""


@dataclass(frozen=True, slots=True)
class EveSettings:
    """`outputs.eve-log`."""

    types: tuple[str, ...] = ("alert",)
    filename: str = "eve.json"
    payload: bool = True
    payload_size: int = 4096
    """Bytes."""
    packet: bool = False
    tagged_packets: bool = True
    ethernet: bool = False
    pcap_file: bool = False
    community_id: bool = True
    community_seed: int = 0
    sensor_name: str = ""
    force_hash: tuple[str, ...] = ()
    """Hashes of files that `fileinfo` events carry, of `md5`, `sha1`, `sha256`."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Types of the events that are written: with alerts come the packets that their rules have logged."""
        return (*self.types, "packet") if self.tagged_packets and "alert" in self.types else self.types


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What belongs to no single stage."""

    inspect_window: int = 4096
    """Bytes before the new ones that a stream rule sees, 0-1 MiB: the journal must keep them (ValueError)."""
    dedup: bool = True
    flood_burst: int = 1000
    """Alerts of one (rule, source, destination) in a window that are written one by one, 0: all."""
    flood_window: int = 60
    """Seconds."""
    rule_files: tuple[str, ...] = ()
    rule_path: str = ""
    threshold_file: str = ""
    classification_file: str = ""
    """Empty: the built-in classes."""
    reference_file: str = ""
    """Empty: the built-in kinds."""
    reputation_categories: str = ""
    reputation_path: str = ""
    """Folder that relative names of `reputation_files` start from."""
    reputation_files: tuple[str, ...] = ()
    geoip_database: str = ""
    dataset_folder: str = ""
    """Where sets that rules fill are kept, empty: nowhere."""
    enable_conf: str = ""
    disable_conf: str = ""
    drop_conf: str = ""
    modify_conf: str = ""
    log_dir: str = ""
    fast: bool = False
    interfaces: tuple[str, ...] = ()
    """To listen on."""
    erspan_interface: str = ""
    """Interface with an address to which dom0s send their mirror as GRE, empty: none does."""
    erspan_senders: tuple[str, ...] = ()
    """Addresses or networks of those dom0s; GRE of others is ignored and counted."""
    mirror_report: str = "auto"
    """Where dom0 tells about the mirror: `auto` (xenstore where there is one), `xenstore`, `no`, or a file."""
    mirror_max_age: int = 60
    """Seconds without a report that are a fault."""
    inventory: str = "auto"
    """Where it stands who is which guest: `auto` (xenstore where there is one), `xenstore`, `no`, or a file."""
    workers: int = 1
    """Processes that share the traffic."""
    worker_cpus: tuple[int, ...] = ()
    """CPUs that they are bound to in turn; empty: to none."""
    landlock: bool = True
    """The kernel keeps the running sensor from what its settings do not name."""
    landlock_writable: tuple[str, ...] = ()
    """Folders that may be written, too."""
    control: bool = False
    control_socket: str = "/run/xensor/command.socket"
    ja3: bool = True
    """Rules may require the feature `ja3`; fingerprints are made where rules or logs ask for them in any case."""
    ja4: bool = True

    @property
    def without(self) -> tuple[str, ...]:
        """Features that rules may not require."""
        return tuple(name for name in ("ja3", "ja4") if not getattr(self, name))

    def __post_init__(self) -> None:
        if not 0 <= self.inspect_window <= 1 << 20:
            raise ValueError(f"stream.inspect-window must be 0-{1 << 20}, not {self.inspect_window}")


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """`metrics`: where they are served, and names of files that say to whom."""

    address: str = ""
    """`ADDRESS:PORT`, empty: nowhere."""
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    password: str = ""
    token: str = ""
    per_rule: bool = False
    """Alerts by rule, at most 1000 rules."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator can set."""

    flow: FlowLimits = field(default_factory=lambda: FlowLimits(checksum_validation=False))
    """Guests leave checksums to the host: a wrong one says nothing unless the operator says it does."""
    defrag: DefragLimits = field(default_factory=DefragLimits)
    dedup: DedupLimits = field(default_factory=DedupLimits)
    journal: JournalLimits = field(default_factory=JournalLimits)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    app: AppLimits = field(default_factory=AppLimits)
    dns: DnsPorts = field(default_factory=DnsPorts)
    eve: EveSettings = field(default_factory=EveSettings)
    run: RunSettings = field(default_factory=RunSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    files: FileOptions = field(default_factory=FileOptions)
    keep: KeepOptions = field(default_factory=KeepOptions)
    disk: DiskOptions = field(default_factory=DiskOptions)
    spool: SpoolOptions = field(default_factory=SpoolOptions)
    syslog: SyslogOptions = field(default_factory=SyslogOptions)
    stream: StreamOptions = field(default_factory=StreamOptions)
    evidence: EvidenceOptions = field(default_factory=EvidenceOptions)
    file_store: FileStoreOptions = field(default_factory=FileStoreOptions)
    address_groups: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name of a set of values → its settings, as in a rule."""
    port_groups: Mapping[str, str] = field(default_factory=dict)
    os_policies: tuple[tuple[str, str], ...] = ()
    """(address range, policy) pairs; the most specific range counts."""
    default_policy: str = "bsd"
