"""Frames or a capture through the real pipeline, and what it wrote: the lines of `eve.json`."""

import dataclasses
import json
from dataclasses import dataclass, field
from difflib import unified_diff
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import msgspec

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import SECOND, FloodControl, FloodLimits
from sensor.capture.files import open_source
from sensor.capture.memory import MemorySource
from sensor.config.settings import EVE_TYPES, EveSettings, Settings
from sensor.detect.headers.groups import Groups
from sensor.detect.kept import packed, unpacked
from sensor.detect.planning.judged import JudgedRules
from sensor.detect.planning.plan import Plan, make_plan, plan_rule
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer
from sensor.engine.rulesets.bookstore import ReadyRules, Report
from sensor.errors import CaptureError
from sensor.flow.limits import FlowLimits
from sensor.flow.limits_fragments import DefragLimits
from sensor.model.block import LINKTYPE_ETHERNET
from sensor.proto.limits_ports import DnsPorts
from sensor.rules.load import load_rules
from sensor.rules.ruleset import RuleSet, build
from sensor.rules.sides import sided

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parent.parent / "shared"
ORACLE_RULES = TESTS / "oracle" / "rules.yaml"
EVERYTHING = tuple(kind for kind in EVE_TYPES if kind != "stats")
BLOCK = 16_384


@cache
def load(*paths):
    """Return the rules of files or folders; every one must load."""
    found = load_rules([str(path) for path in paths])
    assert not found.errors, [str(error) for error in found.errors][:5]
    rules, problems = build(found.rules, found.suppressions)
    assert not problems, problems
    return rules


def oracle_rules():
    return load(ORACLE_RULES)


@cache
def oracle_variants():
    """Return subsets of the oracle's rules by name: they differ in what triage may leave out.

    all: every HTTP flow is parsed, because some rule has no literal; lazy: only rules with a literal, so that flows
    stay cold until one is seen; single: of those, stream rules of one literal only, so that no windows are kept.
    """
    rules = oracle_rules()
    plans = [p for p in (plan_rule(n, rule) for n, rule in enumerate(rules.rules)) if p.literal]
    single = [p for p in plans if not make_plan([p.rule], Groups()).multi_step]
    subsets = {"all": rules.rules, "lazy": [p.rule for p in plans], "single": [p.rule for p in single]}
    return {name: RuleSet(subset, rules.suppressions) for name, subset in subsets.items()}


def rules_of(text, tmp_path):
    """Return the rules of a YAML text."""
    path = tmp_path / f"rules{abs(hash(text))}.yaml"
    path.write_text(text)
    return load(path)


SMALL = {"max_flows": 4096, "slack": 1024}
FRAGMENTS = DefragLimits(trackers=1024, fragments=4096, memcap=4 << 20)
"""Flows and fragments of a run that says nothing of them: tables of the usual size cost 25 ms, a few packets two."""


ANYWHERE = DnsPorts(udp=None, tcp=None)
"""DNS is looked for on any port: more to compare."""


@lru_cache(maxsize=16)
def _planned(rules):
    """Return a rule set's plan, and the same as bytes that copies are made of."""
    plan = make_plan([one for rule in rules.rules for one in sided(rule)], Groups())
    octets = msgspec.msgpack.encode(dataclasses.replace(plan, rules=JudgedRules()), enc_hook=packed)
    return plan, octets


def ready(rules):
    """Return rules with their plan, planned once for all runs: for a few frames it would be half of the work."""
    if isinstance(rules, ReadyRules):
        return rules
    plan, octets = _planned(rules)
    own = msgspec.msgpack.decode(octets, type=Plan, dec_hook=unpacked)  # each pipeline writes into its plan
    own = dataclasses.replace(own, rules=plan.rules)
    return ReadyRules(own, rules.suppressions, rules.outside, Report((), len(rules), (), {}))


