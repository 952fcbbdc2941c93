"""RFB by content: `RFB ` and a version, from either side (RFC 6143 section 7.1.1)."""

import numpy as np

from sensor.model.jit import helper
from sensor.proto.ids import RFB

_PENDING, _NO = 0, 1
_BANNER = np.frombuffer(b"RFB ddd.ddd\n", np.uint8)
"""`d` stands for a digit."""


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes."""
    for i in range(_BANNER.size):
        if i >= n:
            return _PENDING
        wanted = _BANNER[i]
        if not (48 <= h[i] <= 57 if wanted == 100 else h[i] == wanted):
            return _NO
    return RFB
