"""Rules that need flowbits, kept from being judged where nothing could have set them.

Of ET Open's 34,000 rules 3,000 need a bit that another rule sets, and most have no other literal than two bytes at the
start of a stream: on nearly each segment they would be looked at and found to lack their bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sensor.detect.evaluator.quick import bits_needed
from sensor.rules.nodes import FlowBits, Rule
from sensor.rules.walk import leaves

if TYPE_CHECKING:
    from sensor.detect.state.bits import FlowVars

_NONE: Final[frozenset[int]] = frozenset()
_SETS = frozenset({"set", "toggle"})


def needed(rules: Sequence[Rule]) -> dict[str, tuple[int, ...]]:
    """Return flowbit → numbers of the rules that cannot match without it, or without another of those they name."""
    out: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        for name in {name for names in bits_needed(rule) for name in names}:
            out.setdefault(name, []).append(number)
    return {name: tuple(numbers) for name, numbers in sorted(out.items())}


def given(rules: Sequence[Rule]) -> dict[int, tuple[str, ...]]:
    """Return rule number → flowbits that it may set."""
    out = {}
    for number, rule in enumerate(rules):
        nodes = [leaf for leaf in leaves(rule.body) if isinstance(leaf, FlowBits) and leaf.action in _SETS]
        if nodes:
            out[number] = tuple(dict.fromkeys(name for node in nodes for name in node.names))
    return out


class Sleepers:
    """Tells which rules are worth judging on an event of a flow."""

    def __init__(self, needed: Mapping[str, Iterable[int]], given: Mapping[int, tuple[str, ...]]) -> None:
        """See the functions of the same names."""
        self._by_bit = {name: frozenset(numbers) for name, numbers in needed.items()}
        self.all: frozenset[int] = _NONE.union(*self._by_bit.values())
        """Rules that need a bit."""
        self._given = given
        self._givers = frozenset(given)

    def awake(self, rules: set[int], known: FlowVars | None) -> set[int]:
        """Return the rules without those whose bits neither the flow has nor one of the rules could set first.

        known: variables of the flow.
        """
        asleep = rules & self.all
        if not asleep:
            return rules
        up = rules - asleep
        names: set[str] = set() if known is None else set(known.bits)
        new = up
        while asleep:
            for number in new & self._givers:
                names.update(self._given[number])
            new = {number for name in names for number in self._by_bit.get(name, _NONE) & asleep}
            if not new:
                break
            asleep -= new
            up |= new
            names = set()
        return up
