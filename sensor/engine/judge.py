"""Rules judged on packets, windows and transactions; what holds goes through thresholds to the alert sink."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from sensor.detect.addresses import key16, matchers
from sensor.detect.bits import FlowVarCounters, FlowVars
from sensor.detect.budget import Budget
from sensor.detect.context import Window
from sensor.detect.header import FlowView, header_value, raw_header
from sensor.detect.hostbits import HostBits
from sensor.detect.naive import CompiledRule, apply_effects, judge
from sensor.detect.packetrow import PacketRow, packet_row
from sensor.detect.plan import Plan
from sensor.detect.quick import Needs, needs
from sensor.detect.threshold import Rates, Suppressor
from sensor.engine.marks import SideMarks
from sensor.engine.options import EngineOptions
from sensor.engine.scenes import BlockView
from sensor.model.app import ProtocolSpec, TxStage, beside
from sensor.model.counters import Counters
from sensor.model.files import FileInfo
from sensor.model.rows import FRAG_PART, FS_ESTABLISHED, TUNNEL_ERSPAN, TUNNEL_GRE, TUNNEL_IPIP
from sensor.model.scene import Match, Scene
from sensor.proto.registry import BY_NAME, BY_WORD, SPECS
from sensor.rules.check import transports
from sensor.rules.fields import APP_EVENT, APP_PROTOCOL, STREAM_EVENT
from sensor.rules.fields import BY_NAME as FIELDS
from sensor.rules.nodes import Rule

T = TypeVar("T")

_RAW_HEADERS = frozenset(
    {"ipv4.hdr", "ipv6.hdr", "tcp.hdr", "udp.hdr", "icmp.hdr", "icmpv4.hdr", "icmpv6.hdr", "ether.hdr"}
)
_PORTED = frozenset({6, 17, 132})
_CARRIED = frozenset({TUNNEL_IPIP, TUNNEL_GRE, TUNNEL_ERSPAN})
"""Tunnels whose packet has no payload of its own but the packet inside, which is judged itself."""
_ONE_SIDED = frozenset({"dns", "mqtt", "sip", "snmp", "krb5"})
"""Protocols whose messages are transactions of their own, whatever side they are on."""
_ODD = (APP_EVENT, STREAM_EVENT)
_APPS = FIELDS[APP_PROTOCOL].names
_SIDES = MappingProxyType({"to_server": 0, "to_client": 1})
_ACK = 0x10
_ARP = 0x0806


class JudgeCounters(Counters):
    """Judgements."""

    __slots__ = ("alerts", "judgements", "rule_errors", "suppressed")
    alerts: int
    judgements: int
    rule_errors: int
    suppressed: int


@dataclass(slots=True)
class Place:
    """Where in the block something happens."""

    view: BlockView
    slot: int
    side: int
    """Whose bytes it is about."""
    row: int
    """-1: no packet of the flow in this block stands behind it."""
    number: int
    ts: int

    def scene(self, side: int = -1) -> Scene:
        """Return the scene, seen from a side (default: the sender of the bytes)."""
        side = self.side if side < 0 else side
        if self.row >= 0:
            return self.view.scene(self.row, side=side if self.slot >= 0 else -1)
        return self.view.flow_scene(self.slot, ts=self.ts, side=side, number=self.number)


class _Context:
    """What one event offers to rules (`sensor.detect.context.Context`)."""

    __slots__ = (
        "_event",
        "_file",
        "_flow",
        "_loaded",
        "_lower",
        "_row",
        "_vars",
        "_windows",
        "app",
        "dest",
        "dport",
        "established",
        "ether",
        "host_bits",
        "place",
        "proto",
        "sport",
        "src",
        "tx",
        "ts_ns",
    )

    def __init__(
        self, place: Place, judge: Judge, windows: dict[str, Sequence[Window]], tx: object = None, app: str = "",
        file: FileInfo | None = None, event: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        self._file = file
        self._lower: bytes | None = None
        self._event = event
        self.place = place
        self._windows = windows
        self._vars = judge.flow_vars
        self.host_bits = judge.host_bits
        self.tx = tx
        self.app = app
        self.ts_ns = place.ts
        self._loaded = False

    def load(self) -> None:
        """Read the header fields of the event. Most events are done with before any rule needs them (15 us each)."""
        if self._loaded:
            return
        self._loaded = True
        place, view = self.place, self.place.view
        self.app = self.app or view.app_name(place.slot, place.row)
        self._row: PacketRow | None = packet_row(view.rows, place.row) if place.row >= 0 else None
        self._flow: FlowView | None = None
        record = view.rows[place.row] if place.slot < 0 else view.flows[place.slot]
        ipv = int(record["ipv"])
        src = key16(ipv, int(record["src_hi"]), int(record["src_lo"]))
        dest = key16(ipv, int(record["dst_hi"]), int(record["dst_lo"]))
        ported = int(record["proto"]) in _PORTED
        ends = (src, dest, int(record["sport"]) if ported else -1, int(record["dport"]) if ported else -1)
        if place.slot >= 0 and place.side == 1:
            ends = (dest, src, ends[3], ends[2])
        self.src, self.dest, self.sport, self.dport = ends
        self.proto = int(record["proto"]) if ipv else -1
        self.ether = self._row.ethertype if self._row is not None else 0
        fstate = int(view.rows["fstate"][place.row]) if place.row >= 0 else FS_ESTABLISHED
        self.established = bool(fstate & FS_ESTABLISHED)

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
        if buffer in _RAW_HEADERS and self._row is not None:
            raw = raw_header(buffer, self._row, self.place.view.buf)
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
            return _APPS.get(self.app)
        if self._row is None:
            return None
        if self._flow is None and self.place.slot >= 0 and field.startswith(("flow.", "stream.")):
            self._flow = _flow_at(self.place, self._row)
        return header_value(field, self._row, self.place.view.buf, self._flow)


def _flow_at(place: Place, row: PacketRow) -> FlowView:
    """Return a flow as it stood at a row: without what came later in the block."""
    flow = place.view.flows[place.slot]
    p0, p1, b0, b1 = place.view.counts_at(place.slot, place.row)
    isn, synced = flow["isn"], flow["synced"]
    # A side of which nothing was seen yet has a stream only if this packet acknowledges one.
    acked = bool(row.tcpflags & _ACK)
    known = [int(synced[side]) if seen or acked else 0 for side, seen in enumerate((p0, p1))]
    return FlowView(int(flow["first"]), (p0, p1), (b0, b1), (int(isn[0]), int(isn[1])), (known[0], known[1]))


def _by_word(rules: Iterable[Rule], make: Callable[[Rule], T]) -> Iterator[T]:
    """Yield what is made of each rule's protocol word, made once for each word."""
    known: dict[str, T] = {}
    for rule in rules:
        if rule.proto not in known:
            known[rule.proto] = make(rule)
        yield known[rule.proto]


