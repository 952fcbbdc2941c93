"""Conditions on the ends of what is judged that the operator's files answer: reputation and country."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.detect.evaluator.conditions import number_holds
from sensor.errors import RuleError
from sensor.rules.nodes import HeaderTest
from sensor.rules.reputation import NO_SCORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.detect.evaluator.conditions import Check
    from sensor.detect.evaluator.context import Context
    from sensor.detect.state.budget import Meter
    from sensor.rules.nodes import Country, Reputation
    from sensor.rules.outside import Outside


def reputation_check(node: Reputation, outside: Outside) -> Check:
    """Return the check of a score. An address without one never fits. Raises RuleError."""
    category = outside.categories.get(node.category)
    if category is None:
        raise RuleError(f"there is no reputation category '{node.category}'")
    holds = number_holds(HeaderTest("reputation", node.op, node.value, node.high))
    score = outside.scores.score

    def fits(address: bytes) -> bool:
        found = score(address, category)
        return found != NO_SCORE and holds(found)

    return _of_ends(node.end, fits)


def country_check(node: Country, outside: Outside) -> Check:
    """Return the check of a country. An address of none never fits. Raises RuleError."""
    country, listed, negated = outside.country, frozenset(node.countries), node.negated
    if country is None:
        raise RuleError("there is no database of countries")

    def fits(address: bytes) -> bool:
        code = country(address)
        return bool(code) and (code in listed) is not negated

    return _of_ends(node.end, fits)


def _of_ends(end: str, fits: Callable[[bytes], bool]) -> Check:
    def source(ctx: Context, _meter: Meter) -> bool:
        return fits(ctx.src)

    def destination(ctx: Context, _meter: Meter) -> bool:
        return fits(ctx.dest)

    def either(ctx: Context, _meter: Meter) -> bool:
        return fits(ctx.src) or fits(ctx.dest)

    def both(ctx: Context, _meter: Meter) -> bool:
        return fits(ctx.src) and fits(ctx.dest)

    checks = {"src": source, "dst": destination, "any": either, "both": both}
    if end not in checks:
        raise RuleError(f"end {end!r} is unknown")
    return checks[end]
