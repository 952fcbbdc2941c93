"""IMAP of one flow: each tagged command is a transaction; mails that are fetched or stored are taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.model.losses import Losses
from sensor.proto.files import HASHED
from sensor.proto.imap import limits, parse
from sensor.proto.lines import LineReader
from sensor.proto.mime.carried import CarriedMail
from sensor.proto.oddities import Oddities
from sensor.proto.text import text

STAGE_COMMAND, STAGE_STORED, STAGE_FETCHED, STAGE_DONE = 0, 1, 2, 3


_TRANSACTION = 500
"""Bytes that a command takes besides its text."""


class ImapTransaction:
    """A command with its replies, or a reply without one (the greeting)."""

    __slots__ = ("_bytes", "arguments", "command", "files", "id", "status", "tag")

    def __init__(self, number: int, tag: bytes = b"", command: bytes = b"", arguments: bytes = b"") -> None:
        self.id = number
        self.tag = tag
        self.command = command
        self.arguments = arguments
        self.status = b""
        """The line that completes it, without its tag."""
        self.files: list[tuple[int, FileInfo]] = []
        """(sending side, file), as many as may be kept."""
        self._bytes = 0

    def add_file(self, side: int, file: FileInfo) -> bool:
        """Keep a file, as far as there is room; return whether there was any."""
        self._bytes += len(file.data)
        if self._bytes > limits.FILE_BYTES:
            return False
        self.files.append((side, file))
        return True

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return _TRANSACTION + len(self.arguments) + sum(len(file.content) for file in (file for _, file in self.files))

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent."""
        base, _, back = name.partition("@")
        if base.startswith("file."):
            wanted = TO_CLIENT if back else TO_SERVER
            return [value for side, file in self.files if side == wanted for value in file.buffer(base)]
        found = {"imap.command": self.command, "imap.arguments": self.arguments, "imap.response": self.status}
        value = found.get(name, b"")
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object. Passwords are left out."""
        found: dict[str, Any] = {}
        if self.command:
            found |= {"tag": text(self.tag), "command": text(self.command)}
            if self.arguments and self.command not in {b"LOGIN", b"AUTHENTICATE"}:
                found["arguments"] = text(self.arguments)
        return found | ({"response": text(self.status)} if self.status else {})


class _Literal:
    """Bytes that a line has announced."""

    __slots__ = ("left", "mail")

    def __init__(self, length: int, policy: FilePolicy, *, mail: bool) -> None:
        self.left = length
        self.mail = CarriedMail(length, policy) if mail and length else None


class ImapParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = (
        "_bytes", "_count", "_lines", "_literals", "_pending", "_policy", "_tails", "becomes", "done", "losses",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.becomes = ""
        self._policy = HASHED
        self.losses = Losses()
        self._lines = (LineReader(limits.LINE), LineReader(limits.LINE))
        self._literals: list[_Literal | None] = [None, None]
        self._tails = [False, False]
        """The side's next line goes on with what was before a literal."""
        self._count = 0
        self._pending: dict[bytes, ImapTransaction] = {}
        """Tag → command that waits for its reply, the oldest first."""
        self._bytes = 0
        """Of memory that these take, about."""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._policy = policy

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        while data and not self.done:
            found = self._literals[side]
            data = self._on_literal(side, found, data, out) if found is not None else self._on_lines(side, data, out)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        mails = (found.mail.held for found in self._literals if found is not None and found.mail is not None)
        return sum(mails) + self._bytes + sum(one.held for one in self._lines)

    def rest(self, side: int) -> bytes:
        """Return what is TLS already (see `sensor.model.app.HandsOver`)."""
        return self._lines[side].rest()

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next line, or in a literal that holds all that is lost."""
        out: list[TxStage] = []
        if self.done:
            return out
        self._report(AppAnomaly.PROTOCOL_GAP, side)
        found = self._literals[side]
        if found is not None:
            self._files(side, found.mail.finish() if found.mail is not None else [], out)
            left = found.left - length
            self._literals[side] = _Literal(left, self._policy, mail=False) if left > 0 else None
        self._lines[side].forget()
        self._tails[side] = True
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete what is pending."""
        out: list[TxStage] = []
        self.done = True
        for side, found in enumerate(self._literals):
            if found is not None and found.mail is not None:
                self._files(side, found.mail.finish(), out)
        out += [TxStage(tx, STAGE_DONE, TO_CLIENT) for tx in self._pending.values()]
        self._pending.clear()
        return out

    def _on_lines(self, side: int, data: bytes, out: list[TxStage]) -> bytes:
        """Take lines; return the bytes behind a line that announces a literal."""
        reader = self._lines[side]
        reader.give(data)
        while not self.done and (line := reader.next()) is not None:
            tail, self._tails[side] = self._tails[side], False
            length = parse.literal(line.text) if not line.cut else -1
            if side == TO_SERVER and not tail:
                self._on_command(line.text, out)
            elif side == TO_CLIENT and not tail:
                self._on_reply(line.text, out)
            if length >= 0:
                self._tails[side] = True
                if length:
                    self._literals[side] = _Literal(length, self._policy, mail=parse.is_mail(line.text))
                    return reader.rest()
        return b""

    def _on_command(self, line: bytes, out: list[TxStage]) -> None:
        found = parse.command(line)
        if found is None:
            return
        tx = ImapTransaction(self._count, *found)
        self._count += 1
        out.append(TxStage(tx, STAGE_COMMAND, TO_SERVER))
        old = self._take(found.tag)
        if old is None and len(self._pending) >= limits.PENDING:
            old = self._take(next(iter(self._pending)))
            self.losses.transactions += 1
        if old is not None:
            out.append(TxStage(old, STAGE_DONE, TO_CLIENT))
        self._pending[found.tag] = tx
        self._bytes += tx.held()

    def _take(self, tag: bytes) -> ImapTransaction | None:
        tx = self._pending.pop(tag, None)
        self._bytes -= tx.held() if tx is not None else 0
        return tx

    def _on_reply(self, line: bytes, out: list[TxStage]) -> None:
        tag, _, rest = line.partition(b" ")
        if tag in {b"*", b"+"}:
            if not self._count:
                self._greet(rest, out)
            return
        tx = self._take(tag)
        if tx is None:
            return
        tx.status = rest
        out.append(TxStage(tx, STAGE_DONE, TO_CLIENT))
        if tx.command == b"STARTTLS" and rest[:2].upper() == b"OK":
            self.done, self.becomes = True, "tls"

    def _greet(self, line: bytes, out: list[TxStage]) -> None:
        tx = ImapTransaction(self._count)
        self._count += 1
        tx.status = line
        out.append(TxStage(tx, STAGE_DONE, TO_CLIENT))

    def _on_literal(self, side: int, found: _Literal, data: bytes, out: list[TxStage]) -> bytes:
        """Take the bytes of a literal; return what is behind it."""
        mine, rest = data[: found.left], data[found.left :]
        found.left -= len(mine)
        if found.mail is not None:
            self._files(side, found.mail.feed(mine)[0], out)
        if not found.left:
            self._literals[side] = None
        return rest

    def _files(self, side: int, found: list[FileInfo], out: list[TxStage]) -> None:
        """Show files. Replies do not tell their command: the oldest that fetches, else the oldest, is taken for it."""
        if not found:
            return
        word = b"FETCH" if side == TO_CLIENT else b"APPEND"
        fits = (tx for tx in self._pending.values() if tx.command.endswith(word))
        tx = next(fits, None) or next(iter(self._pending.values()), None)
        if tx is None:
            tx = ImapTransaction(self._count)
            self._count += 1
        before = tx.held()
        for file in found:
            self.losses.files += not tx.add_file(side, file)
            out.append(TxStage(tx, STAGE_FETCHED if side == TO_CLIENT else STAGE_STORED, side, file=file))
        self._bytes += tx.held() - before if tx.tag in self._pending else 0
