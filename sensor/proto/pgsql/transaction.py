"""One request of a client, and what the server says to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_EXCHANGE = 1000
"""Bytes that it takes besides its text."""


class PgsqlExchange:
    """A request and its answer."""

    __slots__ = ("cost", "group", "id", "query", "request", "response", "user")

    def __init__(self, number: int, group: int) -> None:
        self.id = number
        self.group = group
        """Requests of one group are answered together."""
        self.cost = 0
        """Bytes that the parser accounts for while it waits for its answer."""
        self.query = b""
        self.user = b""
        self.request: dict[str, Any] = {}
        """Of the EVE object; so is the next."""
        self.response: dict[str, Any] = {}

    def held(self) -> int:
        """Bytes of memory that it takes, about: text is there as sent and in its record."""
        return _EXCHANGE + len(self.query) + len(self.user) + sum(len(str(one)) for one in self.request.values())

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        value = self.query if name == "pgsql.query" else self.user
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        found: dict[str, Any] = {"tx_id": self.id, "request": self.request}
        return found | {"response": self.response} if self.response else found
