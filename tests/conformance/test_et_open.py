"""A large real rule set: what is taken over, how fast, and that YAML says the same."""

from __future__ import annotations

import time

import cases
import msgspec
import pytest

from sensor.rules.context import Context
from sensor.rules.export import export
from sensor.rules.load import load_rules
from sensor.rules.parse import parse
from sensor.rules.problems import Problems
from sensor.rules.ruleset import build
from sensor.rules.variables import Variables

RULES = cases.SHARED / "rules/et-open.rules"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.skipif(not RULES.is_file(), reason=f"the rules are not here: {RULES}"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cold(cache):
    start = time.process_time()
    return load_rules([RULES], cache_dir=cache), time.process_time() - start


def test_nearly_all_rules_load_within_their_time(cold, cache):
    result, seconds = cold
    assert len(result.rules) >= 0.99 * 33_936
    assert seconds < 40
    start = time.process_time()
    warm = load_rules([RULES], cache_dir=cache)
    assert time.process_time() - start < 1.5
    assert warm.rules == result.rules
    assert warm.errors == result.errors


def test_each_refusal_names_its_reason(cold):
    lines: dict[int, str] = {}
    for problem in cold[0].errors:
        lines.setdefault(problem.line, problem.message)
    unknown = [text for text in lines.values() if " is unknown" in text]
    assert unknown == []
    assert len(lines) < 0.01 * 33_936


def test_nothing_is_said_twice_or_never(cold):
    result, _ = cold
    rules, duplicates = build(result.rules)
    assert len(rules) == len(result.rules)
    assert duplicates == ()
    assert result.unmatchable() == {}


def test_yaml_says_the_same(cold):
    rules = cold[0].rules[::25]
    back = parse(export(rules), Context(Problems("x.yaml"), Variables()))
    assert back.problems == ()
    assert [bare(rule) for rule in back.rules] == [bare(rule) for rule in rules]


def bare(rule):
    return msgspec.structs.replace(rule, file="", line=0, text="")
