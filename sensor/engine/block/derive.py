"""Scan units whose bytes are not on the wire as they are: names of DNS questions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sensor.engine.block.kernels_derive import NAME, question_names
from sensor.model.units import UNIT, UNIT_PACKET

_SPARE = 64
"""Questions beside one of each message: mDNS asks several at once."""


class Derived(NamedTuple):
    """Bytes to scan, and what they stand for."""

    data: np.ndarray
    """uint8[k]: four bytes and more behind the last unit."""
    units: np.ndarray
    """UNIT[n]"""


def datagrams(rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return UNIT[n]: the payloads of some rows (int64[n]) where they stand in the packet buffer."""
    units = np.empty(numbers.size, UNIT)
    units["start"] = units["fresh"] = rows["pay"][numbers]
    units["end"] = units["start"] + rows["paylen"][numbers]
    units["flow"], units["side"], units["row"] = rows["flow"][numbers], rows["side"][numbers], numbers
    units["pos"], units["kind"] = 0, UNIT_PACKET
    return units


def names(messages: np.ndarray, buf: np.ndarray, *, responses: bool) -> tuple[Derived, np.ndarray]:
    """Return the questions' names of DNS messages; and int64[k], those that must be parsed to know theirs.

    messages: UNIT[n], places in buf; responses: those of responses, too.
    """
    most = 2 * messages.size + _SPARE
    out = np.zeros(NAME * most // 2 + 4, np.uint8)
    made, odd = np.empty(most, UNIT), np.empty(messages.size, np.int64)
    packed = question_names(messages, buf, np.array([responses]), out, made, odd)
    return Derived(out, made[: packed & 0xFFFFFFFF]), odd[: packed >> 32]
