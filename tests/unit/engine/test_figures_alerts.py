"""Alerts by severity, category and rule: bounded, and counters that never go back."""

import pytest

from sensor.detect.planning.ruletable import make_table
from sensor.detect.ruleplan import PACKET, RulePlan
from sensor.engine.live.figures_alerts import MAX_CATEGORIES, MAX_RULES, AlertFigures
from sensor.rules import nodes


def Rule(sid, severity=1, category="web"):  # noqa: N802 - as the class
    return nodes.Rule(sid, "", "ip", nodes.All(()), severity=severity, category=category)


class Plan:
    def __init__(self, *rules):
        self.table = make_table([RulePlan(n, rule, PACKET, 0, -1) for n, rule in enumerate(rules)])


@pytest.fixture
def figures():
    made = AlertFigures(per_rule=True)
    made.learn(Plan(Rule(1, 1, "web"), Rule(2, 3, "scan"), Rule(2, 3, "scan")))
    return made


def test_all_series_begin_at_zero(figures):
    found = figures.values({})
    assert found["xensor_alerts_total"] == {("1",): 0, ("2",): 0, ("3",): 0, ("4",): 0}
    assert found["xensor_alerts_by_category_total"] == {("Not all traffic is seen",): 0, ("web",): 0, ("scan",): 0}
    assert figures.rules == 2


def test_rules_that_a_reload_took_out_are_remembered(figures):
    figures.learn(Plan(Rule(3, 2, "dns")))
    found = figures.values({(1, 1): 5, (1, 2): 2, (1, 3): 1, (200, 2): 1, (9, 9): 1})
    assert found["xensor_alerts_total"] == {("1",): 6, ("2",): 1, ("3",): 2, ("4",): 0, ("0",): 1}
    categories = found["xensor_alerts_by_category_total"]
    assert (categories["web",], categories["scan",], categories["dns",], categories["other",]) == (5, 2, 1, 1)
    assert found["xensor_rule_alerts_total"]["1:1",] == 5
    assert figures.rules == 1


def test_series_are_bounded():
    figures = AlertFigures(per_rule=True)
    figures.learn(Plan(*(Rule(n, category=f"c{n}") for n in range(3000))))
    found = figures.values({(1, n): 2 for n in range(3000)})
    assert len(found["xensor_alerts_by_category_total"]) == MAX_CATEGORIES + 1
    assert len(found["xensor_rule_alerts_total"]) == MAX_RULES + 1
    for name in ("xensor_alerts_by_category_total", "xensor_rule_alerts_total"):
        assert sum(found[name].values()) == 6000


def test_rules_are_counted_on_request_only():
    assert "xensor_rule_alerts_total" not in AlertFigures(per_rule=False).values({(1, 1): 1})
