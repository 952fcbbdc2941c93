"""MySQL of one flow: greeting, log-on, commands and what the server says first to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.exchanges import ExchangeParser
from sensor.proto.mysql import messages
from sensor.proto.mysql.transaction import MysqlExchange
from sensor.proto.pieces import Pieces

if TYPE_CHECKING:
    from sensor.proto.pieces import Piece

STAGE_REQUEST, STAGE_RESPONSE = 0, 1

PACKET = 16_384
"""Bytes of a packet that are kept."""
_OK, _ERROR, _LOCAL_FILE, _SWITCH = b"\x00", b"\xff", b"\xfb", b"\xfe"
_MORE_AUTH = b"\x01"


class MysqlParser(ExchangeParser):
    """Parser of one flow. One command at a time: clients wait for the answer."""

    __slots__ = ("_count", "_logged_on", "_tx", "_version")

    def __init__(self) -> None:
        sides = (Pieces(messages.Packets(), PACKET), Pieces(messages.Packets(), PACKET))
        super().__init__(sides, AppAnomaly.MYSQL_MALFORMED_DATA)
        self._version = b""
        self._logged_on = False
        """The log-on was sent."""
        self._count = 0
        self._tx: MysqlExchange | None = None
        """What waits for an answer."""

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return super().held + (len(self._tx.argument) if self._tx is not None else 0)

    def _take(self, side: int, pieces: list[Piece]) -> None:
        for piece in pieces:
            if not piece.first or self.done:
                continue
            sequence, body = piece.data[3], piece.data[4:]
            if side == TO_CLIENT:
                self._answer(sequence, body)
            elif not self._logged_on:
                self._log_on(body)
            elif sequence == 0 and body:
                self._command(body)

    def _log_on(self, body: bytes) -> None:
        found = messages.log_on(body)
        if found is None:
            self._give_up(TO_SERVER)
        elif found.tls:
            self.done = True
        else:
            self._logged_on = True
            tx = self._open("login")
            tx.user, tx.database = found.user, found.database
            self._out.append(TxStage(tx, STAGE_REQUEST, TO_SERVER))

    def _command(self, body: bytes) -> None:
        name, argument = messages.command(body)
        tx = self._open(name)
        if body[0] in {messages.QUERY, messages.PREPARE}:
            tx.argument = argument
        elif body[0] == messages.INIT_DB:
            tx.database = argument[:256]
        elif body[0] == messages.CHANGE_USER:
            tx.user = argument.partition(b"\0")[0][:256]
        self._out.append(TxStage(tx, STAGE_REQUEST, TO_SERVER))

    def _answer(self, sequence: int, body: bytes) -> None:
        """Take a server's packet: its greeting, or the first one to a command; rows are passed over."""
        if not self._logged_on:
            self._greet(body)
            return
        tx = self._tx
        if tx is None or not sequence:
            return
        kind = body[:1]
        if tx.command in {"login", "change_user"} and kind in {_MORE_AUTH, _SWITCH}:
            return  # the log-on goes on
        if kind == _ERROR:
            tx.status = "error"
            tx.code, tx.message = messages.error(body)
        else:
            tx.status = "ok" if kind == _OK else "local_file" if kind == _LOCAL_FILE else "result"
        self._tx = None
        self._out.append(TxStage(tx, STAGE_RESPONSE, TO_CLIENT))

    def _greet(self, body: bytes) -> None:
        version = messages.greeting(body)
        if version is not None:
            self._version = version
        elif body[:1] != _ERROR:
            self._give_up(TO_CLIENT)

    def _open(self, command: str) -> MysqlExchange:
        self._tx = MysqlExchange(self._count, self._version, command)
        self._count += 1
        return self._tx
