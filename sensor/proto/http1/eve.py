"""The EVE `http` object, with Suricata's names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sensor.proto.http1 import uri
from sensor.proto.http1.parse import host_port
from sensor.proto.text import text

_CONTENT_RANGE = re.compile(rb"\s*bytes\s+(?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)\s*", re.IGNORECASE)

if TYPE_CHECKING:
    from sensor.proto.http1.parse import Headers, RequestLine, StatusLine


def http(
    request: RequestLine | None,
    request_headers: Headers | None,
    response: StatusLine | None,
    response_headers: Headers | None,
    length: int,
) -> dict[str, Any]:
    """Return the object; what was not seen is left out.

    length: bytes of the response body as they were sent (`Body.length`).
    """
    out: dict[str, Any] = {}
    if request is not None:
        _host(out, request.target, request_headers)
        out["url"] = text(request.target)
    if request_headers is not None:
        _put(out, "http_user_agent", request_headers.get(b"user-agent"))
    if response_headers is not None:
        kind = response_headers.get(b"content-type") or b""
        _put(out, "http_content_type", kind.partition(b";")[0].strip())
        _range(out, response_headers.get(b"content-range"))
    if request_headers is not None:
        _put(out, "http_refer", request_headers.get(b"referer"))
    if request is not None:
        out["http_method"] = text(request.method)
        _put(out, "protocol", request.protocol)
    if response is not None:
        if "protocol" not in out:
            _put(out, "protocol", response.protocol)
        if response.status:
            out["status"] = response.status
        elif response.code:
            out["status_string"] = text(response.code)
    if response_headers is not None:
        _put(out, "redirect", response_headers.get(b"location"))
    out["length"] = length
    return out


def _host(out: dict[str, Any], target: bytes, headers: Headers | None) -> None:
    named = uri.authority(target) if target[:1] != b"/" else b""
    host, port = host_port(named or (headers.get(b"host") if headers is not None else None) or b"")
    _put(out, "hostname", host.lower())
    if port.isdigit() and len(port) <= 5:
        out["http_port"] = int(port)


def _range(out: dict[str, Any], value: bytes | None) -> None:
    """Add which part of the whole a response carries (RFC 9110 section 14.4)."""
    if not value:
        return
    shown: dict[str, Any] = {"raw": text(value)}
    found = _CONTENT_RANGE.fullmatch(value)
    if found is not None:
        numbers = (int(word) if word and word != b"*" else -1 for word in found.groups())
        shown |= {name: number for name, number in zip(("start", "end", "size"), numbers, strict=True) if number >= 0}
    out["content_range"] = shown


def _put(out: dict[str, Any], key: str, value: bytes | None) -> None:
    if value:
        out[key] = text(value)
