"""Arrays that are written down are the same arrays when they are read: a kernel refuses any other type."""

import msgspec
import numpy as np
import pytest
from numba import typeof

from sensor.detect.headers.kernels_headers import HEADER, SHORT
from sensor.detect.kept import packed, unpacked
from sensor.detect.prefilter.kernels_frametests import TEST
from sensor.detect.prefilter.kernels_looks import LOOK
from sensor.detect.regex.kernels_automata import AUTOMATON


@pytest.mark.parametrize("dtype", [HEADER, SHORT, TEST, LOOK, AUTOMATON, np.uint8, np.int64, "?"])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3)])
def test_arrays_come_back_as_they_were(dtype, shape):
    array = np.zeros(shape, dtype)
    array.reshape(-1).view(np.uint8)[:] = np.arange(array.nbytes) & 1
    written = msgspec.msgpack.encode(array, enc_hook=packed)
    read = unpacked(np.ndarray, msgspec.msgpack.decode(written))
    assert typeof(read) == typeof(array)
    assert (read == array).all()
    assert read.flags.writeable
