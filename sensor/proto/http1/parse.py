"""Start lines, header lines and lengths of HTTP/1 messages: bytes to records, no state.

Lenient where servers and browsers are (RFC 9112 section 2.2 allows it), because what an endpoint accepts must
be inspected; what is ambiguous is reported to the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

_BLANK = b" \t\r\n\x0b\x0c\x00"
_EDGE = b" \t\r\n"
_WHITE = _EDGE + b"\x0b\x0c"
_ODD_STATUS = re.compile(rb"([^ \t\r\x0b\x0c]*)[ \t\r\x0b\x0c]*([^ \t\r\x0b\x0c]*)[ \t\r\x0b\x0c]*(.*)", re.DOTALL)
_ODD_LINE = re.compile(rb"([^ \t\r\x0b\x0c]+)[ \t\r\x0b\x0c]+([^ \t\r\x0b\x0c]+)[ \t\r\x0b\x0c]*")
"""Method and target of a request line; what follows is the protocol, whatever it reads like (as in Suricata)."""
_NUMBER = re.compile(rb"[0-9]+")
_CHUNK = re.compile(rb"[ \t\r\x0b\x0c]*([0-9A-Fa-f]{1,16})(?![0-9A-Fa-f])")
_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9_\-.$!#%&'*+^`|~]{0,63}\Z")
_RESPONSE = re.compile(rb"[ \t\r\n\x0b\x0c\x00]*http", re.IGNORECASE)
_FOLD_STARTS = frozenset((b" ", b"\t", b"\0"))
"""A line that begins so continues the one before (RFC 9112 section 5.2; some clients take NUL as blank)."""
_ENDS = frozenset((b"\r\n", b"\n\r"))
_LONE_CR = re.compile(rb"\r(?=[^\r\n])")
_REQUEST = re.compile(rb"[A-Za-z]{3,32} [^\r\n]{1,16384} HTTP/[0-9]\.[0-9]\r?\Z")

_STARTS = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}(?![0-9])")
_NEXT = re.compile(rb"(?:\r?\n|[A-Za-z][A-Za-z0-9\-]{0,63}[ \t]*:)")
_VERSION = b"HTTP/1."
_STATUS_SIZE = 13
"""Version, code, and what is behind them."""
_SURE_LINE, _SURE_NAME = 512, 80
"""Longest status line, and name of a field behind it, by which a response is known behind lost bytes."""

_LENGTH = b"content-length"
_OF_FRAMING = frozenset({_LENGTH, b"transfer-encoding", b"content-encoding"})
_HEX_DIGITS = frozenset(b"%c" % c for c in b"0123456789abcdefABCDEF")

LENGTH_DIGITS = 18
"""A Content-Length of more digits is no length (it would overflow 63 bits)."""


class RequestLine(msgspec.Struct, frozen=True, gc=False):
    """RFC 9112 section 3. `protocol` is empty for HTTP/0.9."""

    line: bytes
    method: bytes = b""
    target: bytes = b""
    protocol: bytes = b""
    valid: bool = False


class StatusLine(msgspec.Struct, frozen=True, gc=False):
    """RFC 9112 section 4. `status` is 0 where `code` is no three-digit number."""

    line: bytes
    protocol: bytes = b""
    code: bytes = b""
    reason: bytes = b""
    status: int = 0


@dataclass(slots=True)
class Headers:
    """Header fields in order of first appearance; repeated ones joined with ", " (RFC 9110 section 5.2)."""

    names: list[bytes] = field(default_factory=list)
    """As sent, one per distinct name."""
    values: dict[bytes, bytes] = field(default_factory=dict)
    """By lowercase name; the order is that of `names`."""
    lengths: bytes | None = None
    """Values of Content-Length, joined where it is repeated: rules see the first one only."""
    repeated: frozenset[bytes] = frozenset()
    """Lowercase names of which there is more than one field."""

    def get(self, name: bytes) -> bytes | None:
        """Return a field's value by lowercase name."""
        return self.values.get(name)

    def add(self, others: Headers) -> None:
        """Add fields that came behind the body: none that say how it reads (RFC 9110 section 6.5.1)."""
        for name, (key, value) in zip(others.names, others.values.items(), strict=True):
            if key in _OF_FRAMING:
                continue
            if key in self.values:
                self.values[key] += b", " + value
            else:
                self.names.append(name)
                self.values[key] = value

    def items(self) -> zip[tuple[bytes, bytes]]:
        """Pairs of name and value."""
        return zip(self.names, self.values.values(), strict=True)


