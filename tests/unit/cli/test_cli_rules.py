"""`xensor rules`: check, list, show, schema, test."""

import json

import msgspec
from clikit import http, pcap

from sensor.rules.load import load_rules

GOOD = """
- id: 9
  title: Found
  severity: low
  protocol: tcp
  match: [{content: abcd}]
  examples:
    - {match: true, payload: xxabcdxx}
    - {match: false, payload: nothing}
"""
BAD = "- {id: 7, titel: x}\n"
UNCOMPILABLE = "- {id: 7, title: x, severity: low, protocol: tcp, match: [{content: abcd}, {regex: '/(/'}]}\n"


def write(box, text, name="some.yaml"):
    (box.folder / name).write_text(text)
    return box.folder / name


def test_check_good(box):
    ran = box.xensor("rules", "check", write(box, GOOD))
    assert ran.status == 0
    assert ran.err == "1 file, 1 rule, 0 errors, 0 warnings\n"


def test_check_names_the_place(box):
    ran = box.xensor("rules", "check", write(box, GOOD + BAD))
    assert ran.status == 4
    assert "some.yaml:10:" in ran.out
    assert "xensor: the rules are not good" in ran.err


def test_check_compiles(box):
    ran = box.xensor("rules", "check", write(box, UNCOMPILABLE))
    assert ran.status == 4
    assert "some.yaml:1:" in ran.out


def test_warnings_are_errors_only_when_strict(box):
    bare = write(box, "- {id: 7, title: x, severity: low, protocol: tcp, match: [{content: abcd}]}\n")
    assert box.xensor("rules", "check", bare).status == 0
    ran = box.xensor("rules", "check", bare, "--strict")
    assert ran.status == 4
    assert "no-example" in ran.out


def test_check_tells_what_never_matches(box):
    never = write(box, GOOD.replace("match: [", "source: '!any'\n  match: [", 1))
    assert "1 rule can never match" in box.xensor("rules", "check", never).err


def test_folder_without_rules(box):
    (box.folder / "nothing").mkdir()
    ran = box.xensor("rules", "check", box.folder / "nothing")
    assert ran.status == 4
    assert "no rule files" in ran.err


def test_list(box):
    assert box.xensor("rules", "list", box.rules).out.splitlines() == [
        "         1  1  tcp         Word found",
        "         2  3  http        Page asked for",
    ]


def test_list_of_bad_rules_only(box):
    ran = box.xensor("rules", "list", write(box, BAD))
    assert ran.status == 4
    assert ran.out == ""
    assert "some.yaml:1:" in ran.err


def test_show(box):
    ran = box.xensor("rules", "show", "--id", "2", box.rules)
    assert ran.status == 0
    assert ran.out.startswith("1:2 revision 1: Page asked for\n")


def test_show_unknown(box):
    ran = box.xensor("rules", "show", "--id", "77", box.rules)
    assert ran.status == 2
    assert "no rule has id 77" in ran.err


def test_schema_is_json(box):
    assert json.loads(box.xensor("rules", "schema").out)["$schema"]


def test_examples(box):
    good = write(box, GOOD)
    ran = box.xensor("rules", "test", good, "-v")
    assert ran.status == 0
    assert ran.err == "2 examples of 1 rule, 0 failed\n"
    assert ran.out.count("ok ") == 2


def test_example_that_fails_says_how(box):
    ran = box.xensor("rules", "test", write(box, GOOD.replace("xxabcdxx", "xxx")))
    assert ran.status == 7
    assert "FAILED  9 example 1 (payload): expected at least 1 alerts, got 0  [Found]" in ran.out


def test_examples_of_captures(box):
    pcap(box.folder / "found.pcap", http(body=b"abcd"))
    rules = write(box, GOOD.replace("payload: xxabcdxx", "pcap: found.pcap, count: 1").replace("nothing", "abc"))
    ran = box.xensor("rules", "test", rules, "--pcaps", box.folder)
    assert ran.status == 0, ran.out
    ran = box.xensor("rules", "test", rules, "--pcaps", box.folder / "elsewhere")
    assert ran.status == 7
    assert "No such file" in ran.out


