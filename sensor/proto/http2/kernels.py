"""How the server of HTTP/2 begins: with SETTINGS. The client's preface is told apart before methods of HTTP/1."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import HTTP2

Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - same form as of all protocols
    """See `sensor.proto.kernels_more`. RFC 9113 sections 4.1 and 6.5: whole settings of six bytes, no flags."""
    for j in range(min(n, 9)):
        if j == 2:
            if h[2] % 6 != 0 or h[2] == 0 or h[2] > 96:
                return _NO
        elif h[j] != (4 if j == 3 else 0):
            return _NO
    if n < 11:
        return _PENDING
    # The first setting's number: those of the RFC, and a few that are registered beside them.
    return HTTP2 if h[9] == 0 and 1 <= h[10] <= 16 else _NO
