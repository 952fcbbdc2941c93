"""An HTTP/1 connection: requests and responses paired to transactions."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.keeping import NO_POLICY, FilePolicy
from sensor.proto.http1 import limits, odd, parse, uri
from sensor.proto.http1.body import Body
from sensor.proto.http1.side import BODY, DEAD, MAYBE, RESYNC, START, Side
from sensor.proto.http1.transaction import (
    REQUEST_BODY,
    REQUEST_COMPLETE,
    REQUEST_HEADERS,
    RESPONSE_BODY,
    RESPONSE_COMPLETE,
    RESPONSE_HEADERS,
    HttpTransaction,
)

_WHITE = b" \t\r\n\x0b\x0c"
_BLANK = _WHITE + b"\0"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_MAX_ANOMALIES = 64
_OF_REQUESTS = MappingProxyType({AppAnomaly.HTTP_INVALID_CHUNK: AppAnomaly.HTTP_INVALID_REQUEST_CHUNK_LEN})
_OF_RESPONSES = MappingProxyType({AppAnomaly.HTTP_INVALID_CHUNK: AppAnomaly.HTTP_INVALID_RESPONSE_CHUNK_LEN})
"""What Suricata calls by another name on each side."""
_WRONG_REQUEST = MappingProxyType({
    odd.COLON: AppAnomaly.HTTP_REQUEST_FIELD_MISSING_COLON, odd.NAME: AppAnomaly.HTTP_REQUEST_HEADER_INVALID,
    odd.FOLDING: AppAnomaly.HTTP_INVALID_REQUEST_FIELD_FOLDING,
})  # fmt: skip
_WRONG_RESPONSE = MappingProxyType({
    odd.COLON: AppAnomaly.HTTP_RESPONSE_FIELD_MISSING_COLON, odd.NAME: AppAnomaly.HTTP_RESPONSE_HEADER_INVALID,
    odd.FOLDING: AppAnomaly.HTTP_INVALID_RESPONSE_FIELD_FOLDING,
})  # fmt: skip
"""By what `odd.of_lines` finds."""


class Exchange:
    """What the two sides share: transactions waiting for a response, stages reached, anomalies."""

    def __init__(self) -> None:
        self.done = False
        self.becomes = ""
        """The protocol that both sides have agreed to go on with."""
        self.behind = b""
        """What came of the server behind its consent."""
        self.waiting: deque[HttpTransaction] = deque()
        self.stages: list[TxStage] = []
        self.odd: list[tuple[AppAnomaly, int]] = []
        self.lost_responses = False
        """Response bytes were lost: how many responses, nobody knows."""
        self.answers = False
        """The server has said something."""
        self.files = NO_POLICY
        """What becomes of files."""
        self._spent: list[Body] = []
        """Bodies that are complete; what is kept of them is given back once it was seen."""
        self._created = 0
        self._held = 0
        self._reported = 0

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
            for file in tx.uploads():
                self.stages += [TxStage(tx, stage, TO_SERVER, file) for stage in (REQUEST_BODY, REQUEST_COMPLETE)]

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
        """Note what is odd."""
        if self._reported < _MAX_ANOMALIES and (what, side) not in self.odd:
            self.odd.append((what, side))
            self._reported += 1

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

    def forget_all(self) -> None:
        """No response will come any more."""
        self.waiting.clear()
        self._held = 0

    def _pop(self) -> HttpTransaction:
        tx = self.waiting.popleft()
        self._held -= tx.cost
        tx.cost = 0
        return tx

    def _forget_oldest(self) -> None:
        self._pop()
        if self.answers:  # otherwise we see one direction only
            self.anomaly(AppAnomaly.HTTP_TOO_MANY_PIPELINED, TO_SERVER)


class RequestSide(Side):
    """Client to server."""

    TOO_MANY = AppAnomaly.HTTP_REQUEST_TOO_MANY_HEADERS
    TOO_LONG = AppAnomaly.HTTP_REQUEST_FIELD_TOO_LONG

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._tx: HttpTransaction | None = None
        self._behind = False
        """A request has just ended, and what came with it begins another."""

    def anomaly(self, what: AppAnomaly) -> None:
        """Report what is odd."""
        self._exchange.anomaly(what, TO_SERVER)
        if what in _OF_REQUESTS:
            self._exchange.anomaly(_OF_REQUESTS[what], TO_SERVER)

    def is_start(self, line: bytes) -> bool:
        """Whether a line is surely a request line."""
        return parse.resembles_request(line)

    def on_start(self, line: bytes) -> bool | None:
        """Take a request line."""
        request = parse.request_line(line.rstrip(b"\r\n"))
        for what in odd.of_request_line(line):
            self.anomaly(what)
        if self._behind and not odd.known_method(line):
            self.anomaly(AppAnomaly.HTTP_REQUEST_BODY_UNEXPECTED)
        self._behind = False
        if not request.valid:
            self.anomaly(AppAnomaly.HTTP_INVALID_REQUEST_LINE)
            return False
        if request.method == b"PRI" and request.protocol == b"HTTP/2.0":  # RFC 9113 section 3.4
            self._exchange.done = True
            self.give_up()
            return False
        if uri.double_encoded(request.target):
            self.anomaly(AppAnomaly.HTTP_DOUBLE_ENCODED_URI)
        self._tx = self._exchange.new()
        self._tx.request = request
        self._exchange.wait(self._tx)
        return True

    def _collect(self) -> bool:
        tx = self._tx
        if tx is None or tx.request is None or tx.request.protocol or self._lines:
            return super()._collect()
        line = self._line()  # HTTP/0.9, or a client that forgot the protocol: header lines tell
        if line is None:
            return self._too_long(len(self._buf) - self._pos)
        if line.strip(b"\r\n") and not parse.resembles_header(line):
            self.end_headers()
            return True
        self._scan = self._pos
        return super()._collect()

    def on_headers(self, raw: bytes, lines: list[bytes]) -> None:
        """Take the request's header block."""
        tx = self._tx
        if tx is None:
            self.state = START
            return
        tx.request_raw = raw
        tx.request_headers = headers = parse.headers(lines)
        self._exchange.reach(tx, REQUEST_HEADERS, TO_SERVER)
        if tx.request is not None:
            for what in (*(_WRONG_REQUEST[n] for n in odd.of_lines(raw, lines)), *odd.of_request(tx.request, headers)):
                self.anomaly(what)
        self.body = tx.request_body = self._frame(headers)
        if self.body is None:
            self.end_message()
        else:
            self.body.treat(self._exchange.files)
            self.state = BODY
            if self.body.ended:
                self.on_body()

    def _frame(self, headers: parse.Headers) -> Body | None:
        """RFC 9112 section 6.3, requests."""
        length, sure = _length(headers)
        if not sure:
            self.anomaly(AppAnomaly.HTTP_INVALID_CONTENT_LENGTH)
        coding = headers.get(b"transfer-encoding")
        if coding is not None and parse.is_chunked(coding):
            if headers.get(b"content-length") is not None:
                self.anomaly(AppAnomaly.HTTP_AMBIGUOUS_LENGTH)
            body = Body.chunked(limits.REQUEST_BODY, max(length, 0))
            body.strict = True
            return body
        return Body.sized(length, limits.REQUEST_BODY) if length > 0 else None

    def on_body(self) -> None:
        """Emit the stage once rules see all they will see of the body."""
        tx, body = self._tx, self.body
        if tx is None or body is None:
            return
        if body.ended:
            self.end_message()
        elif body.full:
            self._exchange.reach_request_body(tx)

    def on_maybe(self, *, message: bool) -> None:
        """Never asked: requests leave no doubt."""

    def starts_message(self, data: bytes) -> bool | None:
        """Never asked: requests leave no doubt."""
        return bool(data)

    def is_extra(self, line: bytes, *, whole: bool) -> bool:
        """Whether bytes behind a request are of its body: they begin with no method, and no protocol follows."""
        word = line.lstrip(_BLANK)
        if b"HTTP/" in line or not word:
            return False
        return not (odd.known_method(line) if whole or b" " in word else odd.may_be_method(word))

    def is_next(self, data: bytes) -> bool:
        """Whether bytes begin with a method."""
        return data[:1].isalpha() and b" " in data and odd.known_method(data)

    def on_extra(self, data: bytes) -> None:
        """Add what stands behind a request without a length, or behind its length."""
        tx = self._tx
        if tx is None:
            return
        if tx.request_body is None:
            if data.endswith(b"\n"):
                self.anomaly(AppAnomaly.HTTP_REQUEST_BODY_UNEXPECTED)
            self.body = tx.request_body = Body.sized(0, limits.REQUEST_BODY)
            tx.request_body.treat(self._exchange.files)
        tx.request_body.extend(data)

    def on_end(self) -> None:
        """Complete the request."""
        if self._tx is not None:
            self._tx.add_trailers(TO_SERVER)
            self._exchange.reach_request_body(self._tx)
            self._exchange.reach(self._tx, REQUEST_COMPLETE, TO_SERVER)
            self._exchange.account(self._tx)
            self._exchange.spend(self.body)
        self._behind = self._pos < len(self._buf)
        self._tx = self.body = None


