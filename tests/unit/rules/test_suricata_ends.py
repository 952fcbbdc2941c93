"""iprep and geoip: how they are read, written and judged."""

import pytest
from suricatakit import VARIABLES

from sensor.rules.context import Context
from sensor.rules.export import export
from sensor.rules.nodes import All, Any, Country, Not, Reputation
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.parse import parse as parse_yaml
from sensor.rules.problems import Problems
from sensor.rules.suricata.read import parse

NEITHER = (Not(Reputation("src", "Bad", ">=", 0)), Not(Reputation("dst", "Bad", ">=", 0)))
GIVEN = Outside({"Bad": 1, "Good": 2}, country=lambda _address: "US")


def read(option, outside=GIVEN):
    text = f"alert ip any any -> any any ({option} sid:1;)"
    return parse(text, Context(Problems("a.rules"), VARIABLES, outside=outside))


@pytest.mark.parametrize(
    ("option", "node"),
    [
        ("iprep:src,Bad,>,30;", Reputation("src", "Bad", ">", 30)),
        ("iprep: any, Good, <=, 127;", Reputation("any", "Good", "<=", 127)),
        ("iprep:both,Bad,isset;", Reputation("both", "Bad", ">=", 0)),
        ("iprep:dst,Bad,isnotset;", Not(Reputation("dst", "Bad", ">", 0))),
        ("iprep:any,Bad,isnotset;", Any(NEITHER)),
        ("iprep:both,Bad,isnotset;", All(NEITHER)),
        ("geoip:src,US,ca;", Country("src", ("US", "CA"))),
        ("geoip:dest,!RU,!CN;", Country("dst", ("RU", "CN"), negated=True)),
        ("geoip:US;", Country("any", ("US",))),
    ],
)
def test_read_and_written_without_loss(option, node):
    (rule,) = read(option).rules
    assert rule.body == node
    unit = parse_yaml(export([rule]), Context(Problems("a.yaml"), VARIABLES, outside=GIVEN))
    assert unit.problems == ()
    assert unit.rules[0].body == node


@pytest.mark.parametrize(
    ("option", "outside", "reason"),
    [
        ("iprep:src,Ugly,>,30;", GIVEN, "'Ugly' is no category"),
        ("iprep:src,Bad,>,30;", NOTHING, "'Bad' is no category"),
        ("iprep:here,Bad,>,30;", GIVEN, "has the form"),
        ("iprep:src,Bad,~,30;", GIVEN, "unknown operator"),
        ("iprep:src,Bad,>,128;", GIVEN, "out of range"),
        ("iprep:src,Bad,maybe;", GIVEN, "has the form"),
        ("geoip:src,US;", NOTHING, "needs a database of countries"),
        ("geoip:src;", GIVEN, "has the form"),
        ("geoip:src,USA;", GIVEN, "has the form"),
        ("geoip:src,US,!CA;", GIVEN, "not both"),
    ],
)
def test_refusals(option, outside, reason):
    unit = read(option, outside)
    assert unit.rules == ()
    assert reason in unit.problems[0].message


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("reputation: {end: src, category: Ugly, score: 5}", "no such category"),
        ("country: {end: src, in: [US]}", "no database of countries"),
    ],
)
def test_yaml_asks_for_files_too(condition, message):
    text = f"- {{id: 1, title: a, severity: low, match: [{{{condition}}}]}}\n"
    unit = parse_yaml(text, Context(Problems("a.yaml"), VARIABLES, outside=Outside({"Bad": 1})))
    assert message in unit.problems[0].message
