"""Transaction rules that need flowbits which only rules on the same messages can set.

Of a flow that nobody has parsed they say nothing until one of those may match: of 116 flows with HTTP in the bench
capture that 20,000 rules of ET Open had parsed for no alert, 38 were so for them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from sensor.detect.evaluator.sleepers import Sleepers
from sensor.detect.planning.plan import TX, Plan
from sensor.detect.state.bits import FlowVars

Known = Callable[[int], FlowVars | None]
"""Returns the variables of a flow; None: it has none."""


def nothing_known(_slot: int) -> FlowVars | None:
    """Return nothing: no flow has variables."""
    return None


class Dormant:
    """Tells whether rules that may match messages of a flow could say something by now."""

    def __init__(self, app: int, plan: Plan) -> None:
        """app: protocol whose flows are framed. Until they are parsed, no rule on another one's messages sees them."""
        speaks = plan.headers.table["apps"] >> np.uint64(app) & np.uint64(1) != 0
        mine = frozenset(np.flatnonzero((plan.table.scopes == TX) & speaks).tolist())
        given = {number: names for number, names in plan.bits_given.items() if number in mine}
        asked = _settled(plan, plan.table.scopes)
        self._sleepers = Sleepers({name: mine & set(numbers) for name, numbers in asked.items()}, given)
        self._quiet = plan.quiet
        self.known: Known = nothing_known

    def worth(self, slot: int, rules: Collection[int]) -> bool:
        """Tell whether one of these rules is no quiet one, and has its bits or could get them from the others."""
        return not self._sleepers.awake(set(rules), self.known(slot)) <= self._quiet


def _settled(plan: Plan, scopes: np.ndarray) -> Mapping[str, tuple[int, ...]]:
    """Return flowbit → rules that need it, less those that need one which others than transaction rules may set."""
    open_ = {name for number, names in plan.bits_given.items() if scopes[number] != TX for name in names}
    free = {number for name in open_ for number in plan.bits_needed.get(name, ())}
    return {
        name: tuple(number for number in numbers if number not in free)
        for name, numbers in plan.bits_needed.items()
        if name not in open_
    }
