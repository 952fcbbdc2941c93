"""Rules about contents of files: in protocols whose messages tell, only flows that carry such are parsed for them."""

from __future__ import annotations

from collections.abc import Iterable

from sensor.detect.ruleplan import RulePlan
from sensor.proto.registry import SPECS

_ANYTHING = 4
"""Beside the masks of sides: some rule may match without contents."""


def asked(plans: Iterable[RulePlan]) -> dict[int, int]:
    """Return protocol → mask of the sides to which contents go that rules ask for; not where one asks for none.

    plans: of transaction rules without a literal for the scan. Each is judged at one stage only.
    """
    found: dict[int, int] = {}
    for plan in plans:
        spec = SPECS[plan.app]
        if spec.carriage is not None:
            mine = plan.stage in spec.carriage.stages
            found[plan.app] = found.get(plan.app, 0) | (1 << spec.stages[plan.stage].side if mine else _ANYTHING)
    return {app: mask for app, mask in found.items() if not mask & _ANYTHING}
