"""The client's side of an HTTP/1 connection: request lines, headers and bodies to transactions."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER
from sensor.proto.http1 import limits, odd, parse, uri
from sensor.proto.http1.body import Body
from sensor.proto.http1.exchange import Exchange
from sensor.proto.http1.side import BODY, DEAD, HEADERS, START, Side
from sensor.proto.http1.transaction import REQUEST_COMPLETE, REQUEST_HEADERS, HttpTransaction
from sensor.proto.http1.tunnel import Tunnel

_BLANK = b" \t\r\n\x0b\x0c\0"
_WRONG = MappingProxyType({
    odd.COLON: AppAnomaly.HTTP_REQUEST_FIELD_MISSING_COLON, odd.NAME: AppAnomaly.HTTP_REQUEST_HEADER_INVALID,
    odd.FOLDING: AppAnomaly.HTTP_INVALID_REQUEST_FIELD_FOLDING,
})  # fmt: skip
"""By what `odd.of_lines` finds."""


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
        self._seam = -1
        """Where in the line that has not ended bytes are lost; -1: nowhere."""
        self._suspect = False
        """Bytes of the head are lost: it may hold the beginning of another one."""
        self._nameless = 0
        """Lines that were taken for requests though they are none."""

    def anomaly(self, what: AppAnomaly) -> None:
        """Report what is odd."""
        if what is AppAnomaly.HTTP_INVALID_RESPONSE_CHUNK_LEN:
            self._exchange.anomaly(AppAnomaly.HTTP_INVALID_CHUNK, TO_SERVER)
            what = AppAnomaly.HTTP_INVALID_REQUEST_CHUNK_LEN
        self._exchange.anomaly(what, TO_SERVER)

    def gap(self, nbytes: int) -> None:
        """Note lost bytes. A head that they are of goes on behind them, as in Suricata, unless another one begins."""
        begun = self.state == HEADERS or (self.state == START and odd.known_method(self._waiting))
        if begun and not self._ending and 0 < nbytes <= limits.HEADER_BYTES:
            self._seam = len(self._waiting)
            self.anomaly(AppAnomaly.PROTOCOL_GAP)
        else:
            super().gap(nbytes)

    def _start(self) -> bool:
        return self._at_seam() if self._seam >= 0 and self._line() is not None else super()._start()

    def _at_seam(self) -> bool:
        """Look at the line that bytes are lost of, now that it has ended: another request may begin behind them."""
        line, seam, self._seam = self._line() or b"", self._seam, -1
        if not self.is_start(line[seam:].rstrip(b"\r\n")):
            self._suspect = True
            return True
        self._consume(seam)
        if self.state == HEADERS:
            raw, self._lines = self._lines, []
            self._cut_off(b"".join(raw), parse.without_ends(raw), line[:seam])
        elif seam and self.on_start(line[:seam]):
            self._cut_off(b"", [])
        return True

    def _another_in(self, raw: bytes) -> bool:
        """End a head, bytes of which are lost, in front of a request line in it."""
        suspect, self._suspect = self._suspect, False
        lines = raw.splitlines(keepends=True) if suspect else []
        n = next((n for n, line in enumerate(lines) if self.is_start(line.rstrip(b"\r\n"))), -1)
        if n < 0:
            return False
        self._buf, self._pos = b"".join(lines[n:]) + self._waiting, 0
        self._scan = 0
        self._cut_off(b"".join(lines[:n]), parse.without_ends(lines[:n]))
        return True

    @property
    def _waiting(self) -> bytes:
        """The beginning of a line."""
        return bytes(self._buf[self._pos :])

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
        if not request.valid and not self._bears():
            return False
        if request.method == b"PRI" and request.protocol == b"HTTP/2.0":  # RFC 9113 section 3.4
            self._exchange.done = True
            self.give_up()
            return False
        if uri.double_encoded(request.target):
            self.anomaly(AppAnomaly.HTTP_DOUBLE_ENCODED_URI)
        self._tx = self._exchange.new()
        self._tx.request = request
        self._exchange.simple |= not request.protocol
        self._exchange.wait(self._tx)
        return True

    def message_held(self) -> int:
        """Return what its transaction holds."""
        return self._tx.held() if self._tx is not None else 0

    def _bears(self) -> bool:
        """Whether a line that is no request line can be taken for a request of a name alone, as Suricata takes it."""
        self.anomaly(AppAnomaly.HTTP_INVALID_REQUEST_LINE)
        self._nameless += 1
        if self._nameless > limits.JUNK_LINES:
            self.give_up()
        return self.state != DEAD

    def on_rest(self, rest: bytes) -> None:
        """Take a request line that breaks off at the end of the connection for what it says so far."""
        if self.closing and self.on_start(rest):
            self.on_broken_headers(b"", [], b"")

    def on_broken_headers(self, raw: bytes, lines: list[bytes], torn: bytes) -> None:
        """Show rules the fields that came; the request is none that could be carried out."""
        self._cut_off(raw, lines, torn, broken=True)

    def _cut_off(self, raw: bytes, lines: list[bytes], torn: bytes = b"", *, broken: bool = False) -> None:
        """End a head that is not complete, and its request with it."""
        tx = self._tx
        if tx is None:
            self.state = START
            return
        tx.request_raw, tx.request_headers, tx.broken = raw + torn, parse.headers(lines), broken
        self._exchange.reach(tx, REQUEST_HEADERS, TO_SERVER)
        self.end_message()

    def _collect(self) -> bool:
        if self._seam >= 0 and self._line() is not None:
            return self._at_seam()
        return super()._collect()  # of a request without a protocol, too: what comes before its answer is its header

    def on_headers(self, raw: bytes, lines: list[bytes]) -> None:
        """Take the request's header block."""
        tx = self._tx
        if tx is None:
            self.state = START
            return
        if self._another_in(raw):
            return
        tx.request_raw = raw
        tx.request_headers = headers = parse.headers(lines)
        self._exchange.reach(tx, REQUEST_HEADERS, TO_SERVER)
        if tx.request is not None:
            tx.wrong = odd.of_lines(raw, lines)
            for what in (*(_WRONG[n] for n in tx.wrong), *odd.of_request(tx.request, headers)):
                self.anomaly(what)
            self._exchange.warn(TO_SERVER, len(headers.repeated))
        if tx.request is not None and tx.request.method == b"CONNECT":
            self._exchange.tunnel = Tunnel(bytes(self._buf[self._pos :]))  # there is no body (RFC 9110 section 9.3.6)
            self._drop()
        else:
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
        length, sure = parse.declared_length(headers)
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

    def go_without_body(self) -> None:
        """End a request whose body has not begun: it will not come."""
        if self.state == BODY and self.body is not None and not self.body.total and self._tx is not None:
            self.body = self._tx.request_body = None
            self.end_message()

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
        if not word:
            return line[:1] != b"\n"  # a lone line feed ends the request, as in Suricata
        if b"HTTP/" in line:
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
        chunked = tx.request_body is not None and tx.request_body.strict
        if data.endswith(b"\n") and data.strip(_BLANK) and not chunked:
            self.anomaly(AppAnomaly.HTTP_REQUEST_BODY_UNEXPECTED)
        if tx.request_body is None:
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
