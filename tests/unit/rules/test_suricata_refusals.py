"""Nothing is weakened: what cannot be said is refused, with the keyword and the reason."""

import pytest
from suricatakit import refused, unit

from sensor.rules.suricata.keywords import KEYWORDS
from sensor.rules.suricata.refusal import reason


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("lua:x.lua;", "rules cannot run code"),
        ("iprep:src,x,>,9;", "no category"),
        ("filemd5:x;", "x: no such file"),
        ("filesha1:!;", "the name of a list is missing"),
        ("asn1:relative_offset 5;", "asks for nothing"),
        ("sdp.origin;", "sdp is not parsed"),
        ("app-layer-event:http.x;", "not told apart"),
        ('contant:"x";', "unknown"),
    ],
)
def test_reasons(option, why):
    (message,) = refused(option)
    assert message.startswith(f"keyword '{option.split(':')[0].rstrip(';')}' ")
    assert why in message


def test_unknown_keywords_get_a_hint():
    (problem,) = unit('alert tcp any any -> any any (contant:"x"; sid:1;)').problems
    assert problem.hint == "did you mean 'content'?"


def test_every_problem_of_a_rule_is_reported_once():
    assert len(refused('lua:x; geoip:src,DE; sdp.origin; content:"x"; nocase; bogus;')) == 4


def test_no_keyword_is_both_read_and_refused():
    assert [name for name in KEYWORDS if reason(name)] == []


def test_what_an_inline_engine_does_is_no_condition():
    plain = unit('alert tcp any any -> any any (content:"abc"; sid:1;)').rules[0].body
    made = unit('alert tcp any any -> any any (content:"abc"; replace:"xyz"; bypass; tls_store; sid:1;)').rules[0].body
    assert made == plain
