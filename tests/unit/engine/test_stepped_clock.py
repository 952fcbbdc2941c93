"""The clock of the machine is set while the sensor runs: what is under way is still found, and time goes on."""

import time
from types import SimpleNamespace

import enginekit
import forgekit
import pytest
from forgekit import START, Flow

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import SECOND, FloodControl, FloodLimits
from sensor.capture.counters import CaptureCounters
from sensor.capture.memory import MemorySource
from sensor.capture.ring import RingCounters
from sensor.engine.live import daemon
from sensor.engine.live.figures import Figures
from sensor.engine.live.notify import Notifier
from sensor.engine.live.signals import Signals
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer

HOUR = 3600 * SECOND


class Source:
    """Blocks, each at its time by the machine's clock; None: a second in which nothing comes."""

    def __init__(self, blocks, clock):
        self._blocks, self._clock = list(blocks), clock
        self.counters, self.rings, self.problems, self.errors = CaptureCounters(), [], [], []
        self._total = RingCounters()
        self.stop = None

    def next_block(self, _seconds):
        if not self._blocks:
            self.stop()
            return None
        block, clock = self._blocks.pop(0)
        self._clock.steady += 1.0
        self._clock.real = clock
        if block is not None:
            self._total.packets += block.n
        return block

    def drain(self):
        return []

    def totals(self):
        return self._total

    def read_statistics(self):
        """The counters are kept already."""

    def wake(self):
        """Nobody waits."""


def run(monkeypatch, timed, kinds=("alert", "flow", "stats")):
    """Let a daemon see (clock, frames or None) pairs; return the events that it wrote."""
    clock = SimpleNamespace(steady=1000.0, real=START)
    fake = SimpleNamespace(monotonic=lambda: clock.steady, time_ns=lambda: clock.real, time=lambda: clock.real / 1e9,
                           perf_counter=time.perf_counter)  # fmt: skip
    monkeypatch.setattr(daemon, "time", fake)
    settings = enginekit.settings_of(kinds)
    sink = enginekit.Lines(settings.eve.types)
    writer = Writer(EveBuilder(), FloodControl(FloodLimits(1000, 60 * SECOND)), Sinks([sink]))
    pipeline = Pipeline(enginekit.oracle_rules(), EngineOptions(settings), writer)
    blocks = [(None if frames is None else next(MemorySource([(at, f) for f in frames]).blocks()), at)
              for at, frames in timed]  # fmt: skip
    source = Source(blocks, clock)
    signals = Signals(source.wake)
    source.stop = signals.ask_stop
    around = daemon.Surroundings(
        log=lambda _text: None, publish=lambda _values: None, load_rules=enginekit.oracle_rules, notifier=Notifier({})
    )  # fmt: skip
    summary = daemon.Daemon(pipeline, writer, source, around, Figures("1", START), signals).watch()
    return enginekit.Outcome(sink.lines, pipeline, writer), summary


def attack(port):
    """Return the frames of an attack in two halves: the request is cut in its middle."""
    flow = Flow(sport=port, dport=80).open().send(0, forgekit.request("/evil/path"), cuts=(9, 20))
    flow.send(1, forgekit.response())
    frames = [frame for _, frame in flow.frames()]
    return frames[:5], frames[5:]


def attacks(outcome):
    return [alert["src_port"] for alert in outcome.of("alert") if alert["alert"]["signature_id"] == 60]


@pytest.mark.parametrize("step", [-24 * HOUR, -HOUR, -10 * SECOND, 10 * SECOND, HOUR, 24 * HOUR])
def test_an_attack_across_a_step_is_found_and_so_is_one_behind_it(monkeypatch, step):
    first, rest = attack(50_001)
    again, late = attack(50_002)
    second = SECOND
    timed = [
        (START, first), (START + second, None), (START + 2 * second + step, rest), (START + 3 * second + step, again),
        (START + 4 * second + step, None), (START + 5 * second + step, late),
        *((START + n * second + step, None) for n in range(6, 30)),
    ]  # fmt: skip
    outcome, summary = run(monkeypatch, timed)
    assert attacks(outcome) == [50_001, 50_002]
    flows = {flow["src_port"]: flow["flow"] for flow in outcome.of("flow")}
    assert set(flows) == {50_001, 50_002}
    assert all(flow["alerted"] for flow in flows.values())
    assert summary.packets == sum(map(len, (first, rest, again, late)))
    # Statistics are written by steady time, so none is missing, whatever the clock says.
    assert len(outcome.of("stats")) == (len(timed)) // 8 + 1


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_step_while_no_packet_comes_ends_no_flow(monkeypatch, step):
    first, rest = attack(50_001)
    timed = [(START, first), *((START + n * SECOND + step, None) for n in range(1, 10)), (START + 10 * SECOND, rest)]
    outcome, _ = run(monkeypatch, timed)
    assert attacks(outcome) == [50_001]
    assert len(outcome.of("flow")) == 1


def test_quiet_time_after_a_clock_was_set_back_ends_flows_all_the_same(monkeypatch):
    flow = Flow(sport=50_003, dport=9999).open().send(0, b"x").send(1, b"y").close()
    frames = [frame for _, frame in flow.frames()]
    later = [(START - HOUR + n * SECOND, None) for n in range(1, 200)]
    outcome, _ = run(monkeypatch, [(START, frames), *later], ("flow",))
    assert [flow["flow"]["reason"] for flow in outcome.of("flow")] == ["timeout"]
