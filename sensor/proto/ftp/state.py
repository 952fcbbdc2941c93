"""FTP of one control connection: each command is a transaction with its replies."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.ftp import limits, parse
from sensor.proto.ftp.transaction import ACTIVE_MODE, PASSIVE_MODE, FtpTransaction
from sensor.proto.lines import Line, LineReader
from sensor.proto.oddities import Oddities

STAGE_COMMAND, STAGE_DONE = 0, 1

_EXCHANGE = 500
"""Bytes that a command takes besides its text."""
_TLS = b"234"
"""Reply to AUTH: what follows is TLS (RFC 4217 section 4)."""


class FtpParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_bytes", "_client", "_count", "_first", "_lines", "_pending", "becomes", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.becomes = ""
        self._lines = (LineReader(limits.LINE), LineReader(limits.LINE))
        self._count = 0
        self._client = b""
        self._pending: dict[int, FtpTransaction] = {}
        """Commands that wait for their replies, the oldest first."""
        self._bytes = 0
        self._first = b""
        """Code of the reply of several lines that is under way."""

    def ends(self, client: bytes, server: bytes) -> None:  # noqa: ARG002 - see `sensor.model.app.KnowsEnds`
        """Learn who talks: 4 or 16 bytes each."""
        self._client = client

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        if self.done:
            return out
        reader = self._lines[side]
        reader.give(data)
        while (line := reader.next()) is not None and self._on_line(side, line, out):
            pass
        return out

    def rest(self, side: int) -> bytes:
        """Return what is TLS already (see `sensor.model.app.HandsOver`)."""
        return self._lines[side].rest()

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._lines) + self._bytes + _EXCHANGE * len(self._pending)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next line."""
        if not self.done:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._lines[side].forget()
            self._first = b"" if side == TO_CLIENT else self._first
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete commands that got no reply."""
        out: list[TxStage] = []
        self.done = True
        while self._pending:
            self._complete(out)
        return out

    def _on_line(self, side: int, line: Line, out: list[TxStage]) -> bool:
        """Take a line; False: nothing that follows can be read."""
        if side == TO_SERVER:
            self._on_command(line, out)
        else:
            self._on_reply(line, out)
        return not self.done

    def _on_command(self, line: Line, out: list[TxStage]) -> None:
        word, arguments = parse.command(line.text)
        if not word:
            return
        if line.cut:
            self._report(AppAnomaly.FTP_REQUEST_COMMAND_TOO_LONG, TO_SERVER)
        tx = FtpTransaction(self._count, word, arguments, cut=line.cut)
        self._count += 1
        if word in parse.ACTIVE:
            self._note_port(tx, parse.active(word, arguments))
        elif word in parse.PASSIVE:
            tx.mode = PASSIVE_MODE
        self._pending[tx.id] = tx
        self._bytes += tx.size
        out.append(TxStage(tx, STAGE_COMMAND, TO_SERVER))
        while len(self._pending) > limits.PENDING or (len(self._pending) > 1 and self._bytes > limits.PENDING_BYTES):
            self._report(AppAnomaly.FTP_TOO_MANY_TRANSACTIONS, TO_SERVER)
            self._complete(out)

    def _note_port(self, tx: FtpTransaction, where: parse.Endpoint | None) -> None:
        tx.mode = ACTIVE_MODE
        if where is not None:
            tx.port = where.port
            tx.bounce = bool(where.address and self._client) and where.address != self._client

    def _on_reply(self, line: Line, out: list[TxStage]) -> None:
        if line.cut:
            self._report(AppAnomaly.FTP_RESPONSE_COMMAND_TOO_LONG, TO_CLIENT)
        tx = next(iter(self._pending.values()), None)
        if tx is None:
            tx = self._pending[self._count] = FtpTransaction(self._count)
            self._count += 1
        code = parse.code(line.text)
        before = tx.size
        tx.add_reply(code, line.text)
        tx.reply_cut |= line.cut
        tx.answered = True
        self._bytes += tx.size - before
        if tx.mode == PASSIVE_MODE and (where := parse.passive(line.text)) is not None:
            tx.port = where.port
        if not parse.is_last(line.text, self._first):
            self._first = self._first or code
            return
        self._first = b""
        if code[:1] == b"1":  # preliminary: another reply follows (RFC 959 section 4.2.1)
            return
        if tx.command == b"AUTH" and code == _TLS:
            self.done, self.becomes = True, "tls"
        self._complete(out)

    def _complete(self, out: list[TxStage]) -> None:
        """End the oldest command."""
        tx = self._pending.pop(next(iter(self._pending)))
        self._bytes -= tx.size
        out.append(TxStage(tx, STAGE_DONE, TO_CLIENT))
