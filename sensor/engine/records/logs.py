"""Which records are written besides alerts, and what they say."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from sensor.engine.place import Place
from sensor.engine.scenes import BlockView
from sensor.model import addr
from sensor.model.anomaly import AppAnomaly, DecodeAnomaly, StreamAnomaly
from sensor.model.app import ProtocolSpec, TxStage, beside
from sensor.model.columns import Columns
from sensor.model.rows import END_REASONS, TCP_ESTABLISHED, TCP_LAST_ACK, TCP_STATE_NAMES
from sensor.model.scene import FLOWING, AnomalyRecord, ArpRecord, FlowEnd, Record, Scene, TxRecord, speaking

_ARP = 0x0806
_ARP_SIZE = 28
_ARP_OPCODES = {
    1: "request",
    2: "reply",
    3: "request-reverse",
    4: "reply-reverse",
    8: "request-inverse",
    9: "reply-inverse",
}
_TCP, _UDP = 6, 17
_DETECTION = frozenset(
    {
        AppAnomaly.DETECT_PROTOCOL_ONLY_ONE_DIRECTION, AppAnomaly.WRONG_DIRECTION_FIRST_DATA,
        AppAnomaly.PROTOCOL_MISMATCH, AppAnomaly.PROTO_DETECTION_SKIPPED,
    }
)  # fmt: skip
"""What is found before any parser reads."""


def _is_arp(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = (rows["ethertype"] == _ARP) & (rows["ipv"] == 0)
    return found


def _last_state(flow: Columns, slot: int) -> str:
    """Return the state that a flow was in when it ended, as the flow table tells them apart. flow: FLOW."""
    if flow["proto"][slot] != _TCP:
        return "established" if flow["pkts"][slot, 0] and flow["pkts"][slot, 1] else "new"
    tcp = flow["tcpstate"][slot]
    return "closed" if tcp >= TCP_LAST_ACK else "established" if tcp >= TCP_ESTABLISHED else "new"


def _scene(place: Place, spec: ProtocolSpec, stage: TxStage) -> Scene:
    datagram = spec.by_sender and place.row >= 0 and int(place.view.rows["proto"][place.row]) == _UDP
    return place.scene(side=stage.side if datagram else 0)


_SAYS_WHY = 1 << DecodeAnomaly.IPV6_FRAG_INVALID_LENGTH
"""Why a fragment was ignored."""


class Logs:
    """Writes the kinds of record that were asked for."""

    def __init__(self, kinds: frozenset[str], emit: Callable[[Record], None]) -> None:
        self._kinds = kinds
        self._emit = emit
        self.flow_ends = "flow" in kinds

    def wants(self, kind: str) -> bool:
        """Tell whether a kind of record is written."""
        return kind in self._kinds

    def transaction(self, place: Place, spec: ProtocolSpec, stage: TxStage) -> None:
        """Log a transaction that has come to the stage at which its protocol logs."""
        if stage.stage in spec.log_stages:
            self.incomplete(place, spec, stage)

    def incomplete(self, place: Place, spec: ProtocolSpec, stage: TxStage) -> None:
        """Log a transaction whether or not it will come to that stage, if it has something to tell."""
        key = spec.eve_key or spec.name
        if key in self._kinds and (fields := stage.tx.eve()):
            self._emit(TxRecord(_scene(place, spec, stage), key, fields, stage.tx.id, beside(stage.tx)))

    def flow_end(self, place: Place, reason: int, transactions: int) -> None:
        """Log a flow."""
        if not self.flow_ends:
            return
        flow, slot = place.view.flow, place.slot
        proto = flow["proto"][slot]
        if proto not in FLOWING:
            return
        scene = place.scene(side=0)
        if proto == _UDP and not scene.app_proto:
            scene = msgspec.structs.replace(scene, app_proto="failed")  # datagrams without payload tell nothing
        self._emit(
            FlowEnd(
                scene=scene,
                last=flow["last"][slot],
                state=_last_state(flow, slot),
                reason=END_REASONS[reason],
                alerted=bool(flow["alerted"][slot]),
                tcpflags=(flow["tcpflags"][slot, 0], flow["tcpflags"][slot, 1]),
                tcp_state=TCP_STATE_NAMES[flow["tcpstate"][slot]] if proto == _TCP else "",
                gaps=(flow["gaps"][slot, 0], flow["gaps"][slot, 1]),
                tx_cnt=transactions,
                voices=place.view.other_voices(slot),
            )
        )

    def app_anomaly(self, place: Place, anomaly: AppAnomaly, proto: str) -> None:
        """Log what a parser found odd, or what is odd in how the sides of a connection speak."""
        if "anomaly" in self._kinds:
            scene = speaking(place.scene(side=place.side), proto)
            layer = "proto_detect" if anomaly in _DETECTION else "proto_parser"
            self._emit(AnomalyRecord(scene, "applayer", anomaly.logged, layer))

    def odd_rows(self, rows: np.ndarray) -> list[int]:
        """Return the rows that are logged for what they are by themselves: anomalies and ARP. rows: ROW[n]."""
        wanted = np.zeros(rows.size, np.bool_)
        if "anomaly" in self._kinds:
            wanted |= rows["anomaly"] != 0
        if "arp" in self._kinds:
            wanted |= _is_arp(rows)
        return np.flatnonzero(wanted).tolist()

    def packet(self, view: BlockView, row: int) -> None:
        """Log an odd row."""
        bits = int(view.rows["anomaly"][row]) if "anomaly" in self._kinds else 0
        if bits:
            scene = view.scene(row)
            for anomaly in DecodeAnomaly:
                if bits >> anomaly & 1 and not (anomaly == DecodeAnomaly.FRAG_IGNORED and bits & _SAYS_WHY):
                    self._emit(AnomalyRecord(scene, "decode", anomaly.logged(scene.ipv)))
        if "arp" in self._kinds and _is_arp(view.rows[row]):
            self._arp(view, row)

    def stream_anomaly(self, place: Place, anomaly: int) -> None:
        """Log what reassembly found odd."""
        if "anomaly" in self._kinds:
            scene = place.view.scene(place.row) if place.row >= 0 else place.scene()
            self._emit(AnomalyRecord(scene, "stream", StreamAnomaly(anomaly).logged))

    def _arp(self, view: BlockView, row: int) -> None:
        r = view.rows[row]
        start = int(r["l3"])
        end = int(r["l2"]) + int(r["caplen"])
        raw = view.buf[start : min(end, start + _ARP_SIZE)].tobytes() if start >= 0 else b""
        if len(raw) < _ARP_SIZE:
            return
        opcode = int.from_bytes(raw[6:8], "big")
        fields = {
            "hw_type": "ethernet" if raw[:2] == b"\0\1" else str(int.from_bytes(raw[:2], "big")),
            "proto_type": "ipv4" if raw[2:4] == b"\x08\0" else f"0x{raw[2:4].hex()}",
            "opcode": _ARP_OPCODES.get(opcode, str(opcode)),
            "src_mac": addr.mac(raw[8:14]),
            "src_ip": addr.text(4, 0, int.from_bytes(raw[14:18], "big")),
            "dest_mac": addr.mac(raw[18:24]),
            "dest_ip": addr.text(4, 0, int.from_bytes(raw[24:28], "big")),
        }
        self._emit(ArpRecord(view.scene(row), fields))
