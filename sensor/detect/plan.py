"""What triage must look for, worked out once from the rules.

Each rule is judged on packets, on stream windows, on both, or on transactions. The plan gives each kind its
candidates' source: a literal of the scan, or (for rules without a usable one) header predicates, or every
transaction of its protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sensor.detect.groups import Groups
from sensor.detect.scan import MAX_LITERAL, Literal, LiteralIndex, usable
from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_BODY, RAW_DERIVED, RAW_HEADERS, RAW_NAME, RAW_URI, RAW_VERBATIM
from sensor.proto.registry import APP_ID, SPECS
from sensor.rules import buffers, fields
from sensor.rules.compile import positive_literals, protocol, scope, stage, strength
from sensor.rules.nodes import All, BufferMatch, Content, HeaderTest, Rule
from sensor.rules.walk import buffers_of, leaves

_UDP = 17

PACKET, STREAM, TX, EVENT = 1, 2, 4, 8
"""Scopes, as bits."""

_SCOPES = {"packet": PACKET, "stream": STREAM, "both": PACKET | STREAM, "tx": TX, "event": EVENT}

_BODY_ESCAPES = (b"chunked", b"content-encoding")
"""Chunking and compression hide a body's literals: rules on bodies are candidates where one of these stands, too."""

URI_ESCAPE = ord("%")
"""A percent sign from the client: rules on normalised URIs are candidates, whatever the literal scan says."""

_ALWAYS_PARSED = ("dhcp",)
"""Protocols so rare, or with fields so scattered, that each message is judged."""


@dataclass(frozen=True, slots=True)
class RulePlan:
    """How one rule is judged."""

    number: int
    """Position in the rule set: order of judgement."""
    rule: Rule
    scope: int
    app: int
    """Application protocol id of a transaction rule, else 0."""
    stage: int
    """Transaction stage at which it is judged, else -1."""
    literal: bytes = b""
    """Searched by the scan; empty: selected by headers (or by protocol)."""


