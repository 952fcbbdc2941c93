"""What must be there whenever a rule matches, and takes a tenth of its judgement to look for: flowbits and literals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sensor.rules import buffers
from sensor.rules.compile import positive_literals, strength
from sensor.rules.nodes import Content, FlowBits, Rule
from sensor.rules.walk import required

if TYPE_CHECKING:
    from sensor.detect.evaluator.context import Window
    from sensor.detect.state.bits import FlowVars

_ANYWHERE, _START, _END = 0, 1, 2
_RAW = frozenset({buffers.PAYLOAD, buffers.STREAM, buffers.EITHER})


class Needs(NamedTuple):
    """Of one rule. All of it must hold; where something is empty, nothing is asked for."""

    bits: tuple[frozenset[str], ...]
    """One flowbit of each set is set."""
    raw: tuple[bytes, ...]
    """Literals in lower case, in the payload or window at hand; the most telling first, and so are the next."""
    fields: tuple[tuple[str, bytes, int], ...]
    """Literals in lower case, in some instance of an application buffer: anywhere, at its start or at its end."""

    def bits_set(self, known: FlowVars | None) -> bool:
        """Tell whether the flow has the bits. known: its variables."""
        if not self.bits:
            return True
        return known is not None and all(not names.isdisjoint(known.bits) for names in self.bits)

    def stands_in(self, lower: bytes) -> bool:
        """Tell whether all literals of the payload or window are there. lower: it."""
        for literal in self.raw:  # noqa: SIM110 - all() with a generator takes twice as long; so below
            if literal not in lower:
                return False
        return True

    def stands_in_fields(self, instances: Callable[[str], Sequence[Window]]) -> bool:
        """Tell whether all literals of application buffers are there. instances: gives those of a buffer."""
        for name, literal, where in self.fields:  # noqa: SIM110
            if not _in_some(instances(name), literal, where):
                return False
        return True


def _in_some(windows: Sequence[Window], literal: bytes, where: int) -> bool:
    for window in windows:
        lower = window.lower
        if (
            literal in lower if where == _ANYWHERE
            else lower.startswith(literal) if where == _START else lower.endswith(literal)
        ):  # fmt: skip
            return True
    return False


def bits_needed(rule: Rule) -> tuple[frozenset[str], ...]:
    """Return sets of flowbits, one of each of which is set wherever a rule matches."""
    return tuple(frozenset(node.names) for node in required(rule.body) if isinstance(node, FlowBits) and _asks(node))


def needs(rule: Rule) -> Needs:
    """Return what a rule needs. A literal of the payload that is judged on many windows is in one of them."""
    raw: dict[bytes, None] = {}
    fields: dict[tuple[str, bytes, int], None] = {}
    for buffer, content in sorted(positive_literals(rule, computed=True), key=_rank, reverse=True):
        literal = content.pattern.lower()
        if buffer in _RAW:
            raw[literal] = None
        elif buffers.is_application(buffer):
            fields[buffer, literal, _where(content)] = None
    return Needs(bits_needed(rule), tuple(raw), tuple(fields))


def _rank(found: tuple[str, Content]) -> tuple[int, int]:
    return strength(found[1].pattern)


def _where(content: Content) -> int:
    """Return where a literal stands. One at the start has lost its dot behind `dotprefix`, or never matches."""
    if content.endswith:
        return _END
    return _START if content.startswith else _ANYWHERE


def _asks(node: FlowBits) -> bool:
    return node.action == "isset"
