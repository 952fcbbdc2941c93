"""A log-on or a command, and the server's answer to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.proto.text import text


class MysqlExchange:
    """A command and its answer; the first one is the log-on."""

    __slots__ = ("argument", "code", "command", "database", "id", "message", "status", "user", "version")

    def __init__(self, number: int, version: bytes, command: str) -> None:
        self.id = number
        self.version = version
        self.command = command
        self.argument = b""
        self.user = b""
        self.database = b""
        self.status = ""
        """Of the answer: `ok`, `error`, `result`; empty: there is none."""
        self.code = 0
        self.message = b""

    @property
    def statement(self) -> bytes:
        """The text of a statement, else the name of a command."""
        return self.argument or self.command.encode()

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        value = _BUFFERS[name](self) if name in _BUFFERS else b""
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        found: dict[str, Any] = {"version": text(self.version), "command": text(self.statement)}
        found |= {key: text(value) for key, value in (("user", self.user), ("database", self.database)) if value}
        if self.status:
            found["status"] = self.status
        if self.code:
            found |= {"error_code": self.code, "error_message": text(self.message)}
        return found


_BUFFERS: Mapping[str, Callable[[MysqlExchange], bytes]] = MappingProxyType(
    {
        "mysql.command": lambda tx: tx.statement,
        "mysql.user": lambda tx: tx.user,
        "mysql.version": lambda tx: tx.version,
    }
)
