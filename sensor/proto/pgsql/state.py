"""PostgreSQL of one flow: messages of both ends to requests and their answers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.exchanges import ExchangeParser
from sensor.proto.pgsql import messages
from sensor.proto.pgsql.framing import CANCEL_REQUEST, FIRST_TYPE, GSS_REQUEST, SSL_REQUEST, Client, Phase, Server
from sensor.proto.pgsql.transaction import PgsqlExchange
from sensor.proto.pieces import Pieces
from sensor.proto.text import text

if TYPE_CHECKING:
    from sensor.proto.pieces import Piece

STAGE_REQUEST, STAGE_RESPONSE = 0, 1

MESSAGE = 16_384
"""Bytes of a message that are kept."""
MAX_PENDING = 256
"""Requests that wait for their answer."""
_RESULTS = frozenset({b"T", b"D", b"C", b"E"})


class PgsqlParser(ExchangeParser):
    """Parser of one flow."""

    __slots__ = ("_bytes", "_count", "_group", "_pending", "_started", "_wanted", "becomes")

    def __init__(self) -> None:
        phase = Phase()
        sides = (Pieces(Client(phase), MESSAGE), Pieces(Server(phase), MESSAGE))
        super().__init__(sides, AppAnomaly.PGSQL_MALFORMED_DATA)
        self.becomes = ""
        self._started = False
        """The log-on was sent: messages have types now."""
        self._wanted = 0
        """What the server asked for last, of a log-on."""
        self._count = self._group = 0
        self._pending: deque[PgsqlExchange] = deque()
        self._bytes = 0
        """Of memory that these take, about."""

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return super().held + self._bytes

    def rest(self, side: int) -> bytes:
        """Return what is TLS already (see `sensor.model.app.HandsOver`)."""
        return self._sides[side].rest()

    def _take(self, side: int, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.first and not self.done:
                if side == TO_CLIENT:
                    self._answer(piece.data)
                elif self._started or piece.data[0] >= FIRST_TYPE:
                    self._started = True
                    self._ask(piece.data[:1], piece.data[5:])
                else:
                    self._start(piece.data[4:])

    def _start(self, body: bytes) -> None:
        """Take a message without a type."""
        code = int.from_bytes(body[:4], "big")
        tx = self._open()
        if code in {SSL_REQUEST, GSS_REQUEST}:
            tx.request = {"message": "SSL Request" if code == SSL_REQUEST else "GSS Request"}
        elif code == CANCEL_REQUEST:
            tx.request = {"message": "cancel_request", "process_id": int.from_bytes(body[4:8], "big")}
        else:
            self._started = True
            tx.user, tx.request = messages.startup(body)
        self._request(tx)

    def _ask(self, kind: bytes, body: bytes) -> None:
        """Take a client's message."""
        if kind in {b"Q", b"P"}:
            name, query = (b"", body) if kind == b"Q" else body.split(b"\0", 1) if b"\0" in body else (body, b"")
            tx = self._open(grouped=kind == b"P")
            tx.query = query.partition(b"\0")[0]
            tx.request = {"simple_query" if kind == b"Q" else "parse": text(tx.query)}
            if name:
                tx.request["statement"] = text(name)
            self._request(tx)
        elif kind == b"p":
            tx = self._open()
            tx.request = messages.password(self._wanted, body)
            self._request(tx)
        elif kind == b"X":
            tx = self._open()
            tx.request = {"message": "terminate"}
            self._request(tx)
        elif kind == b"S":
            self._group += 1

    def _answer(self, data: bytes) -> None:
        """Take a server's message: it is about the oldest request, which may have been missed."""
        kind, body = data[:1], data[5:]
        if not self._pending and kind not in _RESULTS:
            return
        tx = self._pending[0] if self._pending else self._open()
        shown = tx.response
        if len(data) == 1:
            shown["ssl_accepted"] = kind in b"SG"
            self.done = kind in b"SG"
            self.becomes = "tls" if kind == b"S" else ""
            self._close()
        elif kind == b"R":
            number, shown["message"] = messages.authentication(body)
            self._wanted = number
            if number not in {0, 12}:
                self._close()
        elif kind == b"E":
            shown |= messages.error(body)
            if not tx.query:
                self._close()
        elif kind == b"Z":
            self._close()
        else:
            messages.note(shown, kind, body, int.from_bytes(data[1:5], "big") - 4)

    def _open(self, *, grouped: bool = False) -> PgsqlExchange:
        """Begin a request. grouped: it is answered together with those up to the next Sync."""
        if len(self._pending) >= MAX_PENDING:
            self._report(AppAnomaly.PGSQL_TOO_MANY_REQUESTS, TO_SERVER)
            self._take_oldest()
        if not grouped:
            self._group += 1
        tx = PgsqlExchange(self._count, self._group)
        if not grouped:
            self._group += 1
        self._count += 1
        self._pending.append(tx)
        return tx

    def _take_oldest(self) -> PgsqlExchange:
        tx = self._pending.popleft()
        self._bytes -= tx.cost
        return tx

    def _request(self, tx: PgsqlExchange) -> None:
        tx.cost = tx.held()
        self._bytes += tx.cost
        self._out.append(TxStage(tx, STAGE_REQUEST, TO_SERVER))

    def _close(self) -> None:
        """Complete the oldest request, and those of its group."""
        if not self._pending:
            return
        group = self._pending[0].group
        while self._pending and self._pending[0].group == group:
            self._out.append(TxStage(self._take_oldest(), STAGE_RESPONSE, TO_CLIENT))
