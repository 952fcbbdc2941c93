"""Rules judged on packets, windows and transactions; what holds goes through thresholds to the alert sink."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from sensor.detect.evaluator.context import Window
from sensor.detect.evaluator.naive import CompiledRule, apply_captures, apply_effects, apply_sets, judge, told
from sensor.detect.evaluator.quick import needs
from sensor.detect.evaluator.sleepers import Sleepers
from sensor.detect.headers.addresses import HeaderMatcher, HeaderMatchers
from sensor.detect.planning.compiled import CompiledRules
from sensor.detect.planning.plan import TX, Plan
from sensor.detect.state.bits import FlowVarCounters, FlowVars
from sensor.detect.state.budget import Budget
from sensor.detect.state.datasets import Datasets
from sensor.detect.state.hostbits import HostBits
from sensor.detect.state.threshold import Rates, Suppressor
from sensor.engine.apps import AppLayer
from sensor.engine.echoes import Echo
from sensor.engine.eventcontext import EventContext
from sensor.engine.faults import Faults
from sensor.engine.files.filestates import files_at
from sensor.engine.files.filewants import FileWants
from sensor.engine.framing.frames import Frames
from sensor.engine.marks import SideMarks
from sensor.engine.options import EngineOptions
from sensor.engine.passing import FLOW, SIDE, Passed, reach
from sensor.engine.place import Place, place_of_row
from sensor.engine.records.tagging import Tagging
from sensor.engine.scenes import BlockView
from sensor.model.app import ProtocolSpec, TxStage, beside, eve_of_alert
from sensor.model.counters import Counters
from sensor.model.rows import FRAG_PART, TUNNEL_GENEVE, TUNNEL_NONE, TUNNEL_TEREDO, TUNNEL_VXLAN
from sensor.model.scene import Match, Record, speaking
from sensor.proto.registry import BY_NAME, BY_WORD, SPECS
from sensor.rules.check import transports
from sensor.rules.fields import APP_EVENT, STREAM_EVENT
from sensor.rules.nodes import Rule

_UDP = 17
_WITH_FLOWS = frozenset({1, 6, 17, 58, 132})
_ORIGIN, _ANEW = -1, -2
"""Stand for rules in what has fired on a side: where the message begins that it is about, and where a stretch does that
a parser has told of."""
_OVER_UDP = frozenset({TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_TEREDO})
_ONE_SIDED = frozenset({"dns", "mqtt", "sip", "snmp", "krb5"})
"""Protocols whose messages are transactions of their own, whatever side they are on."""
_SEEN_TWICE = frozenset({"ftp", "http", "http2", "modbus", "rfb", "smb", "smtp", "ssh"})
"""Protocols with transactions about both sides: Suricata judges rules without a direction on each side."""
_CARRIERS = 8
"""Transactions of one segment in which rules look for what they ask besides something odd."""
_ARP = 0x0806


class JudgeCounters(Counters):
    """Judgements."""

    __slots__ = ("alerts", "flows_passed", "judgements", "rule_errors", "suppressed")
    alerts: int
    flows_passed: int
    """Flows of which a `pass` rule took the rest out of inspection."""
    judgements: int
    rule_errors: int
    suppressed: int


@functools.lru_cache(maxsize=256)
def _app_names(word: str) -> frozenset[str]:
    return frozenset(spec.name for spec in BY_WORD.get(word, ()))


@functools.lru_cache(maxsize=256)
def _accepts(word: str) -> Callable[[int, int], bool] | None:
    """Return the test of (IP protocol or -1, ethertype) that a rule's protocol word means; None: anything goes."""
    if word == "pkthdr":
        return None
    if word == "arp":
        return lambda proto, ether: proto < 0 and ether == _ARP
    allowed = transports(word)
    if allowed is None:
        return lambda proto, _ether: proto >= 0
    return lambda proto, _ether: proto in allowed


def _payload(view: BlockView, row: int) -> bytes:
    """Return the payload that packet rules see: none of fragments and of packets that only carry another."""
    r = view.row
    if r["frag"][row] == FRAG_PART:
        return b""
    inner = row + 1
    if inner < view.rows.size and r["parent"][inner] == row and _is_carried(r["tunnel"][inner], r["ipv"][inner]):
        return b""
    start = r["pay"][row]
    return view.buf[start : start + r["paylen"][row]].tobytes()


