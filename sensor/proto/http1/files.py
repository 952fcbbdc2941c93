"""The files that an exchange carries: bodies, and the parts of a form that have a file name (RFC 7578)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.files import FileInfo
from sensor.proto.http1 import coding, limits, uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensor.proto.http1.body import Body
    from sensor.proto.http1.parse import Headers

_BOUNDARY = re.compile(
    rb"multipart/[^;]{0,200}(?:;(?!\s*boundary=)[^;]{0,1000}){0,16};\s*boundary="
    rb"(?:\"([^\"]{1,200})\"|([^\s;,\"]{1,200}))", re.IGNORECASE,
)  # fmt: skip
"""The first of that name counts, wherever among the parameters it stands."""
_FILE_NAME = re.compile(
    rb"(?:^|[;\s])filename=(?:\"((?:[^\"\\\r\n]|\\[^\r\n]){0,65536})\"|\"([^\"\r\n]{0,65536})\"|([^\s;\"]{1,65536}))",
    re.IGNORECASE,
)
"""In quotes, of which one behind a backslash is no end, if there is another; without."""
_DISPOSITION = re.compile(rb"^content-disposition:([^\r\n]{0,65536})", re.IGNORECASE | re.MULTILINE)


def boundary(headers: Headers | None) -> bytes:
    """Return the boundary of a multipart body; empty: it has none."""
    value = headers.get(b"content-type") if headers is not None else None
    found = _BOUNDARY.match(value.lstrip()) if value else None
    return (found[1] or found[2]) if found else b""


def file_name(disposition: bytes | None) -> bytes | None:
    """Return the file name of a Content-Disposition (RFC 6266); None: it has none."""
    found = _FILE_NAME.search(disposition) if disposition else None
    return next((name for name in found.groups() if name is not None), None) if found else None


def uploads(body: Body | None, mark: bytes) -> Iterator[FileInfo]:
    """Yield the files in a multipart body, as far as the body is kept."""
    if body is None:
        return
    data = bytes(body.parts[0])
    whole = len(body.parts) == 1 and body.total == len(data) and not body.cut
    delimiter = b"--" + mark
    start = data.find(delimiter)
    for _ in range(limits.FORM_PARTS):
        if start < 0:
            return
        start += len(delimiter)
        stop = data.find(b"\r\n" + delimiter, start)
        end = _cut_off(data, start, delimiter) if stop < 0 else stop
        yield from _upload(data, start, end, ended=stop >= 0, whole=whole)
        start = stop + 2 if stop >= 0 else -1


def _cut_off(data: bytes, start: int, delimiter: bytes) -> int:
    """Return where the last part of a form ends that breaks off, perhaps within the delimiter behind it."""
    tail = data.rfind(b"\r\n", start)
    return tail if tail >= 0 and delimiter.startswith(data[tail + 2 :]) else len(data)


def odd_parts(body: Body, mark: bytes) -> Iterator[AppAnomaly]:
    """Yield what is odd about the parts of a form: header lines without a colon, files without a byte."""
    data, delimiter = bytes(body.parts[0]), b"--" + mark
    for part in data.split(delimiter)[1 : limits.FORM_PARTS + 1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank or part.startswith(b"--"):
            continue
        first, *lines = head.split(b"\r\n")
        if first.strip() or any(line and b":" not in line for line in lines):
            yield AppAnomaly.HTTP_MULTIPART_INVALID_HEADER
        found = _DISPOSITION.search(head)
        if not content and found and file_name(found[1]) is not None:
            yield AppAnomaly.HTTP_MULTIPART_NO_FILEDATA


def _upload(data: bytes, start: int, stop: int, *, ended: bool, whole: bool) -> Iterator[FileInfo]:
    """Yield the file of one part of a form, if it is one."""
    blank = data.find(b"\r\n\r\n", start, stop)
    if blank < 0:
        return
    found = _DISPOSITION.search(data, start, blank)
    name = file_name(found[1]) if found else None
    if name is not None:
        content = data[blank + 4 : stop]
        yield FileInfo(name, content, len(content), ended or whole, open=not (ended or whole))


def whole_body(
    name: bytes, body: Body | None, forms: list[bytes], names: list[str], *, fetched: bool
) -> FileInfo | None:
    """Return the file that a body is; None: it is empty.

    forms: the body as rules see it (`transaction.decoded`), its best form first; names: its codings that were undone,
    so that the bytes seen are not those of the file. fetched: it is of a response; where it breaks off, the file is
    what has come.
    """
    if body is None or not forms:
        return None
    data = forms[0]
    whole = body.whole or (fetched and body.ended and not body.gaps)
    opened = body.cut and not fetched
    kept = len(body.parts) == 1 and whole and body.total == len(body.parts[0])
    if names and body.tail is not None:
        return _decoded(name, body, body.tail.most, names, whole=whole)
    if names:
        return FileInfo(name, data, len(data), kept and len(data) < limits.RESPONSE_BODY, body.gaps, open=opened)
    hashes = body.hash.hex() if body.hash is not None and whole else {}
    rest = body.rest
    kept |= len(body.parts) == 1 and whole and body.total == len(data) + len(rest)
    return FileInfo(name, data, body.total, kept or bool(hashes), body.gaps, hashes, rest, opened)


def _decoded(name: bytes, body: Body, most: int, names: list[str], *, whole: bool) -> FileInfo:
    """Undo the codings of all that is kept."""
    raw = bytes(body.parts[0]) + body.rest
    forms, odd = coding.decode(raw, names, most)
    data = forms[0] if forms else b""
    complete = whole and body.total == len(raw) and odd is None and len(data) < most
    head = limits.RESPONSE_BODY
    return FileInfo(name, data[:head], len(data), complete, body.gaps, rest=data[head:])


def path(target: bytes) -> bytes:
    """Return the path of a request target, normalised: the name of a file that has no other."""
    return uri.path(target)
