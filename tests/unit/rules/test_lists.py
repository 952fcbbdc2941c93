"""Lists of values beside rule files, and the rules that name them."""

import base64
import os

import pytest

from sensor.rules import lists as lists_module
from sensor.rules.export import export
from sensor.rules.lists import ListError, Lists, digest_of
from sensor.rules.load import load_rules
from sensor.rules.nodes import BufferMatch, InList
from sensor.rules.outside import Outside

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
RULE = 'alert http any any -> any any (msg:"x"; filemd5:bad.txt; sid:1;)\n'


def put(folder, text, name="bad.txt"):
    (folder / name).write_text(text)
    return Lists(folder)


def test_hashes_are_read_as_md5sum_writes_them(tmp_path):
    lists = put(tmp_path, f"# known\n% too\n\n{MD5.upper()}  empty file.bin\n   indented\n{MD5}\n{'0' * 32}\r\n")
    assert lists.values("bad.txt", "md5") == (MD5.encode(), b"0" * 32)


def test_texts_are_base64(tmp_path):
    lists = put(tmp_path, base64.b64encode(b"a\nb").decode() + "\n")
    assert lists.values("bad.txt", "string") == (b"a\nb",)


def test_scores_choose_the_values(tmp_path):
    lists = put(tmp_path, f"{MD5},10\n{'0' * 32}, 65535\n")
    assert lists.values("bad.txt", "md5", (">", 10, 0)) == (b"0" * 32,)
    assert len(lists.values("bad.txt", "md5", ("<>", 9, 65536))) == 2


@pytest.mark.parametrize(
    ("text", "kind", "fault"),
    [
        ("#\n" + MD5[:-1], "md5", "bad.txt:2: "),
        (MD5 + "0", "md5", "is no md5: 32 hex digits"),
        ("d41d8cd98f 0b204e9800998ecf8427e", "md5", "is no md5"),
        (MD5, "sha256", "is no sha256: 64 hex digits"),
        ("a=", "string", "bad.txt:1: 'a=' is no base64"),
    ],
)
def test_lines_that_are_no_values_are_named(tmp_path, text, kind, fault):
    with pytest.raises(ListError, match=fault):
        put(tmp_path, text).values("bad.txt", kind)


@pytest.mark.parametrize("line", [MD5, f"{MD5},", f"{MD5},65536", f"{MD5},-1", f"{MD5},x"])
def test_scores_are_small_numbers(tmp_path, line):
    with pytest.raises(ListError, match=r"bad.txt:1"):
        put(tmp_path, line).values("bad.txt", "md5", (">", 0, 0))


def test_lists_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(lists_module, "MAX_ENTRIES", 1)
    with pytest.raises(ListError, match="more than 1 values"):
        put(tmp_path, f"{MD5}\n{'0' * 32}").values("bad.txt", "md5")
    monkeypatch.setattr(lists_module, "MAX_BYTES", 5)
    with pytest.raises(ListError, match="larger than"):
        put(tmp_path, MD5).values("bad.txt", "md5")
    assert digest_of(tmp_path / "bad.txt") == b""


@pytest.mark.parametrize("name", ["missing", ".", "a\0b", "pipe"])
def test_what_is_no_file_is_no_list(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ListError):
        Lists(tmp_path).values(name, "md5")
    assert digest_of(tmp_path / name) == b""


@pytest.mark.parametrize(("sign", "negated"), [("", False), ("!", True)])
def test_a_rule_holds_the_values_and_yaml_names_the_list(tmp_path, sign, negated):
    put(tmp_path, MD5)
    (tmp_path / "a.rules").write_text(RULE.replace("filemd5:", f"filemd5:{sign}"))
    (rule,) = load_rules([tmp_path / "a.rules"]).rules
    assert rule.body == BufferMatch(
        "file.md5", (InList("bad.txt", "md5", (MD5.encode(),), negated),), either=True
    )
    text = export([rule])
    assert MD5 not in text
    (tmp_path / "b.yaml").write_text(text)
    assert load_rules([tmp_path / "b.yaml"]).rules[0].body == rule.body


