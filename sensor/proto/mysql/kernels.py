"""Detection of MySQL by the greeting of its server: protocol 10 and a version."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import MYSQL

Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1


@helper
def _is_digit(c: int) -> bool:
    return 48 <= c <= 57


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on one side of a TCP flow."""
    if h[0] < 30 or (n > 1 and h[1] != 0) or (n > 2 and h[2] != 0) or (n > 3 and h[3] != 0):
        return _NO
    if (n > 4 and h[4] != 10) or (n > 5 and not _is_digit(h[5])):
        return _NO
    if n > 6 and not (_is_digit(h[6]) or h[6] == 46):
        return _NO
    if n > 7:
        return MYSQL if _is_digit(h[7]) or h[7] == 46 else _NO
    return _PENDING
