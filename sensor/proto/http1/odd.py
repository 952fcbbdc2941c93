"""What is odd about start lines and header fields, by the names that Suricata has for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import parse, uri

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = (b"basic", b"digest", b"bearer")
"""Of Authorization (RFC 9110 section 11, RFC 6750)."""
_CODINGS = 2
"""Content-encodings on top of each other that are usual (Suricata's decompression-layer-limit)."""
_WHOLE_CODINGS = frozenset({b"", b"gzip", b"x-gzip", b"deflate", b"x-deflate", b"lzma"})
_NO_CODINGS = frozenset({b"inflate", b"none"})
_USUAL_CODINGS = _WHOLE_CODINGS | _NO_CODINGS
"""Names of codings that Suricata undoes or passes over; `br` and `identity` are not among them."""
_SEPARATOR = re.compile(rb"[, ]")
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?=[^:]{1,255}(?::|\Z))(?:[A-Za-z0-9_-]{1,63}\.){0,127}[A-Za-z0-9_-]{1,63}\.?)"
    rb"(?::([0-9]{0,5}))?"
)
"""Host name of DNS, or address in brackets, and port (RFC 3986 section 3.2.2)."""
_PORTS = range(1, 1 << 16)
_SOUND = re.compile(
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}:[^\r\n\x00]{0,16384}\r\n){0,256}\r\n"
)
"""A header block of which nothing is odd: each line a token, a colon and a value (RFC 9112 section 5)."""
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,65536}")
_FOLDS = (b" ", b"\t", b"\0")
_BLANK = b" \t\x0b\x0c"
_ODD_BLANK = re.compile(rb"[\t\x0b\x0c\r]")
_BLANKS = re.compile(rb"[ \t\x0b\x0c\r]{1,65536}")
_METHODS = frozenset(
    b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK"
    b" VERSION-CONTROL CHECKOUT UNCHECKOUT CHECKIN UPDATE LABEL REPORT MKWORKSPACE MKACTIVITY"
    b" BASELINE-CONTROL MERGE PRI".split()
)
"""RFC 9110, 5789, 4918, 3253, 9113."""
_PROTOCOLS = frozenset({b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.1"})
_STATUSES = range(100, 1000)
RANGE = re.compile(rb"[^ ]{1,32} {1,8}(?:([0-9]{1,18})-([0-9]{1,18})|\*)/(?:([0-9]{1,18})|\*)")
"""Content-Range (RFC 9110 section 14.4)."""
_LONG_FILE_NAME = re.compile(rb"filename=\"?[^\"\r\n;]{4097}", re.IGNORECASE)
"""Suricata cuts a name behind 4,096 bytes."""

COLON, NAME, FOLDING = range(3)
"""What may be wrong with header lines: no colon, no token in front of it, a first line that continues another."""


def of_request_line(line: bytes) -> Iterator[AppAnomaly]:
    """Yield what is odd about the blanks of a request line (RFC 9112 section 3: one space each)."""
    text = line.rstrip(b"\r\n")
    if _BLANKS.match(text):
        yield AppAnomaly.HTTP_REQUEST_LINE_LEADING_WHITESPACE
    if _ODD_BLANK.search(text) is None:
        return
    text = text.strip(_BLANK + b"\r")
    found = _BLANKS.search(text)
    if found is None:
        return
    if _ODD_BLANK.search(found[0]):
        yield AppAnomaly.HTTP_METHOD_DELIM_NON_COMPLIANT
    if _ODD_BLANK.search(text[found.end() :].partition(b" ")[0]):
        yield AppAnomaly.HTTP_URI_DELIM_NON_COMPLIANT


def known_method(line: bytes) -> bool:
    """Whether a line begins with a method that is registered."""
    return _BLANKS.split(line.strip(_BLANK + b"\r\n"), maxsplit=1)[0] in _METHODS


def may_be_method(word: bytes) -> bool:
    """Whether the beginning of a line may still become a method that is registered."""
    return any(method.startswith(word) for method in _METHODS)


def of_lines(raw: bytes, lines: list[bytes], *, split_folded: bool = False, response: bool = False) -> set[int]:
    """Return what is wrong with header lines. raw: the block as sent; lines: the same without line ends.

    split_folded: a folded line with a colon is a field of its own (`parse.headers`).
    """
    if _SOUND.fullmatch(raw):
        return set()
    found = {FOLDING} if lines and lines[0][:1] in (b" ", b"\t") else set()
    fields: list[list[bytes]] = []
    named = False
    for line in lines:
        if not fields or line[:1] not in _FOLDS:
            if not line.strip(b"\r"):
                found.add(FOLDING)
            fields.append([line])
            named = b":" in line
        elif not named:
            fields[-1].append(line)
            named = b":" in line
        elif split_folded and b":" in line:
            found |= {FOLDING} if _NAME.fullmatch(line[1:].partition(b":")[0]) else {FOLDING, NAME}
    for n, parts in enumerate(fields):
        name, colon, _ = b"".join(parts).partition(b":")
        if not colon or (b"\0" in name and not response):
            found.add(COLON)
        elif not _NAME.fullmatch(name) and (n or not _begins_folded(name, response=response)):
            found.add(NAME)
    return found


def _begins_folded(name: bytes, *, response: bool) -> bool:
    """Whether the first name of a header stands behind blanks, which are no part of it."""
    return name.startswith((b" ", b"\t")) and not (response and not name.strip(b" \t"))


def of_request(request: parse.RequestLine, headers: parse.Headers) -> Iterator[AppAnomaly]:
    """Yield what is odd about a request's header fields."""
    value = headers.get(b"authorization")
    if value is not None and not value.strip().lower().startswith(_SCHEMES):
        yield AppAnomaly.HTTP_REQUEST_AUTH_UNRECOGNIZED
    yield from _hosts(request, headers.get(b"host"))
    value = headers.get(b"transfer-encoding")
    if value is not None and (not _names_chunked(value) or request.protocol != b"HTTP/1.1"):
        yield AppAnomaly.HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST
    value = headers.get(b"content-length")
    if value is not None:
        if parse.content_length(value)[0] < 0:
            yield AppAnomaly.HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST
        if _lengths_differ(headers):
            yield AppAnomaly.HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_REQUEST


def _names_chunked(value: bytes) -> bool:
    """Whether a Transfer-Encoding names chunked as it should be named (`parse.is_chunked` takes more for it)."""
    return any(token.strip(_BLANK).lower() == b"chunked" for token in value.split(b","))


def _lengths_differ(headers: parse.Headers) -> bool:
    """Whether there are several fields of Content-Length, of numbers that differ."""
    if b"content-length" not in headers.repeated:
        return False
    values = (headers.lengths or b"").split(b",")
    return len({parse.content_length(value.strip())[0] for value in values}) > 1


def _hosts(request: parse.RequestLine, header: bytes | None) -> Iterator[AppAnomaly]:
    """Yield what is odd about the host that a request names, in its target and in Host."""
    if header is None and request.protocol == b"HTTP/1.1":
        yield AppAnomaly.HTTP_MISSING_HOST_HEADER
    if header is not None and not _is_host(header):
        yield AppAnomaly.HTTP_REQUEST_HEADER_HOST_INVALID
    target = request.target
    named = target if request.method == b"CONNECT" else b"" if target[:1] == b"/" else uri.authority(target)
    if not named:
        return
    if not _is_host(named):
        yield AppAnomaly.HTTP_REQUEST_URI_HOST_INVALID
    if header is not None and _other_host(named, header):
        yield AppAnomaly.HTTP_HOST_HEADER_AMBIGUOUS


def _is_host(value: bytes) -> bool:
    found = _HOST.fullmatch(value.strip())
    return found is not None and (found[1] is None or int(found[1] or b"0") in _PORTS)


def _other_host(named: bytes, header: bytes) -> bool:
    (host, port), (other, other_port) = parse.host_port(named), parse.host_port(header.strip())
    return host.lower() != other.lower() or (port != b"" != other_port and port != other_port)


def of_status(status: parse.StatusLine) -> Iterator[AppAnomaly]:
    """Yield what is odd about a status line (RFC 9112 section 4)."""
    if status.protocol not in _PROTOCOLS:
        yield AppAnomaly.HTTP_RESPONSE_INVALID_PROTOCOL
    code = status.code
    if not (code.isdigit() and len(code) < 8 and int(code) in _STATUSES):
        yield AppAnomaly.HTTP_RESPONSE_INVALID_STATUS

_BYTERANGES = b"multipart/byteranges"
"""Such a body once said itself where it ends (RFC 2616 section 4.4), which nobody follows any more."""


def of_response(status: parse.StatusLine, headers: parse.Headers) -> Iterator[AppAnomaly]:
    """Yield what is odd about a response's header fields."""
    value = headers.get(b"transfer-encoding")
    if value is not None and parse.is_chunked(value):
        if value.strip(b" \t\r\n").lower() != b"chunked":
            yield AppAnomaly.HTTP_RESPONSE_ABNORMAL_TRANSFER_ENCODING
        if status.protocol != b"HTTP/1.1":  # HTTP/1.2 is no protocol that chunks, either
            yield AppAnomaly.HTTP_RESPONSE_CHUNKED_OLD_PROTO
    elif headers.lengths is None and _BYTERANGES in (headers.get(b"content-type") or b"").lower():
        yield AppAnomaly.HTTP_RESPONSE_MULTIPART_BYTERANGES
    value = headers.get(b"content-encoding")
    if value is not None:
        yield from _codings(value)
    value = headers.get(b"content-length")
    if value is not None:
        if parse.content_length(value)[0] < 0:
            yield AppAnomaly.HTTP_INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE
        if _lengths_differ(headers):
            yield AppAnomaly.HTTP_DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE
    value = headers.get(b"content-range")
    if value is not None and not _sound_range(value):
        yield AppAnomaly.HTTP_RANGE_INVALID
    value = headers.get(b"content-disposition")
    if value is not None and _LONG_FILE_NAME.search(value):
        yield AppAnomaly.HTTP_FILE_NAME_TOO_LONG


def _codings(value: bytes) -> Iterator[AppAnomaly]:
    if value in _NO_CODINGS or value.replace(b"\0", b"").lower() in _WHOLE_CODINGS:
        return
    abnormal = False
    for n, token in enumerate(_tokens(value)):
        if n == _CODINGS:
            yield AppAnomaly.HTTP_TOO_MANY_ENCODING_LAYERS
            break
        abnormal |= token not in _USUAL_CODINGS
    if abnormal:
        yield AppAnomaly.HTTP_ABNORMAL_CE_HEADER


def _tokens(value: bytes) -> Iterator[bytes]:
    """Yield at most a few codings as Suricata reads them: blanks in front of one count as part of the one before."""
    for _ in range(_CODINGS + 1):
        left = value.lstrip(b", ")
        if not left:
            return
        token = _SEPARATOR.split(left, maxsplit=1)[0]
        yield token
        value = value[len(token) + 1 :]


def _sound_range(value: bytes) -> bool:
    found = RANGE.fullmatch(value.strip())
    if found is None:
        return False
    if found[1] is None:
        return True
    return found[3] is None or int(found[2]) < int(found[3])
