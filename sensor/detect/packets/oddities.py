"""What is odd in the packets of a block, for the choice of rules that ask for it."""

from __future__ import annotations

import numpy as np

from sensor.decode.details import details, reached_of_all
from sensor.decode.kernels_suspects import suspects
from sensor.detect.packets.packetrow import packet_row

_WORD = (1 << 64) - 1
TOLD = 61
"""A bit of the last word that is no value of `tcp.event`: `app.told`."""


def oddities(
    rows: np.ndarray, buf: np.ndarray, segments: np.ndarray | None, told: np.ndarray | None = None
) -> np.ndarray:
    """Return uint64[n, 4]: of each row the values of `decode.event` (three words), then of `tcp.event`.

    rows: ROW[n], buf: their bytes, segments: uint64[n], the last word, told: bool[n], bit `TOLD` of it; None: nobody
    asks.
    """
    out = np.zeros((rows.size, 4), np.uint64)
    if segments is not None:
        out[:, 3] = segments
    if told is not None:
        out[told, 3] |= np.uint64(1 << TOLD)
    out[:, 0] = reached_of_all(rows["anomaly"])
    suspect = np.empty(rows.size, np.uint8)
    suspects(rows, buf, suspect)
    for i in np.flatnonzero(suspect).tolist():
        found = details(packet_row(rows, i), buf)
        out[i, 1], out[i, 2] = found >> 64 & _WORD, found >> 128
    return out