def request_line(line: bytes) -> RequestLine:
    """Split a request line at white space; what follows the target is the protocol, spaces and all."""
    parts = line.split(b" ")
    if len(parts) == 3 and parts[1] and parts[2][:5] == b"HTTP/" and _METHOD.match(parts[0]) is not None:
        return RequestLine(line, parts[0], parts[1], parts[2], valid=True)
    return _odd_request_line(line)


def _odd_request_line(line: bytes) -> RequestLine:
    text = line.lstrip(_WHITE).rstrip(b"\r\n")
    found = _ODD_LINE.match(text)
    if found is None:
        return RequestLine(line, text.strip(_BLANK), valid=False)
    protocol = text[found.end() :]
    valid = b"HTTP/" in {protocol[:5], found[2][:5]} or _METHOD.match(found[1]) is not None
    return RequestLine(line, found[1], found[2], protocol, valid=valid)


def status_line(line: bytes) -> StatusLine:
    """Split a status line at white space (NUL is none); the reason keeps its spaces."""
    found = _ODD_STATUS.match(line.lstrip(_WHITE))
    protocol, code, reason = found.groups() if found else (line, b"", b"")
    status = int(code) if len(code) == 3 and code.isdigit() else 0
    return StatusLine(line, protocol, code, reason, status)


def resembles_response(data: bytes) -> bool:
    """Whether a line can pass for a status line (browsers accept whatever starts with `HTTP`)."""
    return _RESPONSE.match(data) is not None


def resembles_request(line: bytes) -> bool:
    """Whether a line is surely a request line: what a resynchronising parser waits for."""
    return _REQUEST.match(line) is not None


def next_response(data: bytes | bytearray, pos: int) -> tuple[int, bool]:
    """Return up to where bytes surely begin no response, and whether one surely begins there.

    For what follows lost bytes: the body that is broken off need not end in a line end, but the status line must
    be whole and a field, or the end of the header, behind it.
    """
    while (at := data.find(_VERSION, pos)) >= 0:
        sure = _is_response(data, at)
        if sure is None or sure:
            return at, bool(sure)
        pos = at + 1
    keep = next((n for n in range(len(_VERSION) - 1, 0, -1) if data.endswith(_VERSION[:n])), 0)
    return max(pos, len(data) - keep), False


def _is_response(data: bytes | bytearray, at: int) -> bool | None:
    """Whether a response surely begins here; None: more bytes are needed to tell."""
    left = len(data) - at
    if _STARTS.match(data, at) is None:
        return None if left < _STATUS_SIZE else False
    newline = data.find(b"\n", at, at + _SURE_LINE)
    if newline < 0:
        return None if left < _SURE_LINE else False
    if _NEXT.match(data, newline + 1) is not None:
        return True
    behind = data[newline + 1 : newline + 1 + _SURE_NAME]
    return False if len(behind) >= _SURE_NAME or b"\n" in behind or b":" in behind else None


def without_ends(raw: list[bytes]) -> list[bytes]:
    """Return lines without their ends, empty ones left out."""
    lines = [line[:-2] if line[-2:] in _ENDS else line[:-1] if line[-1:] == b"\n" else line for line in raw]
    return [line for line in lines if line]


