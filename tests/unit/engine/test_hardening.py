"""What the process denies itself, tried in a process of its own."""

import subprocess
import sys

import pytest

from sensor.engine.live import hardening
from sensor.errors import UsageError

TRY = """
import mmap
from sensor.engine.live import hardening
assert hardening.no_new_privileges()
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
if not hardening.deny_new_code():
    raise SystemExit(3)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    assert "NoNewPrivs:\\t1" in open("/proc/self/status").read()
    raise SystemExit(0)
raise SystemExit(4)
"""


def test_no_memory_becomes_executable_any_more():
    status = subprocess.run([sys.executable, "-c", TRY], check=False).returncode
    if status == 3:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3)")
    assert status == 0


def test_an_unknown_user():
    with pytest.raises(UsageError, match="no such user"):
        hardening.drop_privileges("nobody-of-that-name")


CAPABILITIES = """
from sensor.engine.live import hardening
assert hardening.drop_capabilities()
lines = open("/proc/self/status").read().splitlines()
held = {line.split(":")[1].strip() for line in lines if line.startswith(("CapInh", "CapPrm", "CapEff", "CapAmb"))}
assert held == {"0" * 16}, held
"""


def test_no_capability_is_left():
    subprocess.run([sys.executable, "-c", CAPABILITIES], check=True)
