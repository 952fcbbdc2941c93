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

    def reopen(self) -> None:
        """Open anew what has a name that others may have moved."""

    def close(self) -> None:
        """Hand on what is pending, and end."""


def _sheds_nothing(_kind: str) -> bool:
    return False


class Sinks:
    """All sinks of a run. on_error: told at once what failed; such a sink gets nothing more.

    lasting: it does get more, and only an error that differs from its last one is told. sheds: tells whether events of
    a kind are left out at present.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        on_error: Callable[[OutputError], None] | None = None,
        *,
        lasting: bool = False,
        sheds: Callable[[str], bool] = _sheds_nothing,
    ) -> None:
        self._sinks = list(sinks)
        self._given_up: list[Sink] = []
        self._on_error = on_error
        self._lasting = lasting
        self._sheds = sheds
        self._told: dict[int, str] = {}
        self.errors: list[OutputError] = []
        """One for each sink that failed; of lasting ones, the last."""
        self.failures = 0
        """Times that a sink raised an error."""

    def write(self, event: Event) -> None:
        """Give an event to each sink."""
        if self._sheds(event.kind):
            return
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

    def reopen(self) -> None:
        """Let each sink open anew what others may have moved."""
        for sink in tuple(self._sinks):
            try:
                sink.reopen()
            except Exception as e:  # noqa: BLE001 - isolation point: one sink
                self._failed(sink, e)

    def close(self) -> None:
        """Close each sink, those that get nothing more as well: what else is wrong with these is counted, not told."""
        given_up = tuple(self._given_up)
        for sink in tuple(self._sinks):
            try:
                sink.close()
            except Exception as e:  # noqa: BLE001 - isolation point: one sink
                self._failed(sink, e)
        for sink in given_up:
            try:
                sink.close()
            except Exception:  # noqa: BLE001 - isolation point: one sink
                self.failures += 1

    def _failed(self, sink: Sink, error: Exception) -> None:
        told = error if isinstance(error, OutputError) else OutputError(f"{type(sink).__name__}: {error!r}")
        self.failures += 1
        if not self._lasting:
            self._sinks.remove(sink)
            self._given_up.append(sink)
            self.errors.append(told)
        elif self._told.get(id(sink)) == str(told):
            return
        else:
            self._told[id(sink)] = str(told)
            self.errors = [told]
        if self._on_error is not None:
            self._on_error(told)
