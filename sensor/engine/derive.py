"""Scan units whose bytes are not on the wire as they are: names of DNS questions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sensor.engine.kernels_derive import NAME, question_names
from sensor.model.units import UNIT

_SPARE = 64
"""Questions beside one of each message: mDNS asks several at once."""


class Derived(NamedTuple):
    """Bytes to scan, and what they stand for."""

    data: np.ndarray
    """uint8[k]: four bytes and more behind the last unit."""
    units: np.ndarray
    """UNIT[n]"""


def names(rows: np.ndarray, buf: np.ndarray, messages: np.ndarray, *, responses: bool) -> tuple[Derived, np.ndarray]:
    """Return the questions' names of DNS datagrams; and int64[k], the rows that must be parsed to know theirs.

    messages: int64[n], the datagrams' rows; responses: those of responses, too.
    """
    most = 2 * messages.size + _SPARE
    out = np.zeros(NAME * most // 2 + 4, np.uint8)
    made, odd = np.empty(most, UNIT), np.empty_like(messages)
    packed = question_names(rows, buf, messages, np.array([responses]), out, made, odd)
    return Derived(out, made[: packed & 0xFFFFFFFF]), odd[: packed >> 32]
