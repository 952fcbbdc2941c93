"""A mail taken apart line by line: entities, boundaries, files (RFC 2046 section 5.1, RFC 5322)."""

from __future__ import annotations

import re
from enum import IntEnum

from sensor.model.anomaly import AppAnomaly
from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.proto.files import HASHED, FileBuilder
from sensor.proto.mime import headers, limits
from sensor.proto.mime.coding import Coding, Identity, QuotedPrintable, coding, uu_line

_UU_BEGIN = re.compile(rb"begin(?:-base64)? [0-7]{3,4} (\S.{0,255})")
_OF_MAIL = frozenset({b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"x-mailer"})
"""Fields of the outermost entity that are kept."""

_HEADER, _NAME = 500, 150
"""Bytes that a field of a header, and the name of a file, takes."""


class _State(IntEnum):
    HEADERS = 0
    BODY = 1
    """Of a leaf."""
    BETWEEN = 2
    """Before the first boundary of a multipart, behind its last one, or in what is not taken apart."""


class MimeParser:
    """Takes the lines of one mail. Holds the headers of one entity and the head of one file."""

    __slots__ = (
        "_bounds", "_coding", "_eol", "_entities", "_file", "_header", "_headers", "_is_text", "_lines", "_nested",
        "_outermost", "_policy", "_state", "_uu", "events", "fields", "files", "names",
    )  # fmt: skip

    def __init__(self, policy: FilePolicy = HASHED) -> None:
        self._policy = policy
        self.fields: dict[bytes, bytes] = {}
        """Fields of the mail itself; the first of a name counts."""
        self.files: list[FileInfo] = []
        """Files that have become complete; their taker empties it."""
        self.names: list[bytes] = []
        """Names of all files, those under way included."""
        self.events: set[AppAnomaly] = set()
        self._state = _State.HEADERS
        self._bounds: list[bytes] = []
        """Boundaries of the entities that we are in, the outermost first."""
        self._nested = 0
        self._entities = 1
        self._outermost = True
        self._header = bytearray()
        self._headers: dict[bytes, bytes] = {}
        """Content-* fields of the entity at hand."""
        self._coding: Coding = Identity()
        self._lines: list[bytes] = []
        """Lines of the body that were not decoded yet."""
        self._eol = b""
        """End of the last line: of the boundary, if one follows."""
        self._file: FileBuilder | None = None
        self._uu = False
        self._is_text = False

    def line(self, text: bytes, eol: bytes, *, start: bool, longest: int) -> None:
        """Take a line, or a piece of a long one.

        eol: empty where more of the line follows; start: it begins here; longest: bytes of it that came at once.
        """
        if start and text[:2] == b"--" and self._bounds and self._boundary(text):
            return
        if self._state == _State.HEADERS:
            self._on_header(text, eol, start=start)
        elif self._state == _State.BODY:
            self._on_body(text, eol, start=start, longest=longest)

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        headers = _HEADER * (len(self._headers) + len(self.fields)) + _NAME * len(self.names)
        return headers + (self._file.held if self._file is not None else 0)

    def flush(self) -> None:
        """Decode the lines taken so far."""
        if self._file is not None and self._lines:
            self._file.add(self._coding.feed(b"".join(self._lines)))
        self._lines.clear()

    def finish(self, *, ended: bool) -> None:
        """Close what is open. ended: the mail's end was seen."""
        if self._state == _State.HEADERS and self._header:
            self._end_header()
        self._close_file(ended=ended)
        if self._bounds and self._entities > 1 and ended:
            self.events.add(AppAnomaly.SMTP_MIME_MALFORMED_MSG)
        self._state = _State.BETWEEN

    # ---- headers

    def _on_header(self, text: bytes, eol: bytes, *, start: bool) -> None:
        if start and not text and eol:
            if self._header:
                self._end_header()
            self._begin_body()
            return
        if start and self._header and text[:1] not in (b" ", b"\t"):
            self._end_header()
        if start and len(text) > limits.LINE:
            self.events.add(AppAnomaly.SMTP_MIME_LONG_LINE)
        room = limits.HEADER_NAME + limits.HEADER_VALUE + 64 - len(self._header)
        self._header += text[: max(0, room)]

    def _end_header(self) -> None:
        found = headers.field(bytes(self._header))
        self._header.clear()
        if found is None:
            return
        if found.name_cut:
            self.events.add(AppAnomaly.SMTP_MIME_LONG_HEADER_NAME)
        if found.value_cut:
            self.events.add(AppAnomaly.SMTP_MIME_LONG_HEADER_VALUE)
        if self._outermost and found.name in _OF_MAIL:
            self.fields.setdefault(found.name, found.value)
        if found.name.startswith(b"content-") and len(self._headers) < limits.HEADERS:
            self._headers[found.name] = found.value  # the last one of a name counts, as in Suricata

    def _begin_body(self) -> None:
        """Decide what the body of the entity is."""
        kind = self._headers.get(b"content-type", b"")
        disposition = self._headers.get(b"content-disposition", b"")
        transfer = self._headers.get(b"content-transfer-encoding", b"")
        self._headers = {}
        self._outermost = False
        word = headers.word(kind)
        boundary = headers.parameters(kind).get(b"boundary", b"")
        if boundary or word.startswith(b"multipart/"):
            self._enter(boundary)
        elif word == b"message/rfc822" and self._nested < limits.DEPTH:
            self._nested += 1
            self._state = _State.HEADERS
        else:
            self._state = _State.BODY
            self._is_text = not transfer.strip() or word.startswith(b"text/")
            self._coding = coding(transfer)
            name = headers.file_name(disposition, kind)
            if name is not None:
                if len(name) > limits.NAME:
                    self.events.add(AppAnomaly.SMTP_MIME_LONG_FILENAME)
                self._open_file(name)

    def _enter(self, boundary: bytes) -> None:
        self._state = _State.BETWEEN
        if len(boundary) > limits.BOUNDARY:
            self.events |= {AppAnomaly.SMTP_MIME_LONG_BOUNDARY, AppAnomaly.SMTP_MIME_PARSE_FAILED}
        elif boundary and len(self._bounds) < limits.DEPTH:
            self._bounds.append(boundary)

    # ---- bodies

    def _boundary(self, text: bytes) -> bool:
        """End the entity at hand if the line is a boundary of one around it."""
        for depth in range(len(self._bounds) - 1, -1, -1):
            mark = self._bounds[depth]
            if not text.startswith(mark, 2):
                continue
            rest = text[2 + len(mark) :].strip()
            if rest not in (b"", b"--"):
                continue
            self._leave(depth, last=rest == b"--")
            return True
        return False

    def _leave(self, depth: int, *, last: bool) -> None:
        if self._state == _State.HEADERS and self._header:
            self._end_header()
        self._close_file(ended=True)
        del self._bounds[depth if last else depth + 1 :]
        self._entities += 1
        self._headers = {}
        self._state = _State.BETWEEN if last or self._entities > limits.ENTITIES else _State.HEADERS

    def _on_body(self, text: bytes, eol: bytes, *, start: bool, longest: int) -> None:
        if longest > limits.LINE:
            self.events.add(AppAnomaly.SMTP_MIME_LONG_LINE)
        if self._uu or (start and self._file is None and self._is_text and text[:5] == b"begin"):
            self._on_uu(text)
        elif self._file is not None:
            if longest > limits.ENCODED_LINE and not isinstance(self._coding, Identity):
                self.events.add(AppAnomaly.SMTP_MIME_LONG_ENC_LINE)
            self._lines += (self._eol, text)
            self._eol = eol

    def _on_uu(self, text: bytes) -> None:
        """Take a line of uuencode within a text, or the one that begins it."""
        if not self._uu:
            found = _UU_BEGIN.fullmatch(text.rstrip())
            if found is not None:
                self._coding = Identity()
                self._uu = self._open_file(found[1])
            return
        data = None if text.rstrip() in (b"end", b"`", b"") else uu_line(text)
        if data is None:
            self._close_file(ended=text.rstrip() in (b"end", b"`", b""))
        elif self._file is not None:
            self._lines.append(data)

    def _open_file(self, name: bytes) -> bool:
        self._eol = b""
        if len(self.names) >= limits.FILES:
            return False
        self._file = FileBuilder(name[: limits.NAME], policy=self._policy)
        self.names.append(self._file.name)
        return True

    def _close_file(self, *, ended: bool) -> None:
        self._uu = False
        if self._file is None:
            return
        if isinstance(self._coding, QuotedPrintable):
            self._lines.append(self._eol)  # the last line's end is of the file, as in Suricata
        self.flush()
        self._file.add(self._coding.finish())
        if self._coding.faulty:
            quoted = isinstance(self._coding, QuotedPrintable)
            self.events.add(AppAnomaly.SMTP_MIME_INVALID_QP if quoted else AppAnomaly.SMTP_MIME_INVALID_BASE64)
        self.files.append(self._file.close(ended=ended))
        self._file = None
        self._eol = b""
