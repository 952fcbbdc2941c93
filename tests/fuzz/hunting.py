"""Inputs without end, the same for the same seed; what they found, and how slow the slowest was."""

import random
import time
import traceback
from dataclasses import dataclass, field

import driving
import mutation

TIMES = 100
"""What an input may cost, in units of a normal one of its size."""
SUSPECT = 20
"""Inputs that seem to cost so much are measured again: a machine has other things to do, too."""
_FLOOR = 0.002
"""Seconds that are no matter of complaint."""


@dataclass
class Report:
    """What became of one target."""

    name: str
    cases: int = 0
    slowest: float = 0.0
    """Times a normal input of its size."""
    slow_input: list = field(default_factory=list)
    slow_seconds: float = 0.0
    findings: list = field(default_factory=list)
    """(what, case number, input)"""


class Hunt:
    """Fuzzes one parser. Case n of a seed is always the same input."""

    def __init__(self, target, seed):
        self.report = Report(target.name)
        self._target = target
        self._seed = seed
        self._normal = driving.Normal(target)
        self._pool = target.pool

    def input(self, number):
        """Return a conversation of (side, bytes or None for lost ones)."""
        rnd = random.Random(f"{self._seed}/{self._target.name}/{number}")
        talk = rnd.choice(self._target.talks)
        if number % 16 == 15:
            talk = [(rnd.randrange(2), rnd.randbytes(rnd.choice((1, 8, 100, 5000)))) for _ in range(rnd.randint(1, 9))]
        changed = mutation.talk_of(rnd, talk, self._pool)
        return changed if self._target.datagrams else mutation.pieces_of(rnd, changed)

    def run(self, seconds):
        """Try inputs for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.report.findings) < 5:
            self._try(self.report.cases)
            self.report.cases += 1

    def _try(self, number):
        talk = self.input(number)
        try:
            seconds = driving.cost(self._target, talk)
        except Exception:  # noqa: BLE001 - whatever a parser raises is what is looked for
            self.report.findings.append((traceback.format_exc(limit=-4), number, talk))
            return
        normal = self._normal.of(talk)
        if seconds > _FLOOR and seconds > SUSPECT * normal:
            seconds = min(seconds, *(driving.cost(self._target, talk) for _ in range(3)))
        times = seconds / normal
        if seconds > _FLOOR and times > self.report.slowest:
            self.report.slowest, self.report.slow_input, self.report.slow_seconds = times, talk, seconds
        if seconds > _FLOOR and times > TIMES:
            self.report.findings.append((f"{times:.0f} times a normal input of its size", number, talk))