def split_lone_cr(lines: list[bytes]) -> list[bytes]:
    """Split lines at carriage returns without line feed: clients take them for line ends in responses."""
    return [part for line in lines for part in (_LONE_CR.split(line) if b"\r" in line else (line,))]


def headers(lines: list[bytes], *, split_folded: bool = False, old: bool = False) -> Headers:
    """Parse header lines (without line ends), unfolding obs-fold (RFC 9112 section 5.2): its white space stays.

    split_folded: a folded line with a colon of its own is a field of its own (what clients see in responses; they
    pass over more white space behind names as well), unless they are of HTTP/1.0 (old).
    """
    out = Headers()
    names, values = out.names, out.values
    if not _FOLD_STARTS.isdisjoint([line[:1] for line in lines]):
        lines = _unfold(lines, split_folded=split_folded, old=old)
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            name, value = b"", line
            if not line.strip(_BLANK):
                continue
        name = name.rstrip(_WHITE) if split_folded else name.strip(_EDGE)
        value = value.strip(_EDGE)
        key = name.lower()
        if b"\0" in key:
            if split_folded:
                key = key.replace(b"\0", b"")
            else:  # the name of a request's field ends at NUL, and no colon follows it
                name, key, value = b"", b"", line.strip(_EDGE)
        if key not in values:
            names.append(name)
            values[key] = value
            continue
        out.repeated |= {key}
        if key == _LENGTH:
            out.lengths = (values[key] if out.lengths is None else out.lengths) + b", " + value
        else:
            values[key] += b", " + value
    if out.lengths is None:
        out.lengths = values.get(_LENGTH)
    return out


def _unfold(lines: list[bytes], *, split_folded: bool, old: bool) -> list[bytes]:
    """Join folded lines. What is a field of its own though it is folded loses one blank; a second is of its name."""
    out: list[list[bytes]] = []
    has_colon = False
    for line in lines:
        if line[:1] not in _FOLD_STARTS or not out:
            out.append([line.lstrip(_EDGE + b"\0") if split_folded else line])
            has_colon = b":" in line
        elif split_folded and not old and has_colon and b":" in line:
            out.append([line[1:]])
        else:
            out[-1].append(line)
            has_colon = has_colon or b":" in line
    return [b"".join(parts) for parts in out]


def content_length(value: bytes) -> tuple[int, bool]:
    """Return (length, whether it is beyond doubt); -1: no number at all.

    Of several numbers the first counts, as in Suricata: what a message has beyond it is looked at as what follows.
    """
    if value.isdigit() and len(value) <= LENGTH_DIGITS:
        return int(value), True
    found = [int(n) for n in _NUMBER.findall(value) if len(n) <= LENGTH_DIGITS]
    return (found[0], False) if found else (-1, False)


def declared_length(headers: Headers) -> tuple[int, bool]:
    """Return what Content-Length says and whether it is beyond doubt (`content_length`); -1: nothing."""
    value = headers.lengths
    return content_length(value) if value is not None else (-1, True)


def is_chunked(value: bytes) -> bool:
    """Whether a Transfer-Encoding names chunked, however oddly spelt."""
    return b"chunked" in value.replace(b"\0", b"").lower()


def chunk_size(line: bytes) -> int:
    """Return the size that a chunk line gives (RFC 9112 section 7.1), -1: none."""
    found = _CHUNK.match(line)
    return int(found[1], 16) if found else -1


def may_be_chunk_size(start: bytes) -> bool:
    """Whether the beginning of a line may still become a chunk-size line."""
    digits = start.lstrip(_WHITE)
    return not digits or digits[:1] in _HEX_DIGITS


def host_port(value: bytes) -> tuple[bytes, bytes]:
    """Split `host:port` (RFC 3986 section 3.2): the port is empty where it is not given."""
    if value[:1] == b"[":
        host, _, rest = value.partition(b"]")
        return host + b"]", rest[1:] if rest[:1] == b":" else b""
    host, colon, port = value.partition(b":")
    return (host, port.strip(_BLANK)) if colon else (value, b"")
