"""Words of bits."""

import numpy as np

from sensor.model.jit import helper


@helper
def zeros(word):  # pragma: no cover
    """Return how many bits are 0 below the lowest that is 1 (there is one). word: uint64."""
    n = 0
    while not word & np.uint64(0xFF):
        word >>= np.uint64(8)
        n += 8
    while not word & np.uint64(1):
        word >>= np.uint64(1)
        n += 1
    return n
