"""EVE: the fields of each record in Suricata's names and order (its `etc/schema.json`), plus the flat `xen` object."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from sensor.alert.community import answer_type, community_id
from sensor.alert.flood import Held
from sensor.alert.protonames import proto_name
from sensor.model.records import Event
from sensor.model.scene import (
    AnomalyRecord,
    ArpRecord,
    FileRecord,
    FileState,
    FlowEnd,
    FlowFacts,
    Match,
    PacketRecord,
    Record,
    Scene,
    TxRecord,
)
from sensor.model.timestamps import eve as timestamp
from sensor.proto.text import text
from sensor.rules.nodes import Rule
from sensor.rules.references import DEFAULT, expand

_PORTED = frozenset({6, 17, 132})
_ICMP = frozenset({1, 58})
_FLAG_NAMES = ("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr")

Identity = Callable[[Scene], dict[str, Any]]
"""Returns the flat `xen` object for a scene (empty: nothing known)."""


CaptureFile = Callable[[int], str]
"""Returns the capture that holds the packets of an alert at a time (ns); empty: none does."""


def no_identity(_scene: Scene) -> dict[str, Any]:
    """Return nothing: no inventory is loaded."""
    return {}


class EveBuilder:
    """Turns records into EVE events. The same record always gives the same event.

    payload, packet: alerts carry an excerpt of what was judged, and the frame. pcap_names: events say which capture
    they come from; live: which interface. community_seed: None leaves the community id out. identity: who the guests
    of a scene are. capture_file: None leaves that out. references: kinds of sources of rules → addresses.
    """

    def __init__(
        self,
        *,
        payload: bool = True,
        packet: bool = False,
        ethernet: bool = False,
        pcap_names: bool = False,
        live: bool = False,
        community_seed: int | None = 0,
        sensor_name: str = "",
        identity: Identity = no_identity,
        capture_file: CaptureFile | None = None,
        references: Mapping[str, str] = DEFAULT,
    ) -> None:
        self._payload = payload
        self._packet = packet
        self._ethernet = ethernet
        self._names = pcap_names
        self._live = live
        self._community_seed = community_seed
        self._sensor = sensor_name
        self.identity = identity
        self._references = references
        self.capture_file = capture_file

    def build(self, record: Record) -> Event:
        """Return the event of a record."""
        match record:
            case Match():
                return self.alert(record)
            case TxRecord():
                return self._transaction(record)
            case FileRecord():
                return self.file(record)
            case FlowEnd():
                return self._flow(record)
            case PacketRecord():
                return self._tagged(record)
            case AnomalyRecord():
                return self._anomaly(record)
            case ArpRecord():
                return self._arp(record)

    def alert(self, match: Match, held: Held | None = None) -> Event:
        """Return the event of an alert, or of one that stands for others that flood control held back."""
        scene = match.scene
        out = self.common(scene, "alert")
        if match.tx_id is not None:
            out["tx_id"] = match.tx_id
        out["alert"] = _alert_object(match, self._references)
        if match.app is not None:
            key, fields = match.app
            out[key] = fields
            out |= match.beside
        if match.files:
            out["files"] = [_file_of_alert(one, match.tx_id) for one in match.files]
        if scene.app_proto:
            out["app_proto"] = scene.app_proto
        if scene.app_proto_orig:
            out["app_proto_orig"] = scene.app_proto_orig
        if scene.in_flow or not scene.ipv:
            out["direction"] = "to_client" if scene.side else "to_server"
        if scene.flow is not None and scene.in_flow:
            out["flow"] = _flow_of_alert(scene, scene.flow)
        if metadata := _variables(match):
            out["metadata"] = metadata
        self._bytes(match, out)
        if held is not None:
            out["xen"] = out.get("xen", {}) | {"flood_alerts": held.count, "flood_start": timestamp(held.first)}
        return Event("alert", out)

    def _bytes(self, match: Match, out: dict[str, Any]) -> None:
        if self._payload and match.payload_length:
            out["payload"] = base64.b64encode(match.payload).decode()
            out["payload_printable"] = printable(match.payload)
            out["payload_length"] = match.payload_length
        out["stream"] = int(match.stream)
        if self._packet and match.packet:
            out |= _frame(match.packet, match.linktype)
        if self.capture_file is not None and (name := self.capture_file(match.scene.ts)):
            out["capture_file"] = name

    def common(self, scene: Scene, kind: str) -> dict[str, Any]:
        """Return the fields that every event begins with."""
        out: dict[str, Any] = {"timestamp": timestamp(scene.ts)}
        if scene.in_flow:
            out["flow_id"] = scene.flow_id
        if self._live:
            out["in_iface"] = scene.source
        elif scene.number:
            out["pcap_cnt"] = scene.number
        out["event_type"] = kind
        if scene.vlan:
            out["vlan"] = list(scene.vlan)
        if scene.ipv:
            self._addresses(scene, out)
        if self._ethernet and scene.src_mac:
            out["ether"] = {"src_mac": scene.src_mac, "dest_mac": scene.dest_mac}
        if scene.tunnel:
            out["tunnel"] = self._tunnel(scene)
        if self._sensor:
            out["host"] = self._sensor
        if self._names and scene.source:
            out["pcap_filename"] = scene.source
        xen = self.identity(scene)
        if xen:
            out["xen"] = xen
        return out

    def _tunnel(self, scene: Scene) -> dict[str, Any]:
        sport, dport = scene.tunnel_ports
        out: dict[str, Any] = {
            "src_ip": scene.tunnel_src_ip, "src_port": sport, "dest_ip": scene.tunnel_dest_ip, "dest_port": dport,
            "proto": proto_name(scene.tunnel_proto), "depth": 1,
        }  # fmt: skip
        if scene.number and not self._live:
            out["pcap_cnt"] = scene.number
        return out | {"pkt_src": "wire/pcap"}

    def _addresses(self, scene: Scene, out: dict[str, Any]) -> None:
        ported = scene.proto in _PORTED
        out["src_ip"] = scene.src_ip
        if ported:
            out["src_port"] = scene.src_port
        out["dest_ip"] = scene.dest_ip
        if ported:
            out["dest_port"] = scene.dest_port
        out["proto"] = proto_name(scene.proto)
        out["ip_v"] = scene.ipv
        if scene.proto in _ICMP:
            out["icmp_type"], out["icmp_code"] = scene.src_port, scene.dest_port
        out["pkt_src"] = scene.pkt_src
        if self._community_seed is not None:
            out["community_id"] = community_id(
                scene.src, scene.dest, scene.proto, scene.src_port, scene.dest_port, self._community_seed
            )

    def _transaction(self, record: TxRecord) -> Event:
        out = self.common(record.scene, record.key)
        out["tx_id"] = record.tx_id
        out[record.key] = record.fields
        out |= record.beside
        return Event(record.key, out)

    def file(self, record: FileRecord, digest: str = "", number: int = 0) -> Event:
        """Return the event of a file. digest: SHA-256 under which it is stored as the so manieth, empty: it is not."""
        out = self.common(record.scene, "fileinfo")
        out[record.key] = record.fields
        out |= record.beside
        out["app_proto"] = record.app_proto
        if record.scene.app_proto_orig:
            out["app_proto_orig"] = record.scene.app_proto_orig
        out["fileinfo"] = _file_object(record, digest, number)
        return Event("fileinfo", out)

    def _tagged(self, record: PacketRecord) -> Event:
        return Event("packet", self.common(record.scene, "packet") | _frame(record.packet, record.linktype))

    def _anomaly(self, record: AnomalyRecord) -> Event:
        out = self.common(record.scene, "anomaly")
        body = {"type": record.kind, "event": record.event}
        if record.layer:
            body["layer"] = record.layer
        if record.kind == "applayer" and record.scene.app_proto:
            body["app_proto"] = record.scene.app_proto
        out["anomaly"] = body
        return Event("anomaly", out)

    def _arp(self, record: ArpRecord) -> Event:
        out = self.common(record.scene, "arp")
        out["arp"] = record.fields
        return Event("arp", out)

    def _flow(self, end: FlowEnd) -> Event:
        out = self.common(end.scene, "flow")
        out.pop("pkt_src", None)
        if "ether" in out:
            out["ether"] = {f"{name}s": [mac] for name, mac in out["ether"].items()}
        facts = end.scene.flow
        if facts is not None and facts.pkts_toclient and end.scene.proto in _ICMP:
            out |= _answered(end.scene)
        if end.scene.app_proto:
            out["app_proto"] = end.scene.app_proto
        for name, voice in zip(("app_proto_ts", "app_proto_tc"), end.voices, strict=True):
            if voice:
                out[name] = voice
        if facts is not None:
            out["flow"] = {
                "pkts_toserver": facts.pkts_toserver, "pkts_toclient": facts.pkts_toclient,
                "bytes_toserver": facts.bytes_toserver, "bytes_toclient": facts.bytes_toclient,
                "start": timestamp(facts.start), "end": timestamp(end.last),
                "age": max(0, end.last // 10**9 - facts.start // 10**9), "state": end.state, "reason": end.reason,
                "alerted": end.alerted, "tx_cnt": end.tx_cnt,
            }  # fmt: skip
        if end.tcp_state:
            ts, tc = end.tcpflags
            both = ts | tc
            tcp: dict[str, Any] = {"tcp_flags": f"{both:02x}", "tcp_flags_ts": f"{ts:02x}", "tcp_flags_tc": f"{tc:02x}"}
            tcp |= {name: True for bit, name in enumerate(_FLAG_NAMES) if both >> bit & 1}
            tcp["state"] = end.tcp_state
            tcp |= {name: True for name, gap in zip(("ts_gap", "tc_gap"), end.gaps, strict=True) if gap}
            out["tcp"] = tcp
        return Event("flow", out)


def _answered(scene: Scene) -> dict[str, Any]:
    """Return what the answers of an ICMP flow are: they have no codes."""
    kind = answer_type(scene.proto, scene.src_port)
    return {} if kind is None else {"response_icmp_type": kind, "response_icmp_code": 0}


def _frame(packet: bytes, linktype: int) -> dict[str, Any]:
    return {"packet": base64.b64encode(packet).decode(), "packet_info": {"linktype": linktype}}


def _file_of_alert(file: FileState, tx_id: int | None) -> dict[str, Any]:
    out: dict[str, Any] = {"filename": text(file.name)} if file.name else {}
    out |= {"gaps": file.gaps, "state": file.state, **file.digests, "stored": False, "size": file.size}
    return out if tx_id is None else out | {"tx_id": tx_id}


def _file_object(record: FileRecord, stored: str, number: int) -> dict[str, Any]:
    out: dict[str, Any] = {"filename": text(record.name)} if record.name else {}
    if record.sids:
        out["sid"] = list(record.sids)
    out |= {"gaps": record.gaps, "state": "CLOSED" if record.complete else "TRUNCATED", **record.digests}
    if stored:
        out |= {"sha256": stored, "stored": True, "file_id": number}
    else:
        out["stored"] = False
    return out | {"size": record.size, "tx_id": record.tx_id}


def _alert_object(match: Match, kinds: Mapping[str, str]) -> dict[str, Any]:
    rule: Rule = match.rule
    out: dict[str, Any] = {
        "action": "allowed", "gid": rule.gid, "signature_id": rule.sid, "rev": rule.rev, "signature": rule.msg,
        "category": rule.category, "severity": rule.severity,
    }  # fmt: skip
    if rule.target:
        ends = (_end(match.scene, "src"), _end(match.scene, "dest"))
        out["source"], out["target"] = ends if rule.target == "dest_ip" else ends[::-1]
    metadata = {name: list(values) for name, values in rule.metadata}
    if rule.attack:
        known = metadata.get("mitre_technique_id", [])
        metadata["mitre_technique_id"] = list(dict.fromkeys((*known, *rule.attack)))
    if metadata:
        out["metadata"] = metadata
    if rule.references:
        out["references"] = [expand(each, kinds) for each in rule.references]
    if rule.action != "alert":
        out["context"] = {"rule_action": rule.action}
    return out


def _end(scene: Scene, end: str) -> dict[str, Any]:
    """Return one end of a scene as `alert.source` and `alert.target` have it."""
    out: dict[str, Any] = {"ip": scene.src_ip if end == "src" else scene.dest_ip}
    if scene.proto in _PORTED:
        out["port"] = scene.src_port if end == "src" else scene.dest_port
    return out


def _flow_of_alert(scene: Scene, flow: FlowFacts) -> dict[str, Any]:
    out: dict[str, Any] = {
        "pkts_toserver": flow.pkts_toserver, "pkts_toclient": flow.pkts_toclient,
        "bytes_toserver": flow.bytes_toserver, "bytes_toclient": flow.bytes_toclient, "start": timestamp(flow.start),
        "src_ip": flow.client_ip, "dest_ip": flow.server_ip,
    }  # fmt: skip
    if scene.proto in _PORTED:
        out["src_port"], out["dest_port"] = flow.client_port, flow.server_port
    return out


_PRINTABLE = bytes(c if 32 <= c < 127 or c in b"\r\n" else ord(".") for c in range(256))


def _variables(match: Match) -> dict[str, Any]:
    """Return the variables of flow and packet as they are when the rule has matched."""
    out: dict[str, Any] = {}
    if match.flowbits:
        out["flowbits"] = list(match.flowbits)
    if match.flowints:
        out["flowints"] = dict(match.flowints)
    if match.flowvars:
        out["flowvars"] = [{name: printable(value)} for name, value in match.flowvars]
    if match.pktvars:
        out["pktvars"] = [{name: printable(value)} for name, value in match.pktvars]
    return out


def printable(data: bytes) -> str:
    """Return payload text as EVE shows it: anything but printable ASCII and line ends is a dot."""
    return data.translate(_PRINTABLE).decode("ascii")
