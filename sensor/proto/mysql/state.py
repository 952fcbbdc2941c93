"""MySQL of one flow: greeting, log-on, commands and what the server says first to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
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


class MysqlParser:
    """Parser of one flow (see `sensor.model.app.AppParser`). One command at a time: clients wait for the answer."""

    __slots__ = ("_count", "_logged_on", "_odd", "_out", "_seen", "_sides", "_tx", "_version", "done")

    def __init__(self) -> None:
        self.done = False
        self._sides = (Pieces(messages.Packets(), PACKET), Pieces(messages.Packets(), PACKET))
        self._version = b""
        self._logged_on = False
        """The log-on was sent."""
        self._count = 0
        self._tx: MysqlExchange | None = None
        """What waits for an answer."""
        self._out: list[TxStage] = []
        self._odd: list[tuple[AppAnomaly, int]] = []
        self._seen: set[tuple[AppAnomaly, int]] = set()

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        if not self.done:
            self._take(side, self._sides[side].feed(data))
        return self._reached()

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on if the lost bytes belong to one packet, else give up."""
        if not self.done:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._take(side, self._sides[side].gap(length))
            self.done = self._sides[side].lost
        return self._reached()

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: an answer that never came completes nothing."""
        return []

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget what was odd; each (anomaly, side) comes once in a flow."""
        found, self._odd = self._odd, []
        return found

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
            self._report(AppAnomaly.MYSQL_MALFORMED_DATA, TO_SERVER)
            self.done = True
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
            self._report(AppAnomaly.MYSQL_MALFORMED_DATA, TO_CLIENT)
            self.done = True

    def _open(self, command: str) -> MysqlExchange:
        self._tx = MysqlExchange(self._count, self._version, command)
        self._count += 1
        return self._tx

    def _reached(self) -> list[TxStage]:
        found, self._out = self._out, []
        return found

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if (anomaly, side) not in self._seen:
            self._seen.add((anomaly, side))
            self._odd.append((anomaly, side))
