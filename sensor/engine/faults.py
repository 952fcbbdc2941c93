"""Faults of the sensor itself. What one raises ends one thing only, and where it was raised is kept to be told."""

from __future__ import annotations

from typing import Final

MOST: Final = 16
"""Places that are told. What a packet provokes in a hundred places is known by the first ones."""


class Faults:
    """Places in the code that raised something unexpected, each once."""

    def __init__(self) -> None:
        self.found: list[str] = []
        """All of them, the first first."""
        self._told = 0

    def note(self, what: str, error: BaseException) -> None:
        """Keep where an error was raised. what: that which ends by it.

        Only its type is kept: its text may hold what guests have sent.
        """
        text = f"{what}: {type(error).__name__}{_place(error)}"
        if text not in self.found and len(self.found) < MOST:
            self.found.append(text)

    def news(self) -> list[str]:
        """Return those that came since this was asked last."""
        fresh, self._told = self.found[self._told :], len(self.found)
        return fresh


def _place(error: BaseException) -> str:
    """Return where an error was raised. Not by `traceback`, which reads source files: this may be asked for often."""
    at = error.__traceback__
    if at is None:
        return ""
    while at.tb_next is not None:
        at = at.tb_next
    code = at.tb_frame.f_code
    return f" at {'/'.join(code.co_filename.split('/')[-3:])}:{at.tb_lineno}, in {code.co_qualname}"


def line(fault: str) -> str:
    """Return a fault as operators are told of it."""
    return f"a fault of the sensor, please report it: {fault}"
