"""One FTP command and its replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.proto.ftp import limits
from sensor.proto.text import text

ACTIVE_MODE, PASSIVE_MODE = 1, 2


class FtpTransaction:
    """A command with its replies, or a reply without one (the greeting). Bounded by `limits`."""

    __slots__ = (
        "answered", "arguments", "bounce", "codes", "command", "command_cut", "id", "mode", "port", "replies",
        "reply_cut", "size",
    )  # fmt: skip

    def __init__(self, number: int, command: bytes = b"", arguments: bytes = b"", *, cut: bool = False) -> None:
        self.id = number
        self.command = command
        self.arguments = arguments
        self.command_cut = cut
        self.reply_cut = False
        self.bounce = False
        """It asks the server to connect to somebody else than the client."""
        self.mode = 0
        self.port = 0
        """Of the data connection; 0: none is announced."""
        self.codes: list[bytes] = []
        self.replies: list[bytes] = []
        self.answered = False
        self.size = len(command) + len(arguments)
        """Bytes kept."""

    def add_reply(self, code: bytes, line: bytes) -> None:
        """Keep a line of a reply, as far as there is room."""
        if len(self.replies) >= limits.REPLY_LINES or self.size > limits.REPLY_BYTES:
            self.reply_cut = True
            return
        if code:
            self.codes.append(code)
        self.replies.append(line[len(code) + 1 :] if code else line)
        self.size += len(line)

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent."""
        read = _BUFFERS.get(name)
        return [value for value in read(self) if value] if read else ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return the values of a number; empty where it is absent."""
        read = _NUMBERS.get(name)
        return read(self) if read else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object (Suricata's names)."""
        found: dict[str, Any] = {}
        if self.command:
            found["command"] = text(self.command)
        if self.arguments:
            found["command_data"] = text(self.arguments)
            found["command_truncated"] = self.command_cut
        if self.port:
            found["dynamic_port"] = self.port
        if self.mode:
            found["mode"] = "active" if self.mode == ACTIVE_MODE else "passive"
        if self.codes:
            found["completion_code"] = [text(code) for code in self.codes]
        if self.replies:
            found["reply"] = [text(line).rstrip() for line in self.replies]
        return found | {"reply_received": "yes" if self.answered else "no", "reply_truncated": self.reply_cut}


_BUFFERS: Mapping[str, Callable[[FtpTransaction], Sequence[bytes]]] = MappingProxyType(
    {
        "ftp.command": lambda tx: (tx.command,),
        "ftp.command_data": lambda tx: (tx.arguments,),
        "ftp.reply": lambda tx: tx.replies,
        "ftp.completion_code": lambda tx: tx.codes,
    }
)

_NUMBERS: Mapping[str, Callable[[FtpTransaction], Sequence[int]]] = MappingProxyType(
    {
        "ftp.bounce": lambda tx: (int(tx.bounce),) if tx.port else (),
        "ftp.mode": lambda tx: (tx.mode,) if tx.mode else (),
        "ftp.dynamic_port": lambda tx: (tx.port,) if tx.port else (),
        "ftp.reply_received": lambda tx: (int(tx.answered),),
    }
)
