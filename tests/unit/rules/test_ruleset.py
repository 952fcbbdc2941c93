import msgspec
from rulekit import unit
from suricatakit import rule

from sensor.rules.ruleset import build


def rules(text):
    return unit(text).rules


def test_the_highest_revision_stays():
    found = rules(
        "- {id: 1, revision: 2}\n- {id: 2}\n- {id: 1, revision: 3}\n- {id: 1, revision: 1}\n- {id: 1, generator: 7}\n"
    )
    ruleset, problems = build(found)
    assert [(r.gid, r.sid, r.rev) for r in ruleset.rules] == [(1, 1, 3), (7, 1, 1), (1, 2, 1)]
    assert [(p.line, p.hint) for p in problems] == [(1, "by revision 3 at a.yaml:3"), (4, "by revision 3 at a.yaml:3")]


def test_the_first_of_equal_ones_stays():
    ruleset, problems = build(rules("- {id: 1, title: a}\n- {id: 1, title: b}\n"))
    assert [r.msg for r in ruleset.rules] == ["a"]
    assert (
        str(problems[0]) == "a.yaml:2:1: rule 1:1 revision 1 is left out: its id is taken (by revision 1 at a.yaml:1)"
    )


def test_rules_that_set_come_before_rules_that_ask():
    found = rules("""\
        - {id: 1, match: [{flowbits: {isset: a}}]}
        - {id: 2, match: [{flowbits: {isset: a}}, {flowbits: {set: b}}]}
        - {id: 3}
        - {id: 4, match: [{flowbits: {set: a}}]}
        - {id: 5, action: pass}
        """)
    assert [r.sid for r in build(found)[0].rules] == [5, 4, 3, 2, 1]  # 3 and 4 are decided by addresses alone


def order_of(*options):
    """Return the numbers of rules of Suricata in the order in which they are judged, the first being 1."""
    made = [msgspec.structs.replace(rule(each), sid=n) for n, each in enumerate(options, 1)]
    return [each.sid for each in build(reversed(made))[0].rules]


def test_of_equal_rules_severity_and_then_the_number_decide():
    assert order_of('content:"a";', 'content:"a";', 'content:"a"; priority:1;') == [3, 1, 2]
    assert order_of("flowbits:isset,a; priority:1;", "flowbits:set,a; priority:2;") == [2, 1]


def test_of_xbits_what_asks_comes_first_of_hostbits_what_sets():
    a = 'content:"a";'
    assert order_of(f"{a} xbits:set,a,track ip_src;", a, f"{a} xbits:isset,a,track ip_src;") == [3, 1, 2]
    assert order_of(f"{a} xbits:set,a,track ip_pair;", f"{a} xbits:isset,a,track ip_pair;") == [2, 1]
    assert order_of(f"{a} hostbits:isset,a;", a, f"{a} hostbits:set,a;")[0] == 3


def test_what_addresses_alone_decide_comes_first():
    assert order_of('content:"a"; flowbits:set,a;', "xbits:isset,a,track ip_src;") == [2, 1]


def test_look_up():
    ruleset, _ = build(rules("- {id: 1, source: '!any'}\n- {id: 2}\n"), unit("suppress: [{id: 1}]").suppressions)
    assert ruleset.get(2).sid == 2
    assert ruleset.get(2, gid=3) is None
    assert [r.sid for r in ruleset.unmatchable()] == [1]
    assert (len(ruleset), len(ruleset.suppressions)) == (2, 1)
