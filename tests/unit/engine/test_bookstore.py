"""Plans on disk: had back they choose and judge the same; what has changed or is damaged is not taken."""

import dataclasses
import gc
import os
from pathlib import Path

import enginekit
import numpy as np
import pytest
from enginekit import ORACLE_RULES, TESTS

from sensor.cli import assembly, common, runnable
from sensor.config.settings import Settings
from sensor.detect.kept import Kept
from sensor.engine.rulesets import bookstore
from sensor.engine.rulesets.bookstore import MOST_FILES, BookStore, ReadyRules
from sensor.errors import RuleError
from sensor.rules.ruleset import RuleSet

DEMO = TESTS.parent / "pcaps" / "demo.pcap"
RULES = TESTS.parent / "rules"
FEW = RULES / "policy"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "xensor" / "rules"


def run(*paths, made=None):
    return runnable.rules_to_run([Path(path) for path in paths], made or Settings(), fatal=False)


def books(folder):
    return sorted(folder.glob("*.book"))


def same(one, other, where="plan"):
    """Compare plans part by part; arrays by type, too."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        assert one.shape == other.shape, where
        assert np.array_equal(one, other), where
        assert other.flags.writeable, where
    elif isinstance(one, Kept):
        for name in one.KEPT:
            same(getattr(one, name), getattr(other, name), f"{where}.{name}")
    elif dataclasses.is_dataclass(one):
        for part in dataclasses.fields(one):
            same(getattr(one, part.name), getattr(other, part.name), f"{where}.{part.name}")
    elif isinstance(one, tuple):
        assert len(one) == len(other), where
        for n, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{where}[{n}]")
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}[{key!r}]")
    else:
        assert one == other, where


@pytest.mark.parametrize("rules", [RULES, ORACLE_RULES])
def test_a_plan_had_back_is_the_plan_that_was_made(rules, monkeypatch):
    kept = []
    put = BookStore.put

    def keep(store, key, ready, *rest):
        kept.append(ready)
        put(store, key, ready, *rest)

    monkeypatch.setattr(BookStore, "put", keep)
    run(rules)
    [made] = kept
    back = run(rules).rules
    assert isinstance(back, ReadyRules)
    assert back.plan is not made.plan
    same(made.plan, back.plan)
    assert list(back.plan.rules) == list(made.plan.rules)
    assert back.plan.rules[3:5] == made.plan.rules[3:5]
    assert (back.suppressions, back.report, len(back)) == (made.suppressions, made.report, len(made))


def test_a_run_with_a_plan_had_back_raises_the_same():
    run(RULES)
    stored = enginekit.run(DEMO, run(RULES).rules).lines
    assert stored == enginekit.run(DEMO, common.load([RULES], Settings()).rules).lines
    assert any(b'"alert"' in line for line in stored)


HOST_BITS = """
alert tcp any any -> any any (msg:"sets"; content:"abcd"; xbits:set,bad,track ip_src,expire 60; noalert; sid:1;)
alert tcp any any -> any any (msg:"asks"; content:"efgh"; xbits:isset,bad,track ip_src; sid:2;)
alert tcp any any -> any any (msg:"else"; content:"ijkl"; sid:3;)
"""


def several(made=None):
    made = made or Settings()
    return dataclasses.replace(made, run=dataclasses.replace(made.run, workers=3))


def test_rules_for_workers_are_kept_as_workers_judge_them(tmp_path, folder):
    file = tmp_path / "a.rules"
    file.write_text(HOST_BITS)
    whole = assembly.for_crew(runnable.Runnable(common.load([file], Settings()).rules, []))
    for _ in ("made", "had back"):
        loaded = run(file, made=several())
        rules, deferred = assembly.for_crew(loaded)
        assert isinstance(rules.rules, ReadyRules)
        assert deferred == whole[1]
        assert len(deferred) == 2
        assert list(rules.rules.plan.rules) == list(whole[0].rules.rules)
    assert len(books(folder)) == 1
    assert list(run(file).rules.plan.rules) != list(rules.rules.plan.rules)
    assert len(books(folder)) == 2


def test_another_process_opens_the_same_plan():
    found = run(RULES, made=several()).rules
    file = found.image.open()
    other = bookstore.opened(file, found.outside)
    os.close(file)
    same(found.plan, other.plan)
    assert list(other.plan.rules) == list(found.plan.rules)
    assert (other.suppressions, other.report, other.aside) == (found.suppressions, found.report, found.aside)


def test_a_plan_that_is_cut_off_while_it_is_in_use_is_told_of(tmp_path, folder):
    file = tmp_path / "a.rules"
    file.write_text(RULE.format("first"))
    run(file)
    found = run(file).rules
    os.truncate(books(folder)[0], books(folder)[0].stat().st_size - 1)
    with pytest.raises(RuleError, match="cut off"):
        found.plan.rules[0]


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("settled")
def test_a_plan_that_is_no_longer_used_keeps_no_file_open():
    before = open_files()
    found = run(RULES).rules
    assert open_files() > before
    del found
    gc.collect()
    assert open_files() == before


def test_a_plan_that_was_made_anew_meanwhile_is_not_another_process_s(tmp_path, folder):
    file = tmp_path / "a.rules"
    file.write_text(RULE.format("first"))
    before = run(file).rules.image
    file.write_text(RULE.format("other!"))
    run(file)
    with pytest.raises(RuleError, match="planned anew"):
        before.open()
    books(folder)[0].unlink()
    with pytest.raises(FileNotFoundError):
        before.open()


@pytest.mark.parametrize("octets", [b"", b"none of ours", b"xensor-book-1\n\0\0" + bytes(16), None])
def test_what_is_no_plan_is_not_opened(tmp_path, folder, octets):
    if octets is None:  # the head is damaged
        run(RULES)
        octets = bytearray(books(folder)[0].read_bytes())
        octets[40:60] = bytes(20)
    (tmp_path / "x").write_bytes(octets)
    with (tmp_path / "x").open("rb") as file, pytest.raises(RuleError, match="no plan"):
        bookstore.opened(file.fileno())


RULE = 'alert tcp any any -> any any (msg:"one"; content:"{}"; sid:1;)\n'
LISTED = "alert http any any -> any any (http.host; dataset:isset,bad,type string,load bad.lst; sid:2;)\n"


def test_what_has_changed_is_planned_anew(tmp_path, folder):
    file, more = tmp_path / "a.rules", tmp_path / "more"
    more.mkdir()
    (tmp_path / "bad.lst").write_text("ZXZpbA==\n")
    file.write_text(RULE.format("first") + LISTED)

    def again():
        before = {path: path.stat().st_ino for path in books(folder)}
        found = run(file, more).rules
        after = {path: path.stat().st_ino for path in books(folder)}
        assert len(after) == 1
        return found, before == after

    assert again()[1] is False
    assert again()[1] is True
    file.write_text(RULE.format("other") + LISTED)
    found, stored = again()
    assert not stored
    assert b"other" in repr(found.plan.rules[0].body).encode()
    (tmp_path / "bad.lst").write_text("Z29vZA==\n")
    assert again()[1] is False
    (more / "b.rules").write_text(RULE.format("more").replace("sid:1", "sid:3"))
    found, stored = again()
    assert not stored
    assert len(found) == 3
    assert again()[1] is True


def test_settings_that_decide_have_plans_of_their_own(tmp_path, folder):
    file = tmp_path / "a.rules"
    file.write_text('alert tcp $HOME_NET any -> any any (content:"abcd"; sid:1;)\n')
    first = run(file).rules.plan.rules[0].src
    other = dataclasses.replace(Settings(), address_groups={**Settings().address_groups, "HOME_NET": "[192.0.2.0/24]"})
    assert run(file, made=other).rules.plan.rules[0].src != first
    limits = tmp_path / "threshold.config"
    limits.write_text("suppress gen_id 1, sig_id 1\n")
    limited = dataclasses.replace(Settings(), run=dataclasses.replace(Settings().run, threshold_file=str(limits)))
    assert len(run(file, made=limited).rules.suppressions) == 1
    assert len(books(folder)) == 3
    assert run(file).rules.plan.rules[0].src == first


@pytest.mark.parametrize("at", [0, 20, 40, -1])
def test_a_damaged_file_is_not_taken(folder, at):
    run(FEW)
    [path] = books(folder)
    octets = bytearray(path.read_bytes())
    octets[at] ^= 0xFF
    path.write_bytes(octets)
    assert BookStore(folder).find(b"", []) is None
    assert len(run(FEW).rules) == len(common.load([FEW], Settings()).rules)
    assert path.read_bytes() != bytes(octets)  # made anew


@pytest.mark.parametrize("size", [0, 10, 31, 32, 1000])
def test_a_file_that_was_cut_off_is_not_taken(folder, size, capsys):
    run(FEW)
    [path] = books(folder)
    path.write_bytes(path.read_bytes()[:size])
    capsys.readouterr()
    assert len(run(FEW).rules) == len(common.load([FEW], Settings()).rules)
    assert f"{path}: the plan of the rules kept here is damaged" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_costs_time_alone(folder, tmp_path, capsys):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    found = run(RULES).rules
    assert "cannot be kept here" in capsys.readouterr().err
    assert isinstance(found, ReadyRules)
    assert found.image is None
    assert len(found.plan.rules) >= len(found)
    # Workers that run could not map it at a reload: they get the rules themselves.
    assert isinstance(run(RULES, made=several()).rules, RuleSet)


def test_few_files_are_kept(folder, tmp_path):
    for n in range(MOST_FILES + 3):
        file = tmp_path / f"{n}.rules"
        file.write_text(RULE.format("text"))
        run(file)
        newest = max(books(folder), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(n, n))
    assert len(books(folder)) == MOST_FILES


def test_another_program_or_processor_has_plans_of_its_own(folder, monkeypatch):
    run(RULES)
    monkeypatch.setattr(bookstore, "_surroundings", lambda: b"other")
    run(RULES)
    assert len(books(folder)) == 2


def test_rules_that_do_not_compile_are_not_stored(tmp_path, folder):
    file = tmp_path / "a.yaml"
    file.write_text(
        "- {id: 1, title: t, severity: low, protocol: tcp, match: [{content: abcd}]}\n"
        "- {id: 2, title: t, severity: low, protocol: tcp, match: [{regex: '/(?:(?:abcdefgh){60000}){60000}/'}]}\n"
    )
    found = run(file).rules
    assert isinstance(found, RuleSet)
    assert books(folder) == []
