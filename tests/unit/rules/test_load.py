import os

import pytest

from sensor.rules import cache as cache_module
from sensor.rules.load import load_rules
from sensor.rules.variables import Variables

GOOD = "- {id: %d, title: t, match: [{content: abcd}]}\n"


@pytest.fixture
def folder(tmp_path):
    rules = tmp_path / "rules"
    (rules / "b").mkdir(parents=True)
    (rules / ".hidden").mkdir()
    (rules / "b" / "two.yml").write_text(GOOD % 2)
    (rules / "a.yaml").write_text(GOOD % 1 + "- {id: x}\n")
    (rules / ".hidden" / "no.yaml").write_text(GOOD % 3)
    (rules / "README.md").write_text("no rule")
    return rules


def test_folders_are_searched_in_order_and_errors_do_not_stop(folder):
    result = load_rules([folder, folder / "missing.yaml", folder / "README.md"])
    assert [rule.sid for rule in result.rules] == [1, 2]
    assert result.files == tuple(str(folder / n) for n in ("a.yaml", "b/two.yml", "missing.yaml", "README.md"))
    messages = [str(error) for error in result.errors]
    assert messages[0].startswith(f"{folder / 'a.yaml'}:2:8: expected a whole number")
    assert messages[1].endswith("missing.yaml: the file cannot be read: No such file or directory")
    assert "unsupported kind of rule file: '.md'" in messages[2]


def test_rules_in_a_form_without_front_end_are_not_passed_over(folder, monkeypatch):
    (folder / "x.rules").write_text("alert tcp any any -> any any (sid:5;)")
    result = load_rules([folder])
    assert len(result.rules) + len([e for e in result.errors if "x.rules" in e.file]) == 3


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(folder, monkeypatch):
    scan = os.scandir

    def denied(path):
        if str(path) == str(folder / "b"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", denied)
    result = load_rules([folder / "b"])
    assert [str(e) for e in result.errors] == [f"{folder / 'b'}: the folder cannot be read: Permission denied"]
    assert [e.file for e in load_rules([folder]).errors] == [str(folder / "a.yaml"), str(folder / "b")]


def test_a_file_named_twice_is_loaded_once(folder):
    result = load_rules([folder / "b", str(folder / "b" / "two.yml")])
    assert len(result.rules) == 1
    assert "named twice" in str(result.errors[0])


def test_text_that_is_not_utf8_is_placed(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"- id: 1\n  title: a\xff\n")
    (error,) = load_rules([path]).errors
    assert (error.line, error.column) == (2, 11)


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf- {id: 1}\n")
    assert [rule.sid for rule in load_rules([path]).rules] == [1]


def test_a_file_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sensor.rules.load.MAX_FILE", 4)
    path = tmp_path / "x.yaml"
    path.write_text(GOOD % 1)
    assert "larger than" in str(load_rules([path]).errors[0])


def test_wrong_variables_are_errors_of_their_own(tmp_path):
    assert "A: the variable refers to itself" in str(load_rules([tmp_path], Variables({"A": "$A"})).errors[0])


def test_the_cache_gives_the_same_result_problems_included(folder, tmp_path):
    cold = load_rules([folder], cache_dir=tmp_path / "cache")
    warm = load_rules([folder], cache_dir=tmp_path / "cache")
    assert (cold.cache["cache_misses"], cold.cache["cache_hits"]) == (2, 0)
    assert (warm.cache["cache_misses"], warm.cache["cache_hits"]) == (0, 2)
    assert (warm.rules, warm.errors, warm.files) == (cold.rules, cold.errors, cold.files)
    assert cold.rules == load_rules([folder]).rules


def test_content_and_variables_and_name_decide_the_entry(folder, tmp_path):
    cache = tmp_path / "cache"
    load_rules([folder], cache_dir=cache)
    assert load_rules([folder], Variables({"HOME_NET": "10.0.0.0/8"}), cache_dir=cache).cache["cache_hits"] == 0
    (folder / "b" / "two.yml").write_text(GOOD % 9)
    changed = load_rules([folder], cache_dir=cache)
    assert (changed.cache["cache_hits"], changed.rules[1].sid) == (1, 9)
    (folder / "a.yaml").rename(folder / "c.yaml")
    assert load_rules([folder / "c.yaml"], cache_dir=cache).rules[0].file.endswith("c.yaml")


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:-9] + b"X" + b[-8:], lambda b: b"\0" * 9]
)
def test_damaged_entries_are_counted_and_made_anew(folder, tmp_path, damage):
    cache = tmp_path / "cache"
    cold = load_rules([folder], cache_dir=cache)
    for entry in cache.iterdir():
        entry.write_bytes(damage(entry.read_bytes()))
    again = load_rules([folder], cache_dir=cache)
    assert again.rules == cold.rules
    assert again.cache["cache_corrupt"] == 2
    assert load_rules([folder], cache_dir=cache).cache["cache_hits"] == 2


def test_a_cache_that_cannot_be_written_is_counted(folder, tmp_path):
    (tmp_path / "file").write_text("")
    result = load_rules([folder], cache_dir=tmp_path / "file" / "cache")
    assert (len(result.rules), result.cache["cache_unwritable"]) == (2, 2)


def test_a_failed_write_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(cache_module.Path, "replace", refuse)
    result = load_rules([folder], cache_dir=tmp_path / "cache")
    assert result.cache["cache_unwritable"] == 2
    assert list((tmp_path / "cache").iterdir()) == []


def test_unmatchable_rules_are_counted_by_reason(tmp_path):
    (tmp_path / "x.yaml").write_text("- {id: 1, source: '!any'}\n- {id: 2, source: '!any'}\n- {id: 3}\n")
    assert load_rules([tmp_path]).unmatchable() == {"the source !any is empty": 2}


def test_entries_used_longest_ago_give_way(tmp_path):
    for n in range(6):
        (tmp_path / f"{n}.msgpack").write_bytes(bytes(100))
        os.utime(tmp_path / f"{n}.msgpack", ns=(n, n))
    (tmp_path / "other").write_bytes(bytes(1000))
    cache_module.drop_oldest(tmp_path, "*.msgpack", 5, 350)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.msgpack", "4.msgpack", "5.msgpack", "other"]
    cache_module.drop_oldest(tmp_path, "*.msgpack", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4.msgpack", "5.msgpack", "other"]
    cache_module.drop_oldest(tmp_path, "*.msgpack", 5, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["5.msgpack", "other"]


def test_a_hit_keeps_an_entry_from_giving_way(folder, tmp_path):
    load_rules([folder], cache_dir=tmp_path / "cache")
    for entry in (tmp_path / "cache").iterdir():
        os.utime(entry, ns=(1, 1))
    load_rules([folder], cache_dir=tmp_path / "cache")
    assert all(entry.stat().st_mtime_ns > 1 for entry in (tmp_path / "cache").iterdir())
