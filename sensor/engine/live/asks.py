"""What operators ask of a running sensor: handed from the control socket's thread to the packet loop, and answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    good: bool
    message: Any
    """Anything that JSON can carry."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One command. reply: takes the answer, once, from any thread."""

    command: str
    arguments: Mapping[str, Any]
    reply: Callable[[Answer], None]


class Asks:
    """A bounded queue. wake: ends the packet loop's wait."""

    def __init__(self, wake: Callable[[], None], limit: int = 64) -> None:
        self._wake = wake
        self._limit = limit
        self._waiting: deque[Ask] = deque()

    def put(self, ask: Ask) -> None:
        """Hand over a command; where too many wait it is refused at once."""
        if len(self._waiting) >= self._limit:
            ask.reply(Answer(False, "too many commands are waiting"))
            return
        self._waiting.append(ask)
        self._wake()

    def take(self) -> list[Ask]:
        """Return the commands that wait."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found
