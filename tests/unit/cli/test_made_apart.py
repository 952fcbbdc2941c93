"""Plans of large rule sets are made in a process of their own; what goes wrong there shows here."""

import os
import subprocess
import sys

import pytest
from enginekit import TESTS

SCRIPT = """
import os, sys, threading
from sensor.cli import runnable
from sensor.cli.main import main
mode, *words = sys.argv[1:]
runnable._LARGE = 0
me, put = os.getpid(), None
import sensor.engine.rulesets.bookstore as bookstore
kept = bookstore.BookStore.put
def put(store, *rest):
    with open(os.environ["WHO"], "a") as out:
        out.write("here\\n" if os.getpid() == me else "apart\\n")
    if mode == "killed" and os.getpid() != me:
        os.kill(os.getpid(), 9)
    if mode == "failed" and os.getpid() != me:
        raise ValueError("only there")
    kept(store, *rest)
bookstore.BookStore.put = put
if mode == "threads":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.exit(main(words))
"""
RULES = 'alert tcp any any -> any any (msg:"any"; content:"GET "; sid:1;)\n'


@pytest.mark.parametrize(
    ("mode", "who"),
    [
        ("plain", ["apart"]),
        ("killed", ["apart", "here"]),
        pytest.param("failed", ["apart", "here"], marks=pytest.mark.slow),
        pytest.param("threads", ["here"], marks=pytest.mark.slow),
    ],
)
def test_where_plans_are_made(tmp_path, mode, who):
    rules = tmp_path / "a.rules"
    rules.write_text(RULES + "alert nonsense\n")
    env = {
        **os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "WHO": str(tmp_path / "who"),
        "PYTHONPATH": str(TESTS.parent),
    }  # fmt: skip
    words = ["replay", "-q", "-S", str(rules), "-l", str(tmp_path), str(TESTS.parent / "pcaps" / "demo.pcap")]
    counts = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, mode, *words], env=env, capture_output=True, text=True, check=False
        )
        assert "engine started: 1 rules" in done.stderr, done.stderr
        assert done.stderr.count("a.rules:2") == 1
        counts.append((tmp_path / "eve.json").read_bytes().count(b'"signature_id":1,'))
    assert counts[0]
    assert counts[1] == 2 * counts[0]
    assert (tmp_path / "who").read_text().split() == who
