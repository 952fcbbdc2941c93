"""Frames of DHCP (`sensor.model.frames`): one of each message.

What the kernel takes for plain, the parser reads as it stands. Everything else (options in several parts, in other
fields, damaged or of an unusual size) it refuses, and the message is parsed.
"""

from __future__ import annotations

import numpy as np

from sensor.model.frames import FRAME, Framed
from sensor.proto.dhcp.kernels_frame import TEXT, frame
from sensor.proto.framer import framed


def frame_messages(data: np.ndarray, units: np.ndarray) -> Framed:
    """Return the frames of datagrams. data: uint8[n]; units: UNIT[m], in their order."""
    frames, text = np.empty(units.size, FRAME), np.empty(TEXT * units.size, np.uint8)
    verdict = np.zeros(units.size, np.uint8)
    n = frame(data, units, frames, text, verdict)
    first = np.searchsorted(frames["unit"][:n], np.arange(units.size + 1)).astype(np.int32)
    picked, over = np.ones(units.size, np.bool_), np.full(1, -1, np.int32)
    return framed(frames[:n], first, text, picked, verdict, over)
