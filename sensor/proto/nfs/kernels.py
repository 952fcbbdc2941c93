"""Detection of NFS by its first call: ONC RPC (RFC 5531 section 9), program 100003."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import NFS

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1


@helper
def _byte(at: int) -> int:
    """Return byte `at` of a call behind its number: type 0, version 2, program 100003, version 2 to 4; -1: any."""
    if at == 7:
        return 2
    if at == 9:
        return 0x01
    if at == 10:
        return 0x86
    if at == 11:
        return 0xA3
    return -1 if at == 15 else 0


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on one side of a TCP flow."""
    if h[0] != 0x80:
        return _NO
    for j in range(8, min(n, 24)):
        want = _byte(j - 8)
        if want >= 0 and h[j] != want:
            return _NO
    if n > 23:
        return NFS if 2 <= h[23] <= 4 else _NO
    return _PENDING


@helper
def datagram(buf: Bytes, pos: int, size: int, sport: int, dport: int) -> int:  # noqa: ARG001 - one signature for all
    """Return the verdict on a UDP payload."""
    if size <= 40:  # no more than a ping without credentials, which tells Suricata nothing
        return _NO
    for j in range(4, 20):
        want = _byte(j - 4)
        if want >= 0 and buf[pos + j] != want:
            return _NO
    return NFS if 2 <= buf[pos + 19] <= 4 else _NO
