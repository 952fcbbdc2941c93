"""Rules that only set flowbits: they are worth nothing until a rule that could say something asks for the bit.

ET Open notes each request whose Host is an IPv4 address. Between guests that is every second one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensor.detect.ruleplan import TX, RulePlan
from sensor.rules.nodes import FlowBits, FlowInt, HostBit, Rule
from sensor.rules.walk import captures, leaves, sets_of

_ASKS = frozenset({"isset", "isnotset"})


def quiet(plans: Sequence[RulePlan]) -> frozenset[int]:
    """Return the numbers of transaction rules whose match does nothing but change flowbits.

    Only transaction rules ask for these bits: whoever parses the flow for one of them judges the quiet ones before.
    """
    asked = {
        name
        for plan in plans if plan.scope != TX
        for leaf in leaves(plan.rule.body) if isinstance(leaf, FlowBits) and leaf.action in _ASKS
        for name in leaf.names
    }  # fmt: skip
    mine = (plan for plan in plans if plan.scope == TX and _says_nothing(plan.rule))
    return frozenset(plan.number for plan in mine if not asked & _changed(plan.rule))


def _says_nothing(rule: Rule) -> bool:
    if not rule.noalert or rule.loud or rule.store or rule.action == "pass" or rule.thresholds:
        return False
    if any(isinstance(leaf, FlowInt | HostBit) for leaf in leaves(rule.body)) or captures(rule.body):
        return False
    return not any(one.action for one in sets_of(rule.body))


def _changed(rule: Rule) -> set[str]:
    bits = (leaf for leaf in leaves(rule.body) if isinstance(leaf, FlowBits) and leaf.action not in _ASKS)
    return {name for leaf in bits for name in leaf.names}
