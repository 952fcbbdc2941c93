"""A file on its way through one handle, in one direction: the transaction that rules on files see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER
from sensor.model.files import FileInfo
from sensor.proto.files import FileBuilder
from sensor.proto.smb import stages
from sensor.proto.smb.connection import Connection
from sensor.proto.smb.exchange import Exchange

_DATA = (stages.WRITE_DATA, stages.READ_DATA)
_WHOLE = (stages.WRITTEN, stages.READ)
_SHARE = "smb.share"


class Transfer:
    """A file that is written (to the server) or read."""

    __slots__ = ("_connection", "_context", "_seen", "builder", "id", "side")

    def __init__(self, connection: Connection, side: int, context: Exchange, name: bytes) -> None:
        self._connection = connection
        self._context = context
        """What EVE says of session and tree."""
        self.id = context.id
        self.side = side
        self.builder = FileBuilder(name, hashed=connection.hashes)
        self._seen = False
        """Rules have seen its first bytes."""

    def put(self, offset: int, data: bytes) -> None:
        """Take bytes; show rules the file's beginning as soon as no more of it will be kept."""
        builder = self.builder
        if data and offset < builder.size and builder.size > 0:
            self._connection.report(AppAnomaly.SMB_FILE_OVERLAP, self.side)
        builder.put(offset, data)
        if builder.full:
            self._show()

    def give_up(self) -> None:
        """Show rules what there is, and keep nothing more."""
        self._show()
        self.builder.drop()

    def close(self, *, ended: bool) -> None:
        """End the file. ended: nothing behind what was seen is missing."""
        self._show()
        self._connection.reach(self, _WHOLE[self.side], self.builder.close(ended=ended))

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        base, _, side = name.partition("@")
        if not base.startswith("file."):
            return self._context.buffer(name)
        if bool(side) != bool(self.side):
            return ()
        return self._info().buffer(base)

    def numbers(self, _name: str) -> Sequence[int]:
        """Return nothing: all numbers are of calls."""
        return ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return self._context.eve()

    def _info(self) -> FileInfo:
        return self.builder.close(ended=False)

    def _show(self) -> None:
        if not self._seen:
            self._seen = True
            self._connection.reach(self, _DATA[self.side])


def command(side: int, version: int) -> str:
    """Return the command that carries a file, as EVE names it."""
    word = "WRITE" if side == TO_SERVER else "READ"
    return f"SMB2_COMMAND_{word}" if version == 2 else f"SMB1_COMMAND_{word}_ANDX"
