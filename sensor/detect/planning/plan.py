"""What triage must look for, worked out once from the rules.

Each rule is judged on packets, on stream windows, on both, on transactions, or on what is found odd. The plan
gives each kind its candidates' source. Packets and windows: a literal of the scan, or (for rules without a usable
one) header predicates. Transactions: a literal of the scan tells which flows must be parsed at all; which rules are
judged on a transaction then, the literals in its buffers tell (`buffermatch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sensor.detect.evaluator import sleepers
from sensor.detect.evaluator.buffermatch import TransactionIndex
from sensor.detect.headers.groups import Groups
from sensor.detect.headers.index import HeaderIndex, Headers, side_of
from sensor.detect.headers.shorts import ANCHORED, ONE, floats, last_start
from sensor.detect.planning import contents
from sensor.detect.planning import quiet as quietness
from sensor.detect.planning.judged import JudgedRules
from sensor.detect.planning.ruletable import RuleTable, make_table
from sensor.detect.prefilter.frametests import FrameTests, side_of_literal
from sensor.detect.prefilter.looks import Looks
from sensor.detect.ruleplan import EVENT, LOOSE, NOTE, PACKET, STREAM, TX, RulePlan
from sensor.detect.scan.index import EITHER_SIDE, MAX_LITERAL
from sensor.detect.scan.literals import LiteralRules
from sensor.detect.scan.wire import in_question, others, raw_kinds, raw_of, scanned
from sensor.model.anomaly import AppAnomaly, StreamAnomaly
from sensor.model.app import RAW_BODY, RAW_QUESTION, TO_SERVER
from sensor.model.files import HASHES
from sensor.proto.registry import APP_ID, BY_WORD, SPECS
from sensor.rules import buffers, fields
from sensor.rules.compile import protocol, scope, stage
from sensor.rules.flowwide import of_protocol
from sensor.rules.nodes import All, BufferMatch, Content, FlowVar, HeaderTest, InList, PacketVar, Rule
from sensor.rules.walk import buffers_of, leaves, regexes_of, sets_of

__all__ = ["EVENT", "LOOSE", "PACKET", "STREAM", "TX", "Plan", "RulePlan", "make_plan"]

_UDP = 17
_EITHER = 2

_SCOPES = {"packet": PACKET, "stream": STREAM, "both": PACKET | STREAM, "tx": TX, "event": EVENT, "note": NOTE}

_BODY_ESCAPES = ((b"chunked", -1), (b"content-encoding", -1), (b"content-range", 1), (b"-encoding", 1))
"""Chunking and compression hide a body's literals, and so do parts of files: where one of these stands, the flow is
parsed for them.

