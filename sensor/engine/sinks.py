"""Sinks: what fails in one must not reach another, nor the packets. One sink is an isolation point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sensor.errors import OutputError
from sensor.model.records import Event


class Sink(Protocol):
    """Takes events."""

    def write(self, event: Event) -> None:
        """Take an event."""

    def flush(self) -> None:
        """Hand on what is pending."""

    def close(self) -> None:
        """Hand on what is pending, and end."""


class Sinks:
    """All sinks of a run. on_error: told at once what failed; such a sink gets nothing more."""

    def __init__(self, sinks: Sequence[Sink], on_error: Callable[[OutputError], None] | None = None) -> None:
        self._sinks = list(sinks)
        self._on_error = on_error
        self.errors: list[OutputError] = []

    def write(self, event: Event) -> None:
        """Give an event to each sink."""
        for sink in tuple(self._sinks):
            try:
                sink.write(event)
            except Exception as e:  # noqa: BLE001 - isolation point: one sink
                self._failed(sink, e)

    def flush(self) -> None:
        """Flush each sink."""
        for sink in tuple(self._sinks):
            try:
                sink.flush()
            except Exception as e:  # noqa: BLE001 - isolation point: one sink
                self._failed(sink, e)

    def close(self) -> None:
        """Close each sink."""
        for sink in tuple(self._sinks):
            try:
                sink.close()
            except Exception as e:  # noqa: BLE001 - isolation point: one sink
                self._failed(sink, e)

    def _failed(self, sink: Sink, error: Exception) -> None:
        self._sinks.remove(sink)
        told = error if isinstance(error, OutputError) else OutputError(f"{type(sink).__name__}: {error!r}")
        self.errors.append(told)
        if self._on_error is not None:
            self._on_error(told)
