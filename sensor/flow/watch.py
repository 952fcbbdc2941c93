"""What is odd about single TCP segments (`kernels_watch`), kept from block to block."""

from __future__ import annotations

import numpy as np

from sensor.flow.kernels_watch import WATCH, watch


class Watcher:
    """One pipeline's memory of its TCP connections; it grows with the flow table, and not before it is asked.

    midstream: connections are taken up whose start was not seen.
    """

    def __init__(self, *, midstream: bool = True) -> None:
        self._midstream = midstream
        self._state = np.zeros(0, WATCH)
        self._early = np.full(1, -1, np.int64)

    def look(self, rows: np.ndarray, buf: np.ndarray, flows: np.ndarray) -> np.ndarray:
        """Return uint64[n], a bit per `TcpEvent` of each row. rows: ROW[n], tracked; flows: FLOW[slots]."""
        if self._state.size < flows.size:
            grown = np.zeros(flows.size, WATCH)
            grown[: self._state.size] = self._state
            self._state = grown
        out = np.zeros(rows.size, np.uint64)
        watch(rows, buf, flows, self._state, self._early, self._midstream, out)
        return out