def test_rules_that_cannot_be_tested_are_no_success(box):
    ran = box.xensor("rules", "test", write(box, GOOD + BAD))
    assert ran.status == 4
    assert "2 examples of 1 rule, 0 failed" in ran.err


def test_limits_and_classes_beside_the_rules(box):
    rules = write(box, 'alert tcp any any -> any any (msg:"m"; content:"abcd"; classtype:odd; sid:9;)\n', "a.rules")
    limits = write(box, "threshold gen_id 1, sig_id 9, type limit, track by_src, count 1, seconds 60\n", "t.config")
    classes = write(box, "config classification: odd,Something odd,2\n", "c.config")
    beside = ("--set", f"threshold-file={limits}", "--set", f"classification-file={classes}")
    shown = box.xensor("rules", "show", rules, "--id", "9", *beside)
    assert shown.status == 0, shown.err
    assert "by_src" in shown.out
    assert "Something odd" in shown.out
    ran = box.xensor("rules", "check", rules, "--set", f"threshold-file={box.folder / 'missing'}")
    assert ran.status == 4
    assert "missing: cannot be read: No such file" in ran.out
    limits.write_text("frob gen_id 1, sig_id 9\n")
    assert "t.config:1:1: unknown entry 'frob'" in box.xensor("rules", "check", rules, *beside).out


def test_import_and_show_with_files_of_suricata_update(box):
    text = 'alert tcp any any -> any any (msg:"m{0}"; content:"abcd"; reference:bug,7; sid:{0};)\n'
    rules = write(box, text.format(1) + text.format(2) + "#" + text.format(3), "a.rules")
    off, on = write(box, "1\n", "disable.conf"), write(box, "3\n", "enable.conf")
    modify = write(box, '2 "abcd" "wxyz"\n', "modify.conf")
    files = ("--disable-conf", off, "--enable-conf", on, "--modify-conf", modify)
    ran = box.xensor("rules", "import", rules, "-o", box.folder / "out", *files)
    assert ran.status == 0, ran.err
    assert "2 rules, 1 switched off, 0 refusals" in ran.out
    listed = box.xensor("rules", "list", box.folder / "out")
    assert [line.split()[-1] for line in listed.out.splitlines()] == ["m2", "m3"]
    kinds = write(box, "config reference: bug https://bugs.example/\n", "reference.config")
    sets = ("--set", f"modify-conf={modify}", "--set", f"reference-config-file={kinds}")
    shown = box.xensor("rules", "show", rules, "--id", "2", *sets)
    assert shown.status == 0, shown.err
    assert "source    https://bugs.example/7" in shown.out
    assert "wxyz" in shown.out
    off.write_text("frob:1\n")
    assert "disable.conf:1:1: 'frob:1' names no rules" in box.xensor(
        "rules", "check", rules, "--set", f"disable-conf={off}"
    ).out


def test_reputations_and_countries_of_the_configuration(box):
    text = 'alert ip any any -> any any (msg:"m"; iprep:src,Bad,>,30; sid:1;)\n'
    rules = write(box, f"{text}alert ip any any -> any any (geoip:src,US; sid:2;)\n", "a.rules")
    write(box, "1,Bad,bad hosts\n", "categories.txt")
    write(box, "10.0.0.1,1,50\nnonsense\n", "scores.list")
    given = (
        f"reputation-categories-file={box.folder / 'categories.txt'}",
        f"default-reputation-path={box.folder}",
        "reputation-files=scores.list",
        f"geoip-database={box.folder / 'none.mmdb'}",
    )
    ran = box.xensor("rules", "check", rules, *(word for one in given for word in ("--set", one)))
    assert "scores.list:2:1: not a score" in ran.out
    assert "none.mmdb" in ran.out
    assert "a.rules:2:" in ran.out
    assert "1 rule, 3 errors" in ran.err
    capture = pcap(box.folder / "a.pcap", http() + http(client="10.0.0.9", port=40001))
    sets = [word for one in given for word in ("--set", one)]
    ran = box.xensor("replay", capture, "-S", rules, "--eve-stdout", *sets)
    assert [json.loads(line)["src_ip"] for line in ran.out.splitlines()] == ["10.0.0.1"]


