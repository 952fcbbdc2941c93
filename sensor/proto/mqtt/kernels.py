"""How MQTT begins: a CONNECT on any port, any sound fixed header on the registered one (MQTT 5 section 2.1)."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import MQTT

Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1
_NAME = (0, 4, 77, 81, 84, 84)
"""`MQTT` with its length."""
_OLD_NAME = (0, 6, 77, 81, 73, 115, 100, 112)
"""`MQIsdp` with its length (version 3.1)."""


@helper
def _name(h: Ints, start: int, n: int) -> int:
    """Look for the protocol's name: MQTT it is there, 0 part of it, 1 something else."""
    if n > start + 1 and h[start + 1] not in (4, 6):
        return _NO
    old = n > start + 1 and h[start + 1] == 6
    for j in range(8 if old else 6):
        if start + j >= n:
            return _PENDING
        if h[start + j] != (_OLD_NAME[j] if old else _NAME[min(j, 5)]):
            return _NO
    return MQTT


@helper
def _sound(h: Ints, start: int, n: int, length: int) -> int:
    """Judge a first message other than CONNECT by its flags and length."""
    kind, flags = h[0] >> 4, h[0] & 15
    if kind == 3:  # PUBLISH: QoS, and the length of the topic
        if flags & 6 == 6 or length < 2:
            return _NO
        if n < start + 2:
            return _PENDING
        return MQTT if (h[start] << 8 | h[start + 1]) + 2 <= length else _NO
    if flags != (2 if kind in (6, 8, 10) else 0):
        return _NO
    if kind in (12, 13):
        return MQTT if length == 0 else _NO
    if kind in (14, 15):
        return MQTT
    if length < 2 or (kind <= 7 and length > 31 and kind != 2):
        return _NO
    if kind == 2:
        if n < start + 1:
            return _PENDING
        return MQTT if h[start] <= 1 else _NO
    return MQTT


@helper
def stream(h: Ints, n: int, side: int, sport: int, dport: int) -> int:  # noqa: ARG001 - same form as of all protocols
    """See `sensor.proto.kernels_more`."""
    usual = sport == 1883 or dport == 1883
    kind = h[0] >> 4
    if kind == 0 or (kind != 1 and not usual) or (kind == 1 and h[0] != 16):
        return _NO
    length = 0
    for j in range(1, 5):
        if j >= n:
            return _PENDING
        length |= (h[j] & 127) << 7 * (j - 1)
        if h[j] < 128:
            return int(_name(h, j + 1, n)) if kind == 1 else int(_sound(h, j + 1, n, length))
    return _NO
