"""Detection of DCE/RPC by the header of the first PDU (C706 sections 12.5.1 and 12.6.3.1)."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import DCERPC

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1
_HEADER = 16
"""Bytes of a PDU's header: Suricata says nothing before they are there."""


@helper
def _fits(h: Ints, n: int) -> bool:
    """Tell whether the first n bytes may begin a PDU of the connection-oriented protocol.

    SOCKS 5 begins alike; it differs in the PDU type or in the reserved bytes.
    """
    if h[0] != 5 or (n > 1 and h[1] != 0):
        return False
    if n > 2 and not (h[2] in (0, 2, 3) or 11 <= h[2] <= 20):
        return False
    if n > 4 and h[4] & 0xEE != 0:
        return False
    return bool((n < 6 or h[5] <= 3) and (n < 7 or h[6] == 0) and (n < 8 or h[7] == 0))


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on one side of a TCP flow."""
    if not _fits(h, n):
        return _NO
    if n < _HEADER:
        return _PENDING
    size = h[8] | h[9] << 8 if h[4] & 0x10 else h[8] << 8 | h[9]
    return DCERPC if size >= _HEADER else _NO


@helper
def datagram(buf: Bytes, pos: int, size: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on a UDP payload: version 4, a known type, no reserved bit, a body that fits."""
    if size < 80 or buf[pos] != 4 or buf[pos + 1] > 10 or buf[pos + 3] & 0xFC != 0:
        return _NO
    if buf[pos + 4] & 0xEE != 0 or buf[pos + 5] > 3 or buf[pos + 6] != 0:
        return _NO
    low, high = np.int64(buf[pos + 74]), np.int64(buf[pos + 75])
    body = low | high << 8 if buf[pos + 4] & 0x10 else low << 8 | high
    return DCERPC if 80 + body <= size else _NO
