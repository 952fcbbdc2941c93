from suricatakit import unit

from sensor.rules.suricata.split import head_and_options, statements

GOOD = 'alert tcp any any -> any 80 (msg:"a"; content:"x"; sid:1;)'


def parts(text):
    (statement,) = statements(text)
    return head_and_options(statement)


def test_header_words_and_options():
    words, options = parts(GOOD)
    assert [word.text for word in words] == ["alert", "tcp", "any", "any", "->", "any", "80"]
    assert [(o.name, o.value) for o in options] == [("msg", '"a"'), ("content", '"x"'), ("sid", "1")]


def test_lists_with_blanks_are_one_word():
    words, _ = parts("alert ip [10.0.0.1, !10.0.0.2 ,[1.1.1.1,  2.2.2.2]] any -> ![3.3.3.3, 4.4.4.4] any (sid:1;)")
    assert words[2].text == "[10.0.0.1, !10.0.0.2 ,[1.1.1.1,  2.2.2.2]]"
    assert words[5].text == "![3.3.3.3, 4.4.4.4]"


def test_escaped_semicolons_belong_to_the_value():
    _, options = parts(r'alert tcp any any -> any any (pcre:"/a\;b\\/"; content:"\;"; sid:1;)')
    assert [o.value for o in options] == [r'"/a\;b\\/"', r'"\;"', "1"]


def test_blank_lines_and_comments_are_nothing():
    assert not list(statements(f"\n  \n# {GOOD}\n  #{GOOD}\n"))


def test_continued_lines_are_one_rule_with_places():
    lines = ['  alert tcp any any -> any any (msg:"a"; \\', "    nonsense:1; \\", "  sid:1;)"]
    text = "\n".join([*lines, GOOD.replace("sid:1", "sid:2")])
    found = unit(text)
    assert [(rule.sid, rule.line) for rule in found.rules] == [(2, 4)]
    assert [(p.line, p.column) for p in found.problems] == [(2, 5)]


def test_places_of_problems():
    found = unit(f'\n\n{GOOD}\nalert tcp any any -> any any (msg:"a"; bogus; content:"x"; froboz:3; sid:2;)')
    assert [(p.line, p.column) for p in found.problems] == [(4, 40), (4, 60)]
    assert [rule.sid for rule in found.rules] == [1]


def test_what_is_no_rule():
    texts = ["garbage", "alert tcp any any -> any (sid:1;)", "alert tcp any any -> any any (sid:1)", "alert ()"]
    for text in texts:
        found = unit(text)
        assert not found.rules
        assert len(found.problems) == 1
    assert "an option is not closed" in unit(texts[2]).problems[0].message


def test_good_rules_survive_bad_neighbours():
    found = unit(f"junk\n{GOOD}\nalert bogus any any -> any any (sid:7;)")
    assert [rule.sid for rule in found.rules] == [1]
    assert len(found.problems) == 2
    assert found.rules[0].text == GOOD
    assert found.rules[0].file == "a.rules"
