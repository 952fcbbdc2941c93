"""What was found to be right or wrong with the machine that the sensor runs on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GOOD, WARNING, ERROR = "good", "warning", "error"
"""Of warnings, the sensor works, but less well or less safely; with an error it does not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """An interface, or a word."""
    state: str
    """GOOD, WARNING or ERROR."""
    text: str
    mend: str = ""
    """A command, empty: none."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}" + (f" (mend: {self.mend})" if self.mend else "")


def worst(findings: Iterable[Finding]) -> str:
    """Return the worst state."""
    states = {f.state for f in findings}
    return next((state for state in (ERROR, WARNING) if state in states), GOOD)
