"""What framing kernels write into a frame (`sensor.model.frames.FRAME`)."""

from numba import njit


@njit
def put(f, part, start, end):  # pragma: no cover
    """Note where a part begins and ends."""
    f["at"][part] = start
    f["to"][part] = end


@njit
def clear(f, unit, side, start, value):  # pragma: no cover
    """Begin a frame: nothing is known but where. value: `ABSENT`, `UNKNOWN` or `APART`, of all parts."""
    f["unit"] = unit
    f["side"] = side
    f["first"] = f["head"] = f["last"] = start
    f["flags"] = 0
    f["at"][:] = value
    f["to"][:] = value