@dataclass(slots=True)
class Plan:
    """The rule set as triage sees it."""

    rules: tuple[RulePlan, ...]
    index: LiteralIndex
    by_literal: tuple[tuple[int, ...], ...]
    """Literal number → rule numbers."""
    escaped: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Raw kind → transaction rules with a literal on such a buffer (those that an escape makes candidates)."""
    header_packet: tuple[int, ...] = ()
    """Packet rules without a literal."""
    header_stream: tuple[int, ...] = ()
    """Stream rules without a literal."""
    always_tx: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """App id → transaction rules without a literal: each transaction of the protocol is judged."""
    tx: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """App id → all its transaction rules."""
    events: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """AppAnomaly → rules judged where a parser finds it."""
    packet: tuple[int, ...] = ()
    stream: tuple[int, ...] = ()
    multi_step: bool = False
    """Some stream rule needs more than its literal: windows of earlier bytes must be kept."""


def _raw_literal(rule: Rule) -> bytes:
    """Return the literal by which the scan of raw bytes finds every match of the rule, or nothing."""
    best = b""
    for buffer, content in positive_literals(rule):
        raw = _raw_of(buffer, rule.proto)
        found = _on_the_wire(content.pattern, raw)
        if usable(found) and (content.fast or strength(found) > strength(best)):
            best = found
            if content.fast:
                break
    return best


def _raw_of(buffer: str, proto: str) -> str:
    found = buffers.find(buffer, proto)
    return found[1].raw if found else RAW_VERBATIM


def _on_the_wire(pattern: bytes, raw: str) -> bytes:
    """Return the part of a pattern that stands unchanged in the raw stream whenever the buffer holds it."""
    if raw == RAW_DERIVED:
        return b""
    if raw == RAW_NAME:
        return max(pattern.split(b"."), key=len)
    if raw == RAW_HEADERS:
        # Lines may be folded, joined or reordered: only what lies inside one name or value is certain.
        parts = [p for line in pattern.replace(b"\r", b"\n").split(b"\n") for p in _words(line)]
        return max(parts, key=len, default=b"")
    if raw == RAW_URI:
        return max(_uri_words(pattern), key=len, default=b"")
    return pattern


def _words(line: bytes) -> list[bytes]:
    """Return the runs of a header line that no joining, folding or trimming can touch."""
    return [w for part in line.replace(b"\t", b" ").split(b" ") for w in part.replace(b",", b":").split(b":")]


def _uri_words(pattern: bytes) -> list[bytes]:
    """Return the runs of a URI pattern that path normalisation cannot create by joining."""
    return pattern.replace(b"\\", b"/").replace(b".", b"/").replace(b" ", b"/").replace(b"+", b"/").split(b"/")


def make_plan(rules: Sequence[Rule], groups: Groups) -> Plan:
    """Work out the plan of a rule set."""
    plans = tuple(_plan_rule(number, rule) for number, rule in enumerate(rules))
    live = [p for p in plans if not p.rule.unmatchable]
    literals: dict[bytes, list[int]] = {}
    masks: dict[bytes, int] = {}
    escaped: dict[str, list[int]] = {}
    for plan in live:
        if not plan.literal:
            continue
        used = [n.buffer for n in buffers_of(plan.rule.body) if buffers.is_application(n.buffer)]
        kinds = {_raw_of(name, plan.rule.proto) for name in used}
        for kind in kinds:
            escaped.setdefault(kind, []).append(plan.number)
        mask = groups.rule_mask(plan.rule, _flow_apps(plan.app) if plan.app else ())
        for pattern in (plan.literal, *(_BODY_ESCAPES if RAW_BODY in kinds else ())):
            literals.setdefault(pattern, []).append(plan.number)
            masks[pattern] = masks.get(pattern, 0) | mask
    bare = [p for p in live if not p.literal]
    tx = [p for p in live if p.scope == TX]
    return Plan(
        rules=plans,
        index=LiteralIndex([Literal(text, masks[text]) for text in literals]),
        by_literal=tuple(tuple(numbers) for numbers in literals.values()),
        escaped={kind: tuple(numbers) for kind, numbers in escaped.items()},
        header_packet=tuple(p.number for p in bare if p.scope & PACKET),
        header_stream=tuple(p.number for p in bare if p.scope & STREAM),
        always_tx=_by_app([p for p in tx if not p.literal]),
        tx=_by_app(tx),
        packet=tuple(p.number for p in live if p.scope & PACKET),
        stream=tuple(p.number for p in live if p.scope & STREAM),
        events=_by_event([p for p in live if p.scope == EVENT]),
        multi_step=any(p.scope & STREAM and not _is_single(p) for p in live),
    )


def _plan_rule(number: int, rule: Rule) -> RulePlan:
    bits = _SCOPES[scope(rule)]
    app = _app_of(rule) if bits == TX else 0
    bare = bool(rule.unmatchable) or bits == EVENT or (app and SPECS[app].name in _ALWAYS_PARSED)
    literal = b"" if bare else _raw_literal(rule).lower()
    return RulePlan(number, rule, bits, app, stage(rule) if bits == TX else -1, literal)


def _by_app(plans: list[RulePlan]) -> dict[int, tuple[int, ...]]:
    apps = {p.app for p in plans}
    return {app: tuple(p.number for p in plans if p.app == app) for app in apps}


def _by_event(plans: list[RulePlan]) -> dict[int, tuple[int, ...]]:
    """Return AppAnomaly → rules that may hold there."""
    out: dict[int, tuple[int, ...]] = {}
    for plan in plans:
        tests = [leaf for leaf in leaves(plan.rule.body) if isinstance(leaf, HeaderTest)]
        named = [{t.value, *t.values} for t in tests if t.field == fields.APP_EVENT and t.op in ("=", "in")]
        for event in set().union(*named) if named else set(AppAnomaly):
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
