"""SIP messages: bytes to a record (RFC 3261 section 7)."""

from __future__ import annotations

import re

import msgspec

_METHOD = re.compile(rb"[A-Za-z]{1,32}")
_VERSION = re.compile(rb"[A-Za-z0-9./]{1,32}")
_TARGET = re.compile(rb"[^\x00-\x20\x7f]{1,4096}")
_CODE = re.compile(rb"[^\x00-\x20\x7f]{3}")
"""Not only digits: Suricata takes any."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

MAX_HEADERS = 256
"""Lines of headers; real messages have ten to thirty."""


class SipMessage(msgspec.Struct, gc=False):
    """One message, as sent."""

    line: bytes
    """Request or status line, without its end."""
    version: bytes
    headers: bytes
    """Lines with their ends, without the empty one."""
    body: bytes
    method: bytes = b""
    uri: bytes = b""
    code: bytes = b""
    reason: bytes = b""


def request(data: bytes) -> SipMessage | None:
    """Parse a request; None where it is none."""
    split = _split(data)
    if split is None:
        return None
    line, headers, body = split
    words = line.split(b" ")
    if len(words) != 3 or not (_METHOD.fullmatch(words[0]) and _TARGET.fullmatch(words[1])):
        return None
    method, uri, version = words
    return SipMessage(line, version, headers, body, method, uri) if _VERSION.fullmatch(version) else None


def response(data: bytes) -> SipMessage | None:
    """Parse a response; None where it is none."""
    split = _split(data)
    if split is None:
        return None
    line, headers, body = split
    version, _, rest = line.partition(b" ")
    code, blank, reason = rest.partition(b" ")
    if not blank or not (_VERSION.fullmatch(version) and _CODE.fullmatch(code)) or _CONTROL.search(reason):
        return None
    return SipMessage(line, version, headers, body, code=code, reason=reason)


def _split(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return first line, header lines and body; None where the empty line is missing or a header is none."""
    line, end, rest = data.partition(b"\r\n")
    if not end:
        return None
    if rest.startswith(b"\r\n"):
        return line, b"", rest[2:]
    headers, end, body = rest.partition(b"\r\n\r\n")
    if not end or not _are_headers(headers):
        return None
    return line, headers + b"\r\n", body


def _are_headers(block: bytes) -> bool:
    """Tell whether each line is `name: value` or goes on with the one before (section 7.3.1)."""
    lines = block.split(b"\r\n", MAX_HEADERS)
    if len(lines) > MAX_HEADERS or lines[0][:1] in (b" ", b"\t"):
        return False
    return all(line[:1] in (b" ", b"\t") or b":" in line for line in lines)
