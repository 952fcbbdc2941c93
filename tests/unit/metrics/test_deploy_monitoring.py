"""What is shipped for Prometheus and Grafana asks for metrics that there are, and alerting rules do what they say."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sensor.metrics.names import BY_NAME, COUNTER

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = json.loads((DEPLOY / "grafana/xensor.json").read_text())
RULES = [
    rule for group in yaml.safe_load((PROMETHEUS / "xensor.rules.yml").read_text())["groups"] for rule in group["rules"]
]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
FOREIGN = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Made by Prometheus itself and by its client library."""
WITH_JOB = {"instance", "job"}
SELECTOR = re.compile(r"\b([a-z_]+)\s*(?:\{([^}]*)\})")
METRIC = re.compile(r"\bxensor_[a-z_]+|\bprocess_[a-z_]+|\bup\b")


def problems(expression):
    """Return names and labels of a query that no sensor exports, and counters that are read as if they were gauges."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    found = [name for name in METRIC.findall(bare) if name not in BY_NAME and name not in FOREIGN]
    for name, matchers in SELECTOR.findall(bare):
        known = set(BY_NAME[name].labels) | WITH_JOB if name in BY_NAME else WITH_JOB
        labels = re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", matchers)
        found += [f"{name}{{{label}}}" for label in labels if label not in known]
    labels = {label for name in METRIC.findall(bare) if name in BY_NAME for label in BY_NAME[name].labels}
    for grouping in re.findall(r"\bby \(([^)]*)\)", bare):
        found += [f"by ({label})" for label in map(str.strip, grouping.split(",")) if label not in labels | WITH_JOB]
    for name in METRIC.findall(bare):
        kind = BY_NAME[name].kind if name in BY_NAME else ""
        ranged = re.search(rf"(?:rate|increase)\({name}\s*(?:\{{[^}}]*\}})?\[", bare) is not None
        if (kind == COUNTER) != ranged and name in BY_NAME and "changes(" not in bare:
            found.append(f"{name}: a {kind}, {'in' if ranged else 'not in'} a rate")
    return found


def test_the_check_finds_what_is_wrong():
    assert problems("sum(xensor_nonsense)") == ["xensor_nonsense"]
    assert problems('xensor_rules_loaded{interface="a"}') == ["xensor_rules_loaded{interface}"]
    assert problems("sum by (way) (xensor_rules_loaded)") == ["by (way)"]
    assert problems("xensor_flows_total") == ["xensor_flows_total: a counter, not in a rate"]
    assert problems("rate(xensor_rules_loaded[5m])") == ["xensor_rules_loaded: a gauge, in a rate"]
    assert problems('rate(xensor_capture_packets_total{interface="a"}[5m])') == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerting_rules_ask_for_what_there_is(rule):
    assert problems(rule["expr"]) == []
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_of_the_dashboard_ask_for_what_there_is(query):
    assert problems(query) == []


def test_the_dashboard_is_whole():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(DASHBOARD)))
    assert used == variables


def test_every_alerting_rule_has_a_test_in_which_it_fires():
    tests = yaml.safe_load((PROMETHEUS / "xensor.test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test.get("alert_rule_test", ()) if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES}
    # In the first test all is well: it must have each metric that a rule asks for.
    well = {re.match(r"[a-z_]+", series["series"])[0] for series in tests[0]["input_series"]}
    assert {name for rule in RULES for name in METRIC.findall(re.sub(r'"[^"]*"', "", rule["expr"]))} == well


def promtool(*words):
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool: install prometheus")
    done = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alerting_rules_fire_as_their_tests_say():
    assert "SUCCESS" in promtool("test", "rules", "xensor.test.yml")


def test_prometheus_takes_the_configuration():
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_prometheus_takes_the_queries_of_the_dashboard(tmp_path):
    queries = [re.sub(r"\$__rate_interval", "5m", query) for query in QUERIES]
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(QUERIES)} rules found" in promtool("check", "rules", str(path))
