"""Properties of spools and files: whatever fails, and whenever the process ends, alerts come out whole and in order."""

import os
import tempfile
from pathlib import Path
from unittest import mock

from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.outputs import spool as spool_module
from sensor.outputs.backlog import OutputCounters
from sensor.outputs.limits import FileOptions
from sensor.outputs.logfile import LogFile
from sensor.outputs.spool import Spool

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 40)),
        st.tuples(st.just("read"), st.integers(1, 200)),
        st.tuples(st.sampled_from(("commit", "rewind", "restart", "kill", "full", "room")), st.just(0)),
    ),
    max_size=60,
)


class Disk:
    """Takes a few bytes at a time, or none."""

    def __init__(self):
        self.full = False
        self.write = os.write

    def __call__(self, fd, data):
        if self.full:
            if len(data) > 3 and self.full == "nearly":
                self.full = True
                return self.write(fd, data[:3])
            raise OSError(28, "No space left on device")
        return self.write(fd, data[:17])


@settings(max_examples=effort(150, 50), deadline=None)
@given(STEPS)
def test_a_spool_delivers_every_line_at_least_once_and_in_order(steps):
    disk = Disk()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(spool_module, "SEGMENT", 64), \
            mock.patch("sensor.outputs.backlog.os.write", disk):  # fmt: skip
        world = World(Path(folder), disk)
        for step, n in steps:
            getattr(world, step)(n)
        disk.full = False
        world.made.flush()
        world.rewind()
        world.drain()
        assert set(world.safe) <= set(world.delivered)
        assert world.made.waiting == 0
        assert world.made.size == 0
        world.made.close()


class World:
    """A spool, its reader, and what the reader is promised."""

    def __init__(self, folder, disk):
        self.folder, self.disk = folder, disk
        self.n = 0
        self.safe = []
        """Lines that a flush has put on the disk."""
        self.delivered = []
        self.pending = []
        self.out = []
        """Read, not committed."""
        self.made = self.opened()

    def opened(self):
        return Spool(self.folder, 1 << 20, OutputCounters(), lambda _text: None)

    def put(self, size):
        self.n += 1
        line = b"%d" % self.n + b"x" * size
        self.made.append(line, dear=True)
        self.pending.append(line)
        self.made.flush()
        waiting = len(self.made._backlog)
        done = len(self.pending) - waiting
        self.safe += self.pending[:done]
        del self.pending[:done]

    def read(self, octets):
        lines = self.made.read(octets)
        if lines:
            assert lines == self.expected(len(lines)), "in order, without a gap"
        self.out.extend(lines)

    def expected(self, n):
        """Return the next lines that are not read yet."""
        known = [line for line in self.safe if line not in self.delivered and line not in self.out]
        return known[:n]

    def commit(self, _n):
        self.made.commit(self.made.mark())
        self.delivered += self.out
        self.out.clear()

    def rewind(self, _n=0):
        self.made.rewind()
        self.out.clear()

    def restart(self, _n):
        if self.disk.full:
            return
        self.made.close()
        self.safe += self.pending
        self.pending.clear()
        self.out.clear()
        self.made = self.opened()

    def kill(self, _n):
        os.close(self.made._fd)
        self.pending.clear()
        self.out.clear()
        self.disk.full = False
        self.made = self.opened()

    def full(self, _n):
        self.disk.full = "nearly"

    def room(self, _n):
        self.disk.full = False
        self.made.flush()
        self.safe += self.pending
        self.pending.clear()

    def drain(self):
        self.safe += self.pending
        self.pending.clear()
        while True:
            before = len(self.out)
            self.read(100)
            if len(self.out) == before:
                break
        self.commit(0)


@settings(max_examples=effort(150, 50), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("put", "full", "room", "move", "restart", "tick")), st.integers(1, 60)),
                max_size=60))  # fmt: skip
def test_a_file_holds_every_line_whole_and_in_order(steps):
    disk = Disk()
    now, lines = [1_700_000_000.0], []
    with tempfile.TemporaryDirectory() as name, mock.patch("sensor.outputs.backlog.os.write", disk):
        folder = Path(name)

        def opened():
            options = FileOptions(rotate_size=4096, rotate_seconds=0)
            return LogFile(folder / "eve.json", options, lambda _text: None, lambda: now[0])

        file = opened()
        for number, (step, n) in enumerate(steps):
            now[0] += 1.1
            if step == "put":
                lines.append(b"%04d" % number + b"x" * n * 20)
                file.write(lines[-1], dear=True)
                file.flush()
            elif step == "full":
                disk.full = "nearly"
            elif step == "room":
                disk.full = False
            elif step == "move" and (folder / "eve.json").exists():
                (folder / "eve.json").rename(folder / f"moved-{number:04d}")
            elif step == "restart" and not disk.full:
                file.close()
                file = opened()
            else:
                file.flush()
        disk.full = False
        file.close()
        found = []
        for path in folder.iterdir():
            found += path.read_bytes().splitlines()
    # A line that was cut off when its file was moved away is there in part, and whole in the next file.
    whole = [line for line in found if line in set(lines)]
    assert sorted(whole) == sorted(lines)
    assert all(any(line.startswith(part) for line in lines) for part in found)
