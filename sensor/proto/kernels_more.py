"""Protocol detection of everything but the five protocols of `kernels_probe`: one module a protocol, asked in turn.

A protocol's module has one or both of two helpers:

- `stream(h, n, side, sport, dport)`: verdict on the first n bytes `h` of a TCP side (0: to_server): 0 while they may
  still begin the protocol, 1 if they do not, its id if they do. Bytes are read in order and the verdict never changes
  once it is not 0. A greeting that several protocols share stays 0: the other side tells.
- `datagram(buf, pos, size, sport, dport)`: whether the UDP payload `buf[pos : pos + size]` (size >= 4) is one message.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from sensor.proto.dcerpc import kernels as dcerpc

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

MODULES = (dcerpc,)
"""Modules of helpers that are compiled into the two functions below."""

_PENDING, _NO = 0, 1


@njit
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:
    """Return the verdict of all protocols on one side of a TCP flow."""
    verdict = _NO
    found = dcerpc.stream(h, n, side, sport, dport)
    if found > _NO:
        return int(found)
    verdict = min(verdict, found)
    return int(verdict)


@njit
def datagram(buf: Bytes, pos: int, size: int, sport: int, dport: int) -> int:  # noqa: ARG001 - protocols to come
    """Return the protocol of a UDP payload; 1: none."""
    return _NO
