"""What is asked about many rules at once, in columns: a rule itself is looked at only when traffic reaches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sensor.detect.ruleplan import RulePlan
from sensor.rules.flowwide import once

_SIDES = {"to_server": 0, "to_client": 1}.get


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The judged rules by number."""

    ids: np.ndarray
    """int64[n, 2]: gid, sid. Several may have the same: one rule may be judged as several."""
    scopes: np.ndarray
    """uint8[n]: bits of `ruleplan`."""
    last: np.ndarray
    """int64[n]: `RulePlan.last`"""
    facing: np.ndarray
    """int8[n]: the side that a rule asks for; -1: any, or its literal was searched in the bytes of one side only."""
    passes: np.ndarray
    """bool[n]: its action is `pass`."""
    once: np.ndarray
    """bool[n]: it is judged once for each side of a flow (`sensor.rules.flowwide`)."""
    severities: np.ndarray
    """uint32[n]"""
    categories: np.ndarray
    """int32[n]: positions in `category_names`."""
    category_names: tuple[str, ...]

    def loaded(self) -> int:
        """Return how many rules there are as their authors count them."""
        # 12 ms for 10,000 rules with np.unique, which takes rows for opaque bytes: the packet loop would wait for that.
        ordered = self.ids[np.lexsort(self.ids.T)]
        return int(np.count_nonzero((ordered[1:] != ordered[:-1]).any(axis=1))) + bool(len(ordered))

    def keys(self) -> Iterator[tuple[int, int, int]]:
        """Yield (gid, sid, which of the rules with these ids) of each."""
        seen: Counter[tuple[int, int]] = Counter()
        for gid, sid in self.ids.tolist():
            yield gid, sid, seen[gid, sid]
            seen[gid, sid] += 1

    def number_of(self, gid: int, sid: int) -> int:
        """Return the first rule with these ids; -1: there is none."""
        found = np.flatnonzero((self.ids[:, 0] == gid) & (self.ids[:, 1] == sid))
        return int(found[0]) if found.size else -1


def make_table(plans: Sequence[RulePlan]) -> RuleTable:
    """Return the table of rules."""
    rules = [plan.rule for plan in plans]
    names = {name: n for n, name in enumerate(dict.fromkeys(rule.category for rule in rules))}
    return RuleTable(
        ids=np.array([(rule.gid, rule.sid) for rule in rules], np.int64).reshape(-1, 2),
        scopes=np.array([plan.scope for plan in plans], np.uint8),
        last=np.array([plan.last for plan in plans], np.int64),
        facing=np.array([-1 if plan.literal else _SIDES(plan.rule.direction, -1) for plan in plans], np.int8),
        passes=np.array([rule.action == "pass" for rule in rules], np.bool_),
        once=np.array([once(rule) for rule in rules], np.bool_),
        severities=np.array([rule.severity for rule in rules], np.uint32),
        categories=np.array([names[rule.category] for rule in rules], np.int32),
        category_names=tuple(names),
    )
