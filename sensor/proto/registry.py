"""The protocols that Xensor parses: one explicit table, the look-ups derived from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sensor.proto import ids
from sensor.proto.bittorrent.fields import SPEC as BITTORRENT_DHT
from sensor.proto.dcerpc.fields import SPEC as DCERPC
from sensor.proto.dhcp.fields import SPEC as DHCP
from sensor.proto.dnp3.fields import SPEC as DNP3
from sensor.proto.dns.fields import SPEC as DNS
from sensor.proto.enip.fields import SPEC as ENIP
from sensor.proto.ftp.fields import SPEC as FTP
from sensor.proto.ftpdata.fields import SPEC as FTP_DATA
from sensor.proto.http1.fields import SPEC as HTTP
from sensor.proto.http2.fields import SPEC as HTTP2
from sensor.proto.ike.fields import SPEC as IKE
from sensor.proto.imap.fields import SPEC as IMAP
from sensor.proto.krb5.fields import SPEC as KRB5
from sensor.proto.ldap.fields import SPEC as LDAP
from sensor.proto.modbus.fields import SPEC as MODBUS
from sensor.proto.mqtt.fields import SPEC as MQTT
from sensor.proto.mysql.fields import SPEC as MYSQL
from sensor.proto.nfs.fields import SPEC as NFS
from sensor.proto.ntp.fields import SPEC as NTP
from sensor.proto.pgsql.fields import SPEC as PGSQL
from sensor.proto.pop3.fields import SPEC as POP3
from sensor.proto.quic.fields import SPEC as QUIC
from sensor.proto.rdp.fields import SPEC as RDP
from sensor.proto.rfb.fields import SPEC as RFB
from sensor.proto.sip.fields import SPEC as SIP
from sensor.proto.smb.fields import SPEC as SMB
from sensor.proto.smtp.fields import SPEC as SMTP
from sensor.proto.snmp.fields import SPEC as SNMP
from sensor.proto.ssh.fields import SPEC as SSH
from sensor.proto.telnet.fields import SPEC as TELNET
from sensor.proto.tftp.fields import SPEC as TFTP
from sensor.proto.tls.fields import SPEC as TLS
from sensor.proto.websocket.fields import SPEC as WEBSOCKET
from sensor.proto.xenmigration.fields import SPEC as XEN_MIGRATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.model.app import BufferSpec, NumberSpec, ProtocolSpec

SPECS: Mapping[int, ProtocolSpec] = MappingProxyType(
    {
        ids.HTTP: HTTP,
        ids.DNS: DNS,
        ids.TLS: TLS,
        ids.SSH: SSH,
        ids.DHCP: DHCP,
        ids.KRB5: KRB5,
        ids.DCERPC: DCERPC,
        ids.SMB: SMB,
        ids.NFS: NFS,
        ids.MQTT: MQTT,
        ids.FTP: FTP,
        ids.FTP_DATA: FTP_DATA,
        ids.SMTP: SMTP,
        ids.TFTP: TFTP,
        ids.SNMP: SNMP,
        ids.SIP: SIP,
        ids.NTP: NTP,
        ids.BITTORRENT_DHT: BITTORRENT_DHT,
        ids.WEBSOCKET: WEBSOCKET,
        ids.XEN_MIGRATION: XEN_MIGRATION,
        ids.RFB: RFB,
        ids.IKE: IKE,
        ids.ENIP: ENIP,
        ids.QUIC: QUIC,
        ids.DNP3: DNP3,
        ids.MYSQL: MYSQL,
        ids.PGSQL: PGSQL,
        ids.HTTP2: HTTP2,
        ids.POP3: POP3,
        ids.IMAP: IMAP,
        ids.TELNET: TELNET,
        ids.MODBUS: MODBUS,
        ids.LDAP: LDAP,
        ids.RDP: RDP,
    }
)
"""Value of the flow table's `app` column → protocol."""

PROTOCOLS: tuple[ProtocolSpec, ...] = tuple(SPECS.values())


def _by_name() -> Mapping[str, ProtocolSpec]:
    return MappingProxyType({name: spec for spec in PROTOCOLS for name in (spec.name, *spec.rule_names)})


def _by_word() -> Mapping[str, tuple[ProtocolSpec, ...]]:
    words = {name: [spec] for name, spec in BY_NAME.items()}
    for spec in PROTOCOLS:
        for word in spec.also:
            words.setdefault(word, []).append(spec)
    return MappingProxyType({word: tuple(specs) for word, specs in words.items()})


def _buffers() -> Mapping[str, tuple[tuple[ProtocolSpec, BufferSpec], ...]]:
    out: dict[str, tuple[tuple[ProtocolSpec, BufferSpec], ...]] = {}
    for spec in PROTOCOLS:
        for buffer in spec.buffers:
            for name in (buffer.name, *buffer.aliases):
                out[name] = (*out.get(name, ()), (spec, buffer))
    return MappingProxyType(out)


def _numbers() -> Mapping[str, tuple[tuple[ProtocolSpec, NumberSpec], ...]]:
    out: dict[str, tuple[tuple[ProtocolSpec, NumberSpec], ...]] = {}
    for spec in PROTOCOLS:
        for number in spec.numbers:
            out[number.name] = (*out.get(number.name, ()), (spec, number))
    return MappingProxyType(out)


class Traits(NamedTuple):
    """Which parts of the contract beyond `AppParser` the parsers of a protocol keep (see `sensor.model.app`)."""

    hands_over: bool
    knows_ends: bool
    expects: bool
    shows_frames: bool
    hears_out: bool
    foresees: bool
    holds: bool
    counts_losses: bool


def _traits(spec: ProtocolSpec) -> Traits:
    parser = spec.new_parser()
    named = ("becomes", "ends", "announced", "shows_frames", "hears_out", "idle", "held", "losses")
    return Traits(*(hasattr(parser, name) for name in named))


BY_NAME: Mapping[str, ProtocolSpec] = _by_name()
"""Protocol by its name or any word that rule headers use for it alone."""

BY_WORD: Mapping[str, tuple[ProtocolSpec, ...]] = _by_word()
"""Protocols that a word of a rule header means."""

APP_ID: Mapping[str, int] = MappingProxyType({spec.name: number for number, spec in SPECS.items()})
"""Protocol name → value of the flow table's `app` column."""

BUFFERS: Mapping[str, tuple[tuple[ProtocolSpec, BufferSpec], ...]] = _buffers()
"""Buffer by its name or alias: several protocols may have one of a name (`file.data`, `dcerpc.iface`)."""

NUMBERS: Mapping[str, tuple[tuple[ProtocolSpec, NumberSpec], ...]] = _numbers()
"""Number of transactions by its name."""

TRAITS: Mapping[str, Traits] = MappingProxyType({spec.name: _traits(spec) for spec in PROTOCOLS})
"""Protocol name → what its parsers can do besides."""

FOLDED: frozenset[str] = frozenset(b.name for spec in PROTOCOLS for b in spec.buffers if b.lowercase)
"""Buffers that are lowercase by normalisation."""
