"""Detection of SMB: a message header behind the one of NetBIOS (RFC 1002 section 4.3)."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import SMB

Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1


@helper
def _message(h: Ints, at: int, n: int) -> int:
    """Look for a message: type 0, a size, the mark of some version."""
    if n > at and h[at] != 0:
        return _NO
    if n > at + 3 and h[at + 1] == 0 and h[at + 2] == 0 and h[at + 3] < 32:
        return _NO
    if n > at + 4 and not 0xFC <= h[at + 4] <= 0xFF:
        return _NO
    if (n > at + 5 and h[at + 5] != 83) or (n > at + 6 and h[at + 6] != 77) or (n > at + 7 and h[at + 7] != 66):
        return _NO
    return SMB if n > at + 7 else _PENDING


@helper
def _session_request(h: Ints, n: int) -> int:
    """Look for the two names of a session request, of which the first has 32 letters A to P: the server tells more."""
    if (n > 1 and h[1] != 0) or (n > 2 and h[2] != 0) or (n > 3 and h[3] != 68) or (n > 4 and h[4] != 32):
        return _NO
    for j in range(5, min(n, 32)):
        if not 65 <= h[j] <= 80:
            return _NO
    return _PENDING


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on one side of a TCP flow."""
    if h[0] == 0x81:
        return int(_session_request(h, n))
    if h[0] in (0x82, 0x85):  # the answer to it, or somebody who is still there, before the first message
        for j in range(1, min(n, 4)):
            if h[j] != 0:
                return _NO
        return int(_message(h, 4, n))
    return int(_message(h, 0, n))
