"""The server's side of an HTTP/1 connection: status lines, headers and bodies to transactions."""

from __future__ import annotations

import base64
import binascii
from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1 import limits, odd, parse
from sensor.proto.http1.body import Body
from sensor.proto.http1.exchange import Exchange
from sensor.proto.http1.side import BODY, DEAD, HEADERS, MAYBE, RESYNC, START, Side
from sensor.proto.http1.transaction import RESPONSE_BODY, RESPONSE_COMPLETE, RESPONSE_HEADERS, HttpTransaction
from sensor.proto.http1.tunnel import Tunnel

_WHITE = b" \t\r\n\x0b\x0c"
_BLANK = _WHITE + b"\0"
_OLD = frozenset({b"HTTP/0.9", b"HTTP/1.0"})
_STANDARD = bytes.maketrans(b"-_", b"+/")
_WRONG = MappingProxyType({
    odd.COLON: AppAnomaly.HTTP_RESPONSE_FIELD_MISSING_COLON, odd.NAME: AppAnomaly.HTTP_RESPONSE_HEADER_INVALID,
    odd.FOLDING: AppAnomaly.HTTP_INVALID_RESPONSE_FIELD_FOLDING,
})  # fmt: skip
"""By what `odd.of_lines` finds."""
_EXPECTATION_FAILED = 417
"""RFC 9110 section 15.5.18."""
_UPGRADES = ((b"h2c", "http2"), (b"websocket", "websocket"))


