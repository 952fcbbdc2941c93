"""What triage needs to know of a rule: on what it is judged, when, and which literal must be there."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, NumberSpec, ProtocolSpec
from sensor.proto.registry import BUFFERS, BY_WORD, NUMBERS, PROTOCOLS
from sensor.rules import buffers, fields
from sensor.rules.check import transports
from sensor.rules.nodes import BufferMatch, Content, HeaderTest, Rule
from sensor.rules.walk import Leaf, buffers_of, leaves, required

if TYPE_CHECKING:
    from collections.abc import Iterator

Scope = Literal["packet", "stream", "both", "tx", "event", "note"]

_TCP = 6
_FOLDING = frozenset({"to_lowercase", "to_uppercase", "header_lowercase"})
"""Transforms that change nothing but the case of letters."""
_PREFIX = "dotprefix"
"""The transform that puts a dot in front, which is not on the wire."""
_SEARCHED = frozenset({buffers.PAYLOAD, buffers.STREAM, buffers.EITHER})
_COMMON = (
    b" http/1.0\r\nhost: user-agent: accept: http/1.1\r\nhost: http/1.1\r\nuser-agent: http/1.1\r\naccept: http://",
    b"get / post / head / 200 ok\r\n",
    b"content-type: application/x-www-form-urlencoded\r\n",
    b"content-disposition: form-data; name=\r\ncontent-transfer-encoding: base64\r\n",
    b"content-type: text/html; charset=utf-8\r\ncontent-length: \r\n",
    b"user-agent: mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36\r\nhost: \r\n",
    b"user-agent: mozilla/4.0 (compatible; msie 8.0; windows nt 6.1; wow64; .net clr ; android\r\n",
    b"content-type: image/jpeg\r\ncontent-type: text/plain\r\nlast-modified: content-type: application/json\r\n",
    b"\r\nhost\r\nconnection\r\n\r\naccept\r\nuser-agent\r\n\r\ncontent-type\r\n",
    b"accept: */*\r\naccept-language: en-us\r\naccept-encoding: gzip, deflate\r\n",
    b"connection: close\r\nconnection: keep-alive\r\ncache-control: no-cache\r\ncookie: set-cookie: \r\nreferer: http://www.",
)
"""Text of every second HTTP message: a literal within it chooses next to nothing."""


class Fast(NamedTuple):
    """The literal by which traffic is chosen for a rule."""

    buffer: str
    content: Content
    """With `nocase` set wherever the buffer or a transform folds case."""
    raw: str
    """How the buffer's bytes stand in the raw stream: RAW_*."""


def scope(rule: Rule) -> Scope:
    """Return on what the rule is judged: packets, stream windows, both, transactions, or what is odd."""
    conditions = list(leaves(rule.body))
    used = {leaf.buffer for leaf in conditions if isinstance(leaf, BufferMatch)}
    named = {leaf.field for leaf in conditions if isinstance(leaf, HeaderTest)}
    if fields.APP_EVENT in named:
        return "event"
    if fields.STREAM_EVENT in named:
        return "note"
    if any(buffers.is_application(name) for name in used) or not named.isdisjoint(NUMBERS):
        return "tx"
    if rule.proto == "tcp-pkt" or not used or not _may_be_tcp(rule.proto):
        return "packet"
    if rule.proto == "tcp-stream":
        return "stream"
    if any(name not in (buffers.STREAM, buffers.EITHER) for name in used) or any(map(_is_of_packet, conditions)):
        return "packet"
    return "both" if buffers.EITHER in used and _also_packets(rule) else "stream"


def _may_be_tcp(proto: str) -> bool:
    allowed = transports(proto)
    return proto != "pkthdr" and (allowed is None or _TCP in allowed)


def _is_of_packet(leaf: object) -> bool:
    return isinstance(leaf, HeaderTest) and fields.BY_NAME[leaf.field].packet


def _also_packets(rule: Rule) -> bool:
    """Tell whether `payload_or_stream` is judged on packets, too: a protocol other than TCP has no stream."""
    return transports(rule.proto) != frozenset({_TCP}) or anchored(rule)


def anchored(rule: Rule) -> bool:
    """Tell whether a content in `payload_or_stream` is bound to the start of what it is searched in.

    The start of a packet and that of the stream are places of their own: such a rule is tried on both, as Suricata
    does.
    """
    tests = (test for node in buffers_of(rule.body) if node.buffer == buffers.EITHER for test in node.tests)
    return any(
        isinstance(test, Content) and (test.offset is not None or test.depth is not None or test.startswith)
        for test in tests
    )


def protocols(rule: Rule) -> tuple[ProtocolSpec, ...] | None:
    """Return the application protocols that a rule may be about; None: it names none.

    Those that have everything the rule tests, within its protocol word. Empty: there is none such.
    """
    return _having(rule.proto, frozenset(filter(None, map(_tested, leaves(rule.body)))))


