"""Variables of one flow that rules share: flowbits, flowints, and text that regexes have kept (flowvars)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sensor.model.counters import Counters

if TYPE_CHECKING:
    from sensor.rules.nodes import FlowBits, FlowInt

MAX_NAMES = 64
"""Names one flow may hold; rule sets use a handful per flow (ET Open: chains of at most four)."""
MAX_INT = 0xFFFFFFFF
MAX_TEXT = 1024
"""Bytes of one text that are kept: a name, a token, a path. What is behind them is dropped (counted)."""


class FlowVarCounters(Counters):
    """What the caps cost: names that could not be set, and texts that were cut."""

    __slots__ = ("flow_names_dropped",)
    flow_names_dropped: int


_NO_BITS: Final[frozenset[str]] = frozenset()
_NO_INTS: Final[Mapping[str, int]] = MappingProxyType({})
_NO_TEXTS: Final[Mapping[str, bytes]] = MappingProxyType({})


@lru_cache(maxsize=1024)
def _with(bits: frozenset[str], name: str) -> frozenset[str]:
    """Return the set with one more name: flows with the same bits share one (a set of its own takes 0.2 KiB)."""
    return bits | {name}


@lru_cache(maxsize=1024)
def _without(bits: frozenset[str], name: str) -> frozenset[str]:
    return bits - {name}


class FlowVars:
    """Flowbits set on a flow, its flowints (0..2**32-1) and its texts."""

    __slots__ = ("bits", "counters", "ints", "texts")

    def __init__(self, counters: FlowVarCounters | None = None) -> None:
        self.bits = _NO_BITS
        self.ints = _NO_INTS
        self.texts = _NO_TEXTS
        self.counters = counters or FlowVarCounters()

    def _room(self) -> bool:
        if len(self.bits) + len(self.ints) + len(self.texts) < MAX_NAMES:
            return True
        self.counters.flow_names_dropped += 1
        return False

    def set_bit(self, name: str) -> None:
        """Set a flowbit, unless the flow holds `MAX_NAMES` names already (counted)."""
        if name not in self.bits and self._room():
            self.bits = _with(self.bits, name)

    def unset_bit(self, name: str) -> None:
        """Unset a flowbit, if it is set."""
        if name in self.bits:
            self.bits = _without(self.bits, name)

    def set_int(self, name: str, value: int) -> None:
        """Set a flowint (0..2**32-1), unless the flow is full (counted)."""
        if name in self.ints or self._room():
            self.ints = {**self.ints, name: value}

    def set_text(self, name: str, value: bytes) -> None:
        """Keep a text, cut to `MAX_TEXT` bytes (counted), unless the flow is full (counted)."""
        if name in self.texts or self._room():
            self.counters.flow_names_dropped += len(value) > MAX_TEXT
            self.texts = {**self.texts, name: value[:MAX_TEXT]}

    def number(self, value: int | str) -> int | None:
        """Return a literal as it is, a name as the value of that flowint (None: not set)."""
        return value if isinstance(value, int) else self.ints.get(value)


def change_bits(node: FlowBits, flow: FlowVars) -> None:
    """Carry out set, unset and toggle; conditions change nothing."""
    for name in node.names:
        if node.action == "unset" or (node.action == "toggle" and name in flow.bits):
            flow.unset_bit(name)
        elif node.action in {"set", "toggle"}:
            flow.set_bit(name)


def change_int(node: FlowInt, flow: FlowVars) -> None:
    """Carry out `=`, `+` and `-`, with 32 bits: what is not set counts as 0, but nothing is taken from it."""
    if node.action not in {"=", "+", "-"} or (node.action == "-" and node.name not in flow.ints):
        return
    operand = flow.number(node.value) or 0
    old = 0 if node.action == "=" else flow.ints.get(node.name, 0)
    flow.set_int(node.name, (old - operand if node.action == "-" else old + operand) & MAX_INT)
