"""Compiled kernels on a root that cannot be written: used as they were shipped; where they are missing it says so.

Each case is a process in a mount namespace of its own, whose whole tree is read-only.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandkit import command

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = "from sensor.cli.main import entry; entry()"
MOUNTS = """
mount --make-rprivate /
for at in $(awk '$5 != "/" {print $5}' /proc/self/mountinfo | sort -r); do
    case $at in /proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$at" ;; esac
done
mount -o remount,bind,ro /
if touch "$HERE/written" 2>/dev/null; then exit 9; fi
"""


@pytest.fixture(scope="module")
def namespaces():
    if os.geteuid() != 0:
        pytest.skip("a read-only root needs a mount namespace: run it as root")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", MOUNTS], env=os.environ | {"HERE": str(ROOT)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"this machine allows no read-only root in a mount namespace: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def warm(namespaces):
    """The kernels of this tree are compiled."""
    done = command("replay", ROOT / "pcaps" / "demo.pcap")
    assert done.returncode == 0, done.stderr
    return done


def replay(tree, before, after="", **environment):
    """Replay a capture with a tree's code, between shell commands that set the machine up and look at it."""
    script = f'{before}\n"$0" -c "{PROGRAM}" replay "$HERE/pcaps/demo.pcap" {after}'
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    return subprocess.run(
        ["unshare", "--mount", "sh", "-euc", script, sys.executable], cwd=tree, capture_output=True, text=True,
        check=False, env=keep | {"PYTHONPATH": str(tree), "HERE": str(ROOT), "HOME": "/nonexistent"} | environment,
    )  # fmt: skip


def test_shipped_kernels_do_where_nothing_can_be_written(warm):
    start = time.monotonic()
    done = replay(ROOT, MOUNTS)
    assert (done.returncode, done.stdout) == (0, warm.stdout), done.stderr
    assert time.monotonic() - start < 20  # compiling takes longer


@pytest.mark.slow
@pytest.mark.parametrize("folder", [{"TMPDIR": "/mnt"}, {"XDG_CACHE_HOME": "/mnt"}], ids=["temporary", "cache"])
def test_a_folder_that_can_be_written_gets_links_only(warm, folder):
    look = "; find /mnt -name '*.nb[ci]' -printf '%y\\n' | sort | uniq -c"
    done = replay(ROOT, MOUNTS + "mount -t tmpfs none /mnt", look, **folder)
    assert done.returncode == 0, done.stderr
    number, kind = done.stdout.removeprefix(warm.stdout).split()
    assert kind == "l"
    assert int(number) > 50


def test_where_kernels_are_missing_and_nothing_can_be_written_it_says_so(namespaces, tmp_path):
    shutil.copytree(ROOT / "sensor", tmp_path / "sensor", ignore=shutil.ignore_patterns("*.nb[ci]"))
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    done = replay(tmp_path, MOUNTS)
    assert done.returncode == 6, done.stderr
    assert "compiled kernels are missing or out of date in " in done.stderr
    assert "NUMBA_CACHE_DIR" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_folder_that_somebody_else_has_made_is_not_used(warm):
    taken = "mount -t tmpfs none /mnt\nmkdir /mnt/xensor-kernels-0\nchown 65534 /mnt/xensor-kernels-0\n"
    done = replay(ROOT, MOUNTS + taken, TMPDIR="/mnt")
    assert (done.returncode, done.stdout) == (0, warm.stdout), done.stderr