_UPGRADES = ((b"h2c", "http2"), (b"websocket", "websocket"))


class ResponseSide(Side):
    """Server to client."""

    TOO_MANY = AppAnomaly.HTTP_RESPONSE_TOO_MANY_HEADERS

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._tx: HttpTransaction | None = None
        self._head: list[bytes] = []
        self._continued = False
        """An interim response has told the client to go on."""

    def anomaly(self, what: AppAnomaly) -> None:
        """Report what is odd."""
        self._exchange.anomaly(what, TO_CLIENT)
        if what in _OF_RESPONSES:
            self._exchange.anomaly(_OF_RESPONSES[what], TO_CLIENT)

    def starts_message(self, data: bytes) -> bool | None:
        """Whether bytes begin a status line; None: too few to tell."""
        if len(data) >= 4 or not b"http".startswith(data.lower()):
            return parse.resembles_response(data)
        return True if self.closing else None

    def resync(self) -> None:
        """Look for the next status line; only the last request can be said to wait for it."""
        super().resync()
        self._exchange.lost_responses = True

    def tear(self, nbytes: int, *, whole_head: bool) -> bool:
        """Take what follows lost bytes as the body of the response that they are of, up to the next status line.

        Suricata does so for what is left of a response whose start is lost, and to the end of the connection.
        """
        return self.body is not None and self.body.tear(nbytes, whole_head=whole_head)

    def _search(self) -> bool:
        """After a loss: look for the next response; what is in front of it is the body of the one that is torn."""
        at, sure = parse.next_response(self._buf, self._pos)
        self._pass(at)
        if sure:
            self._end_torn()
            self.state, self._scan = START, self._pos
        return sure

    def _pass(self, upto: int) -> None:
        """Pass over bytes behind a loss."""
        if self.body is None:
            self._consume(upto - self._pos - len(bytes(self._buf[self._pos : upto]).lstrip(_BLANK)))
            if upto > self._pos and self._exchange.waiting:
                self._headless()
                self.state = RESYNC
        if self.body is not None and upto > self._pos:
            if not self.body.total:
                self.body.skip(0)  # something is missing before its first byte
            self.body.feed(self._buf, self._pos, upto)
            self.on_body()
        self._consume(upto - self._pos)

    def _end_torn(self) -> None:
        """Complete the response of which bytes were lost: the next one begins."""
        if self._tx is not None:
            self._exchange.reach(self._tx, RESPONSE_HEADERS, TO_CLIENT)
            self._complete(self._tx)

    def finish(self) -> None:
        """End what is incomplete: an interim response may have been the last one."""
        if self.state == RESYNC:
            self._pass(len(self._buf))
        super().finish()
        if self._tx is not None:
            self._exchange.reach(self._tx, RESPONSE_HEADERS, TO_CLIENT)
            self._complete(self._tx)
            self.state = DEAD

    def on_rest(self, rest: bytes) -> None:
        """Take bytes without line end as the body of a response without header."""
        if rest.strip(_BLANK) and not parse.resembles_response(rest) and self._exchange.waiting:
            self._headless()

    def on_start(self, line: bytes) -> bool | None:
        """Take a status line, or what stands in its place."""
        if not parse.resembles_response(line):
            return self._no_status_line(line)
        first, *rest = parse.split_lone_cr([line.rstrip(b"\r\n").lstrip(_WHITE)])
        status = parse.status_line(first)
        if not status.status:
            self.anomaly(AppAnomaly.HTTP_INVALID_RESPONSE_LINE)
        for what in odd.of_status(status):
            self.anomaly(what)
        self._head = rest
        self._take_tx().response = status
        return True

    def _no_status_line(self, line: bytes) -> bool | None:
        """Skip a stray line before a status line; take anything else as a body without header (HTTP/0.9)."""
        behind = self._pos + len(line)
        if behind >= len(self._buf) and not self.closing:
            self._scan = self._pos
            return None
        self.anomaly(AppAnomaly.HTTP_INVALID_RESPONSE_LINE)
        if bytes(self._buf[behind : behind + 1]) in (b"H", b"h") or len(line) <= 3:
            return False
        if self._exchange.waiting or self._tx is not None:
            self._headless()
        else:
            self.resync()
        return False

    def _headless(self) -> None:
        self.body = self._take_tx().response_body = Body.until_close(limits.RESPONSE_BODY)
        self.body.treat(self._exchange.files)
        self.state = BODY

    def _take_tx(self) -> HttpTransaction:
        """Return the transaction of this response; an interim response (1xx) leaves it to the final one."""
        if self._tx is None:
            self._tx = self._exchange.answered()
        return self._tx

    def on_headers(self, raw: bytes, lines: list[bytes]) -> None:
        """Take the response's header block."""
        tx = self._tx
        if tx is None or tx.response is None:
            self.state = START
            return
        tx.response_raw = raw
        if self._head or raw.count(b"\r") != raw.count(b"\r\n"):
            lines = parse.split_lone_cr(self._head + lines)
        for wrong in odd.of_lines(raw, lines):
            self.anomaly(_WRONG_RESPONSE[wrong])
        tx.response_headers = headers = parse.headers(lines, split_folded=True)
        for what in odd.of_response(tx.response, headers):
            self.anomaly(what)
        status = tx.response.status
        if 100 <= status < 200 and status != 101:
            if status == 100 and self._continued:
                self.anomaly(AppAnomaly.HTTP_100_CONTINUE_ALREADY_SEEN)
            self._continued = self._continued or status == 100
            self.state = MAYBE
            return
        self._continued = False
        self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
        method = tx.request.method if tx.request is not None else b""
        if status == 101 or (method == b"CONNECT" and 200 <= status < 300):
            self._complete(tx)
            self._exchange.done = True
            if status == 101:
                self._switch(tx, (headers.get(b"upgrade") or b"").lower())
            self.give_up()
        elif method == b"HEAD":
            self._complete(tx)
        elif status in (204, 304):
            self._doubtful(tx, headers)
        else:
            self._begin_body(tx)

    def _switch(self, tx: HttpTransaction, upgrade: bytes) -> None:
        """Note what the connection goes on with (RFC 9110 section 7.8)."""
        for word, protocol in _UPGRADES:
            if word in upgrade:
                self._exchange.becomes = protocol
                self._exchange.behind = bytes(self._buf[self._pos :])
        said = tx.request_headers.get(b"http2-settings") if tx.request_headers is not None else None
        if self._exchange.becomes == "http2" and said is not None and not _are_settings(said):
            for side in (TO_SERVER, TO_CLIENT):
                self._exchange.anomaly(AppAnomaly.HTTP2_INVALID_HTTP1_SETTINGS, side)

    def _doubtful(self, tx: HttpTransaction, headers: parse.Headers) -> None:
        """RFC 9110 forbids a body: only one that is announced nevertheless is looked for."""
        if _length(headers)[0] > 0 or headers.get(b"transfer-encoding") is not None:
            self.state = MAYBE
        else:
            self._complete(tx)

    def _begin_body(self, tx: HttpTransaction) -> None:
        self.body = tx.response_body = self._frame(tx.response_headers or parse.Headers())
        self.body.treat(self._exchange.files)
        self.state = BODY
        if self.body.ended:
            self.on_body()

    def _frame(self, headers: parse.Headers) -> Body:
        """RFC 9112 section 6.3, responses."""
        length, sure = _length(headers)
        if not sure:
            self.anomaly(AppAnomaly.HTTP_INVALID_CONTENT_LENGTH)
        coding = headers.get(b"transfer-encoding")
        if coding is not None and parse.is_chunked(coding):
            if headers.get(b"content-length") is not None:
                self.anomaly(AppAnomaly.HTTP_AMBIGUOUS_LENGTH)
            return Body.chunked(limits.RESPONSE_BODY, length)
        if length >= 0:
            return Body.sized(length, limits.RESPONSE_BODY)
        return Body.until_close(limits.RESPONSE_BODY)

    def on_body(self) -> None:
        """Emit the stages that the body has reached."""
        tx, body = self._tx, self.body
        if tx is None or body is None:
            return
        if body.ended:
            self._complete(tx)
        elif body.full:
            self._reach_body(tx)

    def on_maybe(self, *, message: bool) -> None:
        """Go on with the next message, or with the body that should not be."""
        tx = self._tx
        if tx is None or tx.response is None:
            self.state = START
        elif not message:
            self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
            self._begin_body(tx)
        elif tx.response.status < 200 and not self.closing:
            self.state = START
        else:
            self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
            self._complete(tx)

    def _reach_body(self, tx: HttpTransaction) -> None:
        if tx.reached >> RESPONSE_BODY & 1:
            return
        if tx.response_body is not None and tx.response_body.total:
            fault = tx.decode_response()
            if fault is not None:
                self.anomaly(fault)
        self._exchange.reach(tx, RESPONSE_BODY, TO_CLIENT)

    def is_extra(self, line: bytes, *, whole: bool) -> bool:  # noqa: ARG002 - a method of both sides
        """Whether bytes behind a response are of its body: they do not begin as a status line does."""
        word = line.lstrip(_BLANK)[:4].lower()
        return bool(word) and not b"http".startswith(word)

    def is_next(self, data: bytes) -> bool:
        """Whether bytes begin with a protocol."""
        return data[:5].lower() == b"http/"

    def on_extra(self, data: bytes) -> None:
        """Add what stands behind the length of a body."""
        if self.body is not None:
            self.body.extend(data)

    def on_end(self) -> None:
        """Complete the response."""
        if self._tx is not None:
            self._tx.add_trailers(TO_CLIENT)
            self._reach_body(self._tx)
            self._exchange.reach(self._tx, RESPONSE_COMPLETE, TO_CLIENT)
            self._exchange.spend(self.body)
        self._tx = self.body = None

    def _complete(self, tx: HttpTransaction) -> None:
        if self.body is not None:
            self.end_message()
            return
        self.state = START
        self._tx = tx
        self.on_end()


