"""Plans of large rule sets are made in a process of their own; what goes wrong there shows here."""

import pytest
from commandkit import ROOT, command
from planwatch import watch

RULES = 'alert tcp any any -> any any (msg:"any"; content:"GET "; sid:1;)\n'


@pytest.mark.parametrize(
    ("mode", "who"),
    [("plain", ["apart"]), ("killed", ["apart", "here"]), ("failed", ["apart", "here"]), ("threads", ["here"])],
)
def test_where_plans_are_made(tmp_path, mode, who):
    rules = tmp_path / "a.rules"
    rules.write_text(RULES + "alert nonsense\n")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WHO": str(tmp_path / "who"), "MODE": mode}
    capture = ROOT / "pcaps" / "demo.pcap"
    counts = []
    for _ in range(2):
        done = command("replay", "-q", "-S", rules, "-l", tmp_path, capture, setup=watch, **environment)
        assert "engine started: 1 rules" in done.stderr, done.stderr
        assert done.stderr.count("a.rules:2") == 1
        counts.append((tmp_path / "eve.json").read_bytes().count(b'"signature_id":1,'))
    assert counts[0]
    assert counts[1] == 2 * counts[0]
    assert (tmp_path / "who").read_text().split() == who
