"""The sink in front of a spool: events go to the disk here, and from there to their receiver in a thread."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sensor.model.records import Event
from sensor.outputs.courier import Courier


class RemoteSink:
    """kinds: event types to deliver. encode: makes a line of an event."""

    def __init__(self, courier: Courier, kinds: Collection[str], encode: Callable[[Event], bytes]) -> None:
        self._courier = courier
        self._spool = courier.spool
        self._kinds = frozenset(kinds)
        self._encode = encode
        courier.start()

    def write(self, event: Event) -> None:
        """Take an event."""
        if event.kind in self._kinds:
            self._spool.append(self._encode(event), dear=event.kind == "alert")

    def flush(self) -> None:
        """Write what was taken to the spool."""
        if self._spool.flush():
            self._courier.wake()

    def reopen(self) -> None:
        """Do nothing: no name here is anybody else's."""

    def close(self) -> None:
        """Write what was taken, and end; what cannot be delivered now stays in the spool."""
        try:
            self._spool.close()
        finally:
            self._courier.stop()
