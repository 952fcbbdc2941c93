"""One stream as an exchange of HTTP, and one frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.files import FileInfo
from sensor.proto.http1 import files, parse
from sensor.proto.http1.transaction import HttpTransaction
from sensor.proto.http2.hpack import Field
from sensor.proto.text import text

VERSION, _END = b"HTTP/2", b"\r\n"
"""Start lines are written as those of HTTP/1, with their end, as in Suricata."""
_COOKIES = (b"cookie", b"set-cookie")
"""Of requests, and of responses: what has a buffer of its own."""


def headers(fields: Iterable[Field]) -> parse.Headers:
    """Return fields as HTTP/1 keeps them, pseudo-fields included."""
    found = parse.Headers()
    for name, value in fields:
        key = name.lower()
        before = found.values.get(key)
        if before is None:
            found.names.append(name)
            found.values[key] = value
        else:
            found.values[key] = before + b", " + value  # cookies as well, as in Suricata
    return found


def _raw(fields: Iterable[Field]) -> bytes:
    """Return a line for each field."""
    return b"".join(name + b": " + value + _END for name, value in fields)


def _header(fields: Sequence[Field], cookie: bytes) -> Sequence[bytes]:
    block = _raw(field for field in fields if field[0].lower() != cookie)
    return (block,) if block else ()


def _names(fields: Sequence[Field], _: bytes) -> Sequence[bytes]:
    return (b"".join((_END, *(name + _END for name, _ in fields), _END)),) if fields else ()


def _lines(fields: Sequence[Field], _: bytes) -> Sequence[bytes]:
    return [name + b": " + value for name, value in fields]


_OF_BLOCKS = MappingProxyType({
    "http.header": (TO_SERVER, _header), "http.header@to_client": (TO_CLIENT, _header),
    "http.header_names": (TO_SERVER, _names), "http.header_names@to_client": (TO_CLIENT, _names),
    "http.request_header": (TO_SERVER, _lines), "http.response_header": (TO_CLIENT, _lines),
})  # fmt: skip
"""Buffers of all fields of a side."""


class _Exchange(HttpTransaction):
    """The same with what HTTP/2 has otherwise: files have no names."""

    __slots__ = ()

    def file_name(self, side: int) -> bytes:  # noqa: ARG002 - as there
        """See `HttpTransaction`."""
        return b""

    def form(self) -> bytes:
        """See `HttpTransaction`: whatever the method is."""
        return files.boundary(self.request_headers)

    @property
    def sends_file(self) -> bool:
        """See `HttpTransaction`: whatever the method is, as in Suricata."""
        return True


_LOGGED = ("settings", "error_code", "priority")


def logged(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what records tell of a frame: windows are no news."""
    return {name: fields[name] for name in _LOGGED if fields.get(name)}


