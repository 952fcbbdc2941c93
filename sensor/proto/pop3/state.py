"""POP3 of one flow: each command is a transaction; what RETR and TOP fetch is taken apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.model.losses import Losses
from sensor.proto.files import HASHED
from sensor.proto.lines import Line, LineReader
from sensor.proto.mime.carried import CarriedMail
from sensor.proto.oddities import Oddities
from sensor.proto.pop3 import limits
from sensor.proto.text import text

STAGE_COMMAND, STAGE_FILE, STAGE_DONE = 0, 1, 2

_MAILS = frozenset({b"RETR", b"TOP"})
_LISTS = frozenset({b"CAPA", b"LIST", b"UIDL"})
"""Replies of several lines; of LIST and UIDL only without an argument (RFC 1939 section 5)."""


_TRANSACTION = 500
"""Bytes that a command takes besides its text."""


class Pop3Transaction:
    """A command with its reply, or a reply without one (the greeting)."""

    __slots__ = ("_bytes", "arguments", "command", "files", "id", "status", "success")

    def __init__(self, number: int, command: bytes = b"", arguments: bytes = b"") -> None:
        self.id = number
        self.command = command
        self.arguments = arguments
        self.status = b""
        """First line of the reply."""
        self.success = False
        self.files: list[FileInfo] = []
        """As many as may be kept until the end of the mail."""
        self._bytes = 0

    @property
    def listed(self) -> bool:
        """The reply has several lines, if it is a good one."""
        return self.command in _LISTS and (self.command == b"CAPA" or not self.arguments)

    def add_file(self, file: FileInfo) -> bool:
        """Keep a file, as far as there is room; return whether there was any."""
        self._bytes += len(file.data)
        if self._bytes > limits.FILE_BYTES:
            return False
        self.files.append(file)
        return True

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return _TRANSACTION + len(self.arguments) + sum(len(file.content) for file in self.files)

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent."""
        base, _, back = name.partition("@")
        if base.startswith("file."):
            return [value for file in self.files for value in file.buffer(base)] if back else ()
        found = {"pop3.command": self.command, "pop3.arguments": self.arguments, "pop3.response": self.status}
        value = found.get(name, b"")
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object (Suricata's names). Passwords are left out."""
        found: dict[str, Any] = {}
        if self.command:
            hidden = self.command in {b"PASS", b"APOP"}
            found["request"] = {"command": text(self.command), "args": [] if hidden else text(self.arguments).split()}
        if self.status:
            found["response"] = {"success": self.success, "status": text(self.status)}
        return found


class Pop3Parser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = (
        "_bytes", "_count", "_lines", "_listing", "_mail", "_pending", "_policy", "_tx", "becomes", "done", "losses",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.becomes = ""
        self._policy = HASHED
        self.losses = Losses()
        self._lines = (LineReader(limits.LINE), LineReader(limits.LINE))
        self._count = 0
        self._pending: deque[Pop3Transaction] = deque()
        self._bytes = 0
        """Of memory that these take, about."""
        self._tx: Pop3Transaction | None = None
        """Whose reply of several lines is under way."""
        self._listing = False
        self._mail: CarriedMail | None = None

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._policy = policy

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        while data and not self.done:
            data = self._on_mail(data, out) if side == TO_CLIENT and self._mail else self._on_lines(side, data, out)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        mail = self._mail.held if self._mail is not None else 0
        answered = self._tx.held() if self._tx is not None else 0
        return mail + answered + self._bytes + sum(one.held for one in self._lines)

    def rest(self, side: int) -> bytes:
        """Return what is TLS already (see `sensor.model.app.HandsOver`)."""
        return self._lines[side].rest()

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next line; a mail ends before what is lost."""
        out: list[TxStage] = []
        if not self.done:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._lines[side].forget()
            if side == TO_CLIENT:
                self._end(out)
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete what got no reply, or only part of it."""
        out: list[TxStage] = []
        self.done = True
        self._end(out)
        out += [TxStage(tx, STAGE_DONE, TO_CLIENT) for tx in self._pending]
        self._pending.clear()
        return out

    def _on_lines(self, side: int, data: bytes, out: list[TxStage]) -> bytes:
        """Take lines; return the bytes that belong to a mail."""
        reader = self._lines[side]
        reader.give(data)
        while not self.done and (line := reader.next()) is not None:
            if side == TO_SERVER:
                self._on_command(line, out)
            else:
                self._on_reply(line.text, out)
                if self._mail is not None:
                    return reader.rest()
        return b""

    def _on_command(self, line: Line, out: list[TxStage]) -> None:
        word, _, rest = line.text.strip().partition(b" ")
        if not word:
            return
        tx = self._new(word.upper(), rest.strip())
        out.append(TxStage(tx, STAGE_COMMAND, TO_SERVER))
        self._pending.append(tx)
        self._bytes += tx.held()
        if len(self._pending) > limits.PENDING:
            out.append(TxStage(self._take_oldest(), STAGE_DONE, TO_CLIENT))
            self.losses.transactions += 1

    def _take_oldest(self) -> Pop3Transaction:
        tx = self._pending.popleft()
        self._bytes -= tx.held()  # no file is its own yet
        return tx

    def _new(self, command: bytes = b"", arguments: bytes = b"") -> Pop3Transaction:
        tx = Pop3Transaction(self._count, command, arguments)
        self._count += 1
        return tx

    def _on_reply(self, line: bytes, out: list[TxStage]) -> None:
        if self._listing:
            if line == b".":
                self._end(out)
            return
        if line[:2] == b"+ " or line == b"+":  # a challenge (RFC 5034 section 4): the command goes on
            return
        tx = self._take_oldest() if self._pending else self._new()
        tx.status = line
        tx.success = line[:3] == b"+OK"
        self._tx = tx
        if tx.success and tx.command in _MAILS:
            self._mail = CarriedMail(policy=self._policy)
        elif tx.success and tx.listed:
            self._listing = True
        else:
            self._end(out)
            if tx.success and tx.command == b"STLS":
                self.done, self.becomes = True, "tls"

    def _on_mail(self, data: bytes, out: list[TxStage]) -> bytes:
        """Give the mail its bytes; return what is behind its end."""
        mail, tx = self._mail, self._tx
        if mail is None or tx is None:
            return data
        found, rest = mail.feed(data)
        self._files(tx, found, out)
        if mail.over:
            self._end(out)
        return rest

    def _files(self, tx: Pop3Transaction, found: list[FileInfo], out: list[TxStage]) -> None:
        for file in found:
            self.losses.files += not tx.add_file(file)
            out.append(TxStage(tx, STAGE_FILE, TO_CLIENT, file=file))

    def _end(self, out: list[TxStage]) -> None:
        """Complete the reply under way."""
        tx, mail = self._tx, self._mail
        self._tx, self._mail, self._listing = None, None, False
        if tx is not None:
            self._files(tx, mail.finish() if mail is not None else [], out)
            out.append(TxStage(tx, STAGE_DONE, TO_CLIENT))
