"""What framing kernels write into a frame (`sensor.model.frames.FRAME`)."""

import numpy as np

from sensor.model.jit import helper

REFUSED = 1
"""Verdict on a unit: only the parser can tell what it holds."""


@helper
def decimal(value, text, at):  # pragma: no cover
    """Write a number of 32 bits; return where it ends."""
    scale = 10000 if value < 100000 else 1000000000
    while scale > 1 and value < scale:
        scale //= 10
    while scale:
        text[at] = 48 + value // scale % 10
        at += 1
        scale //= 10
    return at


@helper
def put(f, part, start, end):  # pragma: no cover
    """Note where a part begins and ends."""
    f["at"][part] = start
    f["to"][part] = end


@helper
def clear(f, unit, side, start, value):  # pragma: no cover
    """Begin a frame: nothing is known but where. value: `ABSENT`, `UNKNOWN` or `APART`, of all parts."""
    f["unit"] = unit
    f["side"] = side
    f["first"] = f["head"] = f["last"] = start
    f["flags"] = 0
    f["at"][:] = value
    f["to"][:] = value


@helper
def own(flows, slot, owner, following):  # pragma: no cover
    """Begin to follow a flow, if it is another than the one that had its slot; return whether it is.

    owner, following: see `sensor.proto.framer.Following`.
    """
    mine = flows[slot]["id"] + np.uint64(1)
    if owner[slot] == mine:
        return False
    owner[slot] = mine
    following[2 * slot] = following[2 * slot + 1] = 0
    return True


@helper
def refuse(slot, following):  # pragma: no cover
    """Follow a flow no longer."""
    following[2 * slot] = following[2 * slot + 1] = -1
