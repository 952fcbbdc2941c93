"""Counters of a stage: plain ints in slots, read as snapshots."""

from __future__ import annotations


class Counters:
    """Base of per-stage counter classes: subclasses list names in `__slots__`, all start at 0."""

    __slots__ = ()

    def __init__(self) -> None:
        for name in self.names():
            setattr(self, name, 0)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the counters in declaration order."""
        return tuple(name for base in reversed(cls.__mro__) for name in getattr(base, "__slots__", ()))

    def snapshot(self) -> dict[str, int]:
        """Return name → value."""
        return {name: getattr(self, name) for name in self.names()}
