"""A rule in words, for `xensor rules show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.rules import literal
from sensor.rules.compile import fast_literal, protocol, scope, stage
from sensor.rules.export import export
from sensor.rules.references import DEFAULT, expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensor.rules.nodes import PortSet, Rule

_JUDGED = {
    "packet": "each packet",
    "stream": "each window of the reassembled stream",
    "both": "each packet and each window of the reassembled stream",
}


def describe(rule: Rule, references: Mapping[str, str] = DEFAULT) -> str:
    """Return what the rule is, what it is judged on and how it is found, and the rule as YAML."""
    sources = (f"  source    {expand(each, references)}" for each in rule.references)
    return "\n".join([*_lines(rule), *sources, "", export([rule]).rstrip()]) + "\n"


def _lines(rule: Rule) -> Iterator[str]:
    yield f"{rule.gid}:{rule.sid} revision {rule.rev}: {rule.msg or '(no title)'}"
    if rule.file:
        yield f"  file      {rule.file}:{rule.line}"
    yield f"  severity  {rule.severity}" + (f", {rule.category}" if rule.category else "")
    arrow = "<>" if rule.bidirectional else "->"
    ends = f"{_end(rule.src.text, rule.sport)} {arrow} {_end(rule.dst.text, rule.dport)}"
    yield f"  header    {rule.proto} {ends}"
    yield f"  judged    on {_judged(rule)}"
    fast = fast_literal(rule)
    if fast:
        yield f"  found by  '{literal.write(fast.content.pattern)}' in {fast.buffer} ({fast.raw} on the wire)"
    else:
        yield "  found by  header and protocol alone: it has no literal that must be on the wire"
    if rule.unmatchable:
        yield f"  NEVER MATCHES: {rule.unmatchable}"


def _end(address: str, ports: PortSet) -> str:
    return f"{address} port {ports.text}"


def _judged(rule: Rule) -> str:
    kind = scope(rule)
    if kind != "tx":
        return _JUDGED[kind]
    spec = protocol(rule)
    return f"each {spec.name} transaction, at '{spec.stages[stage(rule)].name}'" if spec else "each transaction"
