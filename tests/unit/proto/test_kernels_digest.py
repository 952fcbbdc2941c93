"""Digests in kernels are those of hashlib."""

import hashlib
import random

import numpy as np
import pytest
from numba import njit

from sensor.proto.kernels_digest import md5, sha1


@njit
def both(data, start, end, scratch, first, second):
    md5(data, start, end, scratch, first, 1)
    sha1(data, start, end, scratch, second, 0)


@pytest.mark.parametrize("size", [*range(66), 119, 120, 127, 128, 500])
def test_they_are_those_of_hashlib(size):
    octets = random.Random(size).randbytes(size)
    data = np.frombuffer(b"front" + octets + b"more", np.uint8).copy()
    first, second = np.zeros(34, np.uint8), np.zeros(59, np.uint8)
    both(data, 5, 5 + size, np.zeros(80, np.int64), first, second)
    assert first.tobytes() == b"\0" + hashlib.md5(octets, usedforsecurity=False).hexdigest().encode() + b"\0"
    assert second.tobytes() == hashlib.sha1(octets, usedforsecurity=False).digest().hex(":").encode()
