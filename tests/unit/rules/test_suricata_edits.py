"""disable.conf, enable.conf, drop.conf and modify.conf, as suricata-update has them."""

import pytest

from sensor.rules.load import load_rules
from sensor.rules.nodes import All, Rule, labels_of
from sensor.rules.suricata.edits import NO_EDITS, File, read

ONE = 'alert http any any -> any any (msg:"Evil (sid:7)"; content:"a"; metadata:deployment Perimeter, x y; sid:1;)'
TWO = 'alert tcp any any -> any any (msg:"b"; content:"a\\;sid:1\\;"; gid:3; sid:2; rev:4;)'
SILENT = 'alert tcp any any -> any any (msg:"c"; flowbits:set,x; flowbits:noalert; sid:3;)'
TEXT = f"# about\n{ONE}\n#{TWO}\n{SILENT}\n"
PATH = "/etc/rules/emerging-web.rules"


def edits(off="", on="", drop="", modify=""):
    files = [File(name, text) for name, text in (("d", off), ("e", on), ("p", drop), ("m", modify))]
    found, problems = read(*files)
    assert problems == []
    return found


def lines(path=PATH, **files):
    return edits(**files).apply(TEXT, path).split("\n")


@pytest.mark.parametrize(
    "entry",
    [
        "1", "1:1", "9, 1:1", "re:evil", "re:^alert http", "group:emerging-web", "group:emerging-web.rules",
        "group:*-web*", "filename:*/emerging-*", "filename:emerging-web.rules", "metadata: deployment perimeter",
        "proto:http", "*", "1 # why",
    ],
)  # fmt: skip
def test_what_entries_are_about(entry):
    assert lines(off=f"# a comment\n\n{entry}\n")[1] == f"# {ONE}"


@pytest.mark.parametrize(
    "entry",
    ["7", "3:1", "re:evil$", "group:web", "filename:emerging", "metadata: deployment", "metadata:x z", "proto:tcp"],
)
def test_what_entries_are_not_about(entry):
    if entry == "metadata: deployment":
        assert read(File("d", entry), *[File("", "")] * 3)[1][0].line == 1
    else:
        assert lines(off=entry)[1] == ONE


def test_the_ids_are_those_of_the_options_and_not_of_texts():
    assert lines(on="1:1")[2] == f"#{TWO}"
    assert lines(on="3:2")[2] == TWO


def test_what_is_switched_on_wins_over_what_is_switched_off():
    assert lines(off="*", on="1")[1:4] == [ONE, f"#{TWO}", f"# {SILENT}"]


def test_dropped_rules_say_so_and_silent_ones_stay_as_they_are():
    assert lines(drop="*")[1:4] == [f"drop{ONE[5:]}", f"# drop{TWO[5:]}", SILENT]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (r'1 "content:\"a\"" "content:\"b\""', ONE.replace('content:"a"', 'content:"b"')),
        (r're:evil "(alert)(.*)" "drop\\2"', f"drop{ONE[5:]}"),
        ('modifysid 1 "^alert(.*)any \\(" | "drop${1}80 ("', ONE.replace("alert", "drop").replace("any (", "80 (")),
        ('metadata-add 1 "owner" "me"', f"{ONE[:-1]} metadata:owner me;)"),
        ('1 "nothing" "x"', ONE),
    ],
)  # fmt: skip
def test_changes(entry, expected):
    assert lines(modify=entry)[1] == expected


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("off", "frob:1"), ("off", "1:2:3"), ("off", "re:("), ("off", "group:"), ("modify", '1 "a"'),
        ("modify", '1 "(" "x"'), ("modify", r'1 "a" "\\3"'), ("modify", '1 "a'), ("modify", 'metadata-add 1 "a" "b;c"'),
    ],
)  # fmt: skip
def test_entries_that_cannot_be_used_are_told(kind, entry):
    given = {"off": "", "on": "", "drop": "", "modify": ""} | {kind: f"\n{entry}"}
    found, problems = read(*(File(name, text) for name, text in given.items()))
    assert [(problem.file, problem.line) for problem in problems] == [(kind, 2)]
    assert not found


def test_lines_stay_where_they_are():
    text = 'alert tcp any any -> any any \\\n  (content:"a"; \\\n  sid:5;)\nnonsense\n'
    made = edits(off="5").apply(text, PATH)
    assert made == '# alert tcp any any -> any any (content:"a"; sid:5;)\n\n\nnonsense\n'
    assert edits(off="6").apply(text, PATH) == text


def test_nothing_to_do_costs_nothing():
    assert not NO_EDITS
    assert NO_EDITS.fingerprint() == b""
    assert edits(off="1").fingerprint() != edits(on="1").fingerprint() != b""


def test_rules_of_yaml_are_switched_off_and_dropped():
    rules = [
        Rule(sid=sid, msg="", proto="tcp", body=All(()), file="a.yaml", labels=labels_of((), (("k", ("v",)),)))
        for sid in (1, 2, 3)
    ]
    assert [rule.sid for rule in edits(off="1, 2", on="2").chosen(rules)] == [2, 3]
    assert [rule.action for rule in edits(drop="3").chosen(rules)] == ["alert", "alert", "drop"]
    assert not list(edits(off="metadata:k v").chosen(rules))


def test_loading_keeps_edits_apart_in_the_cache(tmp_path):
    (tmp_path / "a.rules").write_text(TEXT)
    (tmp_path / "b.yaml").write_text("- {id: 9, title: y, protocol: tcp, match: {content: abcd}}\n")

    def ids(**files):
        found = load_rules([tmp_path], cache_dir=tmp_path / "cache", edits=edits(**files))
        assert found.errors == ()
        return [rule.sid for rule in found.rules]

    assert ids() == [1, 3, 9]
    assert ids(off="1\n9", on="3:2") == ids(off="1\n9", on="3:2") == [2, 3]
    assert ids() == [1, 3, 9]
