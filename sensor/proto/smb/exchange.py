"""Transactions of SMB other than files: a command and its answer, a call in a pipe, the bytes of one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.proto.dcerpc.call import Call
from sensor.proto.smb.connection import Connection

_EXCHANGE = 1000
"""Bytes that it takes besides its text, which is there as sent and in its record."""


class Exchange:
    """A command and its answer."""

    __slots__ = ("_connection", "buffers", "command", "fields", "id", "session", "status", "tree")

    def __init__(self, connection: Connection, command: str) -> None:
        self._connection = connection
        self.id = connection.number()
        self.command = command
        """As EVE names it."""
        self.session = 0
        self.tree = 0
        self.status: tuple[str, str] | None = None
        """Name and code of the answer's; None: there is none yet."""
        self.buffers: dict[str, bytes] = {}
        self.fields: dict[str, Any] = {}
        """Of the EVE object, besides what all commands have."""

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        value = self.buffers.get(name, b"")
        return (value,) if value else ()

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        return _EXCHANGE + sum(map(len, self.buffers.values())) + 2 * len(str(self.fields))

    def numbers(self, _name: str) -> Sequence[int]:
        """Return nothing: all numbers are of calls."""
        return ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        found: dict[str, Any] = {"id": self.id + 1, "dialect": self._connection.dialect, "command": self.command}
        if self.status is not None:
            found["status"], found["status_code"] = self.status
        return found | {"session_id": self.session, "tree_id": self.tree} | self.fields


class PipeCall(Call):
    """A call of DCE/RPC in a named pipe."""

    __slots__ = ("_context",)

    def __init__(self, context: Exchange, call: int, *, little: bool) -> None:
        super().__init__(context.id, call, little=little)
        self._context = context
        """What EVE says of pipe and session."""

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        return super().buffer(name) or self._context.buffer(name)

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        shown = self.summary()
        if "req" in shown:
            shown["opnum"] = shown["req"].pop("opnum")
            if self.bound is not None:
                version = f"{self.bound.version}.{self.bound.minor}"
                shown["interfaces"] = [{"uuid": self.bound.interface, "version": version}]
        for shown_as, (_, reason) in zip(shown.get("interfaces", ()), self.results, strict=False):
            shown_as["ack_reason"] = reason
        return self._context.eve() | {"dcerpc": {**shown, "call_id": self.call}}


class Frame:
    """The bytes of one message, as far as they are kept, and how many of them are its header."""

    __slots__ = ("_data", "_header", "_kind", "id")

    def __init__(self, kind: str, data: bytes, header: int) -> None:
        self.id = -1
        """A frame is no transaction."""
        self._kind = kind
        self._data = data
        self._header = header

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        kind, _, part = name.partition("@")[0].removeprefix("frame.").partition(".")
        if kind != self._kind:
            return ()
        at = slice(None) if part == "pdu" else slice(self._header) if part == "hdr" else slice(self._header, None)
        value = self._data[at]
        return (value,) if value else ()

    def numbers(self, _name: str) -> Sequence[int]:
        """Return nothing."""
        return ()

    def eve(self) -> dict[str, Any]:
        """Return nothing: a frame has no record."""
        return {}
