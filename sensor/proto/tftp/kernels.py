"""How TFTP begins: a request on any port, its other packets on port 69 only (RFC 1350 section 5)."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import TFTP

Bytes = npt.NDArray[np.uint8]

_NO = 1
_LONGEST_NAME = 512


@helper
def _is_mode(buf: Bytes, pos: int, end: int) -> bool:
    """Look for `netascii`, `octet` or `mail` and a zero, any case: first letter and length tell them apart."""
    stop = pos
    while stop < end and buf[stop] != 0 and stop - pos < 10:
        stop += 1
    if stop >= end or buf[stop] != 0:
        return False
    first, size = buf[pos] | 32, stop - pos
    return bool((first == 110 and size == 8) or (first == 111 and size == 5) or (first == 109 and size == 4))


@helper
def datagram(buf: Bytes, pos: int, size: int, sport: int, dport: int) -> int:
    """See `sensor.proto.kernels_more`."""
    if buf[pos] != 0 or buf[pos + 1] < 1 or buf[pos + 1] > 6:
        return _NO
    end = pos + size
    if buf[pos + 1] > 2:
        return TFTP if 69 in (sport, dport) and (buf[pos + 1] != 4 or size <= 64) else _NO
    if dport == 69:  # whatever names and modes are like
        return TFTP
    stop = pos + 2
    while stop < end and 32 <= buf[stop] < 127 and stop - pos < _LONGEST_NAME:
        stop += 1
    if stop == pos + 2 or stop + 1 >= end or buf[stop] != 0:
        return _NO
    return TFTP if _is_mode(buf, stop + 1, end) else _NO