@functools.lru_cache(maxsize=16_384)
def _having(proto: str, tested: frozenset[_Tested]) -> tuple[ProtocolSpec, ...] | None:
    """Return the protocols of a word that have all that is tested (of 52,000 rules in ET Open 1,500 differ here)."""
    found = BY_WORD.get(proto)
    for specs in filter(None, map(_owners, tested)):
        found = specs if found is None else tuple(spec for spec in found if spec in specs)
    allowed = transports(proto)
    if found is None or allowed is None:
        return found
    return tuple(spec for spec in found if allowed.intersection(spec.transports))


_Tested = str | tuple[int, ...]
"""A buffer or a number; events as their values."""


def _tested(leaf: Leaf) -> _Tested | None:
    if isinstance(leaf, BufferMatch):
        return leaf.buffer
    if not isinstance(leaf, HeaderTest):
        return None
    return (leaf.value, *leaf.values) if leaf.field == fields.APP_EVENT else leaf.field


def _owners(tested: _Tested) -> tuple[ProtocolSpec, ...]:
    """Return the application protocols that have what a condition tests; empty: it is not about one."""
    if isinstance(tested, tuple):
        return tuple(spec for spec in PROTOCOLS if not set(tested).isdisjoint(spec.events))
    return tuple({spec.name: spec for spec, _ in (*BUFFERS.get(tested, ()), *NUMBERS.get(tested, ()))}.values())


def protocol(rule: Rule) -> ProtocolSpec | None:
    """Return the application protocol whose transactions the rule is judged on; None: it names none.

    Of a rule about several the first: `sensor.rules.sides` makes a rule of each.
    """
    found = protocols(rule)
    return found[0] if found else None


def stage(rule: Rule) -> int:
    """Return the first stage of the protocol at which all that the rule tests is known."""
    spec = protocol(rule)
    return max((_stage(leaf, spec, rule.direction) for leaf in leaves(rule.body)), default=0)


def _stage(leaf: Leaf, spec: ProtocolSpec | None, direction: str) -> int:
    if isinstance(leaf, BufferMatch):
        return next((buffer.stage for owner, buffer in BUFFERS.get(leaf.buffer, ()) if owner is spec), 0)
    if not isinstance(leaf, HeaderTest):
        return 0
    number = next((number for owner, number in NUMBERS.get(leaf.field, ()) if owner is spec), None)
    if number is None:
        return 0
    return number.reply_stage if has_reply(number) and direction == "to_client" else number.stage


def has_reply(number: NumberSpec) -> bool:
    """Tell whether rules about either side may compare a number."""
    return number.reply_stage >= 0


def positive_literals(rule: Rule, *, computed: bool = False) -> Iterator[tuple[str, Content]]:
    """Yield (buffer, content) for every literal that stands in the traffic whenever the rule matches.

    Only from conditions that must all hold, from buffers whose bytes are on the wire (`computed`: from any), and
    through transforms that change case or add a dot in front; `nocase` is set where case is folded on the way.
    """
    for leaf in required(rule.body):
        if not isinstance(leaf, BufferMatch) or leaf.absent or not keeps_literals(leaf):
            continue
        if not computed and not _on_the_wire(leaf, rule.proto):
            continue
        found = buffers.find(leaf.buffer, rule.proto)
        folds = any(transform.name in _FOLDING for transform in leaf.transforms)
        folded = folds or (found is not None and found[1].lowercase)
        prefixed = any(transform.name == _PREFIX for transform in leaf.transforms)
        for test in leaf.tests:
            if isinstance(test, Content) and not test.negated:
                pattern = test.pattern.removeprefix(b".") if prefixed else test.pattern
                if pattern:
                    yield leaf.buffer, msgspec.structs.replace(test, pattern=pattern, nocase=folded or test.nocase)


def _on_the_wire(node: BufferMatch, proto: str) -> bool:
    found = buffers.find(node.buffer, proto)
    return found[1].raw != RAW_DERIVED if found else node.buffer in _SEARCHED


def keeps_literals(node: BufferMatch) -> bool:
    """Tell whether transforms leave literals as they are, but for case or a dot in front."""
    return all(transform.name in _FOLDING or transform.name == _PREFIX for transform in node.transforms)


def buffer_literal(rule: Rule) -> tuple[str, bytes] | None:
    """Return the most telling literal that must be there, and its buffer."""
    found = [(buffer, content.pattern) for buffer, content in positive_literals(rule, computed=True)]
    return max(found, key=lambda one: strength(one[1]), default=None)


def fast_literal(rule: Rule) -> Fast | None:
    """Return the literal to search for: the author's `fast` one, else the most telling."""
    best: Fast | None = None
    for buffer, content in positive_literals(rule):
        found = buffers.find(buffer, rule.proto)
        candidate = Fast(buffer, content, found[1].raw if found else RAW_VERBATIM)
        if content.fast:
            return candidate
        if best is None or strength(content.pattern) > strength(best.content.pattern):
            best = candidate
    return best


def strength(pattern: bytes) -> tuple[int, int]:
    """Return how much a literal tells: distinct bytes (at most 8), then length; common text tells nothing."""
    folded = pattern.lower()
    for text in _COMMON:  # `any` over a generator takes twice the time
        if folded in text:
            return 0, len(pattern)
    return min(len(set(folded)), 8), len(pattern)
