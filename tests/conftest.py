"""Makes `enginekit` and `forgekit` importable from every test folder; fixes what hypothesis tries, names and order.

The gate must say the same of the same tree: `HYPOTHESIS_PROFILE=search` looks for new examples.
"""

import gc
import os
import sys
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).resolve().parent))

from effort import effort

# How fast examples are made says something about the machine at hand, not about the tree.
settings.register_profile(
    "gate", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    max_examples=effort(100, 40),
)  # fmt: skip
settings.register_profile("search")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

_LONG = (
    "test_corpus.py", "test_corpus_contents.py", "test_decode_parity.py", "test_conformance.py",
    "test_kernels_plain.py", "test_hostile.py", "test_oracle.py", "test_cli_workers.py", "test_shipped.py",
    "test_kernelcache.py", "test_app_memory.py", "test_engine_rules.py", "test_engine_apps.py", "test_frames.py",
    "test_et_open.py", "test_short_names.py", "test_bookstore.py", "test_made_apart.py",
)
"""Files that take seconds, the longest first: a process that gets one of them last lets the other one wait."""
_NAMED = 40
_DATED = (b"\x1f\x8b", b"PK")
"""What begins files that may hold the time at which they were made: gzip, zip."""


def pytest_configure():
    """Look for cycles rarely: each walk of all that the collected tests are takes a quarter of a second."""
    gc.set_threshold(50_000, 20, 50)


def pytest_collection_modifyitems(items):
    """Put long files first, in turns with live ones: these wait more than they compute, and two at a time only wait."""
    files = dict.fromkeys(item.path for item in items)
    long = sorted((path for path in files if path.name in _LONG), key=lambda path: _LONG.index(path.name))
    live = [path for path in files if path.parent.name == "live"]
    place = {path: n for n, path in enumerate(path for both in zip_longest(long, live) for path in both if path)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_sessionfinish():
    """Leave alone what is not garbage by now: pytest looks for cycles five times at its end, a second of CPU."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def settled():
    """Have the collector look at what the test makes, not at the half a million objects of all that were collected."""
    gc.collect(0)
    gc.freeze()


def pytest_runtest_teardown():
    """Undo what a command does to the collector of its process: each load of rules would count what it left alone."""
    gc.unfreeze()


def pytest_make_parametrize_id(config, val, argname):
    """Name long bytes, and such as may differ between two processes, by their size: xdist compares the names."""
    if isinstance(val, bytes) and (len(val) > _NAMED or val.startswith(_DATED)):
        return f"{argname}-{len(val)}-bytes"
    return None
