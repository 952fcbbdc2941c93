"""One request with its response, and the buffers that rules test on it, built when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.files import FILE_BUFFERS
from sensor.proto.http1 import coding, eve, files, limits, odd, parse, uri

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sensor.model.anomaly import AppAnomaly
    from sensor.model.files import FileInfo
    from sensor.proto.http1.body import Body

REQUEST_HEADERS, REQUEST_BODY, REQUEST_COMPLETE, RESPONSE_HEADERS, RESPONSE_BODY, RESPONSE_COMPLETE = range(6)
"""Stages, in the order of `fields.SPEC.stages`."""

_BODY = MappingProxyType({REQUEST_BODY: TO_SERVER, RESPONSE_BODY: TO_CLIENT})
_COMPLETE = MappingProxyType({REQUEST_COMPLETE: TO_SERVER, RESPONSE_COMPLETE: TO_CLIENT})

_TRANSACTION, _FIELD = 1024, 120
"""Bytes that a transaction, and a field, takes besides its text."""

_SENDING = frozenset({b"POST", b"PUT"})

Instances = Sequence[bytes]


class HttpTransaction:
    """What is known of one exchange, bounded by `limits`. A buffer exists once its stage is reached."""

    __slots__ = (
        "_cache", "_decoded", "_decoded_request", "broken", "cost", "id", "joined", "reached", "request",
        "request_body", "request_headers", "request_raw", "response", "response_body", "response_headers",
        "response_raw", "response_torn", "wrong",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.id = number
        self.cost = 0
        """Bytes of the request that the parser accounts for while the transaction waits for its response."""
        self.broken = False
        """The request ends within its header."""
        self.wrong: AbstractSet[int] = frozenset()
        """What `odd.of_lines` has found in the request: of the response Suricata does not tell it again."""
        self.response_torn = False
        """The response ends within a line of its header."""
        self.joined: FileInfo | None = None
        """The file that the response completes, as the last part of it."""
        self.reached = 0
        """Bit set of stages."""
        self.request: parse.RequestLine | None = None
        self.request_headers: parse.Headers | None = None
        self.request_raw = b""
        """The header block as sent, its empty line included."""
        self.request_body: Body | None = None
        self.response: parse.StatusLine | None = None
        self.response_headers: parse.Headers | None = None
        self.response_raw = b""
        self.response_body: Body | None = None
        self._cache: dict[str, Instances] = {}
        self._decoded: tuple[list[bytes], AppAnomaly | None] | None = None
        self._decoded_request: tuple[list[bytes], AppAnomaly | None] | None = None

    def buffer(self, name: str) -> Instances:
        """Return the instances of a buffer; empty where it is absent, not yet known, or not one of ours."""
        found = self._cache.get(name)
        if found is not None:
            return found
        entry = MAKERS.get(name)
        if entry is None or not self.reached >> entry[0] & 1:
            return ()
        made = entry[1](self)
        self._cache[name] = made
        return made

    def eve(self) -> dict[str, Any]:
        """Return the `http` object."""
        return eve.http(
            self.request,
            self.request_headers,
            self.response,
            self.response_headers,
            self.response_body.length if self.response_body else 0,
        )

    def add_trailers(self, side: int) -> None:
        """Add the fields behind a chunked body to those of the head (RFC 9110 section 6.5).

        Rules that were judged on the head before do not see them.
        """
        body = self.response_body if side == TO_CLIENT else self.request_body
        headers = self.response_headers if side == TO_CLIENT else self.request_headers
        if body is None or headers is None or not body.trailers:
            return
        lines, body.trailers = body.trailers, []
        headers.add(parse.headers(parse.without_ends(lines), split_folded=side == TO_CLIENT))
        if side == TO_CLIENT:
            self.response_raw += b"".join(lines)
        else:
            self.request_raw += b"".join(lines)
        self.forget()

    def forget(self) -> None:
        """Make buffers anew when they are asked for: a part of them has changed."""
        self._cache.clear()

    def held(self) -> int:
        """Bytes of memory that it takes, about: text is there as sent and in fields."""
        size = _TRANSACTION + 2 * (len(self.request_raw) + len(self.response_raw))
        for headers in (self.request_headers, self.response_headers):
            size += _FIELD * len(headers.names) if headers is not None else 0
        for body in (self.request_body, self.response_body):
            size += body.kept if body is not None else 0
        for found in (self._decoded, self._decoded_request):
            size += sum(map(len, found[0])) if found is not None else 0
        return size + sum(len(one) for made in self._cache.values() for one in made)

    def decode_response(self) -> AppAnomaly | None:
        """Undo the response's content codings; return what was odd about them."""
        self._decoded = _decode(self.response_headers, self.response_body)
        return self._decoded[1]

    def decode_request(self) -> AppAnomaly | None:
        """Undo the request's content codings; return what was odd about them."""
        self._decoded_request = _decode(self.request_headers, self.request_body)
        return self._decoded_request[1]

    def decoded_request(self) -> list[bytes]:
        """Return the request body in the forms to inspect."""
        found = self._decoded_request
        return found[0] if found is not None else _decode(self.request_headers, self.request_body)[0]

    def uploads(self) -> Sequence[FileInfo]:
        """Return the files of a form in the request."""
        mark = self.form() if self.request_body is not None else b""
        return tuple(files.uploads(self.request_body, mark)) if mark else ()

    def odd_parts(self) -> Sequence[AppAnomaly]:
        """Return what is odd about the form in the request."""
        mark = self.form() if self.request_body is not None else b""
        return tuple(files.odd_parts(self.request_body, mark)) if mark and self.request_body is not None else ()

    def form(self) -> bytes:
        """Return the boundary of the form that the request is; empty: it is none. What is PUT is one file."""
        posted = self.request is not None and self.request.method == b"POST"
        return files.boundary(self.request_headers) if posted else b""

    @property
    def simple(self) -> bool:
        """It is a request of HTTP/0.9: a method that is known, a target, no protocol, and no field behind it."""
        request = self.request
        if request is None or request.protocol or not request.target or self.request_raw.strip():
            return False
        return odd.known_method(request.method)

    @property
    def sends_file(self) -> bool:
        """The body of the request is a file to rules: of what is fetched with a body it is none, as in Suricata."""
        return self.request is not None and self.request.method in _SENDING

    def file_name(self, side: int) -> bytes:
        """Return the name of the file that a side's message carries: responses may tell another than the path."""
        headers = self.response_headers if side == TO_CLIENT else None
        name = files.file_name(headers.get(b"content-disposition") if headers else None)
        name = name[: limits.NAME_BYTES] if name else b""
        return name or (files.path(self.request.target) if self.request is not None else b"")

    def file(self, side: int) -> FileInfo | None:
        """Return the file that a side's body is; None: it has none, or is a form whose parts may be files."""
        headers, body = (
            (self.response_headers, self.response_body) if side == TO_CLIENT
            else (self.request_headers, self.request_body)
        )  # fmt: skip
        if body is None or (side == TO_SERVER and (not self.sends_file or self.form())):
            return None
        names = coding.codings((headers.get(b"content-encoding") or b"") if headers else b"")
        name = self.file_name(side)
        forms = self.decoded_response() if side == TO_CLIENT else _request_file(self)
        return files.whole_body(name, body, forms, names, fetched=side == TO_CLIENT)

    def files(self, side: int) -> tuple[FileInfo, ...]:
        """Return the files that a side's message carried, once it is complete."""
        found = self.file(side)
        if found is not None:
            return (found, self.joined) if side == TO_CLIENT and self.joined is not None else (found,)
        return tuple(self.uploads()) if side == TO_SERVER else ()

    def bodies_at(self, stage: int) -> tuple[FileInfo, ...]:
        """Return the files of a message whose body rules are judged on at a stage; of a long one more may come."""
        side = _BODY.get(stage)
        return self.files(side) if side is not None else ()

    def decoded_response(self) -> list[bytes]:
        """Return the response body in the forms to inspect."""
        if self._decoded is None:
            self._decoded = _decode(self.response_headers, self.response_body)
        return self._decoded[0]