class Http2Transaction:
    """One stream. Its HTTP buffers are made as those of HTTP/1."""

    __slots__ = ("_fields", "http", "id", "said", "stream")

    def __init__(self, number: int, stream: int) -> None:
        self.id = number
        self.stream = stream
        self.http = _Exchange(number)
        self._fields: tuple[list[Field], list[Field]] = ([], [])
        """Fields of each side as they came: what is repeated is not joined where rules see all of them."""
        self.said: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        """What records tell of the frames of each side."""

    def take_request(self, fields: Iterable[Field]) -> parse.Headers:
        """Take the header of a request."""
        fields = list(fields)
        found = headers(fields)
        method, path = (found.get(name) or b"" for name in (b":method", b":path"))
        line = b" ".join((method, path, VERSION)) + _END
        self.http.request = parse.RequestLine(line, method, path, VERSION, valid=True)
        self.http.request_headers, self.http.request_raw = found, _raw(fields)
        self._fields[TO_SERVER].extend(fields)
        return found

    def take_response(self, fields: Iterable[Field]) -> bool:
        """Take the header of a response; False: it is an interim one (RFC 9113 section 8.1)."""
        fields = list(fields)
        found = headers(fields)
        code = found.get(b":status") or b""
        if code[:1] == b"1" and len(code) == 3:
            return False
        status = int(code) if len(code) == 3 and code.isdigit() else 0
        self.http.response = parse.StatusLine(VERSION + b" " + code + _END, VERSION, code, b"", status)
        self.http.response_headers, self.http.response_raw = found, _raw(fields)
        self._fields[TO_CLIENT].extend(fields)
        return True

    def add_trailers(self, side: int, fields: Iterable[Field]) -> None:
        """Add the fields behind a body to those of the head; rules that were judged on the head do not see them."""
        fields = list(fields)
        found = self.http.response_headers if side == TO_CLIENT else self.http.request_headers
        if found is None:
            return
        found.add(headers(fields))
        self._fields[side].extend(fields)
        if side == TO_CLIENT:
            self.http.response_raw += _raw(fields)
        else:
            self.http.request_raw += _raw(fields)
        self.http.forget()

    def host(self) -> bytes | None:
        """Return the authority, or what stands in for it."""
        found = self.http.request_headers
        if found is None:
            return None
        return found.get(b":authority") or found.get(b"host")

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return self.http.held()

    def uploads(self) -> Sequence[FileInfo]:
        """Return the files of a form in the request."""
        return self.http.uploads()

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent or not yet known."""
        if name in {"http.host", "http.host.raw"}:
            raw = self.host()
            if raw is None:
                return ()
            return (parse.host_port(raw.rpartition(b"@")[2])[0].lower() if name == "http.host" else raw,)
        if name == "http.uri":  # as it was sent, as in Suricata
            return self.http.buffer("http.uri.raw")
        if name == "http.stat_msg":
            return (b"",) if self.http.response is not None else ()
        if name.startswith("http2.header_name"):
            found = self.http.response_headers if name.endswith("@to_client") else self.http.request_headers
            return found.names if found is not None else ()
        made = _OF_BLOCKS.get(name)
        return made[1](self._fields[made[0]], _COOKIES[made[0]]) if made is not None else self.http.buffer(name)

    def bodies_at(self, stage: int) -> tuple[FileInfo, ...]:
        """Return the files of a message whose body rules are judged on at a stage."""
        return self.http.bodies_at(stage)

    def numbers(self, name: str) -> Sequence[int]:  # noqa: ARG002 - numbers are those of frames
        """Return nothing: a rule on numbers of frames is judged on frames."""
        return ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object (Suricata's names)."""
        found = self.http.eve()
        found.pop("protocol", None)
        if host := self.host():
            found["hostname"] = text(parse.host_port(host)[0])
        for key, listed in (("request", self.http.request_headers), ("response", self.http.response_headers)):
            if listed is not None:
                found[f"{key}_headers"] = [{"name": text(n), "value": text(v)} for n, v in listed.items()]
        asked, answered = self.said
        return {"version": "2", **found, "http2": {"stream_id": self.stream, "request": asked, "response": answered}}


class Http2Frame:
    """One frame. A frame of the connection is a transaction of its own, one of a stream belongs to the stream's."""

    __slots__ = ("_fields", "_numbers", "_raw", "_suffix", "_tx", "id")

    def __init__(
        self, number: int, side: int, raw: bytes, numbers: Mapping[str, Sequence[int]], fields: dict[str, Any],
        tx: Http2Transaction | None = None,
    ) -> None:  # fmt: skip
        self.id = number
        self._suffix = "@to_client" if side else ""
        self._raw = raw
        self._numbers = numbers
        self._fields = fields
        self._tx = tx

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the frame of a name on its side."""
        cut = {"pdu": slice(None), "hdr": slice(9), "data": slice(9, None)}
        base = name.removesuffix("@to_client").removeprefix("frame.http2.")
        if base not in cut or name != f"frame.http2.{base}{self._suffix}":
            return ()
        value = self._raw[cut[base]]
        return (value,) if value else ()

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self._raw) + (self._tx.held() if self._tx is not None else 0)

    def numbers(self, name: str) -> Sequence[int]:
        """Return the values of a number."""
        return self._numbers.get(name, ())

    def eve(self) -> dict[str, Any]:
        """Return the EVE object of its stream, or what it says of the connection; empty: nothing that is logged."""
        return self.eve_of_alert() if self._tx is not None or logged(self._fields) else {}

    def eve_of_alert(self) -> dict[str, Any]:
        """Return the EVE object of its stream, or what it says of the connection."""
        if self._tx is not None:
            return self._tx.eve()
        mine, other = ("response", "request") if self._suffix else ("request", "response")
        return {"version": "2", "http2": {"stream_id": 0, mine: self._fields, other: {}}}
