"""The last stage of a worker: its records, on their way to the process that collects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from sensor.engine.crew.wire import Lot, encode
from sensor.model.scene import FileRecord, Match, Record, Scene

LOT: Final = 256
"""Records of one message; with payloads about 1 MB."""
LOT_CONTENT = 1 << 20
"""Bytes of files to be stored with which a message is full."""


_UNSENDABLE: Final = (TypeError, OverflowError, ValueError)
"""What encoding raises: for objects, for integers beyond 64 bits, for text that is not Unicode."""


def _sendable(record: Record) -> bool:
    try:
        encode(record)
    except _UNSENDABLE:
        return False
    return True


def _nowhere(_message: bytes) -> None:
    raise RuntimeError("the outbox has no receiver yet")


class Outbox:
    """Gives each record a key and hands them on in lots.

    key: returns the key of a scene; what is raised without a packet, or by one that came before, has that of the last.
    """

    def __init__(self, key: Callable[[Scene], int]) -> None:
        self._key = key
        self._keys: list[int] = []
        self._records: list[Record] = []
        self._content = 0
        """Bytes of files in them."""
        self.last = 0
        """Key of the last record; none that comes has a lower one."""
        self.unsendable = 0
        """Records with a value that no message can carry: a fault of the sensor, which must not end the worker."""
        self.send: Callable[[bytes], None] = _nowhere
        """Takes messages."""

    def __call__(self, record: Record) -> None:
        """Take a record of the engine."""
        self.last = max(self.last, self._key(record.scene))
        if isinstance(record, Match):
            record = replace(record, rule=(record.rule.gid, record.rule.sid))
        self._keys.append(self.last)
        self._records.append(record)
        self._content += len(record.content) if isinstance(record, FileRecord) else 0
        if len(self._records) >= LOT or self._content >= LOT_CONTENT:
            self._hand_on()

    def upto(self, key: int) -> None:
        """Hand on what there is: whatever comes later has at least this key."""
        self.last = max(self.last, key)
        self._hand_on()

    def losses(self) -> dict[str, int]:
        """Return what has not been handed on: reason → count."""
        return {"records that could not be handed over": self.unsendable} if self.unsendable else {}

    def _hand_on(self) -> None:
        keys, records = self._keys, self._records
        self._keys, self._records, self._content = [], [], 0
        try:
            message = encode(Lot(keys, records, self.last))
        except _UNSENDABLE:
            good = [_sendable(record) for record in records]
            self.unsendable += good.count(False)
            both = [(key, record) for key, record, yes in zip(keys, records, good, strict=True) if yes]
            message = encode(Lot([key for key, _ in both], [record for _, record in both], self.last))
        self.send(message)
