"""Messages of DNS over TCP as places in the gathered bytes of a block, found without parsing."""

from __future__ import annotations

import numpy as np

from sensor.model.distinct import distinct
from sensor.model.rows import COLD
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto import ids
from sensor.proto.dns.kernels_frame import cut
from sensor.proto.framer import Following
from sensor.proto.kernels_parts import REFUSED

_ROOM = 1 << 12
"""Messages of one block; a flow whose messages find no room is parsed."""


class DnsCutter(Following):
    """Cuts streams into messages. Of a message that goes on in the next block, what is here counts as one."""

    def __init__(self) -> None:
        super().__init__()
        self._made = np.empty(_ROOM, UNIT)

    def cut(self, data: np.ndarray, units: np.ndarray, flows: np.ndarray) -> tuple[np.ndarray, list[int]]:
        """Return UNIT[k], the messages of flows that are not parsed; and slots of flows that must be.

        data: uint8[n]; units: UNIT[m]; flows: FLOW[slots].
        """
        slots = units["flow"]
        picked = (units["kind"] == UNIT_STREAM) & (flows["app"][slots] == ids.DNS) & (flows["hot"][slots] == COLD)
        if not picked.any():
            return self._made[:0], []
        self._follow(units, picked, flows)
        verdict = np.zeros(units.size, np.uint8)
        n = cut(data, units, picked.view(np.uint8), flows, self._owner, self._next, self._made, verdict)
        return self._made[:n], distinct(slots[verdict == REFUSED]).tolist()
