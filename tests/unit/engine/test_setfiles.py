"""Sets of values from run to run."""

import base64

import pytest

from sensor.detect.state.datasets import Datasets
from sensor.engine.rulesets import setfiles
from sensor.rules.nodes import InList


def made(**more):
    return Datasets((InList("", more.pop("kind", "string"), name="s", **more),))


def only(datasets):
    (found,) = datasets.sets.values()
    return found


@pytest.mark.parametrize(
    ("kind", "value", "line"),
    [
        ("string", b"a\nb", base64.b64encode(b"a\nb").decode()),
        ("md5", b"0f" * 16, "0f" * 16),
        ("ip", bytes([10, 0, 0, 1]), "10.0.0.1"),
        ("ip", bytes(15) + b"\1", "::1"),
    ],
)
def test_a_state_comes_back(tmp_path, kind, value, line):
    before, told = made(kind=kind, state="sub/a.lst"), []
    setfiles.restore(before, str(tmp_path), told.append)
    before.change(only(before), value, there=True)
    setfiles.save(before, str(tmp_path), told.append)
    assert (tmp_path / "sub/a.lst").read_text() == f"{line}\n"
    after = made(kind=kind, state="sub/a.lst")
    setfiles.restore(after, str(tmp_path), told.append)
    assert value in only(after)
    assert told == []


def test_save_writes_and_does_not_read(tmp_path):
    (tmp_path / "a.lst").write_text("eA==\n")
    datasets = made(save="a.lst")
    setfiles.restore(datasets, str(tmp_path), print)
    assert b"x" not in only(datasets)
    setfiles.save(datasets, str(tmp_path), print)
    assert (tmp_path / "a.lst").read_text() == ""


def test_a_state_that_was_not_read_is_not_written_over(tmp_path):
    (tmp_path / "a.lst").write_text("eA==\n")
    setfiles.save(made(state="a.lst"), str(tmp_path), print)
    assert (tmp_path / "a.lst").read_text() == "eA==\n"


def test_a_folder_that_is_not_given_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets = made(state="a.lst")
    setfiles.restore(datasets, "", print)
    setfiles.save(datasets, "", print)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_or_written_is_told(tmp_path):
    (tmp_path / "a.lst").write_text("eA==\n*\n")
    told, datasets = [], made(state="a.lst")
    setfiles.restore(datasets, str(tmp_path), told.append)
    assert "1 lines are left out" in told[0]
    (tmp_path / "d.lst").mkdir()
    broken = made(state="d.lst")
    setfiles.restore(broken, str(tmp_path), told.append)
    assert "is not kept" in told[1]
    (tmp_path / "file").write_text("")
    setfiles.save(made(save="file/a.lst"), str(tmp_path), told.append)
    assert "not saved" in told[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lst", "d.lst", "file"]


def test_a_file_that_is_too_large_is_no_state(tmp_path, monkeypatch):
    (tmp_path / "a.lst").write_text("eA==\n")
    monkeypatch.setattr(setfiles, "MAX_BYTES", 3)
    told, datasets = [], made(state="a.lst")
    setfiles.restore(datasets, str(tmp_path), told.append)
    assert "larger than" in told[0]
    assert not only(datasets).kept
