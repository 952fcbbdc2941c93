import pytest
from rulekit import unit

from sensor.rules.lint import LINTS, lint

QUIET = """\
- id: 1
  title: A title
  severity: low
  protocol: http
  flow: to_server
  match:
    - http.uri: /abcdef
  examples:
    - {match: true, payload: x}
"""


def codes(text):
    return [finding.code for finding in lint(unit(text).rules)]


def test_a_good_rule_is_not_remarked():
    assert codes(QUIET) == []


CASES = [
    ("title: A title", "title: '  '", "no-title"),
    ("match: true, payload", "match: false, payload", "no-example"),
    ("severity: low", "revision: 1", "no-severity"),
    ("severity: low", "{classification: mine, category: c, severity: low}", "unknown-class"),
    ("severity: low", "severity: low\n  metadata: {status: deprecated}", "deprecated"),
    ("flow: to_server", "flow: to_server\n  source: '!any'", "unmatchable"),
    ("/abcdef", "abc", "weak-literal"),
    ("/abcdef", "aaaaaa", "weak-literal"),
    ("/abcdef", "{content: /abcdef, not: true}", "no-literal"),
    ("/abcdef", "{regex: /abcdef/}", "regex-without-literal"),
    ("- http.uri: /abcdef", "- absent: http.uri", "only-negated"),
    ("flow: to_server\n  match:\n    - http.uri", "match:\n    - http.header", "no-direction"),
    ("protocol: http", "protocol: icmp\n  source-port: 5", "ports-without-transport"),
    ("/abcdef", '"abcdé"', "encoded-text"),
    ("/abcdef", '"abcd\\xe9"', "encoded-text"),
    ("- http.uri: /abcdef", "- stream: /abcdef\n    - ttl: 5", "packet-field"),
    ("severity: low", "severity: low\n  no-alert: true", "silent-and-idle"),
    ("- http.uri: /abcdef", "- http.uri: /abcdef\n    - flowbits: {isset: a}", "unset-bit"),
]


@pytest.mark.parametrize(("old", "new", "code"), CASES)
def test_each_lint_finds_its_mistake(old, new, code):
    assert old in QUIET
    text = QUIET.replace(old, new)
    if new.startswith("{classification"):
        text = QUIET.replace(old, "classification: mine\n  category: c\n  severity: low")
    assert code in codes(text)


def test_every_lint_is_tried():
    assert {lint.code for lint in LINTS} | {"unset-bit"} == {code for _, _, code in CASES}


def test_duplicates_are_found_once_and_can_be_skipped():
    rules = unit(QUIET + QUIET).rules
    (finding,) = lint(rules)
    assert str(finding) == (
        "a.yaml:10: 1:1: rule 1:1 revision 1 is left out: its id is taken (by revision 1 at a.yaml:1) [duplicate-id]"
    )
    assert lint(rules, skip=frozenset({"duplicate-id"})) == ()
