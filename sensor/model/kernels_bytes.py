"""Numbers in bytes, and bytes from one array to another: compiled into kernels of all stages."""

import numpy as np

from sensor.model.jit import helper


@helper
def u16(data, at):  # pragma: no cover
    """Return the big-endian number of two bytes, int64."""
    return np.int64(data[at]) << 8 | np.int64(data[at + 1])


@helper
def u24(data, at):  # pragma: no cover
    """Return that of three bytes."""
    return u16(data, at) << 8 | np.int64(data[at + 2])


@helper
def u32(data, at):  # pragma: no cover
    """Return that of four bytes."""
    return u16(data, at) << 16 | u16(data, at + 2)


@helper
def u64(data, at):  # pragma: no cover
    """Return that of eight bytes, uint64."""
    return np.uint64(u32(data, at)) << np.uint64(32) | np.uint64(u32(data, at + 4))


@helper
def copy(to, at, source, start, size):  # pragma: no cover
    """Copy bytes: `to[at : at + size] = source[start : start + size]`, which must not overlap."""
    # Slices and range(): indexing from 0 lets numba leave out its test for negative indexes: 35 times faster.
    x, y = to[at : at + size], source[start : start + size]
    for k in range(size):
        x[k] = y[k]
