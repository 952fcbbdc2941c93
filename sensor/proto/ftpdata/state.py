"""FTP data of one flow: a file, named by the control connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.expected import Announced
from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.proto.files import HASHED, LONG_HEAD, FileBuilder
from sensor.proto.oddities import Oddities
from sensor.proto.text import text

STAGE_COMMAND, STAGE_SENT, STAGE_RECEIVED = 0, 1, 2
"""The command is known; the file is complete: to_server, to_client."""

COMMANDS = {b"retr": 1, b"stor": 2}


class FtpDataTransaction:
    """The one transaction of a data connection."""

    __slots__ = ("announced", "file", "id", "side")

    def __init__(self, announced: Announced, side: int) -> None:
        self.id = 0
        self.announced = announced
        self.side = side
        """The side that sends."""
        self.file: FileInfo | None = None

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the file's buffer on the side that sends it."""
        base, _, back = name.partition("@")
        if self.file is None or not base.startswith("file.") or (self.side == TO_CLIENT) is not bool(back):
            return ()
        return self.file.buffer(base)

    def numbers(self, name: str) -> Sequence[int]:
        """Return the command as a number."""
        code = COMMANDS.get(self.announced.command) if name == "ftpdata_command" else None
        return (code,) if code else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object (Suricata's names)."""
        found = {"filename": text(self.announced.name)} if self.announced.name else {}
        return found | ({"command": self.announced.command.decode().upper()} if self.announced.command else {})


class FtpDataParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_announced", "_builder", "_policy", "_tx", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._announced = Announced(b"", b"")
        self._tx: FtpDataTransaction | None = None
        self._builder: FileBuilder | None = None
        self._policy = HASHED

    def announced(self, what: Announced) -> None:
        """Learn what the control connection said (see `sensor.model.app.Expects`)."""
        self._announced = what

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._policy = policy

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side; what the other side sends is no part of the file."""
        out: list[TxStage] = []
        if not self.done and data:
            tx, builder = self._begin(side, out)
            if side == tx.side:
                builder.add(data)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._builder.held if self._builder is not None else 0

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Note lost bytes."""
        out: list[TxStage] = []
        if not self.done:
            tx, builder = self._begin(side, out)
            if not self._odd:
                self._report(AppAnomaly.PROTOCOL_GAP, side)
            if side == tx.side:
                builder.gap(length)
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Close the file: the connection is its frame."""
        if self.done or self._tx is None or self._builder is None:
            return []
        self.done = True
        self._tx.file = self._builder.close()
        return [TxStage(self._tx, STAGE_SENT if self._tx.side == TO_SERVER else STAGE_RECEIVED, self._tx.side)]

    def _begin(self, side: int, out: list[TxStage]) -> tuple[FtpDataTransaction, FileBuilder]:
        """Return transaction and file, made with the first byte."""
        if self._tx is None or self._builder is None:
            self._tx = FtpDataTransaction(self._announced, side)
            self._builder = FileBuilder(self._announced.name, LONG_HEAD, self._policy)
            # Seen as the control connection has it: a download goes to the client, however the connection was made.
            out.append(TxStage(self._tx, STAGE_COMMAND, TO_SERVER if self._announced.command == b"stor" else TO_CLIENT))
        return self._tx, self._builder