def settings_of(types=EVERYTHING, run=None, eve=None, **parts):
    """Return settings with some values changed: parts of `Settings` by name, fields of `run` and `eve` as dicts."""
    base = Settings(flow=FlowLimits(**SMALL), defrag=FRAGMENTS, dns=ANYWHERE)
    return dataclasses.replace(
        base,
        eve=dataclasses.replace(EveSettings(types=tuple(types)), **(eve or {})),
        run=dataclasses.replace(base.run, **(run or {})),
        **parts,
    )


class Lines:
    """A sink that keeps lines of some kinds."""

    def __init__(self, kinds):
        self.lines = []
        self._kinds = frozenset(kinds)
        self._encode = msgspec.json.Encoder().encode

    def write(self, event):
        if event.kind in self._kinds:
            self.lines.append(self._encode(event.fields))

    def flush(self):
        pass

    def close(self):
        pass


@dataclass
class Outcome:
    lines: list = field(default_factory=list)
    pipeline: Pipeline = None
    writer: Writer = None
    error: CaptureError | None = None

    @property
    def events(self):
        return [json.loads(line) for line in self.lines]

    def of(self, kind):
        return [event for event in self.events if event["event_type"] == kind]

    @property
    def sids(self):
        """Alerts in order."""
        return [event["alert"]["signature_id"] for event in self.of("alert")]


def run(what, rules=None, *, types=EVERYTHING, triage=True, block=BLOCK, linktype=LINKTYPE_ETHERNET, settings=None,
        seed=0, packets=0, directory=None, store=None):  # fmt: skip
    """Run frames [(ns, bytes)], or a capture file, through a pipeline.

    block: packets of a block, or a list of packet numbers at which blocks end; packets: stop after so many;
    directory: of guests.
    """
    settings = settings or settings_of(types)
    sink = Lines(settings.eve.types)
    flood = FloodControl(FloodLimits(settings.run.flood_burst, settings.run.flood_window * SECOND))
    sinks = Sinks([sink])
    builder = EveBuilder(
        payload=settings.eve.payload, packet=settings.eve.packet, ethernet=settings.eve.ethernet
    )  # fmt: skip
    writer = Writer(builder, flood, sinks)
    if directory is not None:
        writer.identify(directory)
    if store is not None:
        writer.keep_files(store)
    rules = rules if rules is not None else oracle_rules()
    pipeline = Pipeline(ready(rules), EngineOptions(settings, triage=triage), writer, seed=seed)
    outcome = Outcome(sink.lines, pipeline, writer)
    try:
        for part in _blocks(what, block, linktype):
            pipeline.process(part)
            if packets and pipeline.tally.decode.pkts >= packets:
                break
    except CaptureError as error:
        outcome.error = error
    pipeline.finish()
    writer.finish()
    assert not sinks.errors, sinks.errors
    assert pipeline.judge.counters.rule_errors == 0
    assert pipeline.walk.apps.counters.parser_errors == 0
    return outcome


def _blocks(what, block, linktype):
    if isinstance(what, (str, Path)):
        source = open_source([str(what)], block_packets=block)
        try:
            yield from source.blocks()
        finally:
            source.close()
    elif isinstance(block, int):
        yield from MemorySource(what, linktype, block_packets=block).blocks()
    else:
        yield from _cut(what, block, linktype)


def _cut(frames, cuts, linktype):
    """Yield blocks that end where the caller says."""
    ends = sorted({0, len(frames), *(cut for cut in cuts if 0 < cut < len(frames))})
    for start, end in pairwise(ends):
        for part in MemorySource(frames[start:end], linktype, block_packets=end - start).blocks():
            part.first = start + 1
            yield part


def empty_rules():
    return RuleSet()


def difference(left, right):
    """Return what differs between two outcomes, readably; empty: nothing."""
    if left.lines == right.lines:
        return ""
    texts = [[line.decode() for line in outcome.lines] for outcome in (left, right)]
    return "\n".join(line[:700] for line in list(unified_diff(*texts, lineterm="", n=0))[:12])
