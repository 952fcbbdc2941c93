"""What the two sides of an HTTP/1 connection share: transactions waiting for a response, stages, anomalies."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.keeping import NO_POLICY
from sensor.model.losses import Losses
from sensor.proto.http1 import limits
from sensor.proto.http1.body import Body
from sensor.proto.http1.ranges import Ranges, part_of
from sensor.proto.http1.transaction import (
    REQUEST_BODY,
    REQUEST_COMPLETE,
    RESPONSE_BODY,
    RESPONSE_COMPLETE,
    HttpTransaction,
)
from sensor.proto.http1.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_TRANSACTIONS = frozenset({
    AppAnomaly.HTTP_MISSING_HOST_HEADER, AppAnomaly.HTTP_REQUEST_HEADER_HOST_INVALID,
    AppAnomaly.HTTP_REQUEST_URI_HOST_INVALID, AppAnomaly.HTTP_HOST_HEADER_AMBIGUOUS,
    AppAnomaly.HTTP_REQUEST_AUTH_UNRECOGNIZED, AppAnomaly.HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST,
    AppAnomaly.HTTP_RANGE_INVALID,
})  # fmt: skip
"""What is told of each transaction, however many come at once and have come before."""
_NO_WARNINGS = frozenset({
    AppAnomaly.HTTP_INVALID_REQUEST_LINE, AppAnomaly.HTTP_INVALID_RESPONSE_LINE, AppAnomaly.HTTP_HEADER_TOO_LONG,
    AppAnomaly.HTTP_TOO_MANY_HEADERS, AppAnomaly.HTTP_AMBIGUOUS_LENGTH, AppAnomaly.HTTP_INVALID_CHUNK,
    AppAnomaly.HTTP_INVALID_CONTENT_LENGTH, AppAnomaly.HTTP_DECOMPRESSION_BOMB, AppAnomaly.HTTP_TOO_MANY_PIPELINED,
    AppAnomaly.HTTP_DOUBLE_ENCODED_URI,
})  # fmt: skip
"""What Suricata's parser does not warn of."""


def _nothing() -> None:
    """Nobody is to be told."""


