"""The kernels that choose candidates are plain Python too: their tests pass with the compiler off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parent.parent
FILES = (
    "detect/test_addrindex.py", "detect/test_headers.py", "detect/test_expand.py", "detect/test_looks.py",
    "engine/test_derive.py", "engine/test_late.py", "engine/test_answered.py", "decode/test_details.py",
    "flow/test_watch.py", "proto/test_smb_contents.py",
    "proto/test_kernels_digest.py", "proto/test_tls_framing.py", "test_search.py",
)  # fmt: skip


@pytest.mark.slow
def test_without_the_compiler_the_same():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         *(str(UNIT / file) for file in FILES)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, cwd=UNIT.parent.parent, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6000:]
