"""What is odd about header fields, by the names that Suricata has for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = (b"basic", b"digest", b"bearer")
"""Of Authorization (RFC 9110 section 11, RFC 6750)."""
_CODINGS = 2
"""Content-encodings on top of each other that are usual (Suricata's decompression-layer-limit)."""
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(?::[0-9]{0,5})?")
"""uri-host and port (RFC 3986 section 3.2.2)."""


def of_request(request: parse.RequestLine, headers: parse.Headers) -> Iterator[AppAnomaly]:
    """Yield what is odd about a request's header fields."""
    value = headers.get(b"authorization")
    if value is not None and not value.strip().lower().startswith(_SCHEMES):
        yield AppAnomaly.HTTP_REQUEST_AUTH_UNRECOGNIZED
    value = headers.get(b"host")
    if value is None and request.protocol == b"HTTP/1.1":
        yield AppAnomaly.HTTP_MISSING_HOST_HEADER
    if value and not _HOST.fullmatch(value.strip()):
        yield AppAnomaly.HTTP_REQUEST_HEADER_HOST_INVALID
    value = headers.get(b"transfer-encoding")
    if value is not None and not parse.is_chunked(value):
        yield AppAnomaly.HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST
    yield from _of_both(headers)


def of_response(headers: parse.Headers) -> Iterator[AppAnomaly]:
    """Yield what is odd about a response's header fields."""
    value = headers.get(b"transfer-encoding")
    if value is not None and not parse.is_chunked(value):
        yield AppAnomaly.HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_RESPONSE
    yield from _of_both(headers)


def _of_both(headers: parse.Headers) -> Iterator[AppAnomaly]:
    value = headers.get(b"content-encoding")
    if value is not None and value.count(b",") >= _CODINGS:
        yield AppAnomaly.HTTP_TOO_MANY_ENCODING_LAYERS
