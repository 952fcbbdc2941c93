"""Where something happened: what alerts and logs say about the packet and the flow, as plain values."""

from __future__ import annotations

from typing import Any

import msgspec

FLOWING = frozenset({1, 6, 17, 50, 58, 132})
"""IP protocols whose packets make up flows to Suricata; those of others stand alone in what is written."""


class FlowFacts(msgspec.Struct, frozen=True, gc=False):
    """A flow as it stood when the event happened (counts include the event's packet)."""

    start: int
    """ns"""
    client_ip: str
    client_port: int
    server_ip: str
    server_port: int
    pkts_toserver: int
    pkts_toclient: int
    bytes_toserver: int
    bytes_toclient: int


class Scene(msgspec.Struct, frozen=True, gc=False):
    """The packet (or the sender of the stream bytes) behind an event."""

    ts: int
    """ns"""
    number: int
    """`pcap_cnt`, counted from 1; 0: no packet (a flow timed out)."""
    source: str
    """Capture file or interface."""
    ipv: int
    """4, 6; 0: not IP."""
    src_ip: str
    dest_ip: str
    proto: int
    """IP protocol number."""
    src_port: int
    """TCP, UDP, SCTP; ICMP: type."""
    dest_port: int
    """TCP, UDP, SCTP; ICMP: code."""
    src: bytes = b""
    """Packed addresses, 4 or 16 bytes: keys of thresholds and of the community id."""
    dest: bytes = b""
    flow_id: int = 0
    """0: no flow."""
    side: int = 0
    """0 to_server, 1 to_client."""
    vlan: tuple[int, ...] = ()
    app_proto: str = ""
    """Empty: none known; `failed`: detection gave up."""
    app_proto_orig: str = ""
    """What the connection spoke before; empty: nothing else."""
    flow: FlowFacts | None = None
    tunnel: str = ""
    """Kind of the tunnel that the packet came out of; empty: none."""
    tunnel_src_ip: str = ""
    tunnel_dest_ip: str = ""
    tunnel_proto: int = 0
    tunnel_ports: tuple[int, int] = (0, 0)
    """UDP ports of it; 0: it has none."""
    ethertype: int = 0
    src_mac: str = ""
    dest_mac: str = ""
    pkt_src: str = "wire/pcap"

    @property
    def in_flow(self) -> bool:
        """Whether a flow is written of."""
        return self.flow_id != 0 and self.proto in FLOWING


def speaking(scene: Scene, app: str) -> Scene:
    """Return a scene in which a protocol is spoken: it may have followed another (STARTTLS, `Upgrade`)."""
    if not app or scene.app_proto in {"", "failed", app}:
        return scene
    return msgspec.structs.replace(scene, app_proto=app, app_proto_orig=scene.app_proto)


class FileState(msgspec.Struct, frozen=True, gc=False):
    """A file as an alert tells of it."""

    name: bytes
    size: int
    """Bytes seen."""
    state: str
    """`CLOSED`, `TRUNCATED`; `UNKNOWN`: more of it may come."""
    gaps: bool
    digests: dict[str, str] = {}
    """Hashes that are written: hex digits by name."""


class Match(msgspec.Struct, frozen=True, gc=False, tag="match"):
    """A rule holds."""

    rule: Any
    """`sensor.rules.nodes.Rule`"""
    scene: Scene
    payload: bytes = b""
    """Excerpt: what was judged (packet payload or stream window), cut to the configured size."""
    payload_length: int = 0
    stream: bool = False
    """The payload is stream data."""
    tx_id: int | None = None
    app: tuple[str, dict[str, Any]] | None = None
    """EVE key and object of the transaction."""
    beside: dict[str, Any] = {}
    """Further EVE objects of it, by key."""
    packet: bytes = b""
    """The frame."""
    linktype: int = 1
    flowbits: tuple[str, ...] = ()
    flowints: tuple[tuple[str, int], ...] = ()
    flowvars: tuple[tuple[str, bytes], ...] = ()
    """Texts that regexes have kept for the flow, by name; the next: for the packet."""
    pktvars: tuple[tuple[str, bytes], ...] = ()
    files: tuple[FileState, ...] = ()
    """Files of the transaction that are complete."""
    told: tuple[tuple[bytes, ...], ...] = ()
    """Values of the rule's tests that are decided where several workers meet."""


class FlowEnd(msgspec.Struct, frozen=True, gc=False, tag="flow"):
    """A flow is over."""

    scene: Scene
    """In client direction; ts is the time of the end."""
    last: int
    """ns of the last packet."""
    state: str
    reason: str
    alerted: bool
    tcpflags: tuple[int, int]
    """All flags seen, to_server and to_client."""
    tcp_state: str
    gaps: tuple[int, int]
    tx_cnt: int
    voices: tuple[str, str] = ("", "")
    """What the client and the server speak by themselves, where it is another protocol."""


class TxRecord(msgspec.Struct, frozen=True, gc=False, tag="tx"):
    """A transaction for the log."""

    scene: Scene
    key: str
    """EVE key and event_type (`http`)."""
    fields: dict[str, Any]
    tx_id: int
    beside: dict[str, Any] = {}
    """Further EVE objects of it, by key."""


class FileRecord(msgspec.Struct, frozen=True, gc=False, tag="file"):
    """A file that a transaction has carried."""

    scene: Scene
    """Seen from its sender."""
    app_proto: str
    key: str
    """EVE key of the transaction's object."""
    fields: dict[str, Any]
    tx_id: int
    name: bytes
    size: int
    """Bytes seen."""
    complete: bool
    gaps: bool
    digests: dict[str, str] = {}
    """Hashes that are written: hex digits by name."""
    beside: dict[str, Any] = {}
    """Further EVE objects of the transaction, by key."""
    logged: bool = True
    """It is written to the log."""
    content: bytes = b""
    """What is to be stored of it, from its start."""
    sids: tuple[int, ...] = ()
    """Rules that want it stored."""


Cause = tuple[int, int, int, int]
"""An alert that has packets logged: gid, sid, time (ns), flow id."""


class PacketRecord(msgspec.Struct, frozen=True, gc=False, tag="packet"):
    """A packet that follows an alert whose rule has it logged."""

    scene: Scene
    packet: bytes
    """The frame."""
    linktype: int
    causes: tuple[Cause, ...] = ()


class AnomalyRecord(msgspec.Struct, frozen=True, gc=False, tag="anomaly"):
    """Something odd."""

    scene: Scene
    kind: str
    """`decode`, `stream` or `applayer`."""
    event: str
    """`decoder.udp.pkt_too_small`"""
    layer: str = ""


class ArpRecord(msgspec.Struct, frozen=True, gc=False, tag="arp"):
    """An ARP packet."""

    scene: Scene
    fields: dict[str, Any]


Record = Match | FlowEnd | TxRecord | FileRecord | PacketRecord | AnomalyRecord | ArpRecord
"""What the engine emits, in packet order."""
