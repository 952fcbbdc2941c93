"""Skips what cannot run here; makes the laboratory once."""

import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import livekit


@pytest.fixture(scope="session")
def able():
    """Live tests can run here."""
    reason = livekit.missing()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(able):
    made = livekit.Lab()
    yield made
    made.close()


@pytest.fixture
def own(able):
    """A laboratory that a test may take apart."""
    made = livekit.Lab()
    yield made
    made.close()


@pytest.fixture
def public():
    """A folder that another user reaches: pytest's own are closed to all others."""
    with tempfile.TemporaryDirectory(prefix="xensor-live-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)