def _is_carried(tunnel: int, ipv: int) -> bool:
    """Tell whether the packet around has no payload but the one inside, which is judged itself.

    Of a datagram (VXLAN, GENEVE) with something else than IP inside, the payload is judged, as in Suricata.
    """
    return tunnel != TUNNEL_NONE and (ipv != 0 or tunnel not in _OVER_UDP)


_Told = tuple[tuple[bytes, ...], ...]
_Held = tuple[Rule, Place, bytes, bool, EventContext, _Told]
"""An alert that waits: what `Judge._raise` takes."""


def _begins(place: Place) -> bool:
    """Tell whether a packet is the first of its side of a flow, or of a protocol of which packets stand alone."""
    view, slot, row = place.view, place.slot, place.row
    alone = slot < 0 or view.row["proto"][row] not in _WITH_FLOWS
    return alone or view.counts_at(slot, row)[place.side] <= 1


def _flowless(place: Place) -> int:
    """Return the side of a packet in no flow: a fragment is as good as sent by a client, of others nobody knows."""
    return 0 if place.row >= 0 and place.view.row["frag"][place.row] == FRAG_PART else -1


class _Ready:
    """What judging a rule takes, made when traffic first reaches it."""

    __slots__ = ("accepts", "apps", "compiled", "header", "needs", "rule")

    def __init__(self, rule: Rule, compiled: CompiledRule, header: HeaderMatcher) -> None:
        self.rule, self.compiled, self.header = rule, compiled, header
        self.accepts, self.apps = _accepts(rule.proto), _app_names(rule.proto)
        self.needs = needs(rule)


class Reached(NamedTuple):
    """A stage that is to be judged."""

    stage: TxStage
    data: bytes
    """What completed it."""
    seen: bytes
    """The same with what came before."""
    matched: set[int] | None = None
    """Rules that have matched the message before, or another file of the transaction, and will not match this one;
    those that have files stored do."""


def _transaction_of(one: Reached) -> int:
    return id(one.stage.tx)


def _number_of(one: tuple[int, _Look]) -> int:
    return one[0]


@dataclass(slots=True)
class _Look:
    """What of the rules is to be judged at a stage."""

    reached: Reached
    place: Place
    context: EventContext
    rules: set[int]


