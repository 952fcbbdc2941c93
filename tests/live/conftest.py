"""Skips what cannot run here; makes the laboratory once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import livekit


@pytest.fixture(scope="session")
def lab():
    reason = livekit.missing()
    if reason:
        pytest.skip(reason)
    made = livekit.Lab()
    yield made
    made.close()
