"""The lines of a mail, up to a lone dot, dots unstuffed (RFC 5321 section 4.5.2, RFC 1939 section 3)."""

from __future__ import annotations

from sensor.proto.mime.limits import PIECE
from sensor.proto.mime.parser import MimeParser

_CR = 13


class DataReader:
    """Hands the lines of one mail to its parser. Holds the beginning of one line."""

    __slots__ = ("_begun", "_held", "_longest", "_mime")

    def __init__(self, mime: MimeParser) -> None:
        self._mime = mime
        self._held = b""
        self._begun = False
        """A piece of the line at hand was handed on."""
        self._longest = 0
        """Bytes of it that came at once, at most: Suricata knows no others of a line to be too long."""

    def feed(self, data: bytes, *, dots: bool = True) -> int:
        """Take bytes; return how many of them are not the mail's, because it ended; -1: it goes on.

        dots: a lone dot ends it; else its length was told (BDAT).
        """
        pos, line_at = 0, self._mime.line
        while (stop := data.find(b"\n", pos)) >= 0:
            self._longest = max(self._longest, stop - pos - (stop > pos and data[stop - 1] == _CR))
            text = self._pieces(self._held + data[pos : stop + 1], dots=dots)
            self._held = b""
            pos = stop + 1
            eol = b"\r\n" if text[-2:] == b"\r\n" else b"\n"
            text = text[: -len(eol)]
            if dots and not self._begun and text[:1] == b".":
                text = text[1:]
                if not text:
                    self._mime.flush()
                    return len(data) - pos
            line_at(text, eol, start=not self._begun, longest=self._longest)
            self._begun, self._longest = False, 0
        self._longest = max(self._longest, len(data) - pos - data.endswith(b"\r"))
        self._held = self._pieces(self._held + data[pos:], dots=dots)
        self._mime.flush()
        return -1

    def finish(self, *, ended: bool) -> None:
        """Hand on what is left of a mail whose end did not come, or was told by its length."""
        if self._held:
            self._mime.line(self._held, b"", start=not self._begun, longest=self._longest)
            self._held = b""
        self._mime.finish(ended=ended)

    def _pieces(self, raw: bytes, *, dots: bool) -> bytes:
        """Hand on pieces of a long line, of a fixed size wherever its bytes were cut; return the rest."""
        pos = 0
        while len(raw) - pos > PIECE:
            text = raw[pos : pos + PIECE]
            pos += PIECE
            if dots and not self._begun and text[:1] == b".":
                text = text[1:]
            self._mime.line(text, b"", start=not self._begun, longest=self._longest)
            self._begun = True
        return raw[pos:] if pos else raw
