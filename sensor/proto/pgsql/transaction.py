"""One request of a client, and what the server says to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class PgsqlExchange:
    """A request and its answer."""

    __slots__ = ("group", "id", "query", "request", "response", "user")

    def __init__(self, number: int, group: int) -> None:
        self.id = number
        self.group = group
        """Requests of one group are answered together."""
        self.query = b""
        self.user = b""
        self.request: dict[str, Any] = {}
        """Of the EVE object; so is the next."""
        self.response: dict[str, Any] = {}

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        value = self.query if name == "pgsql.query" else self.user
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        found: dict[str, Any] = {"tx_id": self.id, "request": self.request}
        return found | {"response": self.response} if self.response else found
