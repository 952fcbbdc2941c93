"""Standard output and standard error: lines for people, and readers that go away."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from sensor.cli.progress import Bar
from sensor.errors import OutputError


def out(text: str) -> None:
    """Print to standard output. Raises OutputError, or BrokenPipeError where the reader has gone away."""
    try:
        print(text)
    except BrokenPipeError:
        raise
    except OSError as e:
        raise OutputError(f"standard output: {e.strerror}") from e


def flush() -> None:
    """Flush standard output; raises as `out` does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as e:
        raise OutputError(f"standard output: {e.strerror}") from e


def plural(n: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def coloured(stream: TextIO) -> bool:
    """Tell whether to use colours on a stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """What one replay shows: lines on standard output, notes and a progress bar on standard error.

    Once the reader of standard output has gone away (`| head`) lines are dropped, and `on_gone` is called.
    """

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._pending: list[str] = []
        self.gone = False
        self.on_gone: Callable[[], None] | None = None

    def attach(self, bar: Bar) -> None:
        """Show a progress bar at the bottom."""
        self._bar = bar

    def line(self, text: str) -> None:
        """Add a line for standard output."""
        self._pending.append(text)
        if len(self._pending) >= 1000:
            self.flush()

    def flush(self) -> None:
        """Write the lines. Raises OutputError."""
        if not self._pending:
            return
        text = "\n".join(self._pending)
        self._pending.clear()
        if self.gone:
            return
        if self._bar is not None and sys.stdout.isatty():
            self._bar.hide()
        try:
            out(text)
            flush()
        except BrokenPipeError:
            self.gone = True
            if self.on_gone is not None:
                self.on_gone()

    def note(self, text: str) -> None:
        """Print a line to standard error at once."""
        if self._bar is not None:
            self._bar.hide()
        print(text, file=sys.stderr, flush=True)

    def update(self) -> None:
        """Move the progress bar on."""
        if self._bar is not None:
            self._bar.update()

    def close(self) -> None:
        """Take the progress bar away. Raises OutputError where lines are left that cannot be written."""
        if self._bar is not None:
            self._bar.close()
        self.flush()