def _parts(body: Body | None) -> list[bytes]:
    return [bytes(part) for part in body.parts if part] if body is not None else []


def _decode(headers: parse.Headers | None, body: Body | None) -> tuple[list[bytes], AppAnomaly | None]:
    """Undo content codings of the part before the first loss; what follows a loss stays as it is."""
    parts = _parts(body)
    value = headers.get(b"content-encoding") if headers is not None else None
    names = coding.codings(value) if value and parts else []
    if not names:
        return parts, None
    forms, odd = coding.decode(parts[0], names, limits.RESPONSE_BODY)
    return [form for form in forms if form] + parts[1:], odd


def files_of(tx: HttpTransaction, stage: int) -> tuple[FileInfo, ...]:
    """Return the files of which no more will come once an exchange is at a stage."""
    side = _COMPLETE.get(stage)
    return tx.files(side) if side is not None else ()


Maker = Callable[[HttpTransaction], Instances]


def _one(value: bytes | None) -> Instances:
    return (value,) if value is not None else ()


def _method(tx: HttpTransaction) -> Instances:
    return _one(tx.request.method if tx.request else None)


def _uri(tx: HttpTransaction) -> Instances:
    """Return what the target names beside a host: an empty one, of CONNECT, `http://host` and `/a/..`."""
    if tx.request is None:
        return ()
    return (b"" if tx.request.method == b"CONNECT" else uri.normalise(tx.request.target),)


