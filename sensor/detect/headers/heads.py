"""The first bytes of streams, which are at hand when their block is long gone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Heads(NamedTuple):
    """Of the sides of flows, 2 * slot + side (`kernels_headers.head_known`)."""

    octets: np.ndarray
    """uint8[HEAD * sides]"""
    sizes: np.ndarray
    """int64[sides]"""


NO_HEADS = Heads(np.zeros(0, np.uint8), np.zeros(0, np.int64))
