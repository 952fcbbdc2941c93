"""The whole pipeline on captures with changed frames."""

import contextlib
import random
import time
import traceback
from itertools import islice

import enginekit
import fuzzcorpus
import mutation
from hunting import TIMES, Report

from sensor.capture.files import open_source

PCAPS = fuzzcorpus.TESTS.parent / "pcaps"
FRAMES = 120
"""Taken of a capture at a time."""


def _frames(path):
    source = open_source([str(path)])
    try:
        return [
            (int(block.ts[i]), block.buf[int(block.off[i]) : int(block.off[i]) + int(block.caplen[i])].tobytes())
            for block in source.blocks()
            for i in range(block.n)
        ]
    finally:
        source.close()


class CaptureHunt:
    """Fuzzes what stands between a capture and `eve.json`, with the shipped rules and every kind of record."""

    def __init__(self, seed):
        self.report = Report("pipeline")
        self._seed = seed
        self._captures = {path.stem: _frames(path) for path in sorted(PCAPS.glob("*.pcap"))}
        self._rules = enginekit.load(PCAPS.parent / "rules")
        self._normal = {}

    def input(self, number):
        """Return (capture, frames before, frames)."""
        rnd = random.Random(f"{self._seed}/pipeline/{number}")
        name = rnd.choice(sorted(self._captures))
        whole = self._captures[name]
        start = rnd.randrange(max(1, len(whole) - FRAMES))
        sound = list(islice(whole, start, start + FRAMES))
        return name, sound, mutation.frames_of(rnd, sound)

    def run(self, seconds):
        """Try inputs for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.report.findings) < 5:
            self._try(self.report.cases)
            self.report.cases += 1

    def _try(self, number):
        name, sound, frames = self.input(number)
        try:
            normal, seconds = self._cost(sound), self._cost(frames)
        except Exception:  # noqa: BLE001 - whatever is raised is what is looked for
            self.report.findings.append((traceback.format_exc(limit=-4), number, [(name, frames)]))
            return
        normal *= max(1, len(frames) / len(sound), sum(len(f) for _, f in frames) / sum(len(f) for _, f in sound))
        if seconds > TIMES * normal:
            seconds = min(seconds, *(self._cost(frames) for _ in range(3)))
        times = seconds / normal
        if times > self.report.slowest:
            self.report.slowest, self.report.slow_input, self.report.slow_seconds = times, [(name, frames)], seconds
        if times > TIMES:
            self.report.findings.append((f"{times:.0f} times the capture unchanged", number, [(name, frames)]))

    def _cost(self, frames):
        start = time.process_time_ns()
        with contextlib.suppress(enginekit.CaptureError):
            enginekit.run(frames, self._rules)
        return (time.process_time_ns() - start) / 1e9
