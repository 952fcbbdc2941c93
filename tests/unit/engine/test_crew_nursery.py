"""The process that forks workers: they come when asked for, their end is told, and none outlives it."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEAD = """
import os, select, signal, socket, sys, time
from sensor.engine.crew.nursery import Nursery

def work(number, sock):
    sock.send(f"{number} {os.getpid()}".encode())
    if sock.recv(10) == b"fail":
        raise RuntimeError("as told")

def news(nursery):
    while True:
        select.select([nursery], [], [], 10)
        if found := nursery.news():
            return found

def born(nursery, number):
    ours, theirs = socket.socketpair()
    nursery.spawn(number, theirs)
    return ours, ours.recv(100).decode()
"""


def script(body):
    """Run Python in a process of its own, which has no threads; return what it printed, and its errors."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + body], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def gone(pid):
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_workers_are_born_die_and_are_killed():
    out, errors = script("""
nursery = Nursery(work)
one, text = born(nursery, 1)
(first,) = news(nursery)
print(text == f"1 {first.pid}", first.status)
two, _ = born(nursery, 2)
news(nursery)
one.send(b"end")
(told,) = news(nursery)
print(told.worker, told.pid == first.pid, told.status)
nursery.kill(2)
(told,) = news(nursery)
print(told.worker, os.WTERMSIG(told.status), two.recv(1))
again, _ = born(nursery, 2)
news(nursery)
again.send(b"fail")
(told,) = news(nursery)
print(os.waitstatus_to_exitcode(told.status))
nursery.close()
""")
    assert out == ["True", "-1", "1", "True", "0", "2", "9", "b''", "1"]
    assert "RuntimeError: as told" in errors


def test_workers_end_with_the_one_who_asked_for_them():
    out, _ = script("""
nursery = Nursery(work)
_, text = born(nursery, 0)
print(text.split()[1])
print(nursery._pid)
sys.stdout.flush()
os._exit(0)
""")
    assert all(gone(int(pid)) for pid in out)


def test_an_end_of_the_nursery_is_seen():
    out, _ = script("""
nursery = Nursery(work)
_, text = born(nursery, 0)
news(nursery)
os.kill(nursery._pid, signal.SIGKILL)
while not nursery.ended:
    select.select([nursery], [], [], 10)
    nursery.news()
print(text.split()[1])
nursery.close()
""")
    assert all(gone(int(pid)) for pid in out)


def test_signals_for_the_whole_group_leave_workers_alone():
    out, _ = script("""
nursery = Nursery(work)
ours, text = born(nursery, 0)
pid = int(text.split()[1])
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
    os.kill(pid, number)
    os.kill(nursery._pid, number)
news(nursery)
ours.send(b"end")
(told,) = news(nursery)
print(told.status)
nursery.close()
""")
    assert out == ["0"]
