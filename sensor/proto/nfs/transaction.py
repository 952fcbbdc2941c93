"""One call of NFS and its reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class NfsCall:
    """A call and its reply."""

    __slots__ = ("fields", "file_name", "id", "procedure", "rpc", "status", "version", "visible")

    def __init__(self, number: int, version: int, procedure: int, *, visible: bool = True) -> None:
        self.id = number
        self.version = version
        self.procedure = procedure
        self.visible = visible
        """Rules may compare its numbers: of NFS 4 only those of files are compared, as Suricata does."""
        self.file_name = b""
        self.status = ""
        """Of the reply; empty: there is none."""
        self.rpc: dict[str, Any] = {}
        """EVE object of the call that carries it."""
        self.fields: dict[str, Any] = {}
        """Of the EVE object, besides what all calls have."""

    def buffer(self, _name: str) -> Sequence[bytes]:
        """Return nothing: all buffers are of files."""
        return ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return the value of a number."""
        if not self.visible:
            return ()
        return (self.version if name == "nfs.version" else self.procedure,)

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        name = self.file_name.decode("utf-8", "backslashreplace")
        found: dict[str, Any] = {"version": self.version, **self.fields, "filename": name, "id": self.id + 1}
        found.setdefault("file_tx", False)
        return found | {"type": "response", "status": self.status} if self.status else found | {"type": "request"}

    def beside(self) -> dict[str, Any]:
        """Return the EVE object of the call."""
        return {"rpc": self.rpc} if self.rpc else {}
