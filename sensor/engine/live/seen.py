"""What the control socket is told about packets, by the one process that sees them all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sensor.capture.afpacket import LiveSource
from sensor.engine.pipeline import Pipeline
from sensor.model.rows import STATE_FREE


def flow_stats(pipeline: Pipeline, number: int) -> dict[str, int] | None:
    """Return a live flow by its `flow_id`, None: there is none."""
    flows = pipeline.table.flows
    at = np.flatnonzero((flows["id"] == number) & (flows["state"] != STATE_FREE))
    if not at.size:
        return None
    flow = flows[int(at[0])]
    age = (int(flow["last"]) - int(flow["first"])) // 10**9
    return {"pkts_toserver": int(flow["pkts"][0]), "bytes_toserver": int(flow["bytes"][0]),
            "pkts_toclient": int(flow["pkts"][1]), "bytes_toclient": int(flow["bytes"][1]), "age": age}  # fmt: skip


class Seen:
    """Looks at one pipeline and its interfaces."""

    mode = "single"

    def __init__(self, pipeline: Pipeline, source: LiveSource) -> None:
        self._pipeline = pipeline
        self._source = source

    def interfaces(self) -> list[str]:
        """Return their names."""
        return [ring.name for ring in self._source.rings]

    def interface(self, name: str) -> Mapping[str, int] | None:
        """Return what one has counted, None: there is none of that name."""
        for ring in self._source.rings:
            if ring.name == name:
                ring.read_statistics()
                count = ring.counters
                return {"pkts": count.kernel_packets, "invalid-checksums": self._pipeline.tally.checksums["bad"],
                        "drop": count.kernel_drops, "bypassed": 0, "present": ring.attached}  # fmt: skip
        return None

    def rules(self) -> int:
        """Return how many rules run."""
        return self._pipeline.plan.table.loaded()

    def flow(self, number: int) -> Mapping[str, int] | None:
        """Return a live flow by its `flow_id`, None: there is none."""
        return flow_stats(self._pipeline, number)
