"""The kernels are plain Python functions: without the compiler the engine writes the same EVE."""

import os
import subprocess
import sys

import pytest
from enginekit import TESTS, run
from trafficgen import traffic

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from enginekit import run
from trafficgen import traffic
sys.stdout.buffer.write(b"\\n".join(run(traffic(int(sys.argv[2])), block=40).lines))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 11])
def test_without_the_compiler_the_same_lines(seed):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(TESTS), str(seed)], capture_output=True, check=True, timeout=120,
        cwd=TESTS.parent, env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    expected = run(traffic(seed), block=40).lines
    assert expected
    assert done.stdout.split(b"\n") == expected
