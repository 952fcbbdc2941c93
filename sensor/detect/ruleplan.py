"""How one rule is judged."""

from __future__ import annotations

import msgspec

from sensor.rules.nodes import Rule

PACKET, STREAM, TX, EVENT, NOTE, LOOSE = 1, 2, 4, 8, 16, 32
"""What a rule is judged on, as bits. LOOSE, beside STREAM: TCP payload that is in no stream."""


class RulePlan(msgspec.Struct, frozen=True):
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
    found: tuple[str, bytes] | None = None
    """The buffer and the content that hold `literal`; None: there is none."""
    last: int = -1
    """Highest offset of the payload or stream at which the literal may begin; -1: any."""
    files: bool = False
    """It asks for a file: judged also on each that a transaction carries among others."""
    name: bytes = b""
    """Without `literal`: lowercase bytes that stand in the name of a DNS question, too short for the scan."""
    question: bool = False
    """The literal is one of a DNS question: searched in names."""
    others: tuple[tuple[bytes, bool], ...] = ()
    """Further (literal, cased) of the same side."""
    again: int = -1
    """Later stage of the same message at which it is judged once more, if it has not matched; -1: none. What it asks of
    the stream may come with the rest of the message."""
