"""Sets of values that rules share by name, and that traffic adds to (Suricata's datasets)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.model.counters import Counters

if TYPE_CHECKING:
    from sensor.rules.nodes import InList

MEMORY = 16 << 20
"""Bytes that values of one set may take that rules added or that were kept from the last run, where no rule says."""
TOTAL = 256 << 20
"""The same of all sets."""
EACH = 150
"""Bytes that a value takes besides its own."""


class DatasetCounters(Counters):
    """What was added, and what the caps cost."""

    __slots__ = ("dataset_values_added", "dataset_values_dropped")
    dataset_values_added: int
    dataset_values_dropped: int
    """Values that found no room: rules that add them do not match."""


class Dataset:
    """One set: what files gave, and what rules changed since."""

    __slots__ = ("changes", "kept", "kind", "limit", "loaded", "save", "size", "state")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.loaded: frozenset[bytes] = frozenset()
        self.changes: dict[bytes, bool] = {}
        """Value → it is in the set. Those added take room, and so do those taken away."""
        self.size = 0
        """Bytes that the changes take."""
        self.limit = 0
        """Bytes that they may take; 0: `MEMORY`."""
        self.state = ""
        """File that the set is read from at the start, and written to at the end."""
        self.kept = False
        """It holds what its state file says: it may be written there."""
        self.save = ""
        """File that it is written to at the end."""

    def __contains__(self, value: bytes) -> bool:
        """Tell whether a value is in the set."""
        changed = self.changes.get(value)
        return value in self.loaded if changed is None else changed

    def values(self) -> Iterator[bytes]:
        """Yield all values, those of files first."""
        yield from (value for value in self.loaded if self.changes.get(value, True))
        yield from (value for value, there in self.changes.items() if there and value not in self.loaded)


class Datasets:
    """All sets, by name and kind of values."""

    def __init__(self, tests: Iterable[InList] = ()) -> None:
        """Make the sets. tests: every test of the rules that names one."""
        self.counters = DatasetCounters()
        self._sets: dict[tuple[str, str], Dataset] = {}
        self._size = 0
        for test in tests:
            found = self.of(test)
            found.loaded |= frozenset(test.values)
            found.limit = max(found.limit, test.memory)
            found.state, found.save = found.state or test.state, found.save or test.save

    @property
    def sets(self) -> Mapping[tuple[str, str], Dataset]:
        """The sets by (name, kind)."""
        return MappingProxyType(self._sets)

    def of(self, test: InList) -> Dataset:
        """Return the set that a test names."""
        key = test.name, test.kind
        found = self._sets.get(key)
        if found is None:
            found = self._sets[key] = Dataset(test.kind)
        return found

    def change(self, found: Dataset, value: bytes, *, there: bool) -> None:
        """Add a value to a set or take it away, if there is room to remember it."""
        if (value in found) is there:
            return
        undone = found.changes.pop(value, None) is not None
        size = len(value) + EACH
        if undone:
            found.size, self._size = found.size - size, self._size - size
        if (value in found.loaded) is there:
            return
        if not self._fits(found, size):
            self.counters.dataset_values_dropped += 1
            return
        found.changes[value] = there
        found.size, self._size = found.size + size, self._size + size
        self.counters.dataset_values_added += there

    def has_room(self, found: Dataset, value: bytes) -> bool:
        """Tell whether a value could be added; counted where not."""
        if value in found.changes or self._fits(found, len(value) + EACH):
            return True
        self.counters.dataset_values_dropped += 1
        return False

    def _fits(self, found: Dataset, size: int) -> bool:
        return found.size + size <= (found.limit or MEMORY) and self._size + size <= TOTAL

    def adopt(self, old: Datasets) -> None:
        """Take over at a reload what rules have changed in sets that are still there."""
        self.counters = old.counters
        for key, known in old.sets.items():
            found = self._sets.get(key)
            if found is not None:
                found.changes, found.size, found.kept = known.changes, known.size, known.kept
                self._size += known.size
