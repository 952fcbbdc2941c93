"""One mail with its envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.files import FileInfo
from sensor.proto.mime.parser import MimeParser
from sensor.proto.smtp import limits
from sensor.proto.text import text

_OBJECT = 100
"""Bytes that a recipient takes besides its text."""


class SmtpTransaction:
    """What belongs to one mail; also a session that brought none. Bounded by `limits`."""

    __slots__ = ("_file_bytes", "_recipient_bytes", "complete", "done", "files", "helo", "id", "mail_from", "mime",
                 "rcpt_to", "told")  # fmt: skip

    def __init__(self, number: int, helo: bytes) -> None:
        self.id = number
        self.helo = helo
        self.mail_from: bytes | None = None
        self.rcpt_to: list[bytes] = []
        self.mime: MimeParser | None = None
        self.files: list[FileInfo] = []
        """Files, as many as may be kept until the end of the mail."""
        self.told = False
        """The stage of the envelope was reached."""
        self.done = False
        self.complete = False
        """The end of the mail was seen."""
        self._recipient_bytes = 0
        self._file_bytes = 0

    def add_recipient(self, path: bytes) -> None:
        """Keep a recipient, as far as there is room."""
        self._recipient_bytes += len(path)
        if len(self.rcpt_to) < limits.RECIPIENTS and self._recipient_bytes <= limits.RECIPIENT_BYTES:
            self.rcpt_to.append(path)

    def add_file(self, file: FileInfo) -> bool:
        """Keep a file, as far as there is room; return whether there was any."""
        self._file_bytes += len(file.data)
        if self._file_bytes > limits.FILE_BYTES:
            return False
        self.files.append(file)
        return True

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        files = sum(_OBJECT + len(file.content) for file in self.files)
        mail = self.mime.held if self.mime is not None else 0
        return files + mail + sum(map(len, self.rcpt_to)) + _OBJECT * len(self.rcpt_to)

    def field(self, name: bytes) -> bytes:
        """Return a field of the mail's header; empty: it is not there."""
        return self.mime.fields.get(name, b"") if self.mime is not None else b""

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent."""
        if name.startswith("file."):
            return [value for file in self.files for value in file.buffer(name)]
        read = _BUFFERS.get(name)
        return [value for value in read(self) if value] if read else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        found: dict[str, Any] = {}
        if self.helo:
            found["helo"] = text(self.helo)
        if self.mail_from is not None:
            found["mail_from"] = text(self.mail_from)
        if self.rcpt_to:
            found["rcpt_to"] = [text(path) for path in self.rcpt_to]
        return found

    def beside(self) -> dict[str, Any]:
        """Return the object that EVE has beside it: the mail."""
        if self.mime is None:
            return {}
        found: dict[str, Any] = {"status": "PARSE_DONE" if self.complete else "BODY_STARTED"}
        for key, name, many in _EMAIL:
            value = self.field(name)
            if value:
                found[key] = [one.strip() for one in text(value).split(",")] if many else text(value)
        if self.mime.names:
            found["attachment"] = [text(name) for name in self.mime.names]
        return {"email": found}


_EMAIL = (
    ("from", b"from", False),
    ("to", b"to", True),
    ("cc", b"cc", True),
    ("subject", b"subject", False),
    ("date", b"date", False),
    ("message_id", b"message-id", False),
    ("x_mailer", b"x-mailer", False),
)
"""EVE name, header field, list of addresses."""

_BUFFERS: Mapping[str, Callable[[SmtpTransaction], Sequence[bytes]]] = MappingProxyType(
    {
        "smtp.helo": lambda tx: (tx.helo,),
        "smtp.mail_from": lambda tx: (tx.mail_from or b"",),
        "smtp.rcpt_to": lambda tx: tx.rcpt_to,
        "email.from": lambda tx: (tx.field(b"from"),),
        "email.to": lambda tx: (tx.field(b"to"),),
        "email.cc": lambda tx: (tx.field(b"cc"),),
        "email.subject": lambda tx: (tx.field(b"subject"),),
        "email.date": lambda tx: (tx.field(b"date"),),
        "email.message_id": lambda tx: (tx.field(b"message-id"),),
        "email.x_mailer": lambda tx: (tx.field(b"x-mailer"),),
    }
)
