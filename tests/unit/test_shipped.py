"""What comes with Xensor: rules prove themselves, captures are what scripts make and alert as notes say."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from effort import effort
from enginekit import ready

from sensor.capture.files import open_source
from sensor.config.settings import Settings
from sensor.engine.offline import examples
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.model.scene import Match
from sensor.rules.lint import lint
from sensor.rules.load import load_rules
from sensor.rules.ruleset import build

ROOT = Path(__file__).resolve().parents[2]
RULES, PCAPS = ROOT / "rules", ROOT / "pcaps"
CAPTURES = sorted(path.stem for path in PCAPS.glob("*.pcap"))
DERIVED = {"tls", "dhcp"}
"""Protocols whose fields are computed: no literal of them is on the wire, which lint remarks."""


@pytest.fixture(scope="module")
def loaded():
    return load_rules([RULES])


@pytest.fixture(scope="module")
def rules(loaded):
    return build(loaded.rules, loaded.suppressions)[0]


def replay(rules, path, *, triage=True):
    counts = Counter()

    def note(record):
        if isinstance(record, Match):
            counts[record.rule.sid] += 1

    pipeline = Pipeline(ready(rules), EngineOptions(Settings(), triage=triage), note)
    source = open_source([str(path)])
    for block in source.blocks():
        pipeline.process(block)
    pipeline.finish()
    source.close()
    assert not source.errors
    return counts


def expected(name):
    block = re.search(r"^```alerts\n(.*?)^```$", (PCAPS / f"{name}.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block, f"{name}.md has no block of alerts"
    return Counter({int(sid): int(n) for sid, n in re.findall(r"^(\d+): (\d+)  \S", block[1], re.MULTILINE)})


def id_ranges():
    """Folder → ids, as rules/README.md says."""
    rows = re.findall(r"^\| `(\w+)/` \| (\d+) to (\d+) \|", (RULES / "README.md").read_text(), re.MULTILINE)
    return {folder: range(int(low), int(high) + 1) for folder, low, high in rows}


# ---- Rules


def test_all_rules_load(loaded, rules):
    assert not loaded.errors
    assert not loaded.unmatchable()
    assert len(rules) == len(loaded.rules) >= 45


def test_ids_lie_in_the_range_of_their_theme(rules):
    ranges = id_ranges()
    assert {path.name for path in RULES.iterdir() if path.is_dir()} == set(ranges)
    wrong = [r.sid for r in rules.rules if r.sid not in ranges[Path(r.file).parent.name]]
    assert not wrong


def test_every_rule_says_what_it_means(rules):
    for rule in rules.rules:
        if not rule.noalert:
            assert rule.msg, rule.sid
            assert rule.classtype, rule.sid
            assert rule.category, rule.sid
            assert rule.attack or rule.severity == 4, f"{rule.sid} names no technique"


def test_titles_differ(rules):
    twice = [title for title, n in Counter(r.msg for r in rules.rules).items() if n > 1]
    assert not twice


def test_every_rule_has_examples_of_both_kinds(rules):
    for rule in rules.rules:
        if not rule.noalert:
            assert {example.match for example in rule.examples} == {True, False}, rule.sid


def test_lint_finds_only_what_cannot_be_otherwise(rules):
    protocol = {rule.sid: rule.proto for rule in rules.rules}
    found = [str(f) for f in lint(rules.rules) if not (f.code == "no-literal" and protocol[f.sid] in DERIVED)]
    assert not found


def test_every_example_comes_out_as_it_says(rules):
    chosen = rules.rules[:: effort(1, 4)]
    outcomes = list(examples.run(rules, PCAPS, Settings(), chosen))
    assert len(outcomes) >= 2 * (45 if chosen == rules.rules else 15)
    assert not [f"{o.rule.sid} example {o.check.number}: {o.reason}" for o in outcomes if not o.good]


# ---- Captures


def test_captures_are_what_their_scripts_make():
    names = effort(CAPTURES, ["migration", "overlay", "tunnel"])
    command = [sys.executable, "-W", "error", "-m", "pcaps", "--check", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert sorted(re.findall(r"^same +(\w+)", done.stdout, re.MULTILINE)) == names


def test_captures_are_small():
    assert len(CAPTURES) >= 10
    assert sum(path.stat().st_size for path in PCAPS.glob("*.pcap")) < 1_500_000
    assert (PCAPS / "demo.pcap").stat().st_size < 300_000


def test_every_note_has_its_capture():
    assert sorted(path.stem for path in PCAPS.glob("*.md") if path.stem != "README") == CAPTURES


def test_demo_tells_a_story():
    alerts = expected("demo")
    assert 10 <= alerts.total() <= 15
    assert len(alerts) >= 8
    assert not expected("benign")


@pytest.mark.parametrize("name", CAPTURES)
def test_capture_alerts_as_its_note_says(rules, name):
    assert replay(rules, PCAPS / f"{name}.pcap") == expected(name)


@pytest.mark.parametrize("name", CAPTURES)
def test_triage_changes_nothing(rules, name):
    assert replay(rules, PCAPS / f"{name}.pcap", triage=False) == expected(name)


def test_every_capture_that_a_rule_names_is_there(rules):
    named = {example.pcap for rule in rules.rules for example in rule.examples if example.pcap}
    assert named <= {f"{name}.pcap" for name in CAPTURES}


# ---- Real traffic


@pytest.mark.corpus
def test_real_traffic_is_not_flooded(rules):
    """333 captures of private networks, 172,837 packets: measured 100 alerts, at most 10 of one rule."""
    path = ROOT / "../shared/captures/bench.pcap.zst"
    if not path.is_file():
        pytest.skip("needs ../shared/captures/bench.pcap.zst")
    counts = replay(rules, path)
    assert 50 <= counts.total() <= 200
    assert max(counts.values()) <= 20
