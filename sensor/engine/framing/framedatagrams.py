"""Which datagrams of a protocol must be parsed: each is a message, cut into a frame, and rules are tried on these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from sensor.detect.planning.plan import Plan
from sensor.detect.prefilter.frametests import FrameTests
from sensor.engine.block.derive import datagrams
from sensor.engine.framing.framepairs import Outputs, in_text, pairs_by_frame
from sensor.engine.framing.frames import FrameCounters
from sensor.model.frames import Framed
from sensor.proto import ids
from sensor.proto.dhcp.framing import frame_messages
from sensor.proto.registry import SPECS

FRAMED: Mapping[int, Callable[[np.ndarray, np.ndarray], Framed]] = MappingProxyType({ids.DHCP: frame_messages})
"""Application id → returns the frames of datagrams (uint8[n], UNIT[m])."""


class FrameDatagrams:
    """Tries the rules of a protocol on frames of datagrams. None of its rules has a literal for the scan."""

    def __init__(self, app: int, plan: Plan, tests: FrameTests) -> None:
        spec = SPECS[app]
        if spec.framing is None:
            raise ValueError(f"{spec.name} has no frames")
        self._app, self._tests, self._headers = app, tests, plan.headers
        self._framing, self._frame = spec.framing, FRAMED[app]
        self._texts = np.zeros(1, np.uint8), in_text(spec.framing)
        self._outputs = Outputs()
        self.counters = FrameCounters()

    def wanted(self, rows: np.ndarray, buf: np.ndarray, messages: tuple[np.ndarray, np.ndarray],
               flows: np.ndarray) -> set[int]:  # fmt: skip
        """Return the rows of the datagrams that a rule may match, or that are not plain.

        rows: ROW[n]; messages: rows and protocols of UDP payloads; flows: FLOW[slots].
        """
        numbers = messages[0][messages[1] == self._app]
        if not numbers.size:
            return set()
        units = datagrams(rows, numbers)
        data = _together(units, buf)
        framed = self._frame(data, units)
        pairs = pairs_by_frame(
            framed, data, units, flows, self._tests, self._headers, self._framing, self._texts, self._outputs
        )
        at = framed.frames["unit"][list({frame for frame, _ in pairs})]
        self.counters.dhcp_messages_matched += at.size
        self.counters.dhcp_messages_not_plain += framed.refused.size
        return {*numbers[at].tolist(), *numbers[framed.refused].tolist()}


def _together(units: np.ndarray, buf: np.ndarray) -> np.ndarray:
    """Return uint8[n]: the bytes of units one behind the other, and have the units say where they stand there."""
    parts = [buf[start:end] for start, end in zip(units["start"].tolist(), units["end"].tolist(), strict=True)]
    units["end"] = np.cumsum([part.size for part in parts])
    units["start"] = units["fresh"] = np.concatenate(([0], units["end"][:-1]))
    return np.concatenate(parts)