def test_report_tells_what_is_refused_what_never_matches_and_what_is_used(box):
    rules = write(
        box,
        'alert http any any -> any any (http.uri; content:"a"; content:"b"; sid:1;)\n'
        'alert tcp any any -> any any (content:"a"; frob:x; sid:2;)\n'
        'alert tcp any any -> any any (content:"a"; lua:x.lua; sid:3;)\n'
        'alert tcp any any -> any any (content:"a"; flow:sideways; sid:4;)\n'
        'alert tcp any any -> any any (content:"a"; flow:up; sid:5;)\n'
        'alert tcp !any any -> any any (content:"a"; sid:6;)\n',
        "a.rules",
    )
    more = write(box, "- {id: 9, protocol: tcp, match: [{content: abcd, nocase: true}, {ip.ttl: 5}]}\n")
    ran = box.xensor("rules", "report", rules, more, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert found["loaded"] == 3
    assert [one["line"] for one in found["refused"]] == [2, 3, 4, 5]
    assert all(one["column"] > 1 for one in found["refused"])
    assert max(found["reasons"].values()) == 2
    assert found["reasons"]["keyword 'flow' - unknown word '…'"] == 2
    assert found["reasons"]["keyword 'lua' is not supported: rules cannot run code"] == 1
    assert found["unmatchable"] == {"the source !any is empty": ["1:6"]}
    assert found["keywords"] == {
        "content": 3, "sid": 2, "http.uri": 1, "ip.ttl": 1, "payload_or_stream": 1,
    }  # fmt: skip
    text = box.xensor("rules", "report", rules, more).out
    assert text.startswith("3 rules run, 4 refusals\n")
    assert "       3  content\n" in text
    assert "the source !any is empty: 1:6" in text


def test_import_writes_yaml_that_loads_as_the_same_rules(box):
    write(box, "d41d8cd98f00b204e9800998ecf8427e\n", "known.txt")
    source = write(
        box,
        "# A remark (not a rule)\n"
        'alert http $HOME_NET any -> any any (msg:"on"; http.uri; content:"/a|20|b"; nocase; sid:1; rev:2;)\n'
        '#alert tcp any any -> any any (msg:"off"; content:"x"; sid:2;)\n'
        'alert http any any -> any any (msg:"list"; filemd5:known.txt; sid:3;)\n'
        'alert tcp any any -> any any (msg:"never"; lua:x.lua; sid:4;)\n',
        "a.rules",
    )
    ran = box.xensor("rules", "import", source, "-o", box.folder / "made")
    assert ran.status == 0, ran.err
    assert ran.out == f"{box.folder}/made/a.yaml: 2 rules, 1 switched off, 1 refusal\n"
    assert "keyword 'lua'" in ran.err
    target = box.folder / "made" / "a.yaml"

    def rules(path):
        found = load_rules([path]).rules
        return [msgspec.structs.replace(rule, file="", line=0, text="") for rule in found]

    assert rules(target) == rules(source)
    assert len(rules(target)) == 2
    switched_on = target.read_text().split("# Switched off:\n")[1].replace("# ", "")
    assert [rule.msg for rule in rules(write(box, switched_on, "on.yaml"))] == ["off"]


def test_import_says_what_it_cannot_do(box):
    source = write(box, 'alert tcp any any -> any any (content:"x"; lua:x; sid:4;)\n', "a.rules")
    target = box.folder / "made"
    assert "no rule could be taken over" in box.xensor("rules", "import", source, "-o", target).err
    again = box.xensor("rules", "import", source, "-o", target)
    assert (again.status, "is there already" in again.err) == (2, True)
    assert "is there already" not in box.xensor("rules", "import", source, "-o", target, "--force").err
    assert "which files" in box.xensor("rules", "import", "-o", target).err


def test_import_says_which_file_cannot_be_read(box):
    target = box.folder / "made"
    ran = box.xensor("rules", "import", "/nowhere.rules", "-o", target)
    assert (ran.status, ran.err) == (4, "xensor: /nowhere.rules: No such file or directory\n")
    source = box.folder / "latin.rules"
    source.write_bytes(b"# caf\xe9\n")
    assert "latin.rules: the file is not UTF-8" in box.xensor("rules", "import", source, "-o", target).err
