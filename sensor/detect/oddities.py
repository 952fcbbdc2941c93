"""What is odd in the packets of a block, for the choice of rules that ask for it."""

from __future__ import annotations

import numpy as np

from sensor.decode.details import details
from sensor.decode.kernels_suspects import suspects
from sensor.detect.packetrow import packet_row

_WORD = (1 << 64) - 1


def oddities(rows: np.ndarray, buf: np.ndarray) -> np.ndarray:
    """Return uint64[n, 3]: of each row the set of values of `decode.event`. rows: ROW[n], buf: their bytes."""
    out = np.zeros((rows.size, 3), np.uint64)
    out[:, 0] = rows["anomaly"]
    suspect = np.empty(rows.size, np.uint8)
    suspects(rows, buf, suspect)
    for i in np.flatnonzero(suspect).tolist():
        found = details(packet_row(rows, i), buf)
        out[i, 1], out[i, 2] = found >> 64 & _WORD, found >> 128
    return out
