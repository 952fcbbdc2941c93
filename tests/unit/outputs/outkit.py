"""What the tests of outputs share."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(folder, octets):
    """Mount a file system of a few bytes; skip where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is a tmpfs, which only root may mount")
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={octets}", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Clock:
    """A clock that the test turns."""

    def __init__(self, now=1_700_000_000.0):
        self.now = now

    def __call__(self):
        return self.now