def _uri_raw(tx: HttpTransaction) -> Instances:
    return _one((tx.request.target or None) if tx.request else None)


def _request_line(tx: HttpTransaction) -> Instances:
    return _one(tx.request.line if tx.request else None)


def _request_protocol(tx: HttpTransaction) -> Instances:
    return _one((tx.request.protocol or None) if tx.request else None)


def _host_raw(tx: HttpTransaction) -> Instances:
    """Return the host that the target names, as it is read; else Host as sent."""
    named = uri.named_host(tx.request.method, tx.request.target) if tx.request else b""
    return _one(named or (tx.request_headers.get(b"host") if tx.request_headers else None))


def _host(tx: HttpTransaction) -> Instances:
    """Return the host of a request whose header is complete: only then it is looked for, as in Suricata."""
    if tx.broken:
        return ()
    return tuple(host for raw in _host_raw(tx) if (host := parse.host_port(raw)[0].lower()))


def _response_line(tx: HttpTransaction) -> Instances:
    return _one(tx.response.line if tx.response else None)


def _response_protocol(tx: HttpTransaction) -> Instances:
    return _one(tx.response.protocol if tx.response else None)


def _stat_code(tx: HttpTransaction) -> Instances:
    return _one(tx.response.code if tx.response else None)


def _stat_msg(tx: HttpTransaction) -> Instances:
    return _one((tx.response.reason or None) if tx.response else None)


def _request_body(tx: HttpTransaction) -> list[bytes]:
    return tx.decoded_request()


def _request_file(tx: HttpTransaction) -> list[bytes]:
    return _request_body(tx) if tx.sends_file and not tx.form() else []


def _of_file(name: str, side: int) -> Maker:
    return lambda tx: file.buffer(name) if (file := tx.file(side)) else ()


def _request_raw(tx: HttpTransaction) -> Instances:
    return _one(tx.request_raw or None)


def _response_raw(tx: HttpTransaction) -> Instances:
    return _one(None if tx.response_headers is None or tx.response_torn else tx.response_raw)


def _request_field(name: bytes) -> Maker:
    return lambda tx: _one(tx.request_headers.get(name) if tx.request_headers else None)


def _response_field(name: bytes) -> Maker:
    return lambda tx: _one(tx.response_headers.get(name) if tx.response_headers else None)


def _block(headers: parse.Headers | None, cookie: bytes) -> Instances:
    """Return `Name: value` lines, the cookie's left out: it has a buffer of its own."""
    if headers is None:
        return ()
    rows = zip(headers.names, headers.values, headers.values.values(), strict=True)
    lines = [name + b": " + value for name, key, value in rows if key != cookie]
    return (b"\r\n".join(lines) + b"\r\n",) if lines else ()


def _request_header(tx: HttpTransaction) -> Instances:
    return _block(tx.request_headers, b"cookie")


def _response_header(tx: HttpTransaction) -> Instances:
    return _block(_response_block(tx), b"set-cookie")


def _response_block(tx: HttpTransaction) -> parse.Headers | None:
    """Return the header block of a response; None: there is no whole one."""
    return None if tx.response_torn else tx.response_headers


def _lines(headers: parse.Headers | None) -> Instances:
    return [name + b": " + value for name, value in headers.items()] if headers is not None else ()


def _names(headers: parse.Headers | None) -> Instances:
    if headers is None or not headers.names:
        return ()
    return (b"\r\n" + b"\r\n".join(headers.names) + b"\r\n\r\n",)


def _start(line: bytes | None, headers: parse.Headers | None) -> Instances:
    if line is None:
        return ()
    lines = _lines(headers)
    return (b"\r\n".join([line, *lines, b"\r\n" if lines else b""]),)


