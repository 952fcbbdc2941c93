"""`xensor replay -T`: tries everything, writes nothing."""

import pytest

from sensor.cli import trial as module
from sensor.cli.trial import writable
from sensor.errors import OutputError


def test_good(box):
    ran = box.replay("-T", "-l", box.logs)
    assert ran.status == 0
    assert ran.err == "xensor: the configuration is good: 2 rules, 0 left out, 0 can never match\n"
    assert not box.logs.exists()


def test_compiles_every_rule(box):
    bad = box.folder / "bad.yaml"
    many = ", ".join(f"{{content: c{n}, distance: 0}}" for n in range(300))
    bad.write_text(f"- {{id: 7, title: x, severity: low, protocol: tcp, match: [{many}]}}\n")
    ran = box.replay("-T", rules=str(bad))
    assert ran.status == 4
    assert "bad.yaml:1:" in ran.err


def test_one_bad_rule_is_an_error_if_asked(box):
    bad = box.folder / "bad.yaml"
    bad.write_text((box.folder / "rules.yaml").read_text() + "- {id: 7, titel: x}\n")
    ran = box.replay("-T", rules=str(bad))
    assert ran.status == 0
    assert "2 rules, 1 left out" in ran.err
    assert box.replay("-T", "--init-errors-fatal", rules=str(bad)).status == 4


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("--", "prt", "80"), 2, "capture filter"),
        (("none.pcap",), 5, "none.pcap"),
        (("--set", "stream.midstream=x"), 2, "stream.midstream"),
    ],
)
def test_other_mistakes(box, words, status, text):
    ran = box.replay("-T", *words)
    assert ran.status == status
    assert text in ran.err


def test_log_folder(tmp_path, monkeypatch):
    writable(tmp_path)
    writable(tmp_path / "not" / "there" / "yet")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is not a folder"):
        writable(tmp_path / "file" / "logs")
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="no permission"):
        writable(tmp_path / "logs")
