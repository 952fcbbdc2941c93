"""What a confined process cannot do, tried in one of its own; and what it still can."""

import json
import subprocess
import sys

import pytest

from sensor.engine.live import landlock

TRY = """
import json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from sensor.engine.live import hardening, landlock

own, other = map(Path, sys.argv[1:3])
listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
free = socket.create_server(("127.0.0.1", 0))
allowed = free.getsockname()[1]
free.close()
kept = (other / "open").open("w")
parent = os.getppid()
hardening.no_new_privileges()
assert landlock.confine([own, own / "later" / "still", Path("/dev/null")], [allowed], [port])
found = {}


def attempt(name, what):
    try:
        what()
        found[name] = "done"
    except OSError as e:
        found[name] = type(e).__name__


def connect(to):
    socket.create_connection(("127.0.0.1", to), 2).close()


def threads():
    attempt("write elsewhere from a thread", lambda: (other / "thread").write_text("x"))


attempt("write", lambda: (own / "a").write_text("x"))
attempt("rename", lambda: (own / "a").rename(own / "b"))
attempt("make a folder", lambda: (own / "later").mkdir())
attempt("truncate", lambda: os.truncate(own / "b", 0))
attempt("remove", lambda: (own / "b").unlink())
attempt("null", lambda: open("/dev/null", "w").close())
attempt("go on writing", lambda: (kept.write("more"), kept.flush()))
attempt("read elsewhere", lambda: (other / "there").read_text())
attempt("write elsewhere", lambda: (other / "a").write_text("x"))
attempt("append elsewhere", lambda: (other / "there").open("a").close())
attempt("remove elsewhere", lambda: (other / "there").unlink())
attempt("rename to elsewhere", lambda: ((own / "c").write_text("x"), (own / "c").rename(other / "c")))
attempt("run a program", lambda: subprocess.run(["/bin/true"], check=True))
attempt("device", lambda: os.mknod(own / "device", 0o020600, os.makedev(1, 3)))
thread = threading.Thread(target=threads)
thread.start()
thread.join()
if landlock.abi() >= 4:
    attempt("connect", lambda: connect(port))
    attempt("connect elsewhere", lambda: connect(port ^ 1))
    attempt("listen", lambda: socket.create_server(("127.0.0.1", allowed)).close())
    attempt("listen elsewhere", lambda: socket.create_server(("127.0.0.1", 0)).close())
if landlock.abi() >= 6:
    attempt("signal a child", lambda: os.kill(os.getpid(), 0))
    attempt("signal others", lambda: os.kill(parent, 0))
print(json.dumps(found))
"""
DONE = {"write", "rename", "make a folder", "truncate", "remove", "null", "go on writing", "read elsewhere", "connect",
        "listen", "signal a child"}  # fmt: skip


@pytest.fixture
def able():
    if not landlock.abi():
        pytest.skip("this kernel has no Landlock")


def test_nothing_is_left_but_what_was_named(able, tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
    (other / "there").write_text("text")
    line = [sys.executable, "-c", TRY, str(own), str(other)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name for name, how in found.items() if how == "done"} == DONE & set(found)
    assert {how for name, how in found.items() if name not in DONE} <= {"PermissionError", "OSError"}
    assert {path.name for path in other.iterdir()} == {"there", "open"}


def test_an_older_kernel_is_given_what_it_knows(able, tmp_path, monkeypatch):
    """The attributes grew with time; a kernel refuses fields and rights that it does not know."""
    asked = []

    def kernel(version):
        def call(number, *words):
            if number == 444 and words[0] is not None:
                asked.append((len(words[0]), int.from_bytes(words[0][:8], "little").bit_length()))
                return -1
            return version

        return call

    for version in (-1, 1, 2, 3, 4, 6):
        monkeypatch.setattr(landlock, "_call", kernel(version))
        assert not landlock.confine([tmp_path])
    assert asked == [(8, 13), (8, 14), (8, 15), (16, 15), (24, 15)]
