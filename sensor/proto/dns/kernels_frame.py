"""Cutting the gathered bytes of DNS streams into messages, by the length in front of each (RFC 1035 section 4.2.2)."""

import numba
import numpy as np
from numba.types import int64

from sensor.model.jit import helper, kernel
from sensor.model.kernels_bytes import u16
from sensor.model.rows import FLOW
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto.dns import limits
from sensor.proto.kernels_parts import REFUSED, own, refuse

_OPCODES = 0b1000001111110111
"""Those of real traffic, as bits (RFC 6895 section 2.2, RFC 1002 section 4.2.1.1)."""
_HEADER, _COUNT = limits.MESSAGE_MIN, limits.PROBE_COUNT

_UNITS, _FLOWS = numba.from_dtype(UNIT)[::1], numba.from_dtype(FLOW)[::1]
_U1, _I8, _U8 = numba.uint8[::1], int64[::1], numba.uint64[::1]


@helper
def _plausible(data, at):  # pragma: no cover
    """Tell whether twelve bytes can be a header of real traffic: opcode, counts, and something in it."""
    if not _OPCODES >> (np.int64(data[at + 2]) >> 3 & 15) & 1:
        return False
    for k in range(4, _HEADER, 2):
        if u16(data, at + k) > _COUNT:
            return False
    return u16(data, at + 4) > 0 or data[at + 2] & 0x80 != 0


@helper
def _begins(data, at, end):  # pragma: no cover
    """Tell whether a side begins with a length and a message, and not with a message that has none in front."""
    if at + 2 + _HEADER > end or u16(data, at) < _HEADER:
        return False
    return _plausible(data, at + 2) and not _plausible(data, at)


@helper
def _unit(data, u, at, made, n):  # pragma: no cover
    """Note the messages of a unit from the length at `at` on; return (messages, where the next length stands).

    The first is -1 where something is not plain. Of the last message only the beginning may be here.
    """
    end = np.int64(u["end"])
    while at < end:
        if at + 2 > end or n == made.size:
            return np.int64(-1), at
        stop = at + 2 + u16(data, at)
        if stop > end and at + 2 + _HEADER > end:
            return np.int64(-1), at
        m = made[n]
        m["start"] = m["fresh"] = at + 2
        m["end"] = min(stop, end)
        m["pos"] = 0
        m["flow"], m["row"], m["side"], m["kind"] = u["flow"], u["row"], u["side"], UNIT_STREAM
        n += 1
        at = stop
    return n, at


@kernel(int64(_U1, _UNITS, _U1, _FLOWS, _U8, _I8, _UNITS, _U1))
def cut(data, units, picked, flows, owner, following, made, verdict):  # pragma: no cover
    """Write the messages of the picked units, without their lengths; return how many.

    owner, following: see `sensor.proto.framer.Following`. made: UNIT[k] (out). verdict: uint8[units] (out): `REFUSED`,
    or 0.
    """
    n = np.int64(0)
    for i in range(units.size):
        if not picked[i]:
            continue
        u = units[i]
        slot = np.int64(u["flow"])
        key = 2 * slot + np.int64(u["side"])
        fresh, pos = np.int64(u["fresh"]), np.int64(u["pos"])
        own(flows, slot, owner, following)
        at = fresh + (following[key] - pos)
        plain = following[2 * slot] >= 0 and following[2 * slot + 1] >= 0 and at >= fresh
        if plain and not flows[slot]["gaps"][0] and not flows[slot]["gaps"][1]:
            count = np.int64(-1)
            if following[key] or _begins(data, at, np.int64(u["end"])):
                count, at = _unit(data, u, at, made, n)
            if count >= 0:
                n = count
                following[key] = pos + (at - fresh)
                continue
        verdict[i] = REFUSED
        refuse(slot, following)
    return n