The last one is for names with a byte in them that browsers drop. It stands in each request: only responses count.
"""

_HASHES = frozenset(f"file.{name}" for name in HASHES)
_UNSCANNED = ("dhcp",)
"""Protocols so rare, and with fields so scattered, that nothing of them is scanned for."""
_RAW = frozenset({buffers.PAYLOAD, buffers.STREAM, buffers.EITHER})


@dataclass(slots=True)
class Plan:
    """The rule set as triage sees it."""

    rules: JudgedRules
    table: RuleTable
    headers: Headers
    literals: LiteralRules
    """Searched in the raw bytes."""
    names: LiteralRules
    """Searched in the names of DNS questions."""
    looks: Looks
    """First looks of packet and stream rules."""
    transactions: TransactionIndex
    rows: HeaderIndex
    """Packet rules without a literal."""
    untied: HeaderIndex
    """Stream rules without a literal that are judged on payload outside of streams, too."""
    segs: HeaderIndex
    """Stream rules without a literal that the scan can search for; if they have others, not just anywhere."""
    sides: HeaderIndex
    """Stream rules with short literals that may stand anywhere."""
    regexes: tuple[tuple[str, str], ...] = ()
    """(pattern, flags) of all rules."""
    sets: tuple[InList, ...] = ()
    """Tests that name a set of values."""
    bits_needed: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """See `sleepers.needed`."""
    bits_given: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """See `sleepers.given`."""
    questions_back: bool = False
    """Some rule asks for the questions of DNS responses."""
    escaped: dict[str, int] = field(default_factory=dict)
    """Raw kind → mask of the protocols with a scanned literal on such a buffer (that normalisation may hide)."""
    short_names: tuple[tuple[bytes, int], ...] = ()
    """(bytes, protocol): messages with a question whose name holds the bytes, case ignored, are parsed."""
    always_tx: frozenset[int] = frozenset()
    """Protocols of which every flow is parsed: some transaction rule has no literal that is on the wire."""
    frames: dict[int, FrameTests] = field(default_factory=dict)
    """Protocol → what its transaction rules ask of its messages; flows of others are not framed."""
    contents: dict[int, int] = field(default_factory=dict)
    """Protocol → mask of sides: its flows that carry contents there are parsed (see `contents.asked`)."""
    past_gaps: int = 0
    """Mask of those of these protocols of which no literal is searched: missing bytes hide nothing that matters."""
    quiet: frozenset[int] = frozenset()
    """See `quiet.quiet`."""
    tx: frozenset[int] = frozenset()
    """Protocols with transaction rules, and those that such protocols may follow."""
    mixed: frozenset[int] = frozenset()
    """Protocols with transaction rules that name the stream or the payload as well."""
    events: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """AppAnomaly → rules judged where a parser finds it."""
    notes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """StreamAnomaly → rules judged where the flow table finds it."""
    packet: tuple[int, ...] = ()
    stream: tuple[int, ...] = ()
    reading: frozenset[int] = frozenset()
    """Packet rules about text that regexes keep: judged behind the streams of a packet, which may keep it."""
    loose: tuple[int, ...] = ()
    """Stream rules that are judged on payload outside of streams, too."""
    ending: tuple[int, ...] = ()
    """Packet rules about a protocol that ask nothing of a packet, nor for the state of the flow: they hold at the end
    of a connection, too."""
    hashes: bool = False
    """Some rule asks for the hash of a file."""
    segments: bool = False
    """Some rule asks what is odd about TCP segments."""
    told: bool = False
    """Some rule asks for the packets on which a protocol has just been told."""
    multi_step: bool = False
    """Some stream rule needs more than its literal: windows of earlier bytes must be kept."""


def make_plan(rules: Sequence[Rule], groups: Groups) -> Plan:
    """Work out the plan of a rule set."""
    plans = tuple(plan_rule(number, rule) for number, rule in enumerate(rules))
    live = [p for p in plans if not p.rule.unmatchable]
    escaped = _escaped(live)
    events = _by_event([p for p in live if p.scope == EVENT], fields.APP_EVENT, AppAnomaly)
    carried = _elsewhere(live, events)
    raw, names = _literals(live, groups, escaped, carried)
    bare = [p for p in live if not p.literal]
    tx = [p for p in live if p.scope == TX and p.app]
    frames = _frames(plans, tx)
    unsought = [p for p in tx if not (p.literal or p.name)]
    always, carried_files = frozenset(p.app for p in unsought), contents.asked(unsought)
    packets = [(p.number, p.rule) for p in bare if p.scope & PACKET]
    windows = [(p.number, p.rule) for p in bare if p.scope & STREAM]
    headers = _headers(plans, packets)
    plan = Plan(
        rules=JudgedRules(rules),
        table=make_table(plans),
        headers=headers,
        literals=raw.build(len(plans), groups),
        names=names.build(len(plans)),
        looks=Looks([p.rule if p.scope & (PACKET | STREAM) else None for p in plans]),
        transactions=TransactionIndex(tx, len(plans)),
        rows=HeaderIndex(headers, packets, headers.lists),
        untied=HeaderIndex(headers, [(p.number, p.rule) for p in bare if p.scope & LOOSE]),
        segs=HeaderIndex(headers, [one for one in windows if not floats(one[1])], literals=ANCHORED),
        sides=HeaderIndex(headers, [one for one in windows if floats(one[1])], literals=ONE),
        sets=tuple(dict.fromkeys(one for p in plans for one in sets_of(p.rule.body))),
        regexes=tuple(dict.fromkeys(one for p in plans for one in regexes_of(p.rule.body))),
        bits_needed=sleepers.needed(rules),
        bits_given=sleepers.given(rules),
        escaped=escaped,
        always_tx=always - {*frames, *carried_files},
        contents=carried_files,
        past_gaps=sum(1 << app for app in carried_files.keys() - {p.app for p in tx if p.literal or p.name}),
        frames=frames,
        quiet=quietness.quiet(plans) if frames else frozenset(),
        short_names=tuple(dict.fromkeys((p.name, p.app) for p in tx if p.name)),
        tx=frozenset((*(p.app for p in tx), *(app for app, _, _ in carried))),
        mixed=frozenset(p.app for p in tx if not _RAW.isdisjoint(_names(p.rule))),
        packet=tuple(p.number for p in live if p.scope & PACKET),
        stream=tuple(p.number for p in live if p.scope & STREAM),
        loose=tuple(p.number for p in live if p.scope & LOOSE),
        events=events,
        notes=_by_event([p for p in live if p.scope == NOTE], fields.STREAM_EVENT, StreamAnomaly),
    )
    _note_askings(plan, live)
    return plan


def _note_askings(plan: Plan, live: Sequence[RulePlan]) -> None:
    """Note what is worked out only where some rule asks for it."""
    packet = [p for p in live if p.scope & PACKET]
    plan.reading = frozenset(p.number for p in packet if _reads_text(p.rule))
    plan.ending = tuple(p.number for p in packet if of_protocol(p.rule) and p.rule.established is None)
    plan.questions_back = any((p.question or p.name) and SPECS[p.app].stages[p.stage].side for p in live)
    plan.hashes = any(p.files and not _HASHES.isdisjoint(map(buffers.base, _names(p.rule))) for p in live)
    plan.segments = any(_asks(p.rule, fields.TCP_EVENT) for p in live)
    plan.told = any(_asks(p.rule, fields.APP_TOLD) for p in live)
    plan.multi_step = any(p.scope & STREAM and not _is_single(p) for p in live)


def _elsewhere(live: Sequence[RulePlan], events: Mapping[int, object]) -> list[tuple[int, bytes, int]]:
    """Return by what words in the traffic of others protocols that rules are about are found."""
    asked = {p.app for p in live if p.scope == TX and p.app}
    odd = {app for app, spec in SPECS.items() if not events.keys().isdisjoint(spec.events)}
    return [*_carried(asked), *_tunnelled(asked | odd)]


def _headers(plans: Sequence[RulePlan], packets: Iterable[tuple[int, Rule]]) -> Headers:
    apps = [1 << p.app if p.app else _spoken(p) for p in plans]
    return Headers([p.rule for p in plans], [p.scope for p in plans], apps, [number for number, _ in packets])


def _escaped(live: Iterable[RulePlan]) -> dict[str, int]:
    """Return RAW_* → mask of the protocols of which something in such a form is looked for by its literal."""
    found: dict[str, int] = {}
    for plan in live:
        for kind in raw_kinds(plan.rule) if plan.literal and plan.app else ():
            found[kind] = found.get(kind, 0) | 1 << plan.app
    return found


def _literals(live: Iterable[RulePlan], groups: Groups, escaped: Mapping[str, int],
              carried: Iterable[tuple[int, bytes, int]]
              ) -> tuple[LiteralRules.Builder, LiteralRules.Builder]:  # fmt: skip
    """Return what is searched for in bytes, and in the names of DNS questions.

    Besides literals of rules that is what announces a body in another form, and `carried`: a protocol within another.
    """
    raw, names = LiteralRules.Builder(), LiteralRules.Builder()
    for plan in live:
        if plan.literal:
            mask = groups.rule_mask(plan.rule, _flow_apps(plan.app) if plan.app else ())
            (names if plan.question else raw).add(plan.literal, mask, plan.number, plan.others, _sides(plan))
    for app in _members(escaped.get(RAW_BODY, 0)):
        for pattern, side in _BODY_ESCAPES:
            raw.escape(pattern, groups.app_mask(_flow_apps(app)), app, side)
    for app, pattern, side in carried:
        raw.escape(pattern, groups.app_mask(_flow_apps(app)), app, side)
    return raw, names


def _sides(plan: RulePlan) -> int:
    """Return the sides in whose bytes the literal of a rule matters, as bits: those of its header (`kernels_expand`).

    Of a transaction rule so is the side on whose frames it is tried (`kernels_frametests`).
    """
    sides = {side_of(plan.rule)}
    spec = SPECS[plan.app] if plan.scope == TX and plan.app else None
    if spec is not None and spec.framing is not None:
        sides.add(side_of_literal(plan, spec))
    return EITHER_SIDE if _EITHER in sides else sum(1 << side for side in sides)


def _frames(plans: Sequence[RulePlan], tx: Iterable[RulePlan]) -> dict[int, FrameTests]:
    """Return what rules ask of the frames of each protocol that has any; not where a rule asks nothing of them."""
    apps = sorted({p.app for p in tx if SPECS[p.app].framing is not None})
    made = {app: FrameTests(plans, SPECS[app], app) for app in apps}
    return {app: tests for app, tests in made.items() if tests.complete}


def _spoken(plan: RulePlan) -> int:
    """Return the mask of the protocols that flows of a packet or stream rule speak; 0: it names none."""
    specs = BY_WORD.get(plan.rule.proto, ()) if plan.scope & (PACKET | STREAM) else ()
    return sum({1 << APP_ID[spec.name] for spec in specs})


def _carried(apps: set[int]) -> list[tuple[int, bytes, int]]:
    """Return (protocol, literal, its side or -1): flows of it that may go on as one of the protocols given."""
    specs = [SPECS[app] for app in sorted(apps)]
    return [(APP_ID[name], pattern, -1) for spec in specs for name in spec.carriers for pattern in spec.switch]


def _tunnelled(apps: set[int]) -> list[tuple[int, bytes, int]]:
    """Return the same of flows that may become tunnels for one of the protocols."""
    if not any(SPECS[app].tunnelled for app in apps):
        return []
    return [(app, pattern, TO_SERVER) for app, spec in SPECS.items() for pattern in spec.tunnels]


def _asks(rule: Rule, name: str) -> bool:
    return any(isinstance(leaf, HeaderTest) and leaf.field == name for leaf in leaves(rule.body))


def _reads_text(rule: Rule) -> bool:
    return any(isinstance(leaf, FlowVar | PacketVar) for leaf in leaves(rule.body))


def _names(rule: Rule) -> list[str]:
    return [node.buffer for node in buffers_of(rule.body)]


def _members(mask: int) -> list[int]:
    return [n for n in range(mask.bit_length()) if mask >> n & 1]


def plan_rule(number: int, rule: Rule) -> RulePlan:
    """Return how a rule is judged."""
    bits = _SCOPES[scope(rule)]
    app = _app_of(rule) if bits == TX else 0
    place = stage(rule) if bits == TX else -1
    again = _again(rule, app, place) if bits == TX else -1
    if again >= 0 and _misses_in_stream(rule):
        place, again = again, -1
    files = any(name.startswith("file.") for name in _names(rule))
    whole = bool(app) and (SPECS[app].flow_state or SPECS[app].name in _UNSCANNED)
    bare = bool(rule.unmatchable) or bits in (EVENT, NOTE) or whole
    found = None if bare else scanned(rule)
    if bits == STREAM and set(_names(rule)) == {buffers.EITHER}:
        bits |= LOOSE
    if found is None:
        name = b"" if bare else in_question(rule)
        return RulePlan(number, rule, bits, app, place, files=files, name=name.lower(), again=again)
    question = raw_of(found[0], rule.proto) == RAW_QUESTION
    further = () if question else tuple(dict.fromkeys(others(rule, found)))
    last = last_start(found[1]) if bits & (PACKET | STREAM) and found[0] in _RAW else -1
    return RulePlan(
        number, rule, bits, app, place, found[2].lower(), (found[0], found[1].pattern), last, files,
        question=question, others=further, again=again,
    )  # fmt: skip


def _again(rule: Rule, app: int, place: int) -> int:
    """Return the stage at which the message is over by which a rule is judged, if it names the stream as well."""
    if app == 0 or _RAW.isdisjoint(_names(rule)):
        return -1
    stages = SPECS[app].stages
    ends = (end for end in SPECS[app].message_ends if end > place and stages[end].side == stages[place].side)
    return next(ends, -1)


def _misses_in_stream(rule: Rule) -> bool:
    """Whether a rule asks for what is not in the stream: all of a message must be there to tell."""
    nodes = [node for node in buffers_of(rule.body) if node.buffer in _RAW]
    return any(node.absent or any(getattr(test, "negated", False) for test in node.tests) for node in nodes)


def _by_event(plans: list[RulePlan], field: str, anomalies: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Return anomaly → rules that may hold there."""
    out: dict[int, tuple[int, ...]] = {}
    for plan in plans:
        tests = [leaf for leaf in leaves(plan.rule.body) if isinstance(leaf, HeaderTest)]
        named = [{t.value, *t.values} for t in tests if t.field == field and t.op in ("=", "in")]
        for event in set().union(*named) if named else set(anomalies):
            out[int(event)] = (*out.get(int(event), ()), plan.number)
    return out


def _app_of(rule: Rule) -> int:
    spec = protocol(rule)
    return APP_ID[spec.name] if spec is not None else 0


def _flow_apps(app: int) -> tuple[int, ...]:
    """Return the protocols of flows in which messages of a protocol occur: each datagram is judged by itself."""
    if _UDP not in SPECS[app].transports:
        return (app,)
    return tuple(n for n, spec in SPECS.items() if _UDP in spec.transports)


def _is_single(plan: RulePlan) -> bool:
    """Tell whether the scan's literal is all there is to a stream rule."""
    body = plan.rule.body
    children = body.children if isinstance(body, All) else (body,)
    if len(children) != 1 or not isinstance(children[0], BufferMatch) or len(children[0].tests) != 1:
        return False
    test = children[0].tests[0]
    return isinstance(test, Content) and len(test.pattern) <= min(len(plan.literal), MAX_LITERAL)
