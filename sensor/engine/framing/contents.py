"""Which flows carry contents that rules ask for (`sensor.model.app.Carriage`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sensor.engine.block.gathered import Gathered
from sensor.model.app import Order
from sensor.model.distinct import distinct
from sensor.model.rows import COLD
from sensor.model.units import UNIT_STREAM
from sensor.proto.registry import SPECS


class Contents:
    """The finders of the protocols that are concerned."""

    def __init__(self, asked: Mapping[int, int]) -> None:
        """asked: see `sensor.detect.planning.plan.Plan.contents`."""
        known = ((app, SPECS[app].carriage, mask) for app, mask in asked.items())
        self._finders = tuple((app, how.new_finder(), mask) for app, how, mask in known if how is not None)

    def look(self, gathered: Gathered, flows: np.ndarray) -> Iterator[tuple[int, list[int]]]:
        """Yield (protocol, slots of flows to be parsed). flows: FLOW[slots]."""
        data, units = gathered.data, gathered.units
        slots = units["flow"]
        stream = (units["kind"] == UNIT_STREAM) & (flows["hot"][slots] == COLD)
        for app, finder, mask in self._finders:
            picked = stream & (flows["app"][slots] == app)
            if picked.any():
                verdict = finder.find(data, units, picked, flows, order_of(gathered))
                yield app, distinct(slots[verdict & mask != 0]).tolist()


def order_of(gathered: Gathered) -> Order:
    """Return when the bytes of a block's streams came: as `sensor.engine.walk` takes their segments."""
    at = gathered.by_place()
    return Order(gathered.seg_at[at], gathered.segs["row"][at].astype(np.int64) * (1 << 32) + at)


def look_back(asked: Mapping[int, int]) -> int:
    """Return how many bytes of earlier blocks must be seen again."""
    known = (SPECS[app].carriage for app in asked)
    return max((how.look for how in known if how is not None), default=0)
