"""What an event offers to the rules that are judged on it: buffers, numbers, ends, variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sensor.detect.evaluator.context import Window
from sensor.detect.packets.header import FlowView, header_value, raw_header
from sensor.detect.packets.packetrow import PacketRow, packet_row
from sensor.detect.state.bits import FlowVars
from sensor.detect.state.hostbits import HostBits
from sensor.engine.place import Place
from sensor.model.app import TxStage
from sensor.model.files import FileInfo
from sensor.model.rows import FS_BEFORE, FS_ESTABLISHED
from sensor.rules.fields import APP_EVENT, APP_PROTOCOL, APP_TOLD, IP_PROTOCOL, STREAM_EVENT, TCP_EVENT
from sensor.rules.fields import BY_NAME as FIELDS

_RAW_HEADERS = frozenset(
    {"ipv4.hdr", "ipv6.hdr", "tcp.hdr", "udp.hdr", "icmp.hdr", "icmpv4.hdr", "icmpv6.hdr", "ether.hdr"}
)
_ENDS = frozenset({"ip.src", "ip.dst"})
_MAPPED = bytes(10) + b"\xff\xff"
"""How an IPv4 address begins in 16 bytes (RFC 4291 section 2.5.5.2)."""
_TCP = 6
_ACK = 0x10
_ODD = (APP_EVENT, STREAM_EVENT)
_APPS = FIELDS[APP_PROTOCOL].names


class Known(Protocol):
    """What is known of flows, packets and hosts from before."""

    host_bits: HostBits

    def flow_vars(self, slot: int) -> FlowVars | None:
        """Return the variables of a flow."""

    def packet_vars(self, place: Place) -> FlowVars:
        """Return what regexes have kept for a packet."""


class EventContext:
    """What one event offers to rules (`sensor.detect.evaluator.context.Context`)."""

    __slots__ = (
        "_event",
        "_file",
        "_flow",
        "_lower",
        "_packet",
        "_packet_vars",
        "_row",
        "_vars",
        "_windows",
        "app",
        "dest",
        "dport",
        "established",
        "ether",
        "host_bits",
        "known_app",
        "loaded",
        "place",
        "proto",
        "sport",
        "src",
        "stage",
        "tx",
        "ts_ns",
    )

    def __init__(
        self, place: Place, known: Known, windows: dict[str, Sequence[Window]], tx: object = None, app: str = "",
        file: FileInfo | None = None, event: tuple[str, int] | None = None, *, packet: bool = False,
        stage: TxStage | None = None,
    ) -> None:  # fmt: skip
        self._packet = packet
        self.stage = stage
        self._file = file
        self._lower: bytes | None = None
        self._event = event
        self.place = place
        self._windows = windows
        self._vars = known.flow_vars
        self._packet_vars = known.packet_vars
        self.host_bits = known.host_bits
        self.tx = tx
        self.app = app
        self.ts_ns = place.ts
        self.loaded = False

    def load(self) -> None:
        """Read the header fields of the event. Most events are done with before any rule needs them."""
        if self.loaded:
            return
        self.loaded = True
        place, view = self.place, self.place.view
        self.known_app = self.app = self.app or view.app_name(place.slot, place.row)
        if self._packet:
            self.app = view.app_name_of_packet(place.slot, place.row)
        self._row: PacketRow | None = None
        self._flow: FlowView | None = None
        self.src, self.dest, self.sport, self.dport, self.proto = place.ends()
        self.ether, fstate = 0, FS_ESTABLISHED
        if place.row >= 0:
            self.ether, fstate = view.row["ethertype"][place.row], view.row["fstate"][place.row]
        # The bare acknowledgment that completes a handshake is still part of it. Bytes of a stream are of a connection
        # even if they come before that (RFC 7413: in the SYN).
        bits = FS_BEFORE if self._packet else FS_ESTABLISHED
        self.established = fstate & bits == FS_ESTABLISHED or self._has_stream()

    def _has_stream(self) -> bool:
        about_segments = self._event is not None and self._event[0] == STREAM_EVENT
        return self.proto == _TCP and not self._packet and not about_segments

    def _voice(self) -> str:
        """Return what the side speaks by itself; of a protocol that followed another both sides do."""
        place, view = self.place, self.place.view
        if not self.app or place.slot < 0 or self.app != view.app_name(place.slot, place.row):
            return self.app
        return view.voice_name(place.slot, place.side, place.row, packet=self._packet)

    def _fields(self) -> PacketRow | None:
        """Return the packet, read when a rule first asks for one of its fields (10 us)."""
        if self._row is None and self.place.row >= 0:
            self._row = packet_row(self.place.view.rows, self.place.row)
        return self._row

    def _protocol(self) -> int | None:
        """Return the IP protocol of the flow: without a packet, at its end, it still has one."""
        self.load()
        return self.proto if self.proto >= 0 else None

    @property
    def slot(self) -> int:
        """Slot of the flow."""
        return self.place.slot

    def lower(self, data: bytes) -> bytes:
        """Return the event's bytes in lower case, the same at each call."""
        if self._lower is None:
            self._lower = data.lower()
        return self._lower

    @property
    def flow_vars(self) -> FlowVars | None:
        """Variables of the flow, made when a rule first asks for them."""
        return self._vars(self.place.slot)

    @property
    def packet_vars(self) -> FlowVars:
        """What regexes have kept for the packet."""
        return self._packet_vars(self.place)

    def instances(self, buffer: str) -> Sequence[Window]:
        """Return the windows of a buffer."""
        found = self._windows.get(buffer)
        if found is None:
            found = self._windows[buffer] = self._make(buffer)
        return found

    def _make(self, buffer: str) -> Sequence[Window]:
        if self._file is not None and buffer.startswith("file."):
            return [Window(data) for data in self._file.buffer(buffer)]
        if self.tx is not None:
            made = [Window(data) for data in self.tx.buffer(buffer)]  # type: ignore[attr-defined]
            if made:
                return made
        if buffer in _ENDS:
            self.load()
            end = self.src if buffer == "ip.src" else self.dest
            return [Window(end.removeprefix(_MAPPED))] if self.proto >= 0 else []
        if buffer in _RAW_HEADERS:
            self.load()
            packet = self._fields()
            raw = raw_header(buffer, packet, self.place.view.buf) if packet is not None else None
            return [] if raw is None else [Window(raw)]
        return []

    def numbers(self, field: str) -> Sequence[int]:
        """Return the values of a number of the transaction."""
        found: Sequence[int] = self.tx.numbers(field) if self.tx is not None else ()  # type: ignore[attr-defined]
        return found

    def header(self, field: str) -> int | None:
        """Return a number of the packet or flow, or what was found odd."""
        if field in _ODD:
            return self._event[1] if self._event is not None and self._event[0] == field else None
        if field == APP_PROTOCOL:
            return _APPS.get(self._voice())
        if field == APP_TOLD:
            told = self.place.view.told
            return int(told is not None and self.place.row >= 0 and told[self.place.row])
        packet = self._fields()
        if packet is None:
            return self._protocol() if field == IP_PROTOCOL else None
        if field == TCP_EVENT:
            events = self.place.view.tcp_events
            return 0 if events is None or self.place.row < 0 else int(events[self.place.row])
        if self._flow is None and self.place.slot >= 0 and field.startswith(("flow.", "stream.")):
            self._flow = _flow_at(self.place, packet)
        return header_value(field, packet, self.place.view.buf, self._flow)


def _flow_at(place: Place, row: PacketRow) -> FlowView:
    """Return a flow as it stood at a row: without what came later in the block."""
    flow, slot = place.view.flow, place.slot
    p0, p1, b0, b1 = place.view.counts_at(slot, place.row)
    isn, synced = flow["isn"], flow["synced"]
    # A side of which nothing was seen yet has a stream only if this packet acknowledges one.
    acked = bool(row.tcpflags & _ACK)
    known = [synced[slot, side] if seen or acked else 0 for side, seen in enumerate((p0, p1))]
    return FlowView(flow["first"][slot], (p0, p1), (b0, b1), (isn[slot, 0], isn[slot, 1]), (known[0], known[1]))