class ResponseSide(Side):
    """Server to client."""

    TOO_MANY = AppAnomaly.HTTP_RESPONSE_TOO_MANY_HEADERS
    LF_CR = True

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._tx: HttpTransaction | None = None
        self._head: list[bytes] = []
        self._continued = False
        """An interim response has told the client to go on."""
        self._bare = False
        """The body has no status line: it may be anything."""
        self._after_line = False
        """What came last ended with a line."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Behind whole lines of a body without a status line a response may begin."""
        tx = self._tx
        if self._bare and tx is not None and self.state == BODY and self._after_line and self.is_next(data):
            self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
            self._complete(tx)
        super().feed(data)
        if data:
            self._after_line = data.endswith(b"\n")

    @property
    def idle(self) -> int:
        """So many of the next bytes are inside a body and complete nothing."""
        return 0 if self._bare else super().idle

    def anomaly(self, what: AppAnomaly) -> None:
        """Report what is odd."""
        if what is AppAnomaly.HTTP_INVALID_RESPONSE_CHUNK_LEN:
            self._exchange.anomaly(AppAnomaly.HTTP_INVALID_CHUNK, TO_CLIENT)
        self._exchange.anomaly(what, TO_CLIENT)

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
        """Take bytes without line end as a status line that breaks off, or the body of a response without header."""
        if not rest.strip(_WHITE) or not self._exchange.waiting:
            return
        if not parse.resembles_response(rest):
            self._headless()
        elif self.closing:
            tx = self._take_tx()
            first = parse.split_lone_cr([rest.strip(b"\r\n")])[0]
            tx.response, tx.response_headers = parse.status_line(first), parse.Headers()
            self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
            self._end_here(tx)
            self.give_up()

    def on_broken_headers(self, raw: bytes, lines: list[bytes], torn: bytes) -> None:
        """Show rules the fields; where the last one is torn, Suricata has no block of them."""
        tx = self._tx
        if not torn:
            self.on_headers(raw, lines)
        elif tx is not None:
            tx.response_headers, tx.response_torn = parse.headers(parse.split_lone_cr(lines), split_folded=True), True
            self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
            self._complete(tx)

    def takes_all(self) -> bool:
        """Take all that answers a request of HTTP/0.9 for a body: it has neither status line nor header.

        So is what lies behind the last line end where a body has begun without a status line.
        """
        if self._exchange.simple and self._answers_simply:
            self._headless()
        elif self.body is not None and self._line() is None and not self.is_next(self._waiting):
            self.state, self._bare = BODY, True
        return self.state == BODY

    @property
    def _waiting(self) -> bytes:
        """The beginning of a line, as far as it can be a protocol."""
        return bytes(self._buf[self._pos : self._pos + 8])

    @property
    def _answers_simply(self) -> bool:
        """What comes next answers a request of HTTP/0.9."""
        waiting = self._exchange.waiting
        return self._tx is None and bool(waiting) and waiting[0].simple

    def on_start(self, line: bytes) -> bool | None:
        """Take a status line, or what stands in its place."""
        if self._exchange.simple and self._answers_simply:
            self._headless()
            return False
        if not parse.resembles_response(line):
            return self._no_status_line(line)
        first, *rest = parse.split_lone_cr([line.strip(b"\r\n")])
        status = parse.status_line(first)
        if not status.status:
            self.anomaly(AppAnomaly.HTTP_INVALID_RESPONSE_LINE)
        for what in odd.of_status(status):
            self.anomaly(what)
        self._head = rest
        self._take_tx().response = status
        if line.endswith(b"\r\r\n") and not rest:
            self._end_at_once(line)
            return False
        return True

    def _end_at_once(self, line: bytes) -> None:
        """End the header with the status line: its end is one of a line, and another one."""
        self._consume(len(line))
        self.state, self._lines = HEADERS, [b"\r\n"]
        self.end_headers()

    def _no_status_line(self, line: bytes) -> bool | None:
        """Skip a stray line before a status line; take anything else as a body without header (HTTP/0.9)."""
        if self._pos + len(line) >= len(self._buf) and not self.closing:
            self._scan = self._pos
            if self.body is not None:
                self.state, self._bare = BODY, True
            return None
        self.anomaly(AppAnomaly.HTTP_INVALID_RESPONSE_LINE)
        if self._is_stray(line):
            return False
        if not self._exchange.waiting and self._tx is None:
            self.resync()
            return False
        self._begin_with(line)
        return False

    def _is_stray(self, line: bytes) -> bool:
        """Whether clients pass over a line in front of a status line."""
        return bytes(self._buf[self._pos + len(line) :][:1]) == b"H" or len(line) <= 3

    def _begin_with(self, line: bytes) -> None:
        """Begin a body with a line: if a status line follows that came with it, what that announces goes on with it."""
        if self.body is None:
            self._headless()
        if self.body is not None:
            self.body.extend(line)
        self.state, self._junk = START, 0

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
        if self._head:
            tx.response_raw = raw = b"".join(line + b"\r\n" for line in self._head) + raw
        if self._head or raw.count(b"\r") != raw.count(b"\r\n"):
            lines = parse.split_lone_cr(self._head + lines)
        old = tx.response.protocol in _OLD
        for wrong in odd.of_lines(raw, lines, split_folded=not old, response=True) - tx.wrong:
            self.anomaly(_WRONG[wrong])
        tx.response_headers = headers = parse.headers(lines, split_folded=True, old=old)
        for what in odd.of_response(tx.response, headers):
            self.anomaly(what)
        self._exchange.warn(TO_CLIENT, len(headers.repeated))
        if tx.response.status == 100:
            if self._continued:
                self.anomaly(AppAnomaly.HTTP_100_CONTINUE_ALREADY_SEEN)
            self._continued = True
            self.state = MAYBE
        elif 101 < tx.response.status < 200:
            self._stand_alone(tx)
        else:
            self._answer(tx, tx.response.status, headers)

    def _answer(self, tx: HttpTransaction, status: int, headers: parse.Headers) -> None:
        """Take a final response."""
        self._continued = False
        self._exchange.unexpected |= status == _EXPECTATION_FAILED
        self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
        method = tx.request.method if tx.request is not None else b""
        if method == b"CONNECT" and self._agrees(status):
            self._end_here(tx)
            self.give_up()
        elif status == 101 and not self._announces(headers):
            self._end_here(tx)
            self._exchange.done = True
            self._switch(tx, (headers.get(b"upgrade") or b"").lower())
            self._exchange.losses.tunnels += not self._exchange.becomes
            self.give_up()
        elif method == b"HEAD":
            self._complete(tx)
        elif status in (204, 304):
            self._doubtful(tx, headers)
        else:
            self._begin_body(tx)

    def _stand_alone(self, asked: HttpTransaction) -> None:
        """Make a transaction of an interim response: in Suricata it answers, and the final one answers nothing."""
        self.anomaly(AppAnomaly.HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST)
        tx = self._exchange.new()
        tx.response, tx.response_headers, tx.response_raw = asked.response, asked.response_headers, asked.response_raw
        asked.response, asked.response_headers, asked.response_raw = None, None, b""
        self._exchange.put_back(asked)
        self._exchange.reach(tx, RESPONSE_HEADERS, TO_CLIENT)
        self._end_here(tx)
        self.state = START

    def _agrees(self, status: int) -> bool:
        """Note what the server answers to a CONNECT; return whether the connection is a tunnel from now on."""
        tunnel = self._exchange.tunnel = self._exchange.tunnel or Tunnel()
        if 200 <= status < 300:
            tunnel.begin(bytes(self._buf[self._pos :]))
        else:
            self._exchange.on_refusal()
        return tunnel.open

    @staticmethod
    def _announces(headers: parse.Headers) -> bool:
        """Whether a body is announced: then no other protocol follows, as in Suricata."""
        return headers.lengths is not None or headers.get(b"transfer-encoding") is not None

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
        if parse.declared_length(headers)[0] > 0 or headers.get(b"transfer-encoding") is not None:
            self.state = MAYBE
        else:
            self._complete(tx)

    def _begin_body(self, tx: HttpTransaction) -> None:
        before, self.body = self.body, self._frame(tx.response_headers or parse.Headers())
        self.body.treat(self._exchange.files)
        if before is not None:
            self.body.extend(bytes(before.parts[0]))
        tx.response_body = self.body
        self.state = BODY
        if self.body.ended:
            self.on_body()

    def _frame(self, headers: parse.Headers) -> Body:
        """RFC 9112 section 6.3, responses."""
        length, sure = parse.declared_length(headers)
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
        return not word or not b"http".startswith(word)

    def is_next(self, data: bytes) -> bool:
        """Whether bytes begin with a protocol."""
        return data[:5].lower() == b"http/"

    def on_extra(self, data: bytes) -> None:
        """Add what stands behind the length of a body, or where there should be none."""
        if self.body is None and self._tx is not None:
            self.body = self._tx.response_body = Body.sized(0, limits.RESPONSE_BODY)
            self.body.treat(self._exchange.files)
        if self.body is not None:
            self.body.extend(data)

    def message_held(self) -> int:
        """Return what its transaction holds."""
        return self._tx.held() if self._tx is not None else 0

    def on_end(self) -> None:
        """Complete the response."""
        if self._tx is not None:
            self._tx.add_trailers(TO_CLIENT)
            self._reach_body(self._tx)
            self._exchange.join(self._tx)
            self._exchange.reach(self._tx, RESPONSE_COMPLETE, TO_CLIENT)
            self._exchange.spend(self.body)
        self._tx = self.body = None
        self._bare = False

    def _complete(self, tx: HttpTransaction) -> None:
        self._tx = tx
        self.end_message()

    def _end_here(self, tx: HttpTransaction) -> None:
        """Complete a response: what stands behind it is no HTTP."""
        self._tx = tx
        self.on_end()


def _are_settings(text: bytes) -> bool:
    """Whether a field can be the payload of a SETTINGS frame in base64url (RFC 7540 section 3.2.1)."""
    try:
        payload = base64.b64decode(text.translate(_STANDARD), validate=True)
    except binascii.Error:
        return False
    return len(payload) % 6 == 0
