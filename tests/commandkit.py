"""`xensor …` in processes of their own, forked from one that has loaded what commands load: that takes 0.7 s of CPU."""

import os
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from sensor.cli.main import entry

ROOT = Path(__file__).resolve().parents[1]
_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload(
    ["sensor.cli.replay", "sensor.cli.outlets", "sensor.engine.offline.replay", "sensor.engine.crew.replay"]
)


def _command(words, files, env, setup):
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate(files, 1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    sys.argv = ["xensor", *words]
    if setup is not None:
        setup()
    entry()


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


class Command:
    """A command that runs; `setup` (of a module that can be imported) is called there before it begins."""

    def __init__(self, *words, setup=None, stdout=None, **environment):
        self._folder = tempfile.TemporaryDirectory()
        self.stdout, self.stderr = (Path(self._folder.name) / name for name in ("out", "err"))
        for path in (self.stdout, self.stderr):
            path.touch()
        args = [str(word) for word in words], (stdout or self.stdout, self.stderr), os.environ | environment, setup
        self._process = _FORKED.Process(target=_command, args=args)
        self._process.start()
        self.pid = self._process.pid

    def alive(self):
        return self._process.is_alive()

    def end(self, timeout=120):
        """Wait for its end; return its status and what it has said."""
        self._process.join(timeout)
        late = self._process.exitcode is None
        if late:
            self._process.kill()
            self._process.join()
        out, err = self.stdout.read_text(), self.stderr.read_text()
        self._folder.cleanup()
        assert not late, f"not over after {timeout} s: {out}{err}"
        return Done(self._process.exitcode, out, err)


def command(*words, **more):
    return Command(*words, **more).end()