class Judge:
    """Judges events against rules. One rule's judgement is an isolation point."""

    def __init__(self, plan: Plan, compiled: CompiledRules, options: EngineOptions, rates: Rates,
                 suppressor: Suppressor, emit: Callable[[Record], None], wanted: FileWants,
                 frames: Sequence[Frames] = ()) -> None:  # fmt: skip
        self._plan = plan
        self._compiled = compiled
        self._headers = HeaderMatchers()
        self._pass: list[bool] = plan.table.passes.tolist()
        self._facing: list[int] = plan.table.facing.tolist()
        self._once: list[bool] = plan.table.once.tolist()
        self.passes_messages = bool(np.any(plan.table.passes & (plan.table.scopes & TX != 0)))
        """What is raised on a datagram waits for rules on its message."""
        self.passed = Passed()
        self._held: list[_Held] | None = None
        self._options = options
        self._rates = rates
        self._suppressor = suppressor
        self._emit = emit
        self._wanted = wanted
        self._frames = {one.app: one for one in frames}
        self._sleepers = Sleepers(plan.bits_needed, plan.bits_given)
        self._ready: list[_Ready | None] = [None] * len(plan.rules)
        self._vars: dict[int, FlowVars] = {}
        self._tell_bits()
        self._packet_at = (0, 0)
        self.faults = Faults()
        self.fired = SideMarks()
        """Where the bytes begin on which a stream rule fires again."""
        self.budget = Budget()
        self.budget.meter.sets = Datasets(plan.sets)
        self.counters = JudgeCounters()
        self.var_counters = FlowVarCounters()
        self._packet_vars = FlowVars(self.var_counters)
        """What regexes have kept for one packet: events come in the order of packets."""
        self.host_bits = HostBits()
        self.tagging = Tagging(emit)
        self.apps: AppLayer | None = None
        """Reads datagrams for alerts on packets."""

    def packet(self, view: BlockView, row: int, rules: Iterable[int]) -> None:
        """Judge packet rules on a row."""
        place = place_of_row(view, row)
        if self.passed.flow(place.slot):
            return
        payload = _payload(view, row)
        windows: Sequence[Window] = [Window(payload)] if payload else []
        context = EventContext(place, self, {"payload": windows, "payload_or_stream": windows}, packet=True)
        for number in rules:  # first looks have found all that they need in the payload
            if self._once[number] and not _begins(place):
                continue
            if self._holds(number, context) and self._match(number, place, payload, stream=False, context=context):
                break

    def awake(self, slot: int, rules: set[int]) -> set[int]:
        """Return the rules without those that need flowbits which the flow does not have and cannot come to have."""
        return self._sleepers.awake(rules, self._vars.get(slot)) if self._options.triage else rules

    def window(
        self, place: Place, window: tuple[int, bytes], origin: int, stretch: int, rules: Iterable[int],
    ) -> None:  # fmt: skip
        """Judge stream rules on (stream offset, bytes); a rule that fired sees only later bytes.

        It sees those of the next stretch: Suricata inspects streams a stretch at a time, and those of some protocols a
        message at a time, so that what stands in one again and again alerts once. (Where the start was not seen it has
        no stream unless it is told to, and inspects packets.) origin, stretch: where message and stretch begin.
        """
        if self._passed(place):
            return
        base, data = window
        end = base + len(data)
        midstream = bool(place.view.flow["midstream"][place.slot])
        whole = [Window(data, base - origin)]
        context = EventContext(place, self, {"stream": whole, "payload_or_stream": whole})
        side = 2 * place.slot + place.side
        if self.fired.of(side).get(_ORIGIN, 0) != origin:
            self.fired.restart(side, _ORIGIN, origin)
        fired = self.fired.of(side)
        stretch = max(stretch, fired.get(_ANEW, 0))
        for number in self._able(rules, context, data):
            seen = fired.get(number, 0)
            if seen > stretch and not midstream:
                continue
            seen = (seen if midstream else stretch) if seen else 0
            if seen >= end:
                continue
            used = context
            if seen > base:
                part = [Window(data[seen - base :], seen - origin)]
                used = EventContext(place, self, {"stream": part, "payload_or_stream": part})
            if self._holds(number, used):
                self.fired.note(side, number, end if midstream else stretch + 1)
                if self._match(number, place, data, stream=True, context=used):
                    break

    def begin_anew(self, place: Place, offset: int) -> None:
        """Have a stretch of a side begin at a stream offset: rules that fired see what stands behind it."""
        side = 2 * place.slot + place.side
        if self.fired.of(side):
            self.fired.note(side, _ANEW, offset)

    def transactions(self, place: Place, app: int, reached: Sequence[Reached]) -> None:
        """Judge the transaction rules of stages that the same bytes have completed.

        Those of one transaction are judged in the order of the rules, whatever stage they are about: one that sets a
        flowbit comes before one that asks for it, as in Suricata.
        """
        if len(reached) == 1:
            self._transaction(place, app, reached)
            return
        for _, group in itertools.groupby(reached, key=_transaction_of):
            self._transaction(place, app, list(group))

    def asks(self, app: int, stage: TxStage) -> bool:
        """Tell whether some rule is judged at a stage of a protocol."""
        return bool(self._plan.transactions.everything(app, stage.stage, file=stage.file is not None))

    def _transaction(self, place: Place, app: int, reached: Sequence[Reached]) -> None:
        if self._passed(place):
            return
        framed = self._framed(place, app) if self._options.triage else None
        looks = [look for one in reached if (look := self._look_at(place, app, one, framed)) is not None]
        for number, look in self._in_order(place, looks):
            matched = look.reached.matched
            if matched is not None and number in matched:
                continue
            if self._may(number, look.context, look.reached.seen) and self._holds(number, look.context):
                if matched is not None and not self._plan.rules[number].store:
                    matched.add(number)
                if self._match(number, look.place, look.reached.data, stream=True, context=look.context):
                    return

    def _in_order(self, place: Place, looks: Sequence[_Look]) -> list[tuple[int, _Look]]:
        """Return the rules to be judged, each with the stage that it is judged at."""
        if self._options.triage and looks:
            awake = self.awake(place.slot, set().union(*(look.rules for look in looks)))
            found = [(number, look) for look in looks for number in awake & look.rules]
        else:
            found = [(number, look) for look in looks for number in look.rules]
        found.sort(key=_number_of)
        return found

    def _look_at(self, place: Place, app: int, one: Reached, framed: Collection[int] | None) -> _Look | None:
        """Return the rules that may hold at a stage; None: there are none. framed: see `_framed`."""
        index, stage = self._plan.transactions, one.stage
        file = stage.file is not None
        known = index.among(app, stage.stage, framed, file=file) if framed else None
        if framed is not None and not known:
            return None
        whole = [Window(one.seen)] if one.seen else []
        sided = place if stage.side == place.side else replace(place, side=stage.side)
        windows: dict[str, Sequence[Window]] = {"payload": whole, "stream": whole, "payload_or_stream": whole}
        context = EventContext(sided, self, windows, stage.tx, SPECS[app].name, stage.file, stage=stage)
        if not self._options.triage:
            known = set(index.everything(app, stage.stage, file=file))
        elif known is None:
            known = index.candidates(app, stage.stage, context.instances, file=file)
        return _Look(one, sided, context, known)

    def _framed(self, place: Place, app: int) -> Collection[int] | None:
        """Return the rules that may match messages of a flow, as its frames tell; None: they do not."""
        frames = self._frames.get(app)
        return frames.rules_of(place.slot, place.view.flow["id"][place.slot]) if frames is not None else None

    def event(self, place: Place, spec: ProtocolSpec | None, anomaly: int, side: int, rules: Iterable[int],
              data: bytes, carriers: Sequence[object]) -> None:  # fmt: skip
        """Judge rules on what a parser found odd in the bytes of a side.

        Where a transaction is about both sides, so is what is odd in it: a rule is judged from the side it names.
        What a rule asks of a transaction besides is looked for in those that these bytes were about (carriers).
        """
        if self._passed(place):
            return
        odd = (APP_EVENT, anomaly)
        sided = Place(place.view, place.slot, side, place.row, place.number, place.ts)
        whole = [Window(data)] if data else []
        windows: dict[str, Sequence[Window]] = {"payload": whole, "stream": whole, "payload_or_stream": whole}
        places = {side: sided}
        name, stages, raised = (spec.name, spec.stages, spec.events) if spec else ("", (), ())
        sides = {stage.side for stage in stages}
        if name in _SEEN_TWICE or (len(sides) > 1 and name not in _ONE_SIDED):
            places[1 - side] = replace(sided, side=1 - side)
        about = list({id(tx): tx for tx in carriers}.values())[-_CARRIERS:] or [None]
        views = {
            way: [EventContext(at, self, dict(windows), tx, name, event=odd) for tx in about]
            for way, at in places.items()
        }
        for number in rules:
            facing = self._facing[number]
            both = facing < 0 and name in _SEEN_TWICE and anomaly in raised
            for seen in views.values() if both else (views.get(facing, views[side]),):
                held = next((context for context in seen if self._holds(number, context)), None)
                if held is not None and self._match(number, held.place, data, stream=True, context=held):
                    return

    def echo(self, place: Place, echo: Echo) -> None:
        """Judge rules without a direction on the other side of what `event` has judged on one."""
        rules = [number for number in echo.rules if self._facing[number] < 0]
        self.event(place, echo.spec, echo.anomaly, 1 - echo.side, rules, echo.data, echo.carriers)

    def note(self, place: Place, anomaly: int, rules: Iterable[int]) -> None:
        """Judge rules on what the flow table found odd, as something about the packet that showed it."""
        if self._passed(place):
            return
        if place.row >= 0:
            place = replace(place, side=int(place.view.rows["side"][place.row]))
        payload = _payload(place.view, place.row) if place.row >= 0 else b""
        whole = [Window(payload)] if payload else []
        windows: dict[str, Sequence[Window]] = {"payload": whole, "payload_or_stream": whole}
        context = EventContext(place, self, windows, event=(STREAM_EVENT, anomaly))
        for number in rules:
            if self._holds(number, context) and self._match(number, place, payload, stream=False, context=context):
                break

    def ending(self, place: Place, rules: Iterable[int], sides: Iterable[int]) -> None:
        """Judge rules about the protocol of a connection at its end: once more for each of these sides, as in Suricata.

        So they hold at least once where nobody has answered to the bytes that tell the protocol.
        """
        if self._passed(place):
            return
        for side in sides:
            sided = replace(place, side=side)
            context = EventContext(sided, self, {"payload": (), "payload_or_stream": ()})
            for number in rules:
                if self._holds(number, context) and self._match(number, sided, b"", stream=False, context=context):
                    break

    def adopt(self, old: Judge, renumbered: Mapping[int, int]) -> None:
        """Take over the state of the judge before a reload. renumbered: old rule number → new, of unchanged rules."""
        self.counters, self.var_counters, self._vars = old.counters, old.var_counters, old._vars
        self._tell_bits()
        self.host_bits, self.faults = old.host_bits, old.faults
        self.tagging.adopt(old.tagging)
        self.passed.adopt(old.passed)
        self.budget.counters = old.budget.counters
        self.sets.adopt(old.sets)
        self.fired.adopt(old.fired, renumbered)

    def forget(self, slots: Iterable[int]) -> None:
        """Drop the variables of ended flows."""
        slots = list(slots)
        self.fired.forget(slots)
        self.passed.forget(slots)
        self.tagging.forget(slots)
        if self._vars:
            for slot in self._vars.keys() & slots:
                del self._vars[slot]

    def _tell_bits(self) -> None:
        """Let frames know the flowbits. They do not know the judge: both would outlive their pipeline."""
        for frames in self._frames.values():
            frames.learn_bits(self._vars.get)

    def flow_vars(self, slot: int) -> FlowVars | None:
        """Return the variables of a flow, made when first asked for; None: there is no flow."""
        if slot < 0:
            return None
        found = self._vars.get(slot)
        if found is None:
            found = self._vars[slot] = FlowVars(self.var_counters)
        return found

    def packet_vars(self, place: Place) -> FlowVars:
        """Return what regexes have kept for a packet."""
        at = place.number, place.row
        if at != self._packet_at:
            self._packet_at, self._packet_vars = at, FlowVars(self.var_counters)
        return self._packet_vars

    def _make(self, number: int) -> _Ready:
        rule = self._plan.rules[number]
        made = self._ready[number] = _Ready(rule, self._compiled[number], self._headers.of(rule))
        return made

    def _able(self, rules: Iterable[int], context: EventContext, data: bytes) -> Iterator[int]:
        """Yield the rules that have what they need at least, each when its turn comes: others may set its bits.

        data: the payload, or the window.
        """
        for number in rules:
            if self._may(number, context, data):
                yield number

    def _may(self, number: int, context: EventContext, data: bytes) -> bool:
        """Tell whether a rule has what it needs at least. data: the payload, or the window."""
        if not self._options.triage:
            return True
        need = (self._ready[number] or self._make(number)).needs
        if need.bits and not need.bits_set(self._vars.get(context.slot)):
            return False
        if need.raw and not need.stands_in(context.lower(data)):
            return False
        return not need.fields or need.stands_in_fields(context.instances)

    def _holds(self, number: int, context: EventContext) -> bool:
        """Judge one rule; whatever goes wrong in it stays in it."""
        if not context.loaded:
            context.load()
        place = context.place
        ready = self._ready[number] or self._make(number)
        apps, accepts = ready.apps, ready.accepts
        # What a rule passes is not judged before it: transactions are, as soon as their protocol is known.
        app = context.known_app if self._pass[number] else context.app
        if (apps and app not in apps) or (accepts is not None and not accepts(context.proto, context.ether)):
            return False
        side, established = (place.side, context.established) if place.slot >= 0 else (_flowless(place), None)
        if not ready.header.matches(context.src, context.dest, context.sport, context.dport, side, established):
            return False
        self.counters.judgements += 1
        try:
            return judge(ready.compiled, context, self.budget)
        except Exception as e:  # noqa: BLE001 - isolation point: one rule
            self.counters.rule_errors += 1
            rule = self._plan.rules[number]
            self.faults.note(f"rule {rule.gid}:{rule.sid}", e)
            return False

    @property
    def sets(self) -> Datasets:
        """Sets of values that rules share."""
        return self.budget.meter.sets

    def hold(self) -> None:
        """Keep back what is raised, until `release`."""
        self._held = []

    def release(self, slot: int) -> None:
        """Raise what was kept back, unless a `pass` rule has passed the flow meanwhile."""
        held, self._held = self._held or (), None
        if not self.passed.flow(slot):
            for one in held:
                if self._raise(*one):
                    break

    def _passed(self, place: Place) -> bool:
        return self.passed.flow(place.slot) or self.passed.at(place.view, place.row)

    def _match(self, number: int, place: Place, data: bytes, *, stream: bool, context: EventContext) -> bool:
        """Carry out what a match means; tell whether nothing else is to be judged here."""
        rule, compiled = self._plan.rules[number], self._compiled[number]
        if compiled.effects:
            apply_effects(compiled, context)
        if self.budget.meter.captured:
            apply_captures(self.budget.meter, context)
        if self.budget.meter.pending:
            apply_sets(self.budget.meter)
        if self._pass[number]:
            self._take_out(rule, place, stream=stream)
            if rule.loud:
                self._raise(rule, place, data, stream, context)
            return True
        if rule.store and place.slot >= 0:
            carrier: Any = context.tx
            number_of = carrier.id if carrier is not None else None
            self._wanted.note(place.slot, number_of, place.side, rule.sid, rule.store)
        if rule.noalert:
            return False
        values = told(self.budget.meter) if self.budget.meter.told else ()
        if self._held is not None:
            self._held.append((rule, place, data, stream, context, values))
            return False
        return self._raise(rule, place, data, stream, context, values)

    def _take_out(self, rule: Rule, place: Place, *, stream: bool) -> None:
        how = FLOW if stream else reach(rule)
        self.counters.flows_passed += how == FLOW and place.slot >= 0
        self.passed.note(place.view, place.slot, place.row, how)

    def _raise(self, rule: Rule, place: Place, data: bytes, stream: bool, context: EventContext,
               values: _Told = ()) -> bool:  # fmt: skip
        """Raise an alert, if its rate lets it; tell whether that passes the packet."""
        if self._suppressor.suppressed(rule, context.src, context.dest):
            self.counters.suppressed += 1
            return False
        action = self._rates.verdict(rule, place.ts, context.src, context.dest, place.flow_id)
        if action == "pass" and rule.action != "pass":
            self.passed.note(place.view, place.slot, place.row, SIDE)
            return True
        if not action:
            if action is None and rule.tags:
                self.tagging.note(rule, place.scene(), place.slot, place.row)
            return False
        if action != rule.action:
            rule = msgspec.structs.replace(rule, action=action)
        self.counters.alerts += 1
        if place.slot >= 0:
            place.view.flow["alerted"][place.slot] = 1
        match = self._alert(rule, place, data, stream, context, values)
        self._emit(match)
        if rule.tags:
            self.tagging.note(rule, match.scene, place.slot, place.row)
        return False

    def _message(self, rule: Rule, place: Place, data: bytes, context: EventContext) -> Any | None:  # noqa: ANN401
        """Return what a datagram says, for a rule on packets that names its protocol; None: nothing is known of it."""
        if self.apps is None or place.row < 0 or place.view.row["proto"][place.row] != _UDP or not data:
            return None
        if context.app not in _app_names(rule.proto):
            return None
        tx = self.apps.message(context.app, place.side, data, place.ts)
        if tx is not None:
            tx.id = sum(place.view.counts_at(place.slot, place.row)[:2]) - 1
        return tx

    def _alert(self, rule: Rule, place: Place, data: bytes, stream: bool, context: EventContext,
               values: _Told) -> Match:  # fmt: skip
        """Return the record of an alert."""
        tx: Any = context.tx if context.tx is not None else self._message(rule, place, data, context)
        shown = eve_of_alert(tx) if tx is not None else {}
        spec = BY_NAME.get(context.app) if shown else None
        known = self._vars.get(place.slot)
        eve = self._options.settings.eve
        packet, linktype = place.view.frame(place.row) if eve.packet and place.row >= 0 else (b"", 1)
        return Match(
            rule=rule,
            scene=speaking(place.scene(), context.app),
            payload=data[: eve.payload_size],
            payload_length=len(data),
            stream=stream,
            tx_id=tx.id if tx is not None and tx.id >= 0 else None,
            app=(spec.eve_key or spec.name, shown) if spec is not None else None,
            beside=beside(tx),
            packet=packet,
            linktype=linktype,
            flowbits=tuple(sorted(known.bits)) if known is not None else (),
            flowints=tuple(known.ints.items()) if known is not None else (),
            flowvars=tuple(known.texts.items()) if known is not None else (),
            pktvars=tuple(self.packet_vars(place).texts.items()) if self._packet_vars.texts else (),
            files=files_at(context.stage, context.app, eve.force_hash),
            told=values,
        )
