"""Signals as flags that the packet loop looks at between two blocks."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class Signals:
    """SIGTERM and SIGINT stop, SIGHUP reopens outputs, SIGUSR2 reloads rules. `wake` ends a wait for packets."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.stop = False
        self._reopen = False
        self._reload = False
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Take the signals over; main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            self._before[number] = signal.signal(number, self._take)

    def restore(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reopen = True
        elif number == signal.SIGUSR2:
            self._reload = True
        else:
            self.stop = True
        self._wake()

    def ask_stop(self) -> None:
        """Stop as SIGTERM does."""
        self.stop = True
        self._wake()

    def take_reopen(self) -> bool:
        """Tell whether outputs are to be reopened, once."""
        asked, self._reopen = self._reopen, False
        return asked

    def take_reload(self) -> bool:
        """Tell whether rules are to be reloaded, once."""
        asked, self._reload = self._reload, False
        return asked
