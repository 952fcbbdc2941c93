"""A hint that bytes are read soon."""

import numpy as np
import pytest
from numba import njit

from sensor.model.prefetch import ahead
from sensor.model.rows import ROW


@njit
def _read(array, at):
    ahead(array, at)
    return array.size


@pytest.mark.parametrize("at", [0, 4, 1 << 20, -1, 1 << 62])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, ROW])
def test_any_place_of_any_array_may_be_named(dtype, at):
    array = np.zeros(2, dtype)
    assert _read(array, at) == 2
    assert array.tobytes() == bytes(array.nbytes)


def test_bytes_that_may_not_be_written():
    array = np.zeros(8, np.uint8)
    array.flags.writeable = False
    assert _read(array, 3) == 8
