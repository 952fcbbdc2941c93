"""Port sets of rules as bitmaps: a test is one look, whatever the set."""

from __future__ import annotations

import numpy as np

from sensor.model.distinct import distinct
from sensor.rules.nodes import PortSet

_BYTES = 65536 // 8


class PortSets:
    """Numbers for port sets, from 1; 0 is any port."""

    def __init__(self) -> None:
        self._numbers: dict[PortSet, int] = {}

    def number(self, ports: PortSet) -> int:
        """Return the number of a set."""
        if not ports.include and not ports.exclude:
            return 0
        return self._numbers.setdefault(ports, len(self._numbers) + 1)

    def bitmaps(self) -> np.ndarray:
        """Return uint8[sets, 8192]: bit `port & 7` of byte `port >> 3`. Row 0 holds every port."""
        out = np.zeros((len(self._numbers) + 1, _BYTES), np.uint8)
        out[0] = 0xFF
        for ports, number in self._numbers.items():
            held = np.zeros(65536, np.bool_)
            for low, high in ports.include or ((0, 65535),):
                held[low : high + 1] = True
            for low, high in ports.exclude:
                held[low : high + 1] = False
            out[number] = np.packbits(held, bitorder="little")
        return out


def words(sets: np.ndarray) -> np.ndarray:
    """Return sets as bits of words: bool[n, k] → uint64[n, ceil(k / 64)]."""
    n, k = sets.shape
    padded = np.zeros((n, (k + 63) // 64 * 64), np.bool_)
    padded[:, :k] = sets
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def port_classes(kinds: np.ndarray, bitmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return classes of ports between which no header tells, and which headers take each as source and destination.

    kinds: HEADER[n]; bitmaps: of `PortSets`. uint16[65536]; uint64[classes, words] twice. Headers whose ends may stand
    the other way round take every port.
    """
    used = distinct(np.concatenate([kinds["sport"], kinds["dport"]]))
    cuts = np.zeros(65536, np.bool_)
    for number in used.tolist():
        held = np.unpackbits(bitmaps[number], bitorder="little")
        cuts[1:] |= held[1:] != held[:-1]
    firsts = np.flatnonzero(cuts | (np.arange(65536) == 0))
    swapped = kinds["swap"] == 1
    ends = []
    for name in ("sport", "dport"):
        takes = bitmaps[kinds[name].astype(np.int64)][:, firsts >> 3] >> (firsts & 7) & 1 != 0
        ends.append(words((takes | swapped[:, None]).T))
    return np.cumsum(cuts).astype(np.uint16), ends[0], ends[1]
