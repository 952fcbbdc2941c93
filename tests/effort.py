"""How much is tried: `make test` (TESTS=all) all that a test asks for, `make check` what is worth waiting for."""

import os

ALL = os.environ.get("TESTS") == "all"


def effort(every, quick):
    """Return how many examples, seeds, … a test tries."""
    return every if ALL else quick
