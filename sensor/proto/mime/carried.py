"""A mail on its way, and the files that come out of it: for protocols that hand mails over."""

from __future__ import annotations

from sensor.model.files import FileInfo
from sensor.model.keeping import FilePolicy
from sensor.proto.files import HASHED
from sensor.proto.mime.lines import DataReader
from sensor.proto.mime.parser import MimeParser


class CarriedMail:
    """Takes the bytes of one mail: up to a lone dot, or so many."""

    __slots__ = ("_left", "_mime", "_reader", "over")

    def __init__(self, length: int = -1, policy: FilePolicy = HASHED) -> None:
        """length: bytes that it has; -1: a lone dot ends it."""
        self.over = not length
        self._left = length
        self._mime = MimeParser(policy)
        self._reader = DataReader(self._mime)

    def feed(self, data: bytes) -> tuple[list[FileInfo], bytes]:
        """Take bytes; return the files that are complete now, and what is behind the mail's end."""
        if self._left < 0:
            left = self._reader.feed(data)
            self.over = left >= 0
            rest = data[len(data) - left :] if left > 0 else b""
        else:
            mine, rest = data[: self._left], data[self._left :]
            self._left -= len(mine)
            self.over = not self._left
            self._reader.feed(mine, dots=False)
        if self.over:
            self._reader.finish(ended=True)
        return self._files(), rest

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return self._mime.held

    def finish(self) -> list[FileInfo]:
        """Return the files of a mail that was cut off."""
        if not self.over:
            self.over = True
            self._reader.finish(ended=False)
        return self._files()

    def _files(self) -> list[FileInfo]:
        found, self._mime.files = self._mime.files, []
        return found
