"""Tables with a row for each flow, which grow with the flow table."""

import numpy as np


def grown(array: np.ndarray, size: int) -> np.ndarray:
    """Return an array of `size`, zeros behind what there was.

    Memory behind it is not touched: there are 300,000 slots, of which few are ever used.
    """
    made = np.zeros(size, array.dtype)
    made[: array.size] = array
    return made
