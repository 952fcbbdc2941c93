"""`threshold.config` beside the rules."""

import pytest

from sensor.rules.nodes import All, Rule, Suppression, Threshold
from sensor.rules.suricata.threshold_file import apply
from sensor.rules.variables import Variables

LIMIT = Threshold("limit", "by_src", 1, 60)
LINE = "threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 60"
RATE = "rate_filter gen_id 1, sig_id 1, track by_rule, count 3, seconds 60, new_action drop, timeout 5"
VARIABLES = Variables()


def rules(*ids, **more):
    return [Rule(sid=sid, gid=gid, msg="", proto="ip", body=All(()), **more) for gid, sid in ids]


def limits(text, given):
    found = apply(text, "t.config", given, VARIABLES)
    assert found.problems == ()
    return {(rule.gid, rule.sid): rule.thresholds for rule in found.rules}


@pytest.mark.parametrize(
    "text", [LINE, LINE.replace("threshold", "event_filter"), LINE.replace(", type", ", \\\n type")]
)
def test_one_rule_gets_a_limit(text):
    assert limits(f"# comment\n\n{text}\n", rules((1, 1), (1, 2))) == {(1, 1): (LIMIT,), (1, 2): ()}


@pytest.mark.parametrize(("gid", "named"), [(1, {(1, 1), (1, 2)}), (3, {(3, 1)}), (0, {(1, 1), (1, 2), (3, 1)})])
def test_rules_of_a_generator_get_a_limit(gid, named):
    text = LINE.replace("gen_id 1, sig_id 1", f"gen_id {gid}, sig_id 0")
    found = limits(text, rules((1, 1), (1, 2), (3, 1)))
    assert {key for key, own in found.items() if own == (LIMIT,)} == named


@pytest.mark.parametrize("own", [Threshold("both", "by_dst", 5, 5), Threshold("detection_filter", "by_src", 1, 5)])
def test_a_line_that_names_a_rule_takes_the_place_of_its_limit(own):
    given = rules((1, 1), thresholds=(own,))
    assert limits(LINE, given) == {(1, 1): (LIMIT,)}
    assert limits(LINE.replace("sig_id 1", "sig_id 0"), given) == {(1, 1): (own,)}


def test_of_several_lines_the_last_that_names_a_rule_counts_and_else_the_first():
    second, all_rules = LINE.replace("by_src", "by_rule"), LINE.replace("sig_id 1", "sig_id 0")
    other = Threshold("limit", "by_rule", 1, 60)
    assert limits(f"{LINE}\n{second}", rules((1, 1)))[1, 1] == (other,)
    assert limits(f"{all_rules}\n{second}", rules((1, 1)))[1, 1] == (other,)
    assert limits(f"{second}\n{all_rules}", rules((1, 1)))[1, 1] == (other,)
    assert limits(f"{all_rules}\n{all_rules.replace('by_src', 'by_rule')}", rules((1, 1)))[1, 1] == (LIMIT,)


def test_a_rate_filter_is_for_rules_without_a_limit():
    own = Threshold("both", "by_dst", 5, 5)
    made = Threshold("rate_filter", "by_rule", 3, 60, "drop", 5)
    given = rules((1, 1), thresholds=(own,))
    found = apply(RATE, "t.config", given, VARIABLES)
    assert found.rules[0].thresholds == (own,)
    assert "t.config:1:1: rule 1:1 has a threshold, which holds" in str(found.problems[0])
    assert limits(RATE.replace("sig_id 1", "sig_id 0"), rules((1, 1), (1, 2))) == {(1, 1): (made,), (1, 2): (made,)}
    assert limits(f"{RATE}\n{LINE}", rules((1, 1))) == {(1, 1): (LIMIT,)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("suppress gen_id 1, sig_id 7", [Suppression(7, 1, "", VARIABLES.addresses("any"))]),
        ("suppress gen_id 0, sig_id 0", [Suppression(0, 1, "", VARIABLES.addresses("any"))]),
        (
            "suppress gen_id 3, sig_id 0, track by_src, ip 10.0.0.1",
            [Suppression(1, 3, "by_src", VARIABLES.addresses("10.0.0.1"))],
        ),
        (
            "suppress gen_id 1, sig_id 7, track by_dst, ip 10.0.0.1,10.0.0.2, 10.1.0.0/16",
            [Suppression(7, 1, "by_dst", VARIABLES.addresses("[10.0.0.1,10.0.0.2,10.1.0.0/16]"))],
        ),
        (
            "suppress gen_id 1, sig_id 7, track by_either, ip [10.0.0.0/8,!10.1.0.0/16,$HOME_NET]",
            [Suppression(7, 1, "by_either", VARIABLES.addresses("[10.0.0.0/8,!10.1.0.0/16,$HOME_NET]"))],
        ),
    ],
)
def test_suppressions(text, expected):
    found = apply(text, "t.config", rules((1, 1), (3, 1)), VARIABLES)
    assert (list(found.suppressions), found.problems) == (expected, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("frob gen_id 1, sig_id 1", "unknown entry 'frob'"),
        (LINE.replace("threshold", "rate_filter"), "'new_action' is missing"),
        (RATE.replace("drop", "sing"), "unknown action 'sing'"),
        (RATE.replace("by_rule", "by_moon"), "unknown track"),
        (RATE.replace(", timeout 5", ""), "'timeout' is missing"),
        (RATE.replace("sig_id 1", "sig_id 9"), "no rule 1:9"),
        (LINE.replace("sig_id 1", "sig_id 9"), "no rule 1:9"),
        (LINE.replace("by_src", "by_moon"), "unknown track"),
        (LINE.replace("type limit", "type backoff"), "unknown type"),
        (LINE.replace(", seconds 60", ""), "'seconds' is missing"),
        (LINE.replace("count 1", "count 0"), "0"),
        (LINE + ", color red", "unknown setting 'color'"),
        (LINE + ", count 2", "given twice"),
        ("suppress gen_id 1", "'sig_id' is missing"),
        ("suppress gen_id 1, sig_id 1, track by_src", "go together"),
        ("suppress gen_id 1, sig_id 1, track by_rule, ip 10.0.0.1", "go together"),
        ("suppress gen_id 1, sig_id 1, track by_src, ip $NONE", "not defined"),
    ],
)
def test_lines_that_cannot_be_used_are_named_and_change_nothing(text, why):
    given = rules((1, 1))
    found = apply(f"\n{text}\n", "t.config", given, VARIABLES)
    (problem,) = found.problems
    assert str(problem).startswith("t.config:2:1: ")
    assert why in str(problem)
    assert (found.rules, found.suppressions) == (tuple(given), ())
