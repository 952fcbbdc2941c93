"""Port sets of rules as bitmaps: a test is one look, whatever the set."""

from __future__ import annotations

import numpy as np

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
