"""What of a rule's literals must stand in the raw stream, unchanged, whenever the rule matches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensor.detect.scan.index import usable
from sensor.model.app import (
    RAW_BODY,
    RAW_DERIVED,
    RAW_DN,
    RAW_HEADERS,
    RAW_NAME,
    RAW_QUESTION,
    RAW_VERBATIM,
    ProtocolSpec,
)
from sensor.proto.tls.x509 import LABELS
from sensor.rules import buffers
from sensor.rules.compile import positive_literals, protocol, strength
from sensor.rules.nodes import BufferMatch, BufferSize, Content, Rule
from sensor.rules.walk import buffers_of

_EDGE = b"\0"
"""Stands before and behind a question's name where the scan looks for it (`kernels_derive.question_names`)."""


_JOINTS = re.compile(rb"([,+=\x80-\xff])")
_WORDS = tuple(label.lower().encode() for label in LABELS.values())
_NUMBERED = frozenset(b"oid(0123456789.)")
"""Of labels that are numbers."""


def raw_of(buffer: str, proto: str) -> str:
    """Return how a buffer's bytes stand in the stream (`sensor.model.app.RAW_*`)."""
    found = buffers.find(buffer, proto)
    return found[1].raw if found else RAW_VERBATIM


def raw_kinds(rule: Rule) -> frozenset[str]:
    """Return how the bytes of a rule's application buffers stand in the stream."""
    used = (node.buffer for node in buffers_of(rule.body) if buffers.is_application(node.buffer))
    return frozenset(raw_of(name, rule.proto) for name in used)


def scanned(rule: Rule) -> tuple[str, Content, bytes] | None:
    """Return buffer, content and bytes by which the scan finds every match of the rule; None: there are none such."""
    best: tuple[str, Content, bytes] | None = None
    for buffer, content in positive_literals(rule):
        found = on_the_wire(rule, buffer, content)
        if usable(found) and (content.fast or best is None or strength(found) > strength(best[2])):
            best = buffer, content, found
            if content.fast:
                break
    return best


def in_question(rule: Rule) -> bytes:
    """Return the longest literal that stands in the name of a DNS question whenever the rule matches, or nothing."""
    found = [
        content.pattern for buffer, content in positive_literals(rule) if raw_of(buffer, rule.proto) == RAW_QUESTION
    ]
    return max(found, key=len, default=b"")


def others(rule: Rule, chosen: tuple[str, Content, bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield (bytes, cased) of further literals that stand in the same side's stream whenever the rule matches."""
    spec = protocol(rule)
    side = _side(spec, rule.proto, chosen[0])
    for buffer, content in positive_literals(rule):
        raw = raw_of(buffer, rule.proto)
        if raw in (RAW_BODY, RAW_QUESTION) or _side(spec, rule.proto, buffer) != side:
            continue
        found = on_the_wire(rule, buffer, content)
        if len(found) > 1 and found.lower() not in chosen[2].lower():
            yield (found.lower(), False) if content.nocase else (found, True)


def _side(spec: ProtocolSpec | None, proto: str, buffer: str) -> int:
    """Return the side whose bytes a buffer of a protocol is made of; -1: that at hand. proto: word of the rule."""
    found = buffers.find(buffer, proto)
    return spec.stages[found[1].stage].side if found and spec else -1


def on_the_wire(rule: Rule, buffer: str, content: Content) -> bytes:
    """Return the part of a literal that stands unchanged in the raw stream whenever the buffer holds it."""
    raw, pattern = raw_of(buffer, rule.proto), content.pattern
    if raw == RAW_DERIVED:
        return b""
    if raw == RAW_NAME:
        return max(pattern.split(b"."), key=len)
    if raw == RAW_DN:
        return _in_value(pattern)
    if raw == RAW_QUESTION:
        return _edged(rule, buffer, content)
    # Messages whose fields or target read otherwise than they stand are noticed (`sensor.engine.framing.frames`). A
    # line may be left out between two others.
    return max(pattern.split(b"\r\n"), key=len) if raw == RAW_HEADERS else pattern


def _in_value(pattern: bytes) -> bytes:
    """Return the longest part of a literal that lies within one value of a distinguished name: `C=US, O=Acme`.

    What stands behind an equals sign does, and what is part of no label.
    """
    before, best = b"", b""
    for piece in _JOINTS.split(pattern):
        text = piece.strip(b" ")
        if before == b"=" or not _in_label(text.lower()):
            best = max(best, text, key=len)
        before = piece
    return b"" if _JOINTS.fullmatch(best) else best


def _in_label(text: bytes) -> bool:
    return _NUMBERED.issuperset(text) or any(text in word for word in _WORDS)


def _tests(node: BufferMatch, pattern: bytes) -> bool:
    return any(isinstance(test, Content) and test.pattern == pattern for test in node.tests)


def _edged(rule: Rule, buffer: str, content: Content) -> bytes:
    """Return a literal of a whole name with the edges that it reaches."""
    size = len(content.pattern)
    whole = any(
        isinstance(test, BufferSize) and test.op == "=" and test.low == size
        for node in buffers_of(rule.body)
        if node.buffer == buffer and not node.transforms and _tests(node, content.pattern)
        for test in node.tests
    )
    first = whole or content.startswith or (content.depth == size and not content.offset)
    last = whole or content.endswith
    return (_EDGE if first else b"") + content.pattern + (_EDGE if last else b"")