def test_a_list_with_a_fault_refuses_the_rule_in_either_form(tmp_path):
    put(tmp_path, "zz")
    (tmp_path / "a.rules").write_text(RULE)
    test = "{in_list: {file: bad.txt, type: md5}}"
    (tmp_path / "b.yaml").write_text(f"- {{id: 1, protocol: http, match: {{file.md5: {test}}}}}")
    found = load_rules([tmp_path / "a.rules", tmp_path / "b.yaml"])
    assert not found.rules
    assert [problem.file.rpartition("/")[2] for problem in found.errors] == ["a.rules", "b.yaml"]
    assert all("bad.txt:1: 'zz' is no md5" in problem.message for problem in found.errors)


def test_the_cache_notices_a_list_that_changed_or_appeared(tmp_path):
    (tmp_path / "a.rules").write_text(RULE)
    cache = tmp_path / "cache"

    def load():
        return load_rules([tmp_path / "a.rules"], cache_dir=cache)

    assert len(load().errors) == 1
    assert load().cache["cache_hits"] == 1
    put(tmp_path, MD5)
    found = load()
    assert (len(found.errors), len(found.rules), found.cache["cache_misses"]) == (0, 1, 1)
    assert load().cache["cache_hits"] == 1
    put(tmp_path, "0" * 32)
    (rule,) = load().rules
    assert rule.body.tests[0].values == (b"0" * 32,)


STRINGS = "YS5leGFtcGxl\nYg==\n"


@pytest.mark.parametrize(
    ("option", "test"),
    [
        ("dataset:isset,x,type string,load l.txt;", InList("l.txt", "string", (b"a.example", b"b"), name="x")),
        (
            "dataset: isnotset, x, load l.txt, type string, memcap 1mb, hashsize 9;",
            InList("l.txt", "string", (b"a.example", b"b"), True, name="x", memory=1 << 20),
        ),
        ("dataset:set,x,type string;", InList("", "string", name="x", action="set")),
        ("dataset:unset,x,type md5,state x.lst;", InList("", "md5", name="x", action="unset", state="x.lst")),
        ("dataset:isset,x,type ip,load a.txt,save s.lst;", InList(
            "a.txt", "ip", (bytes([10, 0, 0, 1]), bytes(15) + b"\1"), name="x", save="s.lst")),
        ("datarep:x,>,5,load r.txt,type string;", InList("r.txt", "string", (b"b",), score=(">", 5, 0))),
        ("datarep:x,==,5,type string,load r.txt;", InList("r.txt", "string", (b"a.example",), score=("=", 5, 0))),
    ],
)
def test_datasets_are_lists_and_yaml_says_the_same(tmp_path, option, test):
    put(tmp_path, STRINGS, "l.txt")
    put(tmp_path, "10.0.0.1\n::1\n", "a.txt")
    put(tmp_path, "YS5leGFtcGxl,5\nYg==,6\n", "r.txt")
    (tmp_path / "a.rules").write_text(f"alert dns any any -> any any (dns.query; {option} sid:1;)")
    found = load_rules([tmp_path / "a.rules"])
    assert found.errors == ()
    assert found.rules[0].body == BufferMatch("dns.query", (test,))
    (tmp_path / "b.yaml").write_text(export(found.rules))
    assert load_rules([tmp_path / "b.yaml"]).rules[0].body == found.rules[0].body


