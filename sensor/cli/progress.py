"""A progress bar for long replays. rich draws it; it is loaded only once a replay takes long on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 1.0
"""Seconds before a bar appears."""
_PERIOD = 0.1
"""Seconds between two looks of it."""
_ERASE = "\r\x1b[2K"


class Bar:
    """One line at the bottom of a terminal. position: returns (bytes done, bytes in total; 0: unknown)."""

    def __init__(
        self, position: Callable[[], tuple[int, int]], stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._position = position
        self._stream = stream
        self._clock = clock
        self._due = clock() + _PATIENCE
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def update(self) -> None:
        """Draw the bar if it is time to."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + _PERIOD
        if self._progress is None:
            self._progress = self._begin()
        done, total = self._position()
        if self._task is None:
            self._task = self._progress.add_task("", total=None)
        self._progress.update(self._task, completed=done, total=total or None, refresh=True)

    def _begin(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        # Drawn when asked for only: no thread, and no hand on the standard streams.
        progress = Progress(
            "replaying", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
            console=Console(file=self._stream, force_terminal=True), transient=True, auto_refresh=False,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        progress.start()
        return progress

    def hide(self) -> None:
        """Erase the line, so that something else can be written; the next update draws it anew."""
        if self._progress is not None:
            self._stream.write(_ERASE)
            self._stream.flush()

    def close(self) -> None:
        """Take the bar away for good."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._due = float("inf")