class Exchange:
    """What the two sides share: transactions waiting for a response, stages reached, anomalies."""

    def __init__(self) -> None:
        self.done = False
        self.becomes = ""
        """The protocol that both sides have agreed to go on with."""
        self.behind = b""
        """What came of the server behind its consent."""
        self.on_refusal: Callable[[], None] = _nothing
        """Called when the server refuses a CONNECT."""
        self.ranges = Ranges()
        """Files that come in parts."""
        self.tunnel: Tunnel | None = None
        """What is said behind a CONNECT, from the request on."""
        self.waiting: deque[HttpTransaction] = deque()
        self.stages: list[TxStage] = []
        self.odd: list[tuple[AppAnomaly, int]] = []
        self.lost_responses = False
        """Response bytes were lost: how many responses, nobody knows."""
        self.unexpected = False
        """The server has refused what a client announced with `Expect`: the body does not come."""
        self.simple = False
        """A request came without a protocol: it may be one of HTTP/0.9."""
        self.answers = False
        """The server has said something."""
        self.losses = Losses()
        self.files = NO_POLICY
        """What becomes of files."""
        self._spent: list[Body] = []
        """Bodies that are complete; what is kept of them is given back once it was seen."""
        self._created = 0
        self._held = 0
        self._warnings = 0

    def new(self) -> HttpTransaction:
        """Return the next transaction."""
        tx = HttpTransaction(self._created)
        self._created += 1
        return tx

    def reach(self, tx: HttpTransaction, stage: int, side: int) -> None:
        """Note a stage, once."""
        if not tx.reached >> stage & 1:
            tx.reached |= 1 << stage
            self.stages.append(TxStage(tx, stage, side))

    def reach_request_body(self, tx: HttpTransaction) -> None:
        """Note that rules see all they will see of a request's body, and the files of a form in it."""
        if not tx.reached >> REQUEST_BODY & 1:
            self.reach(tx, REQUEST_BODY, TO_SERVER)
            if tx.request_body is not None:
                self._look_at_body(tx)

    def _look_at_body(self, tx: HttpTransaction) -> None:
        """Note the files of a form, and what is odd about it, or about the coding of a body."""
        if tx.request_headers is not None and tx.request_headers.get(b"content-encoding"):
            fault = tx.decode_request()
            if fault is not None:
                self.anomaly(fault, TO_SERVER)
        for what in tx.odd_parts():
            self.anomaly(what, TO_SERVER)
        for file in tx.uploads():
            self.stages += [TxStage(tx, stage, TO_SERVER, file) for stage in (REQUEST_BODY, REQUEST_COMPLETE)]

    def join(self, tx: HttpTransaction) -> None:
        """Note the file that a response completes, if it is a part of one."""
        part = part_of(tx.response_headers)
        file = tx.file(TO_CLIENT) if part is not None and tx.response_body is not None else None
        if part is None or file is None or file.gaps or file.size != len(file.data):
            return
        host = next(iter(tx.buffer("http.host")), b"")
        tx.joined = self.ranges.add(host, file.name, part, file.data, self.files, self.losses)
        if tx.joined is not None:
            self.stages += [TxStage(tx, stage, TO_CLIENT, tx.joined) for stage in (RESPONSE_BODY, RESPONSE_COMPLETE)]

    def spend(self, body: Body | None) -> None:
        """Note that a body is complete."""
        if body is not None and body.tail is not None:
            self._spent.append(body)

    def settle(self) -> None:
        """Forget what was kept of bodies that were seen."""
        for body in self._spent:
            if body.tail is not None:
                body.tail.close()
        self._spent.clear()

    def anomaly(self, what: AppAnomaly, side: int) -> None:
        """Note what is odd: of a transaction, or else once for the bytes at hand, as in Suricata."""
        if what in _OF_TRANSACTIONS:
            if len(self.odd) < limits.ODD_AT_ONCE:
                self.odd.append((what, side))
        elif (what in _NO_WARNINGS or self.warn(side)) and (what, side) not in self.odd:
            self.odd.append((what, side))

    def warn(self, side: int, times: int = 1) -> bool:
        """Count warnings; return whether they are still told. With the last one comes that they are too many."""
        before, self._warnings = self._warnings, min(self._warnings + times, limits.WARNINGS)
        if before < limits.WARNINGS == self._warnings:
            self.odd.append((AppAnomaly.HTTP_TOO_MANY_WARNINGS, side))
        return self._warnings < limits.WARNINGS

    def wait(self, tx: HttpTransaction) -> None:
        """Queue a transaction for its response."""
        self.waiting.append(tx)
        if len(self.waiting) > limits.PIPELINED:
            self._forget_oldest()

    def account(self, tx: HttpTransaction) -> None:
        """Count what a complete request keeps in memory while it waits."""
        if tx in self.waiting:
            tx.cost = tx.held()
            self._held += tx.cost
            while self._held > limits.PENDING_BYTES and len(self.waiting) > 1:
                self._forget_oldest()

    def answered(self) -> HttpTransaction:
        """Return the transaction that the response now beginning belongs to."""
        if self.lost_responses:
            self.lost_responses = False
            while len(self.waiting) > 1:
                self._pop()
        if self.waiting:
            return self._pop()
        self.anomaly(AppAnomaly.HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST, TO_CLIENT)
        return self.new()

    @property
    def held(self) -> int:
        """Bytes of memory that waiting transactions take, about, files in parts, and a tunnel."""
        return self._held + self.ranges.held + (self.tunnel.held if self.tunnel is not None else 0)

    def forget_all(self) -> None:
        """No response will come any more."""
        self.waiting.clear()
        self._held = 0

    def put_back(self, tx: HttpTransaction) -> None:
        """Let a transaction wait for another response: this one was not its own."""
        self.waiting.appendleft(tx)
        self._held += tx.cost

    def _pop(self) -> HttpTransaction:
        tx = self.waiting.popleft()
        self._held -= tx.cost
        return tx

    def _forget_oldest(self) -> None:
        self._pop()
        if self.answers:  # otherwise we see one direction only
            self.losses.transactions += 1
            self.anomaly(AppAnomaly.HTTP_TOO_MANY_PIPELINED, TO_SERVER)
