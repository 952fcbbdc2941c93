"""What all workers have counted: those that run, by their last beat, and those that have died."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sensor.engine.crew import sums
from sensor.engine.crew.members import Member
from sensor.engine.crew.verdicts import Verdicts
from sensor.engine.crew.wire import Part
from sensor.engine.records.evidence import Evidence
from sensor.metrics.names import Snapshot

_CAPTURE = "xensor_capture_"


class Totals:
    """Sums. A worker's last second is missing once it has died: it tells how it stands once a second.

    nothing: what a worker has seen that has seen nothing.
    """

    def __init__(self, members: Sequence[Member], nothing: Part) -> None:
        self._members = members
        self._nothing = nothing
        self._dead: list[Part] = []
        """At most one: all workers that have died."""
        self._dead_figures: dict[str, dict[tuple[str, ...], float]] = {}
        self._dead_packets: dict[int, int] = {}
        self._dead_evidence: dict[str, int] = {}

    def bury(self, member: Member) -> None:
        """Keep what a worker that has died had told last."""
        if member.beat is None or member.beat.final:
            return
        beat, member.beat = member.beat, None
        self._dead = [sums.retired([*self._dead, beat.part])]
        self._dead_figures = sums.figures([self._dead_figures, sums.counters_only(beat.figures)])
        self._dead_packets[member.number] = self._dead_packets.get(member.number, 0) + beat.part.packets
        for name, n in beat.evidence.items():
            self._dead_evidence[name] = self._dead_evidence.get(name, 0) + n
        self._dead_evidence.pop("remembered", None)

    def parts(self) -> list[Part]:
        """Return what was seen."""
        found = [*self._dead, *(member.beat.part for member in self._members if member.beat is not None)]
        return found or [self._nothing]

    @property
    def packets(self) -> int:
        """Packets decoded."""
        return sum(part.packets for part in self.parts())

    @property
    def last(self) -> int:
        """Time of the last packet, ns."""
        return max(part.last for part in self.parts())

    @property
    def drops(self) -> int:
        """Packets that the kernel has dropped."""
        return self._captured("kernel_drops")

    @property
    def orphaned(self) -> int:
        """Packets that workers had in hand when they died."""
        return self._captured("orphaned")

    def _captured(self, name: str) -> int:
        return sum(int(part.stats.get("capture", {}).get(name, 0)) for part in self.parts())

    def stats(self, verdicts: Verdicts) -> dict[str, Any]:
        """Return the body of a `stats` event."""
        return sums.total([part.stats for part in self.parts()], verdicts)

    def figures(self, *more: Snapshot) -> dict[str, Mapping[tuple[str, ...], float]]:
        """Return the metrics about packets. more: to be added."""
        beats: list[Snapshot] = [*more, self._dead_figures]
        beats += [member.beat.figures for member in self._members if member.beat is not None]
        return {**sums.figures(beats), "xensor_worker_packets_total": self._by_worker()}

    def _by_worker(self) -> dict[tuple[str, ...], float]:
        now = {m.number: m.beat.part.packets if m.beat is not None else 0 for m in self._members}
        return {(str(n),): packets + self._dead_packets.get(n, 0) for n, packets in now.items()}

    def tell(self, evidence: Evidence) -> None:
        """Let the process that writes packets tell what the workers have counted of them."""
        told = [self._dead_evidence, *(m.beat.evidence for m in self._members if m.beat is not None)]
        for name in evidence.counters.names():
            setattr(evidence.counters, name, sum(one.get(name, 0) for one in told))
        evidence.remembered = sum(one.get("remembered", 0) for one in told)

    def sight(self, names: Sequence[str], rules: Callable[[], int]) -> CrewSight:
        """Return what the control socket is told about packets."""
        return CrewSight(self, names, rules)


class CrewSight:
    """Answers from the last beats, a second old at most."""

    mode = "workers"

    def __init__(self, totals: Totals, names: Sequence[str], rules: Callable[[], int]) -> None:
        self._totals = totals
        self._names = list(names)
        self.rules = rules

    def interfaces(self) -> list[str]:
        """Return their names."""
        return self._names

    def interface(self, name: str) -> Mapping[str, int] | None:
        """Return what one has counted, None: there is none of that name."""
        if name not in self._names:
            return None
        figures = self._totals.figures()

        def of(what: str) -> int:
            return int(figures.get(f"{_CAPTURE}{what}", {}).get((name,), 0))

        bad = int(figures.get("xensor_checksums_total", {}).get(("bad",), 0))
        return {"pkts": of("kernel_packets_total"), "invalid-checksums": bad, "drop": of("kernel_drops_total"),
                "bypassed": 0, "present": bool(of("interface_present"))}  # fmt: skip

    def flow(self, _number: int) -> Mapping[str, int] | None:
        """Return nothing: the workers are asked."""
        return None
