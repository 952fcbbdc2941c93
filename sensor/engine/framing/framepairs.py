"""Which rules without a literal for the scan may match which frames."""

from __future__ import annotations

import numpy as np

from sensor.detect.headers.index import Headers
from sensor.detect.prefilter.frametests import FrameTests
from sensor.detect.prefilter.kernels_frametests import by_frame
from sensor.model.app import Framing
from sensor.model.frames import Framed

_ROOM = 1 << 15


class Outputs:
    """Room for pairs, one for all blocks."""

    def __init__(self) -> None:
        self._out = np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32)

    def room(self, at_once: int) -> tuple[np.ndarray, np.ndarray]:
        """Return int32[n] for frames, and for rules. at_once: as many may come in one go."""
        if self._out[0].size < 2 * at_once + _ROOM:
            size = 2 * at_once + _ROOM
            self._out = np.empty(size, np.int32), np.empty(size, np.int32)
        return self._out


def in_text(framing: Framing) -> np.ndarray:
    """Return uint8[parts], 1 where one stands in the text of the framer."""
    out = np.zeros(256, np.uint8)
    out[list(framing.text)] = 1
    return out


def pairs_by_frame(framed: Framed, data: np.ndarray, units: np.ndarray, flows: np.ndarray, tests: FrameTests,
                   head: Headers, framing: Framing, texts: tuple[np.ndarray, np.ndarray],
                   outputs: Outputs) -> list[tuple[int, int]]:  # fmt: skip
    """Return (frame, rule) pairs. data: uint8[n]; units: UNIT[m]; flows: FLOW[slots].

    texts: what of parts reads otherwise than it stands (uint8[k], see `Frames`), and `in_text`.
    """
    t, out = tests, outputs.room(tests.always.size)
    state = np.zeros(1, np.int64)
    found: list[tuple[int, int]] = []
    while state[0] < framed.frames.size:
        t.stamps.fill(0)
        n = by_frame(
            data, units, flows, head.table, head.ports, head.flow_masks, framed.frames, framed.text, *texts,
            framing.goes_on, framing.cookie, t.first, t.table, t.pool, *t.automata.arrays, t.always, t.always_first,
            t.floats, t.any_float, t.stamps, *out, state,
        )  # fmt: skip
        found += zip(out[0][:n].tolist(), out[1][:n].tolist(), strict=True)
    return found