def _request_frame(tx: HttpTransaction) -> Instances:
    head = tx.request.line + b"\r\n" + tx.request_raw if tx.request else b""
    return _one(head + b"".join(_parts(tx.request_body)) if head else None)


def _response_frame(tx: HttpTransaction) -> Instances:
    head = tx.response.line + b"\r\n" + tx.response_raw if tx.response else b""
    return _one(head + b"".join(_parts(tx.response_body)) if head else None)


MAKERS: MappingProxyType[str, tuple[int, Maker]] = MappingProxyType({
    "http.method": (REQUEST_HEADERS, _method),
    "http.uri": (REQUEST_HEADERS, _uri),
    "http.uri.raw": (REQUEST_HEADERS, _uri_raw),
    "http.request_line": (REQUEST_HEADERS, _request_line),
    "http.protocol": (REQUEST_HEADERS, _request_protocol),
    "http.host": (REQUEST_HEADERS, _host),
    "http.host.raw": (REQUEST_HEADERS, _host_raw),
    "http.user_agent": (REQUEST_HEADERS, _request_field(b"user-agent")),
    "http.referer": (REQUEST_HEADERS, _request_field(b"referer")),
    "http.cookie": (REQUEST_HEADERS, _request_field(b"cookie")),
    "http.accept": (REQUEST_HEADERS, _request_field(b"accept")),
    "http.accept_lang": (REQUEST_HEADERS, _request_field(b"accept-language")),
    "http.accept_enc": (REQUEST_HEADERS, _request_field(b"accept-encoding")),
    "http.connection": (REQUEST_HEADERS, _request_field(b"connection")),
    "http.content_type": (REQUEST_HEADERS, _request_field(b"content-type")),
    "http.content_len": (REQUEST_HEADERS, _request_field(b"content-length")),
    "http.header": (REQUEST_HEADERS, _request_header),
    "http.header.raw": (REQUEST_HEADERS, _request_raw),
    "http.header_names": (REQUEST_HEADERS, lambda tx: _names(tx.request_headers)),
    "http.request_header": (REQUEST_HEADERS, lambda tx: _lines(tx.request_headers)),
    "http.start": (
        REQUEST_HEADERS,
        lambda tx: _start(tx.request.line if tx.request else None, tx.request_headers),
    ),
    "http.request_body": (REQUEST_BODY, _request_body),
    "file.data": (REQUEST_BODY, _request_file),
    **{name: (REQUEST_COMPLETE, _of_file(name, TO_SERVER)) for name in FILE_BUFFERS},
    "frame.http1.request": (REQUEST_COMPLETE, _request_frame),
    "frame.http1.response": (RESPONSE_COMPLETE, _response_frame),
    "http.stat_code": (RESPONSE_HEADERS, _stat_code),
    "http.stat_msg": (RESPONSE_HEADERS, _stat_msg),
    "http.response_line": (RESPONSE_HEADERS, _response_line),
    "http.server": (RESPONSE_HEADERS, _response_field(b"server")),
    "http.location": (RESPONSE_HEADERS, _response_field(b"location")),
    "http.response_header": (RESPONSE_HEADERS, lambda tx: _lines(tx.response_headers)),
    "http.protocol@to_client": (RESPONSE_HEADERS, _response_protocol),
    "http.cookie@to_client": (RESPONSE_HEADERS, _response_field(b"set-cookie")),
    "http.connection@to_client": (RESPONSE_HEADERS, _response_field(b"connection")),
    "http.content_type@to_client": (RESPONSE_HEADERS, _response_field(b"content-type")),
    "http.content_len@to_client": (RESPONSE_HEADERS, _response_field(b"content-length")),
    "http.header@to_client": (RESPONSE_HEADERS, _response_header),
    "http.header.raw@to_client": (RESPONSE_HEADERS, _response_raw),
    "http.header_names@to_client": (RESPONSE_HEADERS, lambda tx: _names(_response_block(tx))),
    "http.start@to_client": (
        RESPONSE_HEADERS,
        lambda tx: _start(tx.response.line if tx.response and _response_block(tx) else None, _response_block(tx)),
    ),
    "http.response_body": (RESPONSE_BODY, HttpTransaction.decoded_response),
    "file.data@to_client": (RESPONSE_BODY, HttpTransaction.decoded_response),
    **{f"{name}@to_client": (RESPONSE_COMPLETE, _of_file(name, TO_CLIENT)) for name in FILE_BUFFERS},
})  # fmt: skip
"""Buffer name → the stage it is known from, and how it is built."""