def test_a_list_with_scores_is_known_by_its_name(tmp_path):
    put(tmp_path, "YS5leGFtcGxl,5\nYg==,6\n", "r.txt")
    options = (">,5,type string,load r.txt", "<,6", "=,6,type string", ">,5,type ip")
    head = "alert dns any any -> any any (dns.query; datarep:x,"
    rules = (f"{head}{each}; sid:{n};)" for n, each in enumerate(options, 1))
    (tmp_path / "a.rules").write_text("\n".join(rules))
    found = load_rules([tmp_path / "a.rules"])
    assert [rule.body.tests[0].values for rule in found.rules] == [(b"b",), (b"a.example",), (b"b",)]
    (problem,) = found.errors
    assert "type string elsewhere" in problem.message


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("dns.query; dataset:isset;", "action,name,settings"),
        ("dns.query; dataset:isset,x,type string,state ../l.txt;", "leaves the folder"),
        ("dns.query; dataset:set,x,type string,save /l.txt;", "leaves the folder"),
        ("dns.query; dataset:isset,x;", "nothing says the type"),
        ("dns.query; dataset:isset,x,type sha1,load l.txt;", "unknown type 'sha1'"),
        ("dns.query; dataset:isset,x,type ipv4,load l.txt;", "is no address"),
        ("dns.query; dataset:set,x,type string,memcap lots;", "memcap"),
        ("dns.query; dataset:set,x,type string; dataset:isset,x,type md5;", "is of type string elsewhere"),
        ("dns.query; datarep:x,>,5,type string;", "in no file"),
        ("dns.query; datarep:x,>,5,type string,state r.txt;", "not written"),
        ("dns.query; dataset:isset,x,type string,load l.txt,color red;", "unknown or repeated"),
        ("dns.query; dataset:isset,x,type string,load none.txt;", "none.txt: no such file"),
        ("dns.query; datarep:x,~,5,load r.txt,type string;", "name,operator,score"),
        ("dns.query; datarep:x,>,70000,load l.txt,type string;", "70000"),
        ("dns.query; datarep:x,>,7,load l.txt,type string;", "l.txt:1: "),
        ("dataset:isset,x,type string,load l.txt;", "needs a buffer"),
    ],
)
def test_datasets_that_are_refused(tmp_path, options, why):
    put(tmp_path, STRINGS, "l.txt")
    (tmp_path / "a.rules").write_text(f"alert dns any any -> any any ({options} sid:1;)")
    found = load_rules([tmp_path / "a.rules"])
    assert not found.rules
    assert why in str(found.errors[0])


def test_a_set_is_declared_once_or_in_the_configuration(tmp_path):
    (tmp_path / "a.rules").write_text(
        "alert dns any any -> any any (dns.query; dataset:set,x,type string; sid:1;)\n"
        "alert dns any any -> any any (dns.query; dataset:isset,x; sid:2;)\n"
        "alert dns any any -> any any (dns.query; dataset:isset,y; sid:3;)\n"
    )
    given = Outside(datasets={"y": {"type": "md5", "state": "y.lst", "memcap": "1kb", "hashsize": "9"}})
    found = load_rules([tmp_path / "a.rules"], outside=given)
    assert found.errors == ()
    assert [rule.body.tests[0].kind for rule in found.rules] == ["string", "string", "md5"]
    assert found.rules[2].body.tests[0].state == "y.lst"
    assert len(load_rules([tmp_path / "a.rules"]).errors) == 1


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("type: string", "needs a file, or the name"),
        ("file: l.txt, type: string, action: set", "only a set has"),
        ("name: x, type: string, action: set, not: true", "cannot be negated"),
        ("name: x, type: string, state: ../x", "leaves the folder"),
        ("name: x, file: l.txt, type: string, score: 5", "is no set"),
    ],
)
def test_what_yaml_cannot_say_of_sets(tmp_path, keys, why):
    put(tmp_path, STRINGS, "l.txt")
    text = f"- {{id: 1, severity: low, protocol: dns, match: {{dns.query: {{in_list: {{{keys}}}}}}}}}\n"
    (tmp_path / "a.yaml").write_text(text)
    assert why in str(load_rules([tmp_path / "a.yaml"]).errors[0])
