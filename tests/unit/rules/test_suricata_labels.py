import pytest
from suricatakit import refused, rule, unit

from sensor.rules.variables import Variables


def test_what_a_rule_says_about_itself():
    made = rule(
        r'msg:"a \"b\"\; c\: d\\"; rev:7; gid:3; classtype:Trojan-Activity; reference:cve,2014-6271;'
        " reference:url,example.org/a?b=c,d; metadata:key one, key two, mitre_technique_id T1190, bare;"
        " metadata:other x y; target:dest_ip;"
    )
    assert made.msg == 'a "b"; c: d\\'
    assert (made.sid, made.rev, made.gid) == (1, 7, 3)
    assert (made.classtype, made.category, made.severity) == ("trojan-activity", "A Network Trojan was detected", 1)
    assert made.references == ("cve:2014-6271", "url:example.org/a?b=c,d")
    assert made.metadata == (("key", ("one", "two")), ("mitre_technique_id", ("T1190",)), ("other", ("x y",)))
    assert made.attack == ("T1190",)
    assert made.target == "dest_ip"


@pytest.mark.parametrize(
    ("options", "severity"),
    [("", 3), ("priority:2;", 2), ("classtype:trojan-activity; priority:2;", 2),
     ("priority:2; classtype:trojan-activity;", 2), ("classtype:never-heard-of;", 3)],
)  # fmt: skip
def test_severity(options, severity):
    assert rule(options).severity == severity


@pytest.mark.parametrize(
    ("value", "loaded"),
    [
        ("version >= 7", True),
        ("version >= 7.0.3 < 8", True),
        ("version >= 8", False),
        ("version < 7 | >= 8 | >= 7.0.10", True),
        ("version < 7.0.10", False),
        ("version <= 7.0.10, feature ja4", True),
        ("feature output::lua", False),
    ],
)
def test_requires(value, loaded):
    found = unit(f"alert tcp any any -> any any (requires: {value}; sid:1;)")
    assert found.problems == ()
    assert len(found.rules) == loaded


def test_a_rule_for_another_version_may_hold_anything():
    found = unit("alert tcp any any -> any any (quantum.entangled; requires: version >= 8; sid:1;)")
    assert (found.rules, found.problems) == ((), ())


@pytest.mark.parametrize("keyword", ["tag:session,5,packets;", "prefilter;", "rawbytes;"])
def test_what_changes_nothing_is_passed_over(keyword):
    assert rule(f'content:"x"; {keyword}').body == rule('content:"x";').body


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("sid:7;", "given twice"),
        ("rev:0;", "out of range"),
        ("priority:-1;", "out of range"),
        ("reference:nothing;", "kind,text"),
        ("target:nobody;", "unknown end"),
        ("requires: version seven;", "no version"),
        ("noalert:1;", "no value"),
    ],
)
def test_refused(options, why):
    assert why in refused(options)[0]


def test_a_rule_needs_a_sid():
    assert "no sid" in unit('alert tcp any any -> any any (msg:"a";)').problems[0].message


def test_a_pass_rule_may_alert_too():
    assert rule("alert;", "pass tcp any any -> any any").loud


@pytest.mark.parametrize(("without", "found"), [((), 1), (("ja3",), 1), (("ja4",), 0)])
def test_a_feature_that_is_switched_off_is_not_there(without, found):
    text = "alert tls any any -> any any (requires: feature ja4; sid:1;)"
    assert len(unit(text, Variables(without=without)).rules) == found


def test_features_count_for_the_compile_cache():
    assert Variables(without=["ja4"]).fingerprint() != Variables().fingerprint()