def _app_names(rule: Rule) -> frozenset[str]:
    return frozenset(spec.name for spec in BY_WORD.get(rule.proto, ()))


def _accepts(rule: Rule) -> Callable[[int, int], bool] | None:
    """Return the test of (IP protocol or -1, ethertype) that a rule's protocol word means; None: anything goes."""
    if rule.proto == "pkthdr":
        return None
    if rule.proto == "arp":
        return lambda proto, ether: proto < 0 and ether == _ARP
    allowed = transports(rule.proto)
    if allowed is None:
        return lambda proto, _ether: proto >= 0
    return lambda proto, _ether: proto in allowed


def _payload(view: BlockView, row: int) -> bytes:
    """Return the payload that packet rules see: none of fragments and of packets that only carry another."""
    r = view.rows[row]
    if r["frag"] == FRAG_PART:
        return b""
    if row + 1 < view.rows.size:
        inner = view.rows[row + 1]
        if inner["parent"] == row and int(inner["tunnel"]) in _CARRIED:
            return b""
    start = int(r["pay"])
    return view.buf[start : start + int(r["paylen"])].tobytes()


class Judge:
    """Judges events against rules. One rule's judgement is an isolation point."""

    def __init__(self, plan: Plan, compiled: Sequence[CompiledRule], options: EngineOptions, rates: Rates,
                 suppressor: Suppressor, emit: Callable[[Match], None]) -> None:  # fmt: skip
        self._plan = plan
        self._compiled = compiled
        self._headers = list(matchers(p.rule for p in plan.rules))
        self._protos = list(_by_word((p.rule for p in plan.rules), _accepts))
        self._pass = [p.rule.action == "pass" for p in plan.rules]
        self._facing = [-1 if p.literal else _SIDES.get(p.rule.direction, -1) for p in plan.rules]
        """The side that a rule asks for; -1: any, or its literal was searched in the bytes of one side only."""
        self._apps = list(_by_word((p.rule for p in plan.rules), _app_names))
        self._options = options
        self._rates = rates
        self._suppressor = suppressor
        self._emit = emit
        self._needs: list[Needs | None] = [None] * len(plan.rules)
        """Made when a rule is first judged."""
        self._vars: dict[int, FlowVars] = {}
        self.fired = SideMarks()
        """Where the bytes end on which a stream rule fired."""
        self.budget = Budget()
        self.counters = JudgeCounters()
        self.var_counters = FlowVarCounters()
        self.host_bits = HostBits()

    def packet(self, view: BlockView, row: int, rules: Iterable[int]) -> None:
        """Judge packet rules on a row."""
        r = view.rows[row]
        slot = int(r["flow"])
        place = Place(view, slot, int(r["side"]), row, int(view.numbers[r["pkt"]]), int(r["ts"]))
        payload = _payload(view, row)
        windows: Sequence[Window] = [Window(payload)] if payload else []
        context = _Context(place, self, {"payload": windows, "payload_or_stream": windows})
        for number in rules:
            if self._may(number, context, payload) and self._holds(number, context):
                self._match(number, place, payload, stream=False, context=context)
                if self._pass[number]:
                    break

    def hopeless(self, slot: int, rules: Iterable[int]) -> bool:
        """Tell whether each of the rules needs flowbits that the flow does not have: then none can come to set them."""
        if not self._options.triage:
            return False
        known = self._vars.get(slot)
        return not any(self._need(number).bits_set(known) for number in rules)

    def window(self, place: Place, window: tuple[int, bytes], rules: Iterable[int]) -> None:
        """Judge stream rules on (stream offset, bytes); a rule that fired sees only later bytes."""
        base, data = window
        end = base + len(data)
        whole = [Window(data, base)]
        context = _Context(place, self, {"stream": whole, "payload_or_stream": whole})
        side = 2 * place.slot + place.side
        fired = self.fired.of(side)
        for number in rules:
            if not self._may(number, context, data):
                continue
            seen = fired.get(number, 0)
            used = context
            if seen > base:
                part = [Window(data[seen - base :], seen)]
                used = _Context(place, self, {"stream": part, "payload_or_stream": part})
            if self._holds(number, used):
                self.fired.note(side, number, end)
                self._match(number, place, data, stream=True, context=used)
                if self._pass[number]:
                    break

    def transaction(self, place: Place, app: int, stage: TxStage, data: bytes) -> None:
        """Judge the transaction rules of a protocol's stage."""
        index = self._plan.transactions
        file = stage.file is not None
        every = index.everything(app, stage.stage, file=file)
        if not every:
            return
        whole = [Window(data)] if data else []
        sided = Place(place.view, place.slot, stage.side, place.row, place.number, place.ts)
        windows: dict[str, Sequence[Window]] = {"payload": whole, "stream": whole, "payload_or_stream": whole}
        context = _Context(sided, self, windows, stage.tx, SPECS[app].name, stage.file)
        views = {stage.side: context}
        if stage.both:
            back = replace(sided, side=1 - stage.side)
            views[back.side] = _Context(back, self, windows, stage.tx, SPECS[app].name, stage.file)
        rules = index.candidates(app, stage.stage, context.instances, file=file) if self._options.triage else every
        for number in rules:
            seen = views.get(self._facing[number], context)
            if self._may(number, context, data) and self._holds(number, seen):
                self._match(number, seen.place, data, stream=True, context=seen)
                if self._pass[number]:
                    break

    def event(self, place: Place, spec: ProtocolSpec, anomaly: int, side: int, rules: Iterable[int],
              data: bytes) -> None:  # fmt: skip
        """Judge rules on what a parser found odd in the bytes of a side.

        Where a transaction is about both sides, so is what is odd in it: a rule is judged from the side it names.
        """
        odd = (APP_EVENT, anomaly)
        sided = Place(place.view, place.slot, side, place.row, place.number, place.ts)
        whole = [Window(data)] if data else []
        windows: dict[str, Sequence[Window]] = {"payload": whole, "stream": whole, "payload_or_stream": whole}
        context = _Context(sided, self, windows, None, spec.name, event=odd)
        views = {side: context}
        if len({stage.side for stage in spec.stages}) > 1 and spec.name not in _ONE_SIDED:
            back = replace(sided, side=1 - side)
            views[back.side] = _Context(back, self, windows, None, spec.name, event=odd)
        for number in rules:
            seen = views.get(self._facing[number], context)
            if self._holds(number, seen):
                self._match(number, seen.place, data, stream=True, context=seen)
                if self._pass[number]:
                    break

    def note(self, place: Place, anomaly: int, rules: Iterable[int]) -> None:
        """Judge rules on what the flow table found odd, with the packet that showed it."""
        payload = _payload(place.view, place.row) if place.row >= 0 else b""
        whole = [Window(payload)] if payload else []
        windows: dict[str, Sequence[Window]] = {"payload": whole, "payload_or_stream": whole}
        context = _Context(place, self, windows, event=(STREAM_EVENT, anomaly))
        for number in rules:
            if self._holds(number, context):
                self._match(number, place, payload, stream=False, context=context)
                if self._pass[number]:
                    break

    def adopt(self, old: Judge, renumbered: Mapping[int, int]) -> None:
        """Take over the state of the judge before a reload. renumbered: old rule number → new, of unchanged rules."""
        self.counters, self.var_counters, self._vars = old.counters, old.var_counters, old._vars
        self.host_bits = old.host_bits
        self.budget.counters = old.budget.counters
        self.fired.adopt(old.fired, renumbered)

    def forget(self, slots: Iterable[int]) -> None:
        """Drop the variables of ended flows."""
        slots = list(slots)
        self.fired.forget(slots)
        if self._vars:
            for slot in self._vars.keys() & slots:
                del self._vars[slot]

    def flow_vars(self, slot: int) -> FlowVars | None:
        """Return the variables of a flow, made when first asked for; None: there is no flow."""
        if slot < 0:
            return None
        found = self._vars.get(slot)
        if found is None:
            found = self._vars[slot] = FlowVars(self.var_counters)
        return found

    def _need(self, number: int) -> Needs:
        found = self._needs[number]
        if found is None:
            found = self._needs[number] = needs(self._plan.rules[number].rule)
        return found

    def _may(self, number: int, context: _Context, data: bytes) -> bool:
        """Tell whether a rule has what it needs at least. data: the payload, or the window."""
        if not self._options.triage:
            return True
        need = self._need(number)
        if need.bits and not need.bits_set(self._vars.get(context.slot)):
            return False
        return need.literals_stand(context.lower(data), context.instances)

    def _holds(self, number: int, context: _Context) -> bool:
        """Judge one rule; whatever goes wrong in it stays in it."""
        context.load()
        place = context.place
        apps, accepts = self._apps[number], self._protos[number]
        if (apps and context.app not in apps) or (accepts is not None and not accepts(context.proto, context.ether)):
            return False
        side, established = (place.side, context.established) if place.slot >= 0 else (-1, None)
        if not self._headers[number].matches(
            context.src, context.dest, context.sport, context.dport, side, established
        ):
            return False
        self.counters.judgements += 1
        try:
            return judge(self._compiled[number], context, self.budget)
        except Exception:  # noqa: BLE001 - isolation point: one rule
            self.counters.rule_errors += 1
            return False

    def _match(self, number: int, place: Place, data: bytes, *, stream: bool, context: _Context) -> None:
        rule = self._plan.rules[number].rule
        if self._compiled[number].effects:
            apply_effects(self._compiled[number], context)
        if rule.noalert or self._pass[number]:
            return
        flow_id = int(place.view.flows["id"][place.slot]) if place.slot >= 0 else 0
        if self._suppressor.suppressed(rule, context.src, context.dest):
            self.counters.suppressed += 1
            return
        if not self._rates.check(rule, place.ts, context.src, context.dest, flow_id):
            return
        self.counters.alerts += 1
        if place.slot >= 0:
            place.view.flows["alerted"][place.slot] = 1
        tx: Any = context.tx
        shown = tx.eve() if tx is not None else {}
        scene = place.scene()
        key = ""
        if tx is not None:
            spec = BY_NAME.get(context.app)
            key = (spec.eve_key or spec.name) if spec else ""
        known = self._vars.get(place.slot)
        self._emit(
            Match(
                rule=rule,
                scene=scene,
                payload=data[: self._options.settings.eve.payload_size],
                payload_length=len(data),
                stream=stream,
                tx_id=tx.id if tx is not None and tx.id >= 0 else None,
                app=(key, shown) if shown and key else None,
                beside=beside(tx),
                packet=self._frame(place) if self._options.settings.eve.packet else b"",
                linktype=int(place.view.block.linktype[place.view.rows["pkt"][place.row]]) if place.row >= 0 else 1,
                flowbits=tuple(sorted(known.bits)) if known is not None else (),
            )
        )

    def _frame(self, place: Place) -> bytes:
        if place.row < 0:
            return b""
        block, pkt = place.view.block, int(place.view.rows["pkt"][place.row])
        start = int(block.off[pkt])
        return bytes(block.buf[start : start + int(block.caplen[pkt])].tobytes())
