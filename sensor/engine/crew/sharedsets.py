"""Sets of values that rules fill, with several workers: which value stands in which set is decided where all meet.

A worker judges the rest of such a rule, and tells of a match which values it was about; whether they stand in the sets
is asked of the merged records, in packet order, and so are the sets changed. That takes, of all rules that name such a
set,
- that their tests of sets stand among the conditions that all must hold, one in a condition, and not in base64,
- that they are judged on packets or transactions (on a stream, what matches says what is looked at next),
- that they change nothing else, keep no other rule from matching, and store no files: the worker does not know yet
  whether they match.
Sets of other rules are each worker's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from sensor.detect.state.datasets import Datasets
from sensor.rules.compile import scope
from sensor.rules.nodes import All, AnyNode, AnyTest, BufferMatch, FlowBits, FlowInt, HostBit, InList, Rule
from sensor.rules.walk import captures, leaves, required, sets_of

Key = tuple[str, str]
"""Name and kind of a set."""
Values = tuple[tuple[bytes, ...], ...]
"""For each test of a rule, the values with which the rest of the rule holds."""

_ASKS = frozenset({"isset", "isnotset", "notset", "<", ">", "<=", ">=", "==", "!="})


@dataclass(frozen=True, slots=True)
class Asked:
    """The tests of one rule on shared sets, in its order."""

    tests: tuple[InList, ...]

    def holds(self, sets: Datasets, values: Values) -> bool:
        """Tell whether each test holds with one of its values, and if so, change what the rule changes."""
        if len(values) != len(self.tests):
            return False
        chosen = [_chosen(sets, test, some) for test, some in zip(self.tests, values, strict=True)]
        if None in chosen:
            return False
        for test, value in zip(self.tests, chosen, strict=True):
            if test.action and value is not None:
                sets.change(sets.of(test), value, there=test.action == "set")
        return True


def _chosen(sets: Datasets, test: InList, values: Iterable[bytes]) -> bytes | None:
    """Return the first value with which a test holds."""
    found = sets.of(test)
    for value in values:
        there = value in found
        if not test.action:
            if there is not test.negated:
                return value
        elif value and there is (test.action == "unset") and (there or sets.has_room(found, value)):
            return value
    return None


def shared(rules: Sequence[Rule], free: Callable[[Rule], bool]) -> frozenset[Key]:
    """Return the sets that rules change and that all of them can leave to others. free: what else a rule must be."""
    found = {_key(test) for rule in rules for test in sets_of(rule.body) if test.action}
    while True:
        own = {
            key for rule in rules if (keys := _keys(rule) & found) and not (_may_ask(rule, keys) and free(rule))
            for key in keys
        }  # fmt: skip
        if not own:
            return frozenset(found)
        found -= own


def changed(rules: Iterable[Rule]) -> frozenset[Key]:
    """Return the sets that rules change."""
    return frozenset(_key(test) for rule in rules for test in sets_of(rule.body) if test.action)


def names(rule: Rule, keys: frozenset[Key]) -> bool:
    """Tell whether a rule names one of these sets."""
    return bool(_keys(rule) & keys)


def taken_out(rule: Rule, keys: frozenset[Key]) -> tuple[AnyNode, tuple[InList, ...]]:
    """Return the body as a worker judges it, and the tests that are left to others."""
    taken: list[InList] = []
    return _told(rule.body, keys, taken), tuple(taken)


def _told(node: AnyNode, keys: frozenset[Key], taken: list[InList]) -> AnyNode:
    if isinstance(node, All):
        return All(tuple(_told(child, keys, taken) for child in node.children))
    if not isinstance(node, BufferMatch):
        return node
    tests: list[AnyTest] = []
    for test in node.tests:
        if isinstance(test, InList) and _key(test) in keys:
            tests.append(replace(test, action="", negated=False, told=len(taken)))
            taken.append(test)
        else:
            tests.append(test)
    return replace(node, tests=tuple(tests))


def _may_ask(rule: Rule, keys: set[Key]) -> bool:
    """Tell whether the tests of a rule on sets can be left to others."""
    plain = [node for node in required(rule.body) if isinstance(node, BufferMatch)]
    each = [[test for test in node.tests if isinstance(test, InList) and _key(test) in keys] for node in plain]
    there = sum(map(len, each))
    return (
        rule.action != "pass"
        and not rule.store
        and max(map(len, each), default=0) == 1
        and not any(tests and node.either for node, tests in zip(plain, each, strict=True))
        and there == sum(_key(test) in keys for test in sets_of(rule.body))
        and scope(rule) in ("tx", "packet")
        and not any(map(changes, leaves(rule.body)))
    )


def changes(leaf: AnyNode) -> bool:
    """Tell whether a leaf changes what workers keep; bits of single hosts are not theirs."""
    if isinstance(leaf, FlowBits | FlowInt):
        return leaf.action not in _ASKS
    if isinstance(leaf, BufferMatch):
        return captures(leaf)
    return isinstance(leaf, HostBit) and leaf.track == "by_both" and leaf.action not in _ASKS


def _key(test: InList) -> Key:
    return test.name, test.kind


def _keys(rule: Rule) -> set[Key]:
    return {_key(test) for test in sets_of(rule.body)}