def _are_settings(text: bytes) -> bool:
    """Whether a field can be the payload of a SETTINGS frame in base64url (RFC 7540 section 3.2.1)."""
    try:
        payload = base64.b64decode(text.translate(_STANDARD), validate=True)
    except binascii.Error:
        return False
    return len(payload) % 6 == 0


def _length(headers: parse.Headers) -> tuple[int, bool]:
    value = headers.lengths
    return parse.content_length(value) if value is not None else (-1, True)


class HttpParser:
    """`AppParser` of HTTP/1."""

    def __init__(self) -> None:
        self.done = False
        """The connection became a tunnel or another protocol, or both sides are beyond hope."""
        self._exchange = Exchange()
        self.becomes = ""
        self._request = RequestSide(self._exchange)
        self._response = ResponseSide(self._exchange)

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Take the next bytes of a side."""
        if self.done:
            return []
        self._exchange.settle()
        if side == TO_SERVER:
            self._request.feed(data)
        else:
            self._exchange.answers = True
            if self._request.no_header_yet:
                self._complete_simple_request()
            elif not self._exchange.waiting and self._request.breaks_off():
                self._request.anomaly(AppAnomaly.HTTP_REQUEST_LINE_INCOMPLETE)
                self._exchange.wait(self._exchange.new())
            self._response.feed(data)
        return self._take()

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Bytes of a side are lost."""
        if self.done:
            return []
        (self._request if side == TO_SERVER else self._response).gap(length)
        return self._take()

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Complete what is pending: the flow has ended."""
        if not self.done:
            self._request.finish()
            self._response.finish()
            self._exchange.done = True
        return self._take()

    def idle(self, side: int) -> int:
        """Return how many of the next bytes of a side complete nothing (`sensor.model.app.Foresees`)."""
        if side == TO_SERVER:
            return self._request.idle
        return 0 if self._request.has_begun else self._response.idle  # any answer ends what is all of a request

    def rest(self, side: int) -> bytes:
        """Return what is the next protocol's already (see `sensor.model.app.HandsOver`)."""
        return self._exchange.behind if side == TO_CLIENT else b""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._exchange.files = policy

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget the (anomaly, side) pairs found since the last call."""
        found, self._exchange.odd = self._exchange.odd, []
        return found

    def _complete_simple_request(self) -> None:
        """End a request line without protocol when the server answers: it was all there is (HTTP/0.9)."""
        tx = self._exchange.waiting[-1] if self._exchange.waiting else None
        if tx is not None and tx.request is not None and not tx.request.protocol:
            self._request.end_headers()

    def _take(self) -> list[TxStage]:
        exchange = self._exchange
        if self._response.state == DEAD:
            exchange.forget_all()
        self.becomes = exchange.becomes
        self.done = exchange.done or (self._response.state == DEAD and self._request.state == DEAD)
        found, exchange.stages = exchange.stages, []
        return found
