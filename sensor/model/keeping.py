"""Bytes of files that are kept for the file store, beyond those that rules see."""

from __future__ import annotations

from dataclasses import dataclass


class Shelf:
    """What all flows may keep together."""

    __slots__ = ("_limit", "held", "per_file", "refused")

    def __init__(self, limit: int, per_file: int) -> None:
        """per_file: bytes of one file, those that rules see included."""
        self._limit = limit
        self.per_file = per_file
        self.held = 0
        self.refused = 0
        """Files that are not kept whole for want of room."""

    def take(self, nbytes: int) -> bool:
        """Reserve room; tell whether there was any."""
        if self.held + nbytes > self._limit:
            return False
        self.held += nbytes
        return True


class Room:
    """The part of a shelf that one flow has taken: given back at its end, whatever became of its parser."""

    __slots__ = ("_shelf", "held")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.held = 0

    @property
    def per_file(self) -> int:
        """Bytes of one file."""
        return self._shelf.per_file

    def take(self, nbytes: int) -> bool:
        """Reserve room; tell whether there was any."""
        if not self._shelf.take(nbytes):
            self._shelf.refused += 1
            return False
        self.held += nbytes
        return True

    def give(self, nbytes: int) -> None:
        """Give room back."""
        self.held -= nbytes
        self._shelf.held -= nbytes

    def leave(self) -> None:
        """Give everything back."""
        self.give(self.held)


class Tail:
    """The bytes of one file behind those that rules see, up to the first that finds no room."""

    __slots__ = ("_data", "_left", "_room")

    def __init__(self, room: Room, head: int) -> None:
        """head: bytes that are kept elsewhere."""
        self._room = room
        self._data = bytearray()
        self._left = max(0, room.per_file - head)

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        taken = min(len(data), self._left)
        if not taken or not self._room.take(taken):
            self.stop()
            return
        self._data += data[:taken]
        self._left -= taken

    def stop(self) -> None:
        """Take no more: what follows is not next to what is there."""
        self._left = 0

    @property
    def most(self) -> int:
        """Bytes of a whole file that may be kept."""
        return self._room.per_file

    def bytes(self) -> bytes:
        """Return what is kept."""
        return bytes(self._data)

    def close(self) -> None:
        """Keep nothing more, and nothing of it."""
        self.stop()
        self._room.give(len(self._data))
        self._data = bytearray()


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What a parser does with files."""

    hashed: bool = False
    """What is too long to be kept is hashed: 4.5 ms a megabyte."""
    room: Room | None = None
    """Where the bytes of long files are kept; None: nowhere."""

    def tail(self, head: int) -> Tail | None:
        """Return where a file's bytes go behind the first ones."""
        return Tail(self.room, head) if self.room is not None else None


NO_POLICY = FilePolicy()
"""Files are neither hashed nor kept."""
