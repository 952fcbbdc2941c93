"""Where the time of the packet loop goes, by stage: a clock read per stage and block, 0.1 µs each."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Final

STAGES: Final = (
    "decode", "duplicates", "fragments", "flows", "gather", "protocols", "scan", "walk", "count", "journal",
)  # fmt: skip
"""As in docs/architecture.md. `walk` is rules judged, parsers run and events made."""


class Stopwatch:
    """Nanoseconds by stage since the start."""

    __slots__ = ("_at", "ns")

    def __init__(self) -> None:
        self.ns = dict.fromkeys(STAGES, 0)
        self._at = 0

    def start(self) -> None:
        """Begin a block."""
        self._at = perf_counter_ns()

    def lap(self, stage: str) -> None:
        """End a stage; the next begins."""
        now = perf_counter_ns()
        self.ns[stage] += now - self._at
        self._at = now
