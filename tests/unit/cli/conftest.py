"""Every test here gets a folder of its own for captures, rules, logs and the compile cache."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from clikit import Box


@pytest.fixture
def box(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return Box(tmp_path, capsys)
