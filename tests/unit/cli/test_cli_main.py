"""Dispatch, help, and one test for each exit status."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clikit import RULES, http, pcap
from commandkit import Command

from sensor import __version__, errors
from sensor.cli import exits
from sensor.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
XENSOR = [str(Path(sys.executable).with_name("xensor"))]


def bad_example(box):
    (box.folder / "example.yaml").write_text(
        "- id: 9\n  title: t\n  severity: low\n  protocol: tcp\n  match: [{content: abcd}]\n"
        "  examples: [{match: true, payload: nothing}]\n"
    )
    return ("rules", "test", box.folder / "example.yaml")


def damaged(box):
    (box.folder / "cut.pcap").write_bytes((box.folder / "one.pcap").read_bytes()[:-3])
    return ("replay", "-S", box.rules, box.folder / "cut.pcap")


def bad_config(box):
    (box.folder / "sensor.yaml").write_text("stream: {midstream: perhaps}\n")
    return ("replay", "-c", box.folder / "sensor.yaml", box.capture)


CASES = [
    (0, lambda box: ("replay", "-S", box.rules, box.capture), "2 alerts"),
    (2, lambda _: ("replay", "--bogus"), "unrecognized arguments: --bogus"),
    (2, lambda _: ("replay",), "no capture is named"),
    (2, lambda _: ("replya", "x"), "did you mean 'replay'?"),
    (2, lambda _: ("frobnicate",), "one of replay"),
    (2, lambda _: (), "usage: xensor COMMAND"),
    (2, lambda _: ("rules",), "usage: xensor rules VERB"),
    (2, lambda _: ("rules", "chekc"), "did you mean 'check'?"),
    (2, lambda box: ("replay", "-k", "some", box.capture), "invalid choice"),
    (2, lambda box: ("replay", "--no-tri", box.capture), "unrecognized"),
    (2, lambda box: ("replay", "--set", "nonsense", box.capture), "write NAME=VALUE"),
    (2, lambda box: ("replay", "--set", "streem.midstream=no", box.capture), "did you mean 'stream.midstream'?"),
    (2, lambda box: ("replay", "-S", box.rules, box.capture, "--", "prt", "80"), "capture filter 'prt 80'"),
    (3, bad_config, "sensor.yaml:1:21: stream.midstream"),
    (3, lambda box: ("replay", "-c", box.folder / "none.yaml", box.capture), "none.yaml: No such file"),
    (4, lambda box: ("replay", "-S", box.folder / "none.yaml", box.capture), "none.yaml: no such file or folder"),
    (4, lambda box: ("replay", "-S", box.capture, box.capture), "one.pcap: unsupported kind of rule file"),
    (4, lambda box: ("rules", "list", box.folder / "none"), "none: no such file or folder"),
    (5, damaged, "cut.pcap: damaged at byte"),
    (5, lambda box: ("replay", "-S", box.rules, box.folder / "none.pcap"), "none.pcap: No such file or directory"),
    (5, lambda box: ("replay", "-S", box.rules, box.folder / "x" / "..", "-q"), "No such file"),
    (6, lambda box: ("replay", "-S", box.rules, "-l", f"{box.capture}/logs", box.capture), "Not a directory"),
    (7, bad_example, "1 of 1 examples failed"),
]


@pytest.mark.parametrize(("status", "words", "text"), CASES)
def test_exit_status(box, status, words, text):
    ran = box.xensor(*words(box))
    assert ran.status == status, ran.err
    assert text in ran.err + ran.out
    assert "Traceback" not in ran.err


def test_table_covers_every_error():
    known = {status for status, _ in exits.EXITS}
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.SensorError)]
    assert {k.exit_code for k in kinds} <= known
    assert {0, 2, 3, 4, 5, 6, 7} == {status for status, *_ in CASES}
    assert known == {0, 1, 2, 3, 4, 5, 6, 7, 130}


def test_readme_has_the_same_table():
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [(int(status), text.replace("`", "")) for status, text in rows] == list(exits.EXITS)


@pytest.mark.parametrize("words", [("--help",), *((name, "--help") for name in COMMANDS), ("rules", "check", "-h")])
def test_help(box, words):
    ran = box.xensor(*words)
    assert ran.status == 0
    assert ran.out.startswith("usage: xensor")


def test_help_says_the_exit_statuses(box):
    shown = box.xensor("--help").out
    assert exits.text() in shown
    assert all(name in shown for name in COMMANDS)


def test_version(box):
    assert box.xensor("--version").out == f"xensor {__version__}\n"


def test_lists(box):
    assert {"http", "dns", "tls", "ssh", "dhcp"} <= set(box.xensor("--list-app-layer-protos").out.split())
    keywords = box.xensor("--list-keywords").out
    for line in (r"^http\.uri +\S.*\(also http_uri", r"^tcp\.flags +\S", r"^dns\.query +\S"):
        assert re.search(line, keywords, re.MULTILINE), line
    named = [line.split()[0] for line in keywords.partition("\nin rules of")[0].splitlines()]
    assert len(named) == len(set(named))
    assert {"payload", "file.data", "stream.event"} <= set(named)
    assert {"byte_jump", "flowbits", "tcpv4-csum", "dataset"} <= set(keywords.partition("\nin rules of")[2].split())


def test_dump_config(box):
    assert "stream.midstream = no" in box.xensor("--dump-config", "--set", "stream.midstream=no").out.splitlines()


def program(*words, **more):
    return subprocess.run([*XENSOR, *map(str, words)], capture_output=True, text=True, timeout=120, check=False, **more)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path / "rules.yaml", pcap(tmp_path / "one.pcap", http())


def test_help_loads_nothing_heavy():
    code = "import sys; from sensor.cli.main import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    for name in ("numba", "numpy", "yaml", "rich", "dpkt", "msgspec"):
        assert f"'{name}'" not in ran.stderr


def test_program(files):
    ran = program("replay", "-S", *files)
    assert ran.returncode == 0
    assert ran.stdout.count("[**] [1:") == 2
    assert ran.stderr.startswith("engine started: 2 rules\n")


def test_program_whose_reader_goes_away(files):
    rules, _ = files
    script = f"{XENSOR[0]} rules list {rules} | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_program_whose_standard_output_is_full(files):
    ran = Command("replay", "-S", *files, stdout="/dev/full").end()
    assert ran.returncode == 6
    assert "standard output: No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_in_order(files, number, status):
    rules, capture = files
    run = Command("replay", "--follow", "-S", rules, capture)
    while run.stdout.read_text().count("\n") < 2:
        assert run.alive()
        time.sleep(0.01)
    assert run.stdout.read_text().startswith("11/14/2023")
    time.sleep(0.1)
    os.kill(run.pid, number)
    done = run.end()
    assert done.returncode == status
    assert f"stopped by {number.name}" in done.stderr
    assert "2 alerts of 2 rules" in done.stderr


def test_readme_shows_what_the_demo_says(box):
    capture = ROOT / "pcaps" / "demo.pcap"
    shown = re.findall(r"^\d\d:\d\d:\d\d\.\d{6} [A-Z]+ +(\d+) ", (ROOT / "README.md").read_text(), re.MULTILINE)
    ran = box.xensor("replay", "-S", ROOT / "rules", capture)
    assert re.findall(r"\[1:(\d+):", ran.out) == shown
