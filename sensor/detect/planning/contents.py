"""Rules about contents of files: in protocols whose messages tell, only flows that carry such are parsed for them."""

from __future__ import annotations

from collections.abc import Iterable

from sensor.detect.ruleplan import RulePlan
from sensor.model.app import PIPED, Carriage, ProtocolSpec
from sensor.proto.registry import SPECS

_ANYTHING = 4
"""Beside the masks of sides: some rule may match without contents."""


def asked(plans: Iterable[RulePlan]) -> dict[int, int]:
    """Return protocol → mask of what rules ask for (`sensor.model.app.FindsContents`); not where one asks for none.

    plans: of transaction rules without a literal for the scan. Each is judged at one stage only.
    """
    found: dict[int, int] = {}
    for plan in plans:
        spec = SPECS[plan.app]
        if spec.carriage is not None:
            found[plan.app] = found.get(plan.app, 0) | _mask(spec, spec.carriage, plan.stage)
    return {app: mask for app, mask in found.items() if not mask & _ANYTHING}


def _mask(spec: ProtocolSpec, carriage: Carriage, stage: int) -> int:
    if stage not in carriage.stages:
        return _ANYTHING
    side = spec.stages[stage].side
    return 1 << side | (1 << side + PIPED if stage in carriage.piped else 0)
