"""What stands for itself among transactions: a message as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class View:
    """Buffers with one instance each. Has no record of its own (`Transaction.id`)."""

    __slots__ = ("_values", "id")

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self.id = -1
        self._values = values

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer, if the view has it."""
        value = self._values.get(name, b"")
        return (value,) if value else ()

    def numbers(self, name: str) -> Sequence[int]:  # noqa: ARG002 - part of the contract
        """Return nothing: numbers are those of transactions."""
        return ()

    def eve(self) -> dict[str, Any]:
        """Return no object."""
        return {}
